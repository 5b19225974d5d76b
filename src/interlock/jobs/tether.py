"""``python -m interlock.jobs.tether MODULE ARGUMENTS...``: run a module that ends with the process that started it.

Its standard input is a pipe whose other end only the starter holds. When that is closed, by whatever death, the
process group is told to end, and five seconds later it is killed: no job runs on without somebody who renews its lease.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 5.0


def tether() -> None:
    """Watch standard input from a thread of its own; the process group ends when it does."""
    threading.Thread(target=_watch, args=(os.dup(0),), name="tether", daemon=True).start()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _watch(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    tether()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

"""``python -m interlock.cli.demo_moved SECONDS ARGUMENTS...``: a command of ours under a clock that was moved.

For the demo, in which a night passes: its jobs are the real commands in real processes.
"""

from __future__ import annotations

import sys
import time

from interlock.cli.main import main
from interlock.clock import SystemClock


class MovedClock:
    """The machine's clock, moved by some seconds."""

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def now(self) -> float:
        return time.time() + self.shift

    def move_to(self, at: float) -> None:
        """From now on it is ``at`` (epoch seconds), and time goes on from there."""
        self.shift = at - time.time()


if __name__ == "__main__":
    moved = MovedClock(float(sys.argv.pop(1)))
    SystemClock.now = lambda self: moved.now()  # type: ignore[method-assign] # every part of this process sees it
    main()

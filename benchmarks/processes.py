"""Processes under measurement: started on a core, waited for, weighed, stopped. Linux: reads /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def cores() -> tuple[int, int]:
    """The core of the server under test and the core of everything else; the same one if there is but one."""
    able = sorted(os.sched_getaffinity(0))
    return able[0], able[-1]


def stay_on(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})


def start(
    command: Sequence[str], *, core: int | None = None, env: Mapping[str, str] | None = None, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in the project's folder; its output goes into ``log``."""
    output = subprocess.DEVNULL if log is None else log.open("ab")
    whole = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", **(env or {})}
    if core is not None and hasattr(os, "sched_setaffinity"):
        able = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})  # a child starts where its parent is: no code between fork and exec
        try:
            return subprocess.Popen(command, cwd=ROOT, env=whole, stdout=output, stderr=output)
        finally:
            os.sched_setaffinity(0, able)
    return subprocess.Popen(command, cwd=ROOT, env=whole, stdout=output, stderr=output)


def uvicorn(app: str, port: int) -> list[str]:
    """The command that serves an ASGI app the way all servers here are served."""
    return [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "error"]


def free_port() -> int:
    """A port that nobody has at the moment."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_answers(url: str, process: subprocess.Popen[bytes], *, within_s: float = 30.0) -> float:
    """Seconds until the address answered with any HTTP status below 500. Raises RuntimeError if it does not."""
    began = time.perf_counter()
    while time.perf_counter() - began < within_s:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it answered")
        try:
            _NO_PROXY.open(url, timeout=1).close()
            return time.perf_counter() - began
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return time.perf_counter() - began
        except OSError:
            pass
        time.sleep(0.005)
    raise RuntimeError(f"{url} did not answer within {within_s:g} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process we started, gently first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped on the way out."""
    try:
        yield process
    finally:
        stop(process)


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process tree so far."""
    total = 0.0
    for member in tree(pid):
        try:
            stat = Path(f"/proc/{member}/stat").read_text()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * _TICK_S
    return total


def memory_mib(pid: int) -> tuple[float, float]:
    """Proportional and resident memory of a process tree, MiB."""
    totals = {"Pss:": 0, "Rss:": 0}
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in totals:
                totals[name] += int(rest[0])
    return totals["Pss:"] / 1024, totals["Rss:"] / 1024

"""The end of a process and of those it started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress


async def end(process: asyncio.subprocess.Process, patience_s: float) -> None:
    """Ask the process group to end, and after ``patience_s`` make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience_s)

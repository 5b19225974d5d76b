"""The flag store beside the event loop: what may take seconds, or wait for a publication, runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from interlock.clock import Clock
from interlock.quality.flags import FlagStore

T = TypeVar("T")


class Aside:
    """A flag store with a thread of its own, opened when it is first used; one thing at a time, also when whoever
    asked does not wait for it any more. Raises what the store raises."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._store: FlagStore | None = None
        self._thread = ThreadPoolExecutor(1, "flags")

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        if self._store is not None:
            self._store.close()

    async def run(self, work: Callable[[FlagStore], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[FlagStore], T]) -> T:
        if self._store is None:
            self._store = FlagStore(self._folder, self._clock)
        return work(self._store)

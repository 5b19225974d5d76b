"""Group commit: many callers wait at once, one thread writes them all with one durable commit.

While one batch is being committed the next one gathers, so the cost of a commit is shared by however
many callers there are, and a single caller waits for nothing but its own commit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from interlock.state.errors import StateError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

WATCH_S = 1.0
"""How often it is looked whether the writing thread still moves, while somebody waits for it."""

Tick = Callable[[], "float | None"]
"""Work for idle moments; answers in how many seconds it wants to be called again, None for never."""


class _Mark:
    """Takes a place in the queue and nothing else: all that stood before it has been committed."""


_MARK = _Mark()


class GroupCommit(Generic[Item, Outcome]):
    """A bounded queue in front of one writing thread.

    ``commit`` runs in the thread and answers one outcome, or one exception, per item; when it raises,
    every item of the batch fails with that. Items that nobody waits for (``put``) may stand for
    ``linger_s`` so that they share a commit; an item with a waiter (``submit``) is taken at once.
    A caller that is cancelled does not take its item back. When one commit takes longer than ``stuck_s``
    (a disk that hangs) all who wait get a StateError, whether or not it ends well some day.
    """

    def __init__(
        self,
        name: str,
        commit: Callable[[list[Item]], Sequence[Outcome | Exception]],
        *,
        bound: int = 8192,
        batch: int = 512,
        linger_s: float = 0.1,
        stuck_s: float = 10.0,
        tick: Tick | None = None,
        last: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._commit = commit
        self._bound = bound
        self._batch = batch
        self._linger_s = linger_s
        self._stuck_s = stuck_s
        self._tick = tick
        self._last = last
        self._signal = threading.Condition(threading.Lock())
        self._slots: deque[tuple[Item | _Mark, asyncio.Future[Outcome] | None]] = deque()
        self._current: list[tuple[Item | _Mark, asyncio.Future[Outcome] | None]] = []
        self._since = 0.0  # when the current batch was taken, by the monotonic clock
        self._watched: asyncio.AbstractEventLoop | None = None
        self._outside: list[asyncio.Future[None]] = []  # callers waiting for room
        self._waiters = 0  # slots somebody waits for
        self._idle = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._slots)

    async def submit(self, item: Item) -> Outcome:
        """Wait until the item is committed; its outcome. Raises what the commit gave for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        while not self._enter(item, future):
            await self._room()
        if self._watched is not loop:
            self._watched = loop
            loop.call_later(WATCH_S, self._watch)
        return await future

    async def put(self, item: Item, wait_s: float | None = None) -> bool:
        """Queue the item and go on; waits only while the queue is full.

        False when there was no room for ``wait_s`` seconds: the item is not in the queue.
        """
        if self._enter(item, None):
            return True
        try:
            async with asyncio.timeout(wait_s):
                while not self._enter(item, None):
                    await self._room()
        except TimeoutError:
            return False
        return True

    async def flush(self) -> None:
        """Return when everything that was queued before has been committed or has failed."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._enter(_MARK, future)
        await future

    async def close(self, wait_s: float = 15.0) -> None:
        """Commit what is queued, then end the thread. Raises StateError when it does not end in time."""
        with self._signal:
            self._closing = True
            self._signal.notify()
        await asyncio.to_thread(self._thread.join, wait_s)
        if self._thread.is_alive():
            raise StateError(f"{self._name}: the writer is still busy after {wait_s:g} s")

    def _enter(self, item: Item | _Mark, future: asyncio.Future[Outcome] | None) -> bool:
        with self._signal:
            if self._closing:
                raise StateError(f"{self._name} is closed")
            if len(self._slots) >= self._bound and item is not _MARK:
                return False
            self._slots.append((item, future))
            if future is not None:
                self._waiters += 1
            if future is not None or self._idle:
                self._signal.notify()
        return True

    async def _room(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._signal:
            if len(self._slots) < self._bound:
                return
            self._outside.append(future)
            # Nobody may be waiting for what fills the queue: it still has to move now.
            self._signal.notify()
        await future

    def _watch(self) -> None:
        with self._signal:
            stuck = bool(self._current) and time.monotonic() - self._since > self._stuck_s
            waiting = [future for _, future in (*self._current, *self._slots) if future is not None]
            if waiting and self._watched is not None:
                self._watched.call_later(WATCH_S, self._watch)
            else:
                self._watched = None
            outside, self._outside = (self._outside, []) if stuck else ([], self._outside)
        if stuck:
            late = StateError(f"{self._name}: no commit within {self._stuck_s:g} s", retryable=True)
            _tell([(future, late) for future in waiting])
            _tell([(future, late) for future in outside])

    def _run(self) -> None:
        pause = self._ticked()
        while True:
            batch, outside, over = self._take(pause)
            if outside:
                _tell([(future, None) for future in outside])
            if batch:
                self._write(batch)
            if over:
                break
            pause = self._ticked()
        if self._last:
            self._last()

    def _ticked(self) -> float | None:
        try:
            return self._tick() if self._tick else None
        except Exception:  # idle work must not end the thread that everybody waits for
            log.exception("%s: idle work failed", self._name)
            return WATCH_S

    def _take(
        self, pause: float | None
    ) -> tuple[list[tuple[Item | _Mark, asyncio.Future[Outcome] | None]], list[asyncio.Future[None]], bool]:
        """The next batch (empty when the tick is due), who waits for room, and whether to stop."""
        with self._signal:
            if not self._slots and not self._closing:
                self._idle = True
                self._signal.wait(pause)
                self._idle = False
            if self._slots and not self._hurried():
                self._signal.wait_for(self._hurried, self._linger_s)
            count = min(len(self._slots), self._batch)
            batch = [self._slots.popleft() for _ in range(count)]
            self._waiters -= sum(1 for _, future in batch if future is not None)
            self._current, self._since = batch, time.monotonic()
            outside, self._outside = self._outside, []
            return batch, outside, self._closing and not self._slots

    def _hurried(self) -> bool:
        return self._waiters > 0 or self._closing or bool(self._outside) or len(self._slots) >= self._batch

    def _write(self, batch: list[tuple[Item | _Mark, asyncio.Future[Outcome] | None]]) -> None:
        items = [cast("Item", item) for item, _ in batch if item is not _MARK]
        try:
            outcomes: Sequence[Outcome | Exception] = self._commit(items) if items else []
        except Exception as error:  # whatever it is, those who wait must hear of it
            outcomes = [error] * len(items)
        rest = iter(outcomes)
        missing = StateError(f"{self._name}: a commit answered for too few items")
        answers = [
            (future, None if item is _MARK else next(rest, missing))
            for item, future in batch
            if future is not None or item is not _MARK
        ]
        with self._signal:
            self._current = []
        _tell([(future, outcome) for future, outcome in answers if future is not None])


def _tell(answers: Sequence[tuple[asyncio.Future[Outcome], Outcome | Exception | None]]) -> None:
    """Resolve futures on their own loop, with one wake-up per loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], object]]] = {}
    for future, outcome in answers:
        loops.setdefault(future.get_loop(), []).append((future, outcome))
    for loop, entries in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, entries)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(entries: list[tuple[asyncio.Future[Outcome], object]]) -> None:
    for future, outcome in entries:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(cast("Outcome", outcome))

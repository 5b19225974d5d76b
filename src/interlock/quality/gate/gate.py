"""The gate: the stored flags of a record at the moment of a call.

The flag store is the truth; the mask only says quickly of whom it holds nothing. So a ref goes to the store
when the mask knows it, when it changed since the mask was made, or when there is no mask that can be relied
on (none yet, a damaged one, or nobody followed the store for a while). ``follow`` keeps up with both; the
lookups themselves read memory, and one SQLite row for a record with flags.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from interlock.quality.gate.mask import NEVER, SUFFIX, Mask
from interlock.quality.gate.numbered import current
from interlock.records.problems import Problem

log = logging.getLogger("interlock.quality")

FOLLOW_S = 0.25
"""How often the store and the pointer are looked at."""
_RELIED_S = 2.0  # a mask nobody followed for longer is not asked
_MOVED = 100_000  # changed refs held in memory; beyond, every ref is looked up in the store

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class Flags(Protocol[Row_co]):
    """What the gate needs of the flag store."""

    def of(self, ref: str) -> Sequence[Row_co]:
        """Open flags of a ref, waived ones included."""

    def changes_since(self, seq: int) -> tuple[int, Collection[str]]:
        """The last change and the refs that changed after ``seq``."""


class Gate(Generic[Row]):
    """Lookups in one state folder. May be used from one thread at a time; ``follow`` too.

    ``fault`` says why the last mask in force could not be used; None while all is well.
    """

    def __init__(self, masks: Path, store: Flags[Row], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder = masks
        self._store = store
        self._monotonic = monotonic
        self._name: str | None = None
        self._moved: set[str] | None = set()  # None: too many to say
        self._seq = 0
        self._relied_until = 0.0
        self.mask: Mask | None = None
        self.fault: Problem | None = None

    def follow(self) -> None:
        """Take over a new mask and what changed since. Microseconds when nothing did.

        A mask that cannot be used is told by ``fault`` and not asked; Problem or StateError of the store is raised.
        """
        if (path := self._waiting()) is not None:
            try:
                self._take(Mask(path))
            except Problem as problem:
                self._fail(problem)
        self._catch_up()

    async def run(self) -> None:
        """Follow for ever; a new mask is opened in a thread, since its checksum takes a tenth of a second."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                if (path := self._waiting()) is not None:
                    self._take(await asyncio.to_thread(Mask, path))
                self._catch_up()
            except Problem as problem:
                self._fail(problem)

    def _waiting(self) -> Path | None:
        """The mask in force, when it was not tried yet."""
        try:
            name = current(self._folder, SUFFIX)
        except Problem as problem:
            self._fail(problem)
            self._name = None
            return None
        if name == self._name:
            return None
        self._name = name
        return None if name is None else self._folder / name

    def _take(self, mask: Mask) -> None:
        """Answer from this mask from now on."""
        self.mask, self.fault = mask, None
        self._moved, self._seq = set(), mask.seq

    def moved(self, refs: Collection[str]) -> None:
        """Refs whose flags this process just changed: they are current at once."""
        if self._moved is not None:
            self._moved.update(refs)

    def raised(self, ref: str, now: float) -> frozenset[str] | None:
        """The codes the mask holds of a ref, CI-STALE by the clock; None when only the store can say.

        Waived ones are among them.
        """
        mask, moved = self.mask, self._moved
        if mask is None or moved is None or ref in moved or self._monotonic() > self._relied_until:
            return None
        bits, stale_at = mask.find(ref)
        codes = mask.named(bits)
        return codes | {"CI-STALE"} if stale_at <= now and stale_at != NEVER else codes

    def flags(self, ref: str) -> Sequence[Row]:
        """The open flags of a ref with their evidence, waived ones included. Raises what the store raises."""
        mask, moved = self.mask, self._moved
        if (
            mask is not None
            and moved is not None
            and ref not in moved
            and not mask.find(ref)[0]
            and self._monotonic() <= self._relied_until
        ):
            return ()
        return self._store.of(ref)

    def _fail(self, problem: Problem) -> None:
        """Ask no mask, and tell why once."""
        if self.fault is None or self.fault.detail != problem.detail:
            log.error("every record is looked up in the flag store: %s %s", problem.detail, problem.next_step or "")
        self.fault, self.mask = problem, None

    def _catch_up(self) -> None:
        if self.mask is None:
            return
        self._seq, refs = self._store.changes_since(self._seq)
        if refs and self._moved is not None:
            self._moved.update(refs)
            if len(self._moved) > _MOVED:
                self._moved = None
        self._relied_until = self._monotonic() + _RELIED_S

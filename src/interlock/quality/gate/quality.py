"""Quality at the moment of a call: what the checks say of a live record, and what is stored of it.

A record's own checks run on the record as it was just read. What takes other records to see was found by the
last scan, or by index since, and comes from the flag store through the gate; so do waivers. When no scan ever
ran, nothing is stored and the checks on the record alone decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from interlock.clock import Clock
from interlock.quality.flags import FlagRow, FlagStore
from interlock.quality.gate.gate import FOLLOW_S, Gate
from interlock.quality.gate.live import Live
from interlock.quality.judge import Flag, Judge, Judged, ToolEffect, flag_of
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import Effect, RowLevel
from interlock.quality.stored import Stored, stored
from interlock.records.problems import Problem
from interlock.state.errors import StateError

log = logging.getLogger("interlock.quality")

CHECKPOINT_S = 5.0
"""How often write-ahead logs are brought into their files, beside the calls."""
MASKS = "masks"
LIVE = "live"
_MATRIX = "TKT-MATRIX"
_UNDER_MATRIX = "TKT-PRIO"  # flags of a pair whose matrix is in doubt stop nothing
_PATIENCE_S = 0.02  # a call does not wait for a scan that is publishing; what it had to say is said later
_LATE = 10_000  # records and stops that wait to be said
_AGAIN_S = 1.0  # how often a store that is damaged or busy is tried again
_NOTHING = Judged((), frozenset(), "trusted")


class Quality:
    """The checks, flags and waivers of one state folder under one profile.

    Called on the event loop: a record without flags costs microseconds, one with flags a row of SQLite. One
    thread at a time. A flag store that cannot be read is no reason to stop answering, but nothing is written
    meanwhile: see ``Judged.fault``.
    """

    def __init__(self, judge: Judge, folder: Path, clock: Clock) -> None:
        self._judge = judge
        self._clock = clock
        self._folder = folder
        self._store: FlagStore | None = None
        self._gate: Gate[FlagRow] | None = None
        self._live = Live(folder / LIVE, judge.level, patience_s=_PATIENCE_S)
        self._keyed = frozenset(judge.level.sets)
        self._row_codes = {
            kind: frozenset(check.code for check in statement.checks) for kind, statement in judge.level.kinds.items()
        }
        self._told: str | None = None
        self._late: dict[tuple[str, str], Callable[[], None]] = {}
        self._again_at = 0.0
        self._open()

    def close(self) -> None:
        self._judge.close()
        self._live.close()
        if self._store is not None:
            self._store.close()

    # The judge's own

    @property
    def level(self) -> RowLevel:
        """The compiled checks."""
        return self._judge.level

    @property
    def profile(self) -> Profile:
        return self._judge.profile

    @property
    def version(self) -> str:
        """What verdicts depend on beside the stored flags: the profile and the compiled checks."""
        return self._judge.version

    def effect(self, code: str, tool: str, tool_effect: ToolEffect) -> Effect:
        """See ``Judge.effect``."""
        return self._judge.effect(code, tool, tool_effect)

    def unmet(self, kind: str, judged: Judged) -> frozenset[str]:
        """See ``Judge.unmet``."""
        return self._judge.unmet(kind, judged)

    def lifts_unmet(self, codes: Collection[str]) -> str:
        """What lets demanded checks run that could not."""
        if self._keyed.isdisjoint(codes):
            return "make the fields these checks need readable for the integration account"
        return "a scan of the source: interlock harvest and interlock scan"

    # Looking

    def judge(self, kind: str, record: Mapping[str, Any], now: float) -> Judged:
        """What is known of a record that was just read, as of ``now`` (epoch seconds, UTC)."""
        live = self._judge.judge(kind, record, now)
        ref: str = record.get("ref") or ""
        source = ref.partition(":")[0]
        try:
            rows = self._rows(ref)
            more = self._rows(f"{source}:source:{kind}")
            muted = self._in_doubt(source, record, live)
        except Problem as problem:
            return self._unread(kind, live, problem)
        unscanned = self._unscanned(kind, source, now)
        if not (rows or more or muted or unscanned):
            return live
        waived = {row.code for row in rows if row.status == "waived"}
        own = self._row_codes.get(kind, frozenset())
        flags = [flag for flag in live.flags if flag.code not in waived]
        flags = [replace(flag, stops=False) if flag.code in muted else flag for flag in flags]
        flags += [self._flag(row) for row in (*rows, *more) if self._counts(row) and row.code not in own]
        flags.sort(key=lambda flag: flag.code)
        unknown = live.unknown | unscanned
        return Judged(tuple(flags), unknown, self._judge.standing(kind, flags, unknown))

    def source(self, kind: str, source: str) -> Judged:
        """What is known of a source's records of a kind as a whole: for a write that makes one."""
        try:
            rows = self._rows(f"{source}:source:{kind}")
        except Problem as problem:
            return self._unread(kind, _NOTHING, problem)
        flags = tuple(self._flag(row) for row in rows if self._counts(row))
        return Judged(flags, frozenset(), self._judge.standing(kind, flags, frozenset())) if flags else _NOTHING

    def depending(
        self, refs: Collection[str], codes: Collection[str], depth: int, most: int, now: float
    ) -> tuple[Flag, ...]:
        """Flags of these checks on what needs some CIs, as harvested: CIs and relations, see ``Live.dependents``.

        Raises StateError, Problem when they cannot be looked up.
        """
        self._ready()
        assert self._gate is not None
        wanted, found = frozenset(codes), []
        for ref in self._live.dependents(refs, depth, most):
            raised = self._gate.raised(ref, now)
            if raised is None or not wanted.isdisjoint(raised):
                found += [self._flag(row) for row in self._gate.flags(ref) if row.code in wanted and self._counts(row)]
        return tuple(found)

    def _rows(self, ref: str) -> Collection[FlagRow]:
        self._ready()
        assert self._gate is not None
        return self._gate.flags(ref)

    def _counts(self, row: FlagRow) -> bool:
        return row.raised and row.code in self.level.checks

    def _in_doubt(self, source: str, record: Mapping[str, Any], live: Judged) -> frozenset[str]:
        """Codes that stop nothing because the matrix they go by is in doubt for the record's pair."""
        if not any(flag.code == _UNDER_MATRIX for flag in live.flags):
            return frozenset()
        rows = self._rows(f"{source}:source:matrix/{record.get('impact')}/{record.get('urgency')}")
        doubted = any(row.code == _MATRIX and row.raised for row in rows)
        return frozenset({_UNDER_MATRIX}) if doubted else frozenset()

    def _unscanned(self, kind: str, source: str, now: float) -> frozenset[str]:
        """Demanded checks that only a scan can run, where none did lately."""
        demanded = self._judge.demands(kind) & self._keyed
        if not demanded or self._gate is None:
            return demanded
        mask = self._gate.mask
        if mask is None:
            return demanded
        read_at = mask.harvested.get(source, 0 if mask.harvested else mask.as_of)
        old = now - min(mask.as_of, read_at) > self.profile.demands.scan_valid
        return demanded if old else demanded - mask.ran

    def _unread(self, kind: str, live: Judged, problem: Problem) -> Judged:
        self._say(problem)
        codes = frozenset(code for code, check in self.level.sets.items() if kind in check.kinds)
        return Judged(live.flags, live.unknown | codes, "unchecked", "the stored flags cannot be read")

    def _flag(self, row: FlagRow) -> Flag:
        return flag_of(self.level.checks[row.code], row.ref, row.evidence)

    # Keeping up

    async def run(self) -> None:
        """Follow new masks and what other processes change in the store, and keep its log short, for ever."""
        while self._gate is None:
            await asyncio.sleep(FOLLOW_S)
            self._open()
        await asyncio.gather(self._gate.run(), self._checkpoints(), self._sayings())

    async def _sayings(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            try:
                self.say_again()
            except Problem as problem:
                log.warning("the flag store was not written: %s", problem.detail)

    async def _checkpoints(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            try:
                await asyncio.to_thread(self.checkpoint)
            except Problem as problem:
                log.warning("the flag store's log was not shortened: %s", problem.detail)

    def checkpoint(self) -> None:
        """Bring write-ahead logs into their files. For a thread of its own: it waits for the disk."""
        if self._store is not None:
            self._store.checkpoint()
        self._live.checkpoint()

    def follow(self) -> None:
        """Take over new masks and what other processes changed, now. Raises StateError, Problem."""
        self._ready()
        assert self._gate is not None
        self._gate.follow()

    def touched(self, kind: str, record: Mapping[str, Any], handle: str, source: str) -> None:
        """A record was just read live (after a write, for a probe or a webhook): its flags, and those of records
        whose verdict hangs on it, are current when this returns, or once a scan ended publishing. Milliseconds.
        Raises StateError, Problem."""
        row = stored(kind, record, handle, source, self._clock.now())
        alone = {flag.code: flag.evidence for flag in self._alone(kind, record)}
        self._say_or_wait((kind, str(row[0])), lambda: self._touch(kind, str(row[0]), row, alone))

    def gone(self, kind: str, ref: str) -> None:
        """A record is not there any more: its flags are resolved, those of others are current."""
        self._say_or_wait((kind, ref), lambda: self._touch(kind, ref, None, {}))

    def stopped(self, call_id: str, effect: str, flags: Collection[Flag]) -> None:
        """A call was held or refused because of these flags: each counts it. Raises StateError, Problem."""
        pairs, at = [(flag.ref, flag.code) for flag in flags], self._clock.now()
        self._say_or_wait(("stop", call_id), lambda: self._ready().stopped(call_id, effect, pairs, at))

    def _say_or_wait(self, what: tuple[str, str], say: Callable[[], None]) -> None:
        """Write to the store, or later when another process is writing: a publication takes seconds.

        What is said of a record replaces what waits to be said of it.
        """
        self._late.pop(what, None)
        try:
            say()
        except StateError as error:
            if not error.retryable or len(self._late) >= _LATE:
                raise
            self._late[what] = say

    def say_again(self) -> None:
        """Write what had to wait. Raises StateError, Problem; what still has to wait does."""
        for what, say in list(self._late.items()):
            self._say_or_wait(what, say)
            if what in self._late:
                return

    def _touch(self, kind: str, ref: str, row: Stored | None, alone: dict[str, str]) -> None:
        store, now = self._ready(), self._clock.now()
        verdicts = self._live.touch(kind, ref, row, now).verdicts
        own = self._row_codes.get(kind, frozenset())
        verdicts.setdefault(ref, {}).update({code: alone.get(code) for code in own})
        handles = {ref: f"{row[2]}:{kind}:~{row[1]}"} if row is not None else None
        moved = store.replace_all({other: told for other, told in verdicts.items() if told}, now, handles=handles)
        if self._gate is not None:
            self._gate.moved(moved)

    def _alone(self, kind: str, record: Mapping[str, Any]) -> tuple[Flag, ...]:
        return self._judge.judge(kind, record, self._clock.now()).flags

    def _ready(self) -> FlagStore:
        if self._store is None and self._clock.now() >= self._again_at:
            self._open()
        if self._store is None:
            raise StateError(self._told or "the flag store cannot be opened")
        return self._store

    def _open(self) -> None:
        """Open the store, unless it is damaged; then it is tried again when it is needed."""
        try:
            self._store = FlagStore(self._folder, self._clock, patience_s=_PATIENCE_S)
        except Problem as problem:
            self._say(problem)
            self._again_at = self._clock.now() + _AGAIN_S
            return
        self._gate = Gate(self._folder / MASKS, self._store)
        try:
            self._gate.follow()
        except Problem as problem:
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        """Once for as long as it is the same."""
        if self._told != problem.detail:
            self._told = problem.detail
            log.error("stored flags cannot be read, so writes are refused: %s", problem.detail)

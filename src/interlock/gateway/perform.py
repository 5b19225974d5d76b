"""Performing a write: send once, read back, write the receipt. Used by calls and by the settling pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.clock import Clock
from interlock.gateway import receipts
from interlock.records import times
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect, Fetched
from interlock.sources.source import Source
from interlock.state.journal import Journal, WriteRow

FIRST_PROBE_S = 1.0
BACKOFF = 1.7
BACKOFF_MAX_S = 60.0
MAX_ATTEMPTS = 3
PERSON_S = 900.0
"""How often a write that waits for a person is still probed."""

log = logging.getLogger("interlock.gateway")


@dataclass(frozen=True, slots=True)
class Done:
    """A settled or unsettled receipt, and the record as it was read back."""

    receipt: dict[str, Any]
    record: dict[str, Any] | None = None
    observed_at: float | None = None


def effect_of(row: WriteRow) -> Effect:
    """The write of a row in canonical terms."""
    stored = row.call["effect"]
    return Effect(
        kind=row.kind,
        op=stored["op"],
        key=stored["key"],
        changes=stored["changes"],
        correlation=stored["correlation"],
        marker=stored["marker"],
        note_text=stored["note_text"],
        visibility=stored["visibility"],
        order=stored.get("order"),
    )


class Performer:
    """Sends writes and establishes what they did."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        journal: Journal,
        clock: Clock,
        seen: Callable[[str, Fetched, str], None] = lambda kind, fetched, source: None,
    ) -> None:
        """``seen`` hears of each record that was read back: kind, record, source. It does not raise."""
        self._sources = sources
        self._journal = journal
        self._clock = clock
        self._seen = seen

    async def perform(self, row: WriteRow, not_after: float, *, patient: bool = False) -> Done:
        """Send the write of a ``performing`` row whose commit is durable, and settle it as far as can be.

        ``patient``: nobody waits for the answer, so what could not be sent now is tried again later.
        Raises the source's Problem, with the receipt, when it certainly refused.
        """
        source = self._sources[row.source]
        effect = effect_of(row)
        try:
            key = await source.send(effect, not_after=not_after)
        except Problem as problem:
            if problem.reached == "maybe" or problem.reached is None:
                return await self._uncertain(row, source, effect, problem)
            if patient and problem.retryable and problem.reached == "no" and source.finds(effect):
                return await self.unknown(row, problem)
            return await self._refused(row, problem)
        # The source said yes. Whatever a read says now, this write is never sent again.
        row.call["taken"] = key or ""
        return await self.read_back(row, source, effect, key, "answer")

    async def read_back(
        self,
        row: WriteRow,
        source: Source,
        effect: Effect,
        key: str | None,
        found_by: str,
        extra: str | None = None,
        *,
        person: bool = False,
    ) -> Done:
        """Read the record and compare it field by field; settles the row.

        When it cannot be read the row stays unknown, with a person if ``person``.
        """
        now = self._clock.now()
        try:
            if effect.op == "note" and found_by == "answer" and not await source.probe(effect):
                problem = Problem(Slug.SOURCE_FAULT, "the source took the note but its journal does not show it yet")
                return await self.unknown(row, problem)
            where = f"~{key}" if key is not None else effect.key
            if where is None:
                raise Problem(Slug.SOURCE_FAULT, "the source did not say which record it made")
            fetched: Fetched = await source.get(effect.kind, where, max_age_s=0.0)
        except Problem as problem:
            return await self.unknown(row, problem, person=person)
        record = fetched.record
        self._seen(effect.kind, fetched, source.name)
        expected = source.norm(effect.kind, effect.changes) if effect.changes else {}
        outcome, fields = receipts.compare(expected, row.call["also"], record)
        if extra is None and any(each["outcome"] == "differs" for each in fields):
            extra = source.differs(effect.kind)
        if effect.op in ("create", "note") and outcome == "not_applied":
            outcome = "partial"  # the record or note is there; only what it says differs
        row.ref = record["ref"]
        body = receipts.receipt(
            row,
            outcome,
            fields=fields,
            version=record.get("version"),
            verified=True,
            found_by=found_by,
            merged_over=row.call.get("merged_over"),
            detail=extra,
        )
        if not await self._journal.move(row, outcome, now, receipt=body, ref=record["ref"], call=row.call):
            return Done(receipts.receipt(row, "unknown", detail="another worker is settling this write"))
        return Done(body, record, fetched.observed_at)

    async def unknown(self, row: WriteRow, problem: Problem, *, person: bool = False) -> Done:
        """Nobody knows yet: the row waits for the settling pass, at growing intervals."""
        now = self._clock.now()
        person = person or bool(row.needs_person)
        tries = int(row.call.get("probes", 0))
        due = now + (PERSON_S if person else min(FIRST_PROBE_S * BACKOFF**tries, BACKOFF_MAX_S))
        settles = max(due, row.quiet_at or now)
        body = receipts.receipt(
            row,
            "unknown",
            settles_by=None if person else times.to_text(settles + 1),
            needs_person=person,
            detail=f"{problem.detail}. Do not send it anew: repeat the same call to see how it ends.",
        )
        row.call["probes"] = tries + 1
        if person and not row.needs_person:
            log.warning("write %s (%s in %s) needs a person: %s", row.id, row.tool, row.source, problem.detail)
        await self._journal.move(row, "unknown", now, due_at=due, receipt=body, call=row.call, needs_person=person)
        return Done(body)

    async def _uncertain(self, row: WriteRow, source: Source, effect: Effect, problem: Problem) -> Done:
        """The answer was lost: look once at once, it may have been the answer only."""
        if not source.finds(effect):
            return await self.unfindable(row, source)
        try:
            found = await source.probe(effect)
        except Problem:
            found = []
        if found:
            return await self.read_back(row, source, effect, found[0], "probe", twins(effect, found))
        return await self.unknown(row, problem)

    async def unfindable(self, row: WriteRow, source: Source) -> Done:
        """Nobody but a person can see what became of it: it is never sent again."""
        detail = f"the answer was lost, and {source.name} has no field by which such a write could be found again"
        return await self.unknown(row, Problem(Slug.SOURCE_FAULT, detail), person=True)

    async def _refused(self, row: WriteRow, problem: Problem) -> Done:
        now = self._clock.now()
        detail = problem.detail if problem.native_message is None else f"{problem.detail}: {problem.native_message}"
        body = receipts.receipt(row, "not_applied", detail=detail, found_by="answer")
        # Trying again is the way out of what never left: the key, also a given one, is free for that.
        again = problem.retryable and problem.reached == "no"
        await self._journal.move(row, "not_applied", now, receipt=body, free_key=again)
        raise _with_receipt(problem, body)


def twins(effect: Effect, found: list[str]) -> str | None:
    """What to say when several records carry the key of one create: a duplicate, to be seen by a person."""
    return f"{len(found)} records carry this write's key" if effect.op == "create" and len(found) > 1 else None


def _with_receipt(problem: Problem, body: dict[str, Any]) -> Problem:
    problem.more = {**problem.more, "receipt": body}
    return problem

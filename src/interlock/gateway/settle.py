"""The settling pass: takes over writes that are due and brings each to an end, one step a visit.

The same pass serves one process or many replicas: rows are claimed under a fence. It stays inside the
source's bulkhead and backs off, so a source that is down is not stormed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from interlock.clock import Clock
from interlock.gateway import receipts, render
from interlock.gateway.context import Context
from interlock.gateway.perform import MAX_ATTEMPTS, Performer, effect_of, twins
from interlock.gateway.prepare import Prepared, Preparer
from interlock.gateway.trail import Trail
from interlock.gateway.writes import READ_BACK_S
from interlock.governance.decide import Reason
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.source import Source
from interlock.state.journal import Journal, WriteRow

log = logging.getLogger("interlock.gateway")

_IDLE_S = 0.25
_BATCH = 16
_LEASE_S = 60.0
_PASSING = frozenset({Slug.SOURCE_UNAVAILABLE, Slug.RATE_LIMITED, Slug.SOURCE_FAULT, Slug.SOURCE_DENIED, Slug.INTERNAL})
"""What says nothing of the call that was approved: it is tried again for a while."""


class Settling:
    """Settles the rows of a journal."""

    def __init__(
        self,
        me: str,
        sources: Mapping[str, Source],
        journal: Journal,
        performer: Performer,
        preparer: Preparer,
        trail: Trail,
        clock: Clock,
        context_of: Callable[[WriteRow], Context],
    ) -> None:
        self._me = me
        self._sources = sources
        self._journal = journal
        self._performer = performer
        self._preparer = preparer
        self._trail = trail
        self._clock = clock
        self._context_of = context_of

    async def run(self) -> None:
        """Settle for ever; ends when cancelled. A failing pass is tried again, never fatal."""
        while True:
            try:
                busy = await self.once()
            except Exception as error:  # a pass that fails must not be the last one
                log.warning("settling failed: %s", error)
                busy = 0
            await asyncio.sleep(0 if busy == _BATCH else _IDLE_S)

    async def once(self) -> int:
        """One pass over rows that are due; returns how many were taken."""
        rows = await self._journal.claim_due(self._me, self._clock.now(), _LEASE_S, _BATCH)
        ends = await asyncio.gather(*(self._step(row) for row in rows), return_exceptions=True)
        for row, end in zip(rows, ends, strict=True):
            if isinstance(end, Exception):  # its lease brings the row back; the others go on
                log.warning("settling %s failed: %s", row.id, end)
        return len(rows)

    async def _step(self, row: WriteRow) -> None:
        source = self._sources.get(row.source)
        before = row.state
        if row.state == "held":
            await self._expire(row)
        elif source is None:
            # A process that has the source takes it when the lease is over; nobody does for ever.
            if row.state == "released" or self._clock.now() <= row.give_up_at:
                return
            problem = Problem(Slug.SOURCE_UNAVAILABLE, f"{row.source} is not configured any more")
            await self._performer.unknown(row, problem, person=True)
        elif row.state == "released":
            await self._release(row, source)
        else:
            await self._settle(row, source)
        if row.ended or row.state != before:
            receipt = row.receipt or {}
            detail = {"write": row.id, "tool": row.tool, "outcome": row.state, "call_id": row.call["call_id"]}
            if receipt.get("found_by"):
                detail["found_by"] = receipt["found_by"]
            refs = (row.ref,) if row.ref else ()
            with suppress(Problem):  # counted by the ledger; the journal row already tells the truth
                await self._trail.act("settle", row.principal, self._clock.now(), detail, refs, row.receipt)

    async def _expire(self, row: WriteRow) -> None:
        now = self._clock.now()
        body = receipts.receipt(row, "expired", detail="nobody decided in time; nothing was sent")
        await self._journal.move(row, "expired", now, receipt=body)

    async def _release(self, row: WriteRow, source: Source) -> None:
        """A person approved: decide everything anew, then perform, or refuse because something moved."""
        if not self._trail.ready and self._clock.now() <= row.give_up_at:
            return  # the lease brings the row back
        try:
            context = self._context_of(row)
            prepared = await self._preparer.prepare(
                context, budget_left=True, ledger_ready=self._trail.ready, anew=True
            )
        except Problem as problem:
            if problem.slug in _PASSING and self._clock.now() <= row.give_up_at:
                return  # the lease brings the row back
            await self._refuse(row, [Reason("moved", "refuse", problem.detail)])
            return
        if moved := moved_since(row, prepared, prepared.scope.hidden):
            await self._refuse(row, moved)
            return
        now = self._clock.now()
        not_after = now + source.timeout_s
        row.call["not_after"] = not_after
        if await self._journal.move(
            row,
            "performing",
            now,
            due_at=not_after + READ_BACK_S,
            quiet_at=not_after + source.settle_s,
            attempt=True,
            call=row.call,
        ):
            with suppress(Problem):  # its receipt holds what the problem says
                await self._performer.perform(row, not_after, patient=True)

    async def _refuse(self, row: WriteRow, reasons: list[Reason]) -> None:
        body = receipts.receipt(
            row, "refused", reasons=render.reasons(reasons), detail="approved, but no longer what was approved"
        )
        await self._journal.move(row, "refused", self._clock.now(), receipt=body)

    async def _settle(self, row: WriteRow, source: Source) -> None:
        """A write whose end nobody knows: probe, then wait, send again, or give up with the truth."""
        now = self._clock.now()
        effect = effect_of(row)
        if row.state == "performing":  # its worker died or lost its answer
            problem = Problem(Slug.SOURCE_FAULT, "the worker of this write is gone")
            await self._performer.unknown(row, problem)
            if row.state != "unknown":
                return  # somebody else has it
        late = now > row.give_up_at
        if not source.finds(effect) and row.call.get("taken") is None:
            await self._performer.unfindable(row, source)
            return
        try:
            found = await source.probe(effect)
            if found:
                await self._performer.read_back(row, source, effect, found[0], "probe", twins(effect, found))
                return
            if (taken := row.call.get("taken")) is not None:
                await self._taken(row, source, effect, taken or None, late)
                return
            if row.quiet_at is not None and now < row.quiet_at:
                await self._performer.unknown(row, Problem(Slug.SOURCE_FAULT, "the answer was lost"))
                return
            if effect.op == "update" and await self._overtaken(row, source, effect):
                return
        except Problem as problem:
            await self._performer.unknown(row, problem, person=late)
            return
        if row.attempts >= MAX_ATTEMPTS or now > row.give_up_at:
            body = receipts.receipt(
                row,
                "not_applied",
                found_by="probe",
                detail=f"not there after {row.attempts} attempts and the quiet period",
            )
            await self._journal.move(row, "not_applied", now, receipt=body)
            return
        await self._again(row, source)

    async def _taken(self, row: WriteRow, source: Source, effect: Effect, key: str | None, late: bool) -> None:
        """The source said yes, but the write cannot be seen: looked for, and never sent again."""
        if effect.op != "note" and (key or effect.key):
            await self._performer.read_back(row, source, effect, key, "answer", person=late)
            return
        problem = Problem(Slug.SOURCE_FAULT, "the source took the write, but it cannot be found there")
        await self._performer.unknown(row, problem, person=late)

    async def _overtaken(self, row: WriteRow, source: Source, effect: Effect) -> bool:
        """Whether others changed the fields of an update after it was sent; then it is settled here.

        Sending it again would undo their work. What the fields say now tells what became of ours: one of them
        shows it (partial), or one still has its old value (not applied); else only a person can know.
        """
        fetched = await source.get(effect.kind, effect.key or "", max_age_s=0.0, priority=True)
        changed = source.norm(effect.kind, effect.changes)
        old = receipts.outcomes(row.call["before"], {}, fetched.record)
        if "differs" not in old.values() and "applied" in old.values():
            return False
        ours = receipts.outcomes(changed, row.call["also"], fetched.record)
        moved = [name for name in changed if ours[name] != old.get(name)]  # those where ours and old differ
        if any(ours[name] == "applied" for name in moved):
            detail = "others changed the same fields meanwhile"
            await self._performer.read_back(row, source, effect, fetched.handle, "probe", detail)
        elif any(old[name] == "applied" for name in moved):
            body = receipts.receipt(
                row, "not_applied", found_by="probe", detail="not there, and others changed the same fields meanwhile"
            )
            await self._journal.move(row, "not_applied", self._clock.now(), receipt=body)
        else:
            detail = "others changed the same fields meanwhile, so it cannot be told whether this write came before"
            await self._performer.unknown(row, Problem(Slug.SOURCE_FAULT, detail), person=True)
        return True

    async def _again(self, row: WriteRow, source: Source) -> None:
        now = self._clock.now()
        not_after = now + source.timeout_s
        if await self._journal.move(
            row,
            "performing",
            now,
            due_at=not_after + READ_BACK_S,
            quiet_at=not_after + source.settle_s,
            attempt=True,
        ):
            with suppress(Problem):  # its receipt holds what the problem says
                await self._performer.perform(row, not_after, patient=True)


def moved_since(row: WriteRow, prepared: Prepared, hidden: frozenset[str] = frozenset()) -> list[Reason]:
    """What an approval was bound to and is no longer so; empty when it still holds.

    Bound are the before-values, state and CI of the record, the policy, and the findings that weighed, with
    the values they are about. A finding that is gone, or settings that changed without making another one,
    do not matter. ``hidden``: fields whose values the agent, who reads the receipt, may not see.
    """
    reasons = []
    bound = row.call["bound"]
    for name, value in bound["before"].items():
        now = prepared.bound["before"].get(name)
        if now != value:
            reasons.append(Reason("moved", "refuse", f"{name} was {value!r} when approved and is {now!r} now"))
    for name in ("state", "ci"):
        if bound[name] != prepared.bound[name] and name not in bound["before"]:
            detail = f"{name} was {bound[name]!r} when the call was held and is {prepared.bound[name]!r} now"
            detail = "a value that you may not read changed since the call was held" if name in hidden else detail
            reasons.append(Reason("moved", "refuse", detail))
    if bound["policy"] != prepared.bound["policy"]:
        reasons.append(Reason("moved", "refuse", "the policy changed since the call was held"))
    for finding in prepared.bound["findings"]:
        if finding not in bound["findings"]:
            detail = f"{finding[0]} is raised on other values than when the call was held"
            reasons.append(Reason("moved", "refuse", detail, finding[0]))
    approved = {(r["kind"], r.get("code"), r.get("ref"), r.get("evidence")) for r in row.call["reasons"]}
    reasons += [
        Reason("moved", "refuse", reason.detail, reason.code, reason.ref, reason.evidence, reason.lifts)
        for reason in prepared.verdict.reasons
        if reason.effect == "refuse" or (reason.kind, reason.code, reason.ref, reason.evidence) not in approved
    ]
    return reasons

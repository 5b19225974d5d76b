"""The settling pass: takes over writes that are due and brings each to an end, one step a visit.

The same pass serves one process or many replicas: rows are claimed under a fence. It stays inside the
source's bulkhead and backs off, so a source that is down is not stormed.
"""

from __future__ import annotations

import asyncio
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
from interlock.records.refs import Ref
from interlock.sources.source import Source
from interlock.state.journal import Journal, WriteRow

_IDLE_S = 0.25
_BATCH = 16
_LEASE_S = 60.0


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
            except Problem:
                busy = 0
            await asyncio.sleep(0 if busy == _BATCH else _IDLE_S)

    async def once(self) -> int:
        """One pass over rows that are due; returns how many were taken."""
        rows = await self._journal.claim_due(self._me, self._clock.now(), _LEASE_S, _BATCH)
        await asyncio.gather(*(self._step(row) for row in rows))
        return len(rows)

    async def _step(self, row: WriteRow) -> None:
        source = self._sources.get(row.source)
        before = row.state
        if row.state == "held":
            await self._expire(row)
        elif source is None:
            return  # a process that has the source takes it when the lease is over
        elif row.state == "released":
            await self._release(row, source)
        else:
            await self._settle(row, source)
        if row.ended or row.state != before:
            receipt = row.receipt or {}
            detail = {"write": row.id, "tool": row.tool, "outcome": row.state, "call_id": row.call["call_id"]}
            if receipt.get("found_by"):
                detail["found_by"] = receipt["found_by"]
            with suppress(Problem):  # counted by the ledger; the journal row already tells the truth
                await self._trail.act("settle", row.principal, self._clock.now(), detail, (row.ref,) if row.ref else ())

    async def _expire(self, row: WriteRow) -> None:
        now = self._clock.now()
        body = receipts.receipt(row, "expired", detail="nobody decided in time; nothing was sent")
        await self._journal.move(row, "expired", now, receipt=body)

    async def _release(self, row: WriteRow, source: Source) -> None:
        """A person approved: decide everything anew, then perform, or refuse because something moved."""
        try:
            context = self._context_of(row)
            prepared = await self._preparer.prepare(
                context, budget_left=True, ledger_ready=self._trail.ready, anew=True
            )
        except Problem as problem:
            if problem.slug in (Slug.SOURCE_UNAVAILABLE, Slug.RATE_LIMITED, Slug.SOURCE_FAULT):
                return  # the lease brings the row back
            await self._refuse(row, [Reason("moved", "refuse", problem.detail)])
            return
        if moved := moved_since(row, prepared):
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
                await self._performer.perform(row, not_after)

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
            await self._performer.unknown(row, source, problem)
        try:
            found = await source.probe(effect)
        except Problem as problem:
            await self._performer.unknown(row, source, problem, person=now > row.give_up_at)
            return
        if found:
            await self._performer.read_back(row, source, effect, found[0], "probe", twins(effect, found))
            return
        if row.quiet_at is not None and now < row.quiet_at:
            await self._performer.unknown(row, source, Problem(Slug.SOURCE_FAULT, "the answer was lost"))
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
        if effect.op == "update" and not await self._untouched(row, source):
            body = receipts.receipt(
                row, "not_applied", found_by="probe", detail="not there, and others changed the same fields meanwhile"
            )
            await self._journal.move(row, "not_applied", now, receipt=body)
            return
        await self._again(row, source)

    async def _untouched(self, row: WriteRow, source: Source) -> bool:
        """Whether the fields of an update still have the values they had before it."""
        assert row.ref is not None
        record = (await source.get(row.kind, Ref.parse(row.ref).key, max_age_s=0.0)).record
        return receipts.compare(row.call["before"], {}, record)[0] == "applied"

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
                await self._performer.perform(row, not_after)


def moved_since(row: WriteRow, prepared: Prepared) -> list[Reason]:
    """What an approval was bound to and is no longer so; empty when it still holds."""
    reasons = []
    bound = row.call["bound"]
    for name, value in bound["before"].items():
        now = prepared.bound["before"].get(name)
        if now != value:
            reasons.append(Reason("moved", "refuse", f"{name} was {value!r} when approved and is {now!r} now"))
    for name in ("state", "ci"):
        if bound[name] != prepared.bound[name]:
            detail = f"{name} was {bound[name]!r} when the call was held and is {prepared.bound[name]!r} now"
            reasons.append(Reason("moved", "refuse", detail))
    approved = {(r["kind"], r.get("code"), r.get("ref"), r.get("evidence")) for r in row.call["reasons"]}
    reasons += [
        Reason("moved", "refuse", reason.detail, reason.code, reason.ref, reason.evidence, reason.lifts)
        for reason in prepared.verdict.reasons
        if reason.effect == "refuse" or (reason.kind, reason.code, reason.ref, reason.evidence) not in approved
    ]
    return reasons

"""The write tools: prepare, decide, record, perform once, verify. A hold is a row and a normal answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from interlock.clock import Clock
from interlock.gateway import receipts, render
from interlock.gateway.budget import Budgets
from interlock.gateway.context import Context
from interlock.gateway.effects import digest_of
from interlock.gateway.notice import Notice
from interlock.gateway.perform import Done, Performer
from interlock.gateway.prepare import Prepared, Preparer, refusal
from interlock.gateway.scopes import admits, shown
from interlock.gateway.trail import Trail
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.state.journal import Journal, WriteRow

GIVEN_S = 7 * 86_400.0
DERIVED_S = 600.0
GIVE_UP_S = 3600.0
READ_BACK_S = 30.0
_WAIT_S = 8.0  # a second caller waits this long for the first to finish


class Writes:
    """Performs write tools."""

    def __init__(
        self,
        preparer: Preparer,
        performer: Performer,
        journal: Journal,
        trail: Trail,
        clock: Clock,
        ids: Callable[[], str],
        budgets: Budgets,
        notice: Notice,
    ) -> None:
        self._preparer = preparer
        self._performer = performer
        self._journal = journal
        self._trail = trail
        self._clock = clock
        self._ids = ids
        self._budgets = budgets
        self._notice = notice

    async def run(self, context: Context) -> tuple[int, dict[str, Any]]:
        """Status and envelope of a write. Raises Problem refused, version-conflict, source problems..."""
        self._preparer.permit(context)  # also for a replay: what was taken away is not answered any more
        digest = digest_of(context.tool.name, context.raw)
        given = context.given("idempotency_key")
        key = f"{context.agent.id}|g|{given}" if given else f"{context.agent.id}|d|{digest}"
        dry = context.arguments.dry_run
        if not dry and (row := await self._journal.by_key(key, context.now)) is not None:
            return await self._replay(context, row, digest)
        prepared = await self._preparer.prepare(
            context, budget_left=dry or self._budgets.write(context.agent, context.now), ledger_ready=self._trail.ready
        )
        verdict = context.verdict = prepared.verdict
        if dry:
            context.outcome = "dry_run"
            return 200, self._envelope(context, prepared, preview=self._preview(context, prepared))
        if verdict.effect != "allow":
            self._notice.stopped(context, prepared)
        if verdict.effect == "refuse":
            context.outcome = "refused"
            raise refusal(verdict)
        row = self._row(context, prepared, key, bool(given), digest)
        context.refs = context.refs or [row.id]
        await self._trail.decided(context, row.id)
        if (other := await self._journal.begin(row)) is not None:
            return await self._replay(context, other, digest)
        if verdict.effect == "hold":
            context.outcome = "held"
            assert row.receipt is not None
            context.receipt = row.receipt
            return 202, self._envelope(context, prepared, receipt=row.receipt)
        try:
            done = await self._performer.perform(row, row.call["not_after"])
        except Problem as problem:  # a certain refusal: its receipt is in the problem
            context.receipt = problem.more.get("receipt")
            context.outcome = context.receipt["outcome"] if context.receipt else None
            raise
        context.receipt, context.outcome = done.receipt, done.receipt["outcome"]
        if done.record is not None:
            context.refs = [done.record["ref"]]
        return 200, self._envelope(context, prepared, receipt=done.receipt, done=done)

    def _row(self, context: Context, prepared: Prepared, key: str, given: bool, digest: str) -> WriteRow:
        now = self._clock.now()
        spec = context.tool.write
        assert spec is not None
        id = f"w_{self._ids()}"  # noqa: A001
        source, hold = prepared.source, prepared.verdict.effect == "hold"
        marker = f"[interlock {id[2:12]}]" if spec.op == "note" else None
        text = f"{context.arguments.text}\n{marker}" if marker else None
        target = prepared.target
        not_after = now + source.timeout_s
        expires = now + prepared.verdict.expires_s if hold else None
        row = WriteRow(
            id=id,
            key=key,
            key_given=int(given),
            key_until=max(now + (GIVEN_S if given else DERIVED_S), expires or 0.0),
            digest=digest,
            principal=context.agent.id,
            tool=context.tool.name,
            source=source.name,
            kind=context.kind or "",
            ref=target.record["ref"] if target else None,
            call={
                "call_id": context.call_id,
                "raw": {name: value for name, value in context.raw.items() if name != "idempotency_key"},
                "effect": {
                    "op": spec.op,
                    "key": f"~{target.handle}" if target else None,
                    "changes": prepared.linked.changes,
                    "correlation": f"interlock:{id[2:]}",
                    "marker": marker,
                    "note_text": text,
                    "visibility": context.given("visibility"),
                    "order": prepared.order,
                },
                "also": prepared.linked.also,
                "before": prepared.before,
                "bound": prepared.bound,
                "reasons": render.reasons(prepared.verdict.reasons),
                "deciders": list(prepared.verdict.deciders),
                "merged_over": prepared.merged_over,
                "not_after": not_after,
                "scope": receipts.scope_mark(context.agent),
                "stage": context.agent.stage,
                "face": context.face,
            },
            state="held" if hold else "performing",
            receipt=None,
            fence=1,
            owner=None,
            due_at=expires if hold else not_after + READ_BACK_S,
            quiet_at=None if hold else not_after + source.settle_s,
            attempts=0 if hold else 1,
            give_up_at=now + GIVE_UP_S,
            expires_at=expires,
            decision=None,
            needs_person=0,
            created_at=now,
            updated_at=now,
        )
        if hold:
            row.receipt = receipts.held(row, prepared.verdict.deciders, prepared.verdict.reasons)
        return row

    async def _replay(self, context: Context, row: WriteRow, digest: str) -> tuple[int, dict[str, Any]]:
        if row.digest != digest:
            raise Problem(
                Slug.IDEMPOTENCY_MISMATCH,
                "this idempotency key was used with other arguments",
                field="idempotency_key",
                value=context.given("idempotency_key"),
                next_step="Use a new key for a new write.",
            )
        waited = 0.0
        while row.state == "performing" and waited < _WAIT_S:
            await asyncio.sleep(0.05)
            waited += 0.05
            row = await self._journal.get(row.id) or row
        receipt = context.receipt = {**receipts.seen_by(context.agent, row), "replayed": True}
        context.outcome = f"replayed:{receipt['outcome']}"
        context.refs.append(row.ref or row.id)
        body = {
            "data": None,
            "quality": None,
            "provenance": render.gateway_provenance(context.now),
            "warnings": ["this is the receipt of an earlier, equal call; nothing was sent again"],
            "receipt": receipt,
        }
        return (202 if row.state == "held" else 200), body

    def _preview(self, context: Context, prepared: Prepared) -> dict[str, Any]:
        spec = context.tool.write
        assert spec is not None
        hidden = prepared.scope.hidden
        source = prepared.source
        if spec.op == "note":
            native = {"note": context.arguments.text, "visibility": context.arguments.visibility}
        else:
            target = f"~{prepared.target.handle}" if prepared.target else None
            effect = Effect(
                context.kind or "",
                spec.op,
                target,
                prepared.linked.changes,
                "(set when it is sent)",
                order=prepared.order,
            )
            native = source.preview(effect)
        before = {name: receipts.plain(value) for name, value in prepared.before.items() if name not in hidden}
        after = {
            name: prepared.linked.also.get(name) or receipts.plain(value)
            for name, value in prepared.linked.changes.items()
        }
        return {
            "verdict": prepared.verdict.effect,
            "reasons": render.reasons(prepared.verdict.reasons),
            "before": before,
            "after": after,
            "native": native,
        }

    def _envelope(
        self,
        context: Context,
        prepared: Prepared,
        *,
        receipt: dict[str, Any] | None = None,
        preview: dict[str, Any] | None = None,
        done: Done | None = None,
    ) -> dict[str, Any]:
        scope = prepared.scope
        target, judged = prepared.target, prepared.judged
        record, observed = (target.record, target.observed_at) if target else (None, context.now)
        if done is not None:  # what was read before the write says nothing of the record now
            record, observed = done.record, done.observed_at or self._clock.now()
            if record is not None:
                judged = self._preparer.judged(context, record)
        if record is not None and not admits(scope, record):
            record = None
        body: dict[str, Any] = {
            "data": shown(scope, record) if record is not None else None,
            "quality": render.quality(judged, context.as_of, scope) if record is not None else None,
            "provenance": render.provenance(prepared.source.name, observed, self._clock.now(), "live"),
            "warnings": [],
        }
        if receipt is not None:
            body["receipt"] = receipts.without(scope.hidden, receipt)
        if preview is not None:
            body["preview"] = preview
        return body

"""What of a call goes into the ledger, and when: writes before their effect, reads right behind the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.gateway.context import Context
from interlock.governance.ledger import Entry, Ledger, Payload
from interlock.records.problems import Problem


class Trail:
    """Writes ledger entries for calls. ``committed_reads`` makes every read wait for its entry."""

    def __init__(self, ledger: Ledger, versions: Mapping[str, str], *, committed_reads: bool = False) -> None:
        self._ledger = ledger
        self._versions = dict(versions)
        self._committed_reads = committed_reads

    @property
    def ready(self) -> bool:
        """Whether the ledger can commit; if not, writes are refused."""
        return not self._ledger.counts.failing

    async def decided(self, context: Context, write: str) -> None:
        """The decision on a write, durable before anything is sent. Raises Problem when it cannot be."""
        await self._ledger.append(self._entry("intent", context, context.now, None, {"write": write}), _asked(context))

    async def finished(self, context: Context, at: float, problem: Problem | None) -> None:
        """The end of a call, whatever it was. A write's entry is durable before the answer."""
        outcome = context.outcome or (str(problem.slug) if problem else "ok")
        entry = self._entry("call", context, at, outcome, {})
        payload = _asked(context)
        if context.tool.reads and not self._committed_reads:
            await self._ledger.queue(entry, payload)
        else:
            await self._ledger.append(entry, payload)

    async def act(
        self, kind: str, principal: str, at: float, detail: Mapping[str, Any], refs: tuple[str, ...] = ()
    ) -> None:
        """A human or administrative act, or a step of the settling pass."""
        await self._ledger.append(
            Entry(
                kind=kind,
                call_id=str(detail.get("call_id", "")),
                at=at,
                principal=principal,
                tool=detail.get("tool"),
                refs=refs,
                verdict=detail.get("verdict"),
                reasons=(),
                versions=self._versions,
                outcome=detail.get("outcome"),
                detail={
                    name: value
                    for name, value in detail.items()
                    if name not in ("call_id", "tool", "verdict", "outcome")
                },
            )
        )

    def _entry(self, kind: str, context: Context, at: float, outcome: str | None, detail: Mapping[str, Any]) -> Entry:
        verdict = context.verdict
        if verdict is None:
            reasons = tuple(dict.fromkeys(context.flags)) if context.flags else ()
        else:
            reasons = tuple(reason.code or reason.kind for reason in verdict.reasons)
        return Entry(
            kind=kind,
            call_id=context.call_id,
            at=at,
            principal=context.agent.id,
            tool=context.tool.name,
            refs=tuple(context.refs),
            verdict=verdict.effect if verdict else "allow",
            reasons=reasons,
            versions=self._versions,
            outcome=outcome,
            detail=detail,
        )


def _asked(context: Context) -> Payload:
    return Payload(arguments=context.raw)

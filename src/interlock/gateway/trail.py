"""What of a call goes into the ledger, and when: writes before their effect, reads right behind the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.gateway.context import Context
from interlock.governance.ledger import Entry, Ledger, Payload
from interlock.records.problems import Problem, Slug


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
        entry = self._entry("call", context, at, outcome, {}, problem)
        payload = _asked(context)
        if context.tool.reads and not self._committed_reads:
            await self._ledger.queue(entry, payload)
        else:
            await self._ledger.append(entry, payload)

    def under(self, **versions: str) -> None:
        """From now on calls are decided under these versions."""
        self._versions = {**self._versions, **versions}

    async def act(
        self,
        kind: str,
        principal: str,
        at: float,
        detail: Mapping[str, Any],
        refs: tuple[str, ...] = (),
        receipt: Mapping[str, Any] | None = None,
    ) -> None:
        """A person's decision, or a step of the settling pass with the receipt it led to."""
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
            ),
            Payload(answer=receipt) if receipt else None,
        )

    def _entry(
        self,
        kind: str,
        context: Context,
        at: float,
        outcome: str | None,
        detail: Mapping[str, Any],
        problem: Problem | None = None,
    ) -> Entry:
        verdict = context.verdict
        decided: str | None = "allow"
        if verdict is not None and (problem is None or verdict.effect != "allow"):
            decided = verdict.effect
            reasons = tuple(reason.code or reason.kind for reason in verdict.reasons)
        elif problem is not None:  # it ended before there was anything to decide, or outside the agent's scope
            decided = "refuse" if problem.slug is Slug.REFUSED else (verdict.effect if verdict else None)
            reasons = tuple(str(reason["kind"]) for reason in problem.more.get("reasons", ()))
        else:
            reasons = tuple(dict.fromkeys(context.flags)) if context.flags else ()
            if context.receipt is not None:
                decided = None  # a replay decides nothing
        return Entry(
            kind=kind,
            call_id=context.call_id,
            at=at,
            principal=context.agent.id,
            tool=context.tool.name,
            refs=tuple(context.refs),
            verdict=decided,
            reasons=reasons,
            versions=self._versions,
            outcome=outcome,
            detail=detail,
        )


def _asked(context: Context) -> Payload:
    return Payload(context.raw, context.receipt)

"""Changes: what a source allows next, what approvers said, and what speaks against a window."""

from __future__ import annotations

from typing import Any

from interlock.adapterkit.offers import NativeConflict, OffersConflicts, OffersTransitions
from interlock.gateway import render
from interlock.gateway.context import Context
from interlock.gateway.reads import Reads
from interlock.gateway.scopes import admits, bounded, scope_of, shown
from interlock.gateway.tickets import approvals_of
from interlock.principals.models import Scope
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.records.text import visible
from interlock.sources.answers import Fetched
from interlock.sources.source import Source

_OVER = ("closed", "cancelled")
_MOST = 50
_AGE_S = 60.0


class Changes:
    """Answers the tools that are about changes only."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        reads.add({"change_get": self._get, "change_check_conflicts": self._conflicts})

    async def _get(self, context: Context) -> dict[str, Any]:
        body = await self._reads.get(context)
        source, record = context.source, body["data"]
        assert source is not None
        scope, asked = scope_of(context.agent, "change"), context.arguments.fields
        handle = await source.handle("change", Ref.parse(record["ref"]).key)
        extra: dict[str, Any] = {}
        if "state" not in scope.hidden and (asked is None or "state" in asked):
            extra["next_states"] = await self._told(context, body, next_states(source, "change", handle))
        if "approval" not in scope.hidden and (asked is None or "approval" in asked):
            extra["approvals"] = await self._told(context, body, approvals_of(source, "change", handle))
        return {**body, "data": {**record, **{name: value for name, value in extra.items() if value is not None}}}

    async def _told(self, context: Context, body: dict[str, Any], asked: Any) -> Any:
        """What was asked for besides the record; when it cannot be told, the record is still answered."""
        try:
            return await asked
        except Problem as problem:
            if problem.slug is not Slug.UNSUPPORTED:
                body["warnings"].append(f"{problem.detail}; the record itself is complete")
            return None

    async def _conflicts(self, context: Context) -> dict[str, Any]:
        _, scope, fetched = await self._reads.record(context, context.arguments.ref, "change", 0.0)
        source, record = context.source, shown(scope, fetched.record)
        assert source is not None
        judged = self._reads.judged(context, "change", fetched.record)
        status: str | None = None
        found: list[NativeConflict] = []
        warnings: list[str] = []
        if "conflicts" in source.offers:
            status, found = await source.ask(
                OffersConflicts, "conflicts", lambda each: each.conflicts("change", fetched.handle)
            )
        told = [await self._native(context, source, scope, each) for each in found]
        known = {each["change"]["ref"] for each in told if each["change"] is not None}
        told += [each for each in await self._overlapping(context, source, scope, fetched, warnings)
                 if each["change"]["ref"] not in known]  # fmt: skip
        window = {"start_at": record.get("planned_start_at"), "end_at": record.get("planned_end_at")}
        if None in window.values():
            warnings.append("the change has no whole window: only what its source itself found is told")
        context.refs = list(dict.fromkeys([fetched.record["ref"], *context.refs]))
        return {
            "data": {"window": window, "conflicts": told, "native_status": status},
            "quality": render.quality(judged, context.as_of, scope),
            "provenance": render.provenance(source.name, fetched.observed_at, context.now, fetched.origin),
            "warnings": warnings,
        }

    async def _overlapping(
        self, context: Context, source: Source, scope: Scope, fetched: Fetched, warnings: list[str]
    ) -> list[dict[str, Any]]:
        """Other changes of the same CI that are open and overlap the window, by a search of the gateway's own."""
        record = fetched.record
        start, end, ci = record.get("planned_start_at"), record.get("planned_end_at"), record.get("ci")
        needed = ("ci", "state", "planned_start_at", "planned_end_at")
        if start is None or end is None or ci is None or not scope.hidden.isdisjoint(needed):
            return []
        query = Query(
            (
                Condition("ci", "eq", ci["ref"]),
                Condition("state", "not_in", _OVER),
                Condition("planned_start_at", "lt", end),
                Condition("planned_end_at", "gt", start),
            ),
            sort=(Sort("planned_start_at"),),
            limit=_MOST,
        )
        found = await source.search("change", bounded(query, scope))
        warnings += found.warnings
        if found.cursor is not None:
            warnings.append(f"only the first {_MOST} overlapping changes are told")
        return [
            {
                "kind": "same_ci",
                "change": self._row(context, scope, other, found.observed_at),
                "ci": ci["ref"] if self._readable(context) else None,
                "start_at": other.get("planned_start_at"),
                "end_at": other.get("planned_end_at"),
                "found_by": "gateway",
            }
            for other in found.records
            if other["ref"] != record["ref"] and admits(scope, other)
        ]

    async def _native(self, context: Context, source: Source, scope: Scope, found: NativeConflict) -> dict[str, Any]:
        other = await self._admitted(context, source, "change", found.change)
        ci = await self._admitted(context, source, "ci", found.ci) if self._readable(context) else None
        return {
            "kind": found.kind,
            "change": None if other is None else self._row(context, scope, other.record, other.observed_at),
            "ci": None if ci is None else ci.record["ref"],
            "start_at": found.from_at,
            "end_at": found.to_at,
            "detail": visible(found.text) if found.text else None,
            "found_by": "source",
        }

    async def _admitted(self, context: Context, source: Source, kind: str, handle: str | None) -> Fetched | None:
        """A record by handle inside the agent's scope, else none."""
        scope = context.agent.scopes.get(kind)
        if handle is None or scope is None or kind not in source.kinds:
            return None
        try:
            there = await source.get(kind, f"~{handle}", max_age_s=_AGE_S)
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                raise
            return None
        return there if admits(scope, there.record) else None

    def _readable(self, context: Context) -> bool:
        return "ci" in context.agent.scopes

    def _row(self, context: Context, scope: Scope, record: dict[str, Any], observed_at: float) -> dict[str, Any]:
        age = max(0, int(context.now - observed_at))
        return render.row("change", shown(scope, record), None, self._reads.judged(context, "change", record), age)


async def next_states(source: Source, kind: str, handle: str) -> list[str]:
    """The states that the source allows a record to go to now. Raises unsupported."""
    return await source.ask(OffersTransitions, "transitions", lambda each: each.next_states(kind, handle))


async def allowed_next(source: Source, kind: str, target: Fetched, state: str) -> None:
    """Raises wrong-state when the source would not let the record go there, naming where it may go.

    A source that cannot tell decides itself, when the write arrives.
    """
    if "transitions" not in source.offers:
        return
    states = await next_states(source, kind, target.handle)
    if state not in states:
        raise Problem(
            Slug.WRONG_STATE,
            f"to: {target.record['ref']} cannot go from {target.record.get('state')} to {state} now",
            field="to",
            value=state,
            next_step=f"It may go to: {', '.join(states) or 'no other state; look at its approvals'}.",
        )

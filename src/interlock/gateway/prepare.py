"""Everything known of a write before it is performed: target, changes, quality, verdict.

Made for a call, for a dry run, and again when a held call is released, always from live records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.gateway import render
from interlock.gateway.changes import allowed_next
from interlock.gateway.context import Context, source_for
from interlock.gateway.effects import Linked, asked_changes, ci_behind, resolve
from interlock.gateway.ordering import ordered
from interlock.gateway.reads import Reads
from interlock.gateway.receipts import plain
from interlock.gateway.scopes import admits, scope_of
from interlock.gateway.versions import Images, merged_over
from interlock.gateway.weighing import Weighed, findings, weigh, weigh_path
from interlock.governance.authority import PolicyEngine, Request
from interlock.governance.decide import Authority, Inputs, Reason, Verdict, decide
from interlock.principals.models import Scope
from interlock.quality.gate.quality import Quality
from interlock.quality.judge import Flag, Judged
from interlock.quality.profile import UNCHECKED
from interlock.records.filters import excludes
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.sources.answers import Fetched
from interlock.sources.source import Source


@dataclass(slots=True)
class Prepared:
    """A write that could be performed now."""

    source: Source
    scope: Scope
    target: Fetched | None
    linked: Linked
    judged: Judged
    reasons: list[Reason]  # from quality, whatever their effect
    verdict: Verdict
    bound: dict[str, Any]
    merged_over: list[str]
    order: dict[str, Any] | None = None
    relied: tuple[Fetched, ...] = ()  # the CIs that the write relies on
    stops: tuple[Flag, ...] = ()  # the flags that do not let it through

    @property
    def before(self) -> dict[str, Any]:
        """The values of the fields about to be written."""
        record = self.target.record if self.target else {}
        return {name: record.get(name) for name in self.linked.changes}


class Preparer:
    """Prepares writes."""

    def __init__(self, reads: Reads, quality: Quality, policy: PolicyEngine, images: Images) -> None:
        self._reads = reads
        self._quality = quality
        self._policy = policy
        self._images = images

    async def prepare(self, context: Context, *, budget_left: bool, ledger_ready: bool, anew: bool = False) -> Prepared:
        """Look, check and decide; nothing is changed. ``anew`` is a release: expected_version was judged before."""
        spec, arguments = context.tool.write, context.arguments
        assert spec is not None
        kind = context.kind
        assert kind is not None
        authority = self.permit(context)
        changes = asked_changes(context)
        target: Fetched | None = None
        if spec.op == "create":
            scope = scope_of(context.agent, kind)
            source = source_for(context, self._reads.sources, kind, _source_named(context))
            context.source = source
        else:
            _, scope, target = await self._reads.record(context, arguments.ref, kind, 0.0)
            assert context.source is not None
            source = context.source
            _in_state(target.record, spec.from_states, context.tool.name, scope.hidden)
            if spec.asks_next:
                await allowed_next(source, kind, target, changes["state"])
        order = await ordered(context, source) if spec.orders else None
        linked = await resolve(context, source, changes, scope.hidden)
        merged = [] if anew else self._merged(context, target, changes, scope)
        after = {**(target.record if target else {}), **linked.changes}
        missing = source.missing(kind, after) if spec.op != "note" else []
        if target is not None:  # what the record lacked before is demanded of whoever touches it, not of others
            lacked = source.missing(kind, target.record)
            missing = [name for name in missing if name not in lacked or name in changes]
        if missing:
            raise Problem(
                Slug.INVALID_ARGUMENT,
                f"{', '.join(missing)}: required by {source.name} for this change",
                field=missing[0],
                next_step=f"Pass {', '.join(missing)} too.",
                layer="argument",
            )
        reasons: list[Reason] = []
        if spec.op == "create" and excludes(scope.filter, after):
            detail = f"the {kind} would be outside your read scope"
            reasons.append(Reason("scope", "refuse", detail, lifts="create it inside your scope"))
        if target is not None:
            judged = self._reads.judged(context, kind, target.record)
            ref = target.record["ref"]
            weighed = weigh(self._quality, context, kind, judged, ref, scope, frozenset(changes), ref)
        else:
            judged = self._quality.source(kind, source.name)
            weighed = weigh(self._quality, context, kind, judged, None, scope, frozenset(changes), None)
        behind, relied = await self._behind(context, source, linked, target, scope, weighed)
        weighed.add(self._path(context, changes, target, relied))
        reasons += weighed.reasons
        if spec.person is not None:
            reasons.append(Reason("authority", "hold", spec.person, lifts="a person's decision"))
        verdict = decide(
            Inputs(context.tool.effect, context.agent.stage, authority, reasons, budget_left, ledger_ready)
        )
        bound = {
            "before": {name: plain(target.record.get(name)) if target else None for name in changes},
            "state": target.record.get("state") if target else None,
            "ci": plain(target.record.get("ci")) if target else None,
            "target": target.record["ref"] if target else None,
            "policy": self._policy.version,
            "profile": self._quality.version,
            "findings": findings(self._quality, context, (judged, *behind)),
        }
        return Prepared(
            source,
            scope,
            target,
            linked,
            judged,
            reasons,
            verdict,
            bound,
            merged,
            order,
            relied,
            tuple(weighed.stops),
        )

    def _merged(self, context: Context, target: Fetched | None, changes: Mapping[str, Any], scope: Scope) -> list[str]:
        expected = context.given("expected_version")
        if target is None or expected is None:
            return []
        base = self._images.seen(target.record["ref"], expected)
        if base is not None and not admits(scope, base):
            base = None  # somebody else was shown that version; this agent was not
        assert context.kind is not None
        judged = self._quality.judge(context.kind, target.record, context.as_of)
        decisive = {"state", "ci"}.union(*(flag.fields for flag in judged.flags))
        return merged_over(expected, target.record, base, changes, decisive, scope.hidden)

    def permit(self, context: Context) -> Authority:
        """What policy says of the call, before any record is read. Raises Problem refused."""
        ref = context.given("ref")
        source = Ref.parse(ref).source if ref else _source_named(context)
        agent, tool = context.agent, context.tool
        request = Request(agent.id, agent.tools, tool.name, tool.effect, context.kind, source, context.raw)
        authority = self._policy.authorize(request)
        if authority.effect == "refuse":
            context.verdict = decide(Inputs(tool.effect, agent.stage, authority))
            context.outcome = "refused"
            raise refusal(context.verdict)
        return authority

    def judged(self, context: Context, record: dict[str, Any]) -> Judged:
        """The quality of a record as it is after a write; it is remembered as shown."""
        assert context.kind is not None
        self._images.keep(record)
        return self._quality.judge(context.kind, record, context.as_of)

    def _path(
        self, context: Context, changes: Mapping[str, Any], target: Fetched | None, relied: tuple[Fetched, ...]
    ) -> Weighed:
        """What depends on the CIs that the write is about, where the tool asks for it."""
        assert context.tool.write is not None
        path = context.tool.write.path
        if path is None or (path.fields and path.fields.isdisjoint(changes)):
            return Weighed()
        cis = [ci.record["ref"] for ci in relied] or ([target.record["ref"]] if target and context.kind == "ci" else [])
        try:
            flags = self._quality.depending(cis, path.codes, path.depth, path.most, context.as_of)
        except Problem:
            return Weighed()  # the store is told of by the record's own quality
        context.flags += [flag.code for flag in flags]
        return weigh_path(self._quality, context, flags)

    async def _behind(
        self,
        context: Context,
        source: Source,
        linked: Linked,
        target: Fetched | None,
        scope: Scope,
        weighed: Weighed,
    ) -> tuple[list[Judged], tuple[Fetched, ...]]:
        """The CIs that the write relies on, weighed: those it names, else the one behind its ticket."""
        relied: list[Fetched | Problem] = [there for name, there in linked.cis if name in RELIED]
        if not relied and target is not None and "ci" not in linked.changes and "ci" in source.kinds:
            behind = await ci_behind(source, target.record)
            relied = [] if behind is None else [behind]
        judged: list[Judged] = []
        readable = context.agent.scopes.get("ci")
        for ci in relied:
            if isinstance(ci, Problem):
                effect = self._quality.effect(UNCHECKED, context.tool.name, context.tool.effect)
                detail = f"the CI behind the record could not be read ({ci.slug})"
                lifts = "make the CI readable, or correct the ticket"
                weighed.reasons.append(Reason("quality", effect, detail, UNCHECKED, None, None, lifts))
                continue
            seen = None
            if readable is not None and "ci" not in scope.hidden and admits(readable, ci.record):
                seen = readable
            found = self._quality.judge("ci", ci.record, context.as_of)
            context.flags += [flag.code for flag in found.flags]
            judged.append(found)
            weighed.add(weigh(self._quality, context, "ci", found, ci.record["ref"], seen, frozenset(), None))
        return judged, tuple(ci for ci in relied if not isinstance(ci, Problem))


RELIED = frozenset({"ci", "subject", "object"})
"""Fields whose CI a write relies on; a service, for one, is only a word for whom it matters to."""


def _source_named(context: Context) -> str | None:
    """The source that a create names, or whose record (or catalogue item) it names."""
    spec = context.tool.write
    if spec is not None and spec.beside is not None:
        return Ref.parse(context.given(spec.beside), spec.beside).source
    if spec is not None and spec.orders:
        return str(context.arguments.item).partition("/")[0]
    found: str | None = context.given("source")
    return found


def refusal(verdict: Verdict) -> Problem:
    """The problem that says why a write was refused and what lifts it."""
    reasons = verdict.reasons
    first = next((reason for reason in reasons if reason.effect == "refuse"), reasons[0])
    return Problem(
        Slug.REFUSED,
        first.detail if first.evidence is None else f"{first.detail}: {first.evidence}",
        next_step=f"What lifts it: {first.lifts}." if first.lifts else "Ask the owner of this agent.",
        more={"reasons": render.reasons(reasons)},
    )


def _in_state(record: Mapping[str, Any], states: tuple[str, ...], tool: str, hidden: frozenset[str]) -> None:
    state = record.get("state")
    if states and state is not None and state not in states:
        told = ", ".join(name for name in states if name != "unmapped")
        raise Problem(
            Slug.WRONG_STATE,
            f"ref: {record['ref']} is {'in another state' if 'state' in hidden else state}; {tool} needs {told}",
            field="ref",
            value=record["ref"],
            next_step="Read the record again before deciding what it needs.",
        )

"""Impact: what depends on a CI, by distance, over relations of all sources that know the same thing.

Breadth first, so that a CI is told with its shortest path; of equally short ones with the one whose oldest
evidence is youngest. What lies outside the agent's scope is neither told nor counted nor followed: a path
through it does not exist for the agent, and the answer always says that it ends at the scope.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from interlock.clock import Clock
from interlock.gateway import render
from interlock.gateway.context import Context
from interlock.gateway.reads import Reads, worst
from interlock.gateway.sameness import Sameness, warned
from interlock.gateway.scopes import admits, bounded, scope_of, shown
from interlock.principals.models import Scope
from interlock.records import times
from interlock.records.filters import AnyOf, Clause, Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.sources.source import Source

Flow = Literal["object", "subject", "both", "none"]

FLOWS: dict[str, Flow] = {
    "depends_on": "object",  # what the subject needs fails: the subject fails
    "runs_on": "object",
    "hosted_on": "object",
    "uses": "object",
    "connects_to": "object",  # the subject loses what it is connected to
    "powered_by": "object",
    "contains": "subject",  # what holds others takes them along
    "provides": "subject",
    "member_of": "subject",  # a group is weaker by each member that fails
    "exchanges_data_with": "both",
    "manages": "none",  # what is managed goes on without its manager
}
"""From which end of a relation a failure goes to the other end."""

BATCH = 20
"""CIs whose relations are asked for in one search."""
PAGE = 100
MOST_RELATIONS = 2000
"""Relations that one answer looks at."""
AT_ONCE = 8
BUDGET_S = 15.0
"""Seconds after which no further relation is followed."""
_FULL = "the limit of CIs was met"
_FIRST = ("business_application", "service", "service_offering")


@dataclass(slots=True)
class _Node:
    """One thing: the record it was met as, the records of other sources that are the same, its best path."""

    record: dict[str, Any]
    observed_at: float
    distance: int
    via: tuple[str, ...]
    relation: str
    weakest: tuple[float, str] | None  # epoch seconds of the oldest evidence, and whose it is
    standing: str
    flags: tuple[str, ...]
    same: list[str] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return str(self.record["ref"])


@dataclass(slots=True)
class _Walk:
    """What one answer has found and why it may not be all."""

    start: str
    ends_at: float  # on the clock: nothing is asked after it
    nodes: dict[str, _Node]  # by every ref of the thing
    found: list[_Node] = field(default_factory=list)
    relations: int = 0
    unknown: int = 0
    unread: bool = False
    deeper: bool = False
    not_followed: dict[str, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    failed: dict[str, None] = field(default_factory=dict)

    def stop(self, refs: Iterable[str], why: str) -> None:
        """These CIs were not looked behind, or not at all that is there."""
        self.not_followed |= dict.fromkeys(refs)
        self.warnings[why] = None

    def before(self, node: _Node) -> str:
        """The CI by which one was reached."""
        return node.via[-1] if node.via else self.start


class Graph:
    """Answers ci_impact."""

    def __init__(self, reads: Reads, sameness: Sameness, clock: Clock) -> None:
        self._reads = reads
        self._sameness = sameness
        self._clock = clock
        reads.add({"ci_impact": self._impact})

    async def _impact(self, context: Context) -> dict[str, Any]:
        arguments = context.arguments
        link_scope = scope_of(context.agent, "relationship")
        _, scope, fetched = await self._reads.record(context, arguments.ref, "ci", arguments.max_age_s)
        assert context.source is not None
        source = context.source
        judged = self._reads.judged(context, "ci", fetched.record)
        start = _Node(fetched.record, fetched.observed_at, 0, (), "", None, "trusted", ())
        walk = _Walk(start.ref, context.now + BUDGET_S, {start.ref: start})
        await self._join(walk, [start], scope)
        level = [start]
        for _ in range(arguments.depth):
            if len(walk.found) >= arguments.limit:
                walk.stop((node.ref for node in level), _FULL)
                break
            level = await self._step(context, walk, level, scope, link_scope)
            if not level:
                break
        else:
            walk.deeper = True
            walk.warnings["followed as far as depth says; more may depend on it behind"] = None
        if walk.unknown:
            walk.warnings[f"{walk.unknown} relations of a type without a word were not followed"] = None
        if scope.filter or link_scope.filter or scope.hidden or link_scope.hidden:
            walk.warnings["paths are followed inside your read scope only"] = None
        complete = not (walk.not_followed or walk.unknown or walk.unread or walk.deeper)
        nodes = sorted(walk.found, key=_order)
        context.refs = [start.ref, *(node.ref for node in nodes)][:100]
        return {
            "data": {
                "ref": start.ref,
                "nodes": [self._told(context, node, scope) for node in nodes],
                "summary": _summary(nodes, scope),
                "complete": complete,
                "not_followed": list(walk.not_followed),
                "sources": list(walk.sources),
                "failed": list(walk.failed),
            },
            "quality": render.quality(judged, context.as_of, scope),
            "provenance": render.provenance(source.name, fetched.observed_at, context.now, fetched.origin),
            "page": {"cursor": None, "truncated": bool(walk.not_followed)},
            "warnings": list(walk.warnings),
        }

    async def _step(
        self, context: Context, walk: _Walk, level: list[_Node], scope: Scope, link_scope: Scope
    ) -> list[_Node]:
        """Everything one relation further."""
        reached: list[tuple[_Node, dict[str, Any], str]] = []  # whence, the relation, the ref it leads to
        by_source: dict[str, list[tuple[str, _Node]]] = {}
        for node in level:
            for ref in (node.ref, *node.same):
                by_source.setdefault(Ref.parse(ref).source, []).append((ref, node))
        for name, heads in by_source.items():
            reached += await self._relations(context, walk, name, heads, link_scope)
        reached = [each for each in reached if each[2] not in walk.nodes]
        there = await self._records(context, walk, reached, scope)
        arrived: dict[str, _Node] = {}
        for before, relation, ref in reached:
            if (entry := there.get(ref)) is not None:
                node = self._arrive(context, before, relation, *entry, scope, link_scope)
                known = arrived.get(node.ref)
                if known is None or _age(node) < _age(known):
                    arrived[node.ref] = node
        fresh = sorted((node for node in arrived.values() if node.ref not in walk.nodes), key=_age)
        things = sorted(await self._join(walk, fresh, scope), key=_order)
        room = context.arguments.limit - len(walk.found)
        if things[room:]:
            walk.stop((walk.before(node) for node in things[room:]), _FULL)
        walk.found += things[:room]
        return things[:room]

    async def _join(self, walk: _Walk, nodes: list[_Node], scope: Scope) -> list[_Node]:
        """The things that these CIs are, each once: records of several sources may be one, whose relations are
        followed in all of them. Of these, the first in ``nodes`` gives the path."""
        things = []
        for node, twins in zip(nodes, await self._sameness.of([node.record for node in nodes]), strict=True):
            walk.warnings |= dict.fromkeys(warned(twins))
            walk.failed |= dict.fromkeys(twins.silent)
            if twins.silent:
                walk.not_followed[node.ref] = None
            if node.distance and node.ref in walk.nodes:
                continue
            walk.nodes[node.ref] = node
            things.append(node)
            for twin in self._sameness.seen(twins, scope):
                ref = str(twin.record["ref"])
                if twin.match.same and ref not in walk.nodes:
                    walk.nodes[ref] = node
                    node.same.append(ref)
        return things

    async def _relations(
        self, context: Context, walk: _Walk, name: str, heads: list[tuple[str, _Node]], scope: Scope
    ) -> list[tuple[_Node, dict[str, Any], str]]:
        """Relations of one source by which a failure of the heads goes on."""
        source = self._reads.sources[name]
        refs = [ref for ref, _ in heads]
        if "relationship" not in source.kinds:
            walk.warnings[f"{name} tells no relations"] = None
            return []
        if not scope.hidden.isdisjoint(("subject", "object", "type")):
            walk.stop(refs, "the ends or types of relations are hidden from you")
            return []
        at = dict(heads)
        found: list[tuple[_Node, dict[str, Any], str]] = []
        for number in range(0, len(refs), BATCH):
            batch = tuple(refs[number : number + BATCH])
            try:
                relations = await self._searched(context, walk, source, batch, scope)
            except Problem as problem:
                walk.failed[name] = None
                walk.stop(batch, f"relations in {name} could not be read ({problem.slug})")
                continue
            walk.sources[name] = None
            for relation in relations:
                found += self._followed(walk, at, relation)
        return found

    async def _searched(
        self, context: Context, walk: _Walk, source: Source, batch: tuple[str, ...], scope: Scope
    ) -> list[dict[str, Any]]:
        either: tuple[Clause, ...] = (AnyOf((Condition("object", "in", batch), Condition("subject", "in", batch))),)
        query = bounded(Query(either, limit=PAGE), scope)
        cursor: Any = None
        found: list[dict[str, Any]] = []
        while True:
            left = walk.ends_at - self._clock.now()
            if walk.relations >= MOST_RELATIONS or left <= 0:
                walk.stop(batch, f"at most {MOST_RELATIONS} relations and {BUDGET_S:g} s are spent on one answer")
                return found
            try:
                async with asyncio.timeout(left):
                    page = await source.search(
                        "relationship", query, cursor=cursor, max_age_s=context.arguments.max_age_s
                    )
            except TimeoutError:
                walk.failed[source.name] = None
                walk.stop(batch, f"relations in {source.name} were not read within {BUDGET_S:g} s")
                return found
            walk.relations += len(page.records)
            found += [relation for relation in page.records if admits(scope, relation)]
            cursor = page.cursor
            if cursor is None:
                return found

    def _followed(
        self, walk: _Walk, at: Mapping[str, _Node], relation: dict[str, Any]
    ) -> list[tuple[_Node, dict[str, Any], str]]:
        """Where a failure goes by this relation: from a head to its other end."""
        subject, other = relation.get("subject"), relation.get("object")
        if not subject or not other:
            return []  # one side is missing: it leads nowhere
        flow = FLOWS.get(relation.get("type") or "unmapped")
        if flow is None:
            walk.unknown += 1
            return []
        ends = {"object": ((other, subject),), "subject": ((subject, other),), "none": ()}
        ways = ends.get(flow, ((other, subject), (subject, other)))
        return [(at[a["ref"]], relation, b["ref"]) for a, b in ways if a["ref"] in at and b["ref"] != a["ref"]]

    async def _records(
        self, context: Context, walk: _Walk, reached: list[tuple[_Node, dict[str, Any], str]], scope: Scope
    ) -> dict[str, tuple[dict[str, Any], float]]:
        """The CIs that refs name, inside the scope, by the ref that was asked for."""
        gate = asyncio.Semaphore(AT_ONCE)
        age = max(context.arguments.max_age_s, 60)
        whence: dict[str, list[str]] = {}
        for before, _, ref in reached:
            whence.setdefault(ref, []).append(before.ref)
        refs = list(whence)
        # No more than can be told are read; behind which CIs there are others, is said.
        most = context.arguments.limit - len(walk.found) + BATCH
        for ref in refs[most:]:
            walk.stop(whence[ref], _FULL)

        async def read(text: str) -> tuple[dict[str, Any], float] | None:
            ref = Ref.parse(text)
            async with gate:
                try:
                    async with asyncio.timeout(max(0, walk.ends_at - self._clock.now())):
                        there = await self._reads.sources[ref.source].get("ci", ref.key, max_age_s=age)
                except TimeoutError:
                    walk.failed[ref.source] = None
                    walk.stop(whence[text], f"CIs in {ref.source} were not read within {BUDGET_S:g} s")
                    return None
                except Problem as problem:
                    if problem.slug is not Slug.NOT_FOUND:
                        # Named by what went wrong only: whether the CI may be read is not known.
                        walk.warnings[f"a CI on a path could not be read ({problem.slug})"] = None
                        walk.failed[ref.source] = None
                        walk.unread = True
                    return None
            return (there.record, there.observed_at) if admits(scope, there.record) else None

        found = await asyncio.gather(*(read(ref) for ref in refs[:most]))
        return {ref: entry for ref, entry in zip(refs, found, strict=False) if entry is not None}

    def _arrive(
        self,
        context: Context,
        before: _Node,
        relation: dict[str, Any],
        record: dict[str, Any],
        observed_at: float,
        scope: Scope,
        link_scope: Scope,
    ) -> _Node:
        judged = self._reads.judged(context, "ci", record)
        evidence = [before.weakest, _seen(shown(scope, record)), _written(shown(link_scope, relation))]
        oldest = min((each for each in evidence if each is not None), default=None)
        via = (*before.via, before.ref) if before.distance else ()
        return _Node(
            record,
            observed_at,
            before.distance + 1,
            via,
            str(relation.get("type")),
            oldest,
            worst([before.standing, judged.standing]),
            tuple(dict.fromkeys((*before.flags, *(flag.code for flag in judged.flags)))),
        )

    def _told(self, context: Context, node: _Node, scope: Scope) -> dict[str, Any]:
        record = shown(scope, node.record)
        weakest = None
        if node.weakest is not None:
            weakest = {"ref": node.weakest[1], "age_s": max(0, int(context.as_of - node.weakest[0]))}
        return {
            "ref": node.ref,
            **{name: record.get(name) for name in ("name", "cls", "environment", "criticality")},
            "distance": node.distance,
            "via": list(node.via),
            "relation": node.relation,
            "weakest": weakest,
            "standing": node.standing,
            "flags": list(node.flags),
            "same_as": node.same,
        }


def _seen(record: Mapping[str, Any]) -> tuple[float, str] | None:
    """When a CI was last seen or confirmed; what is never discovered says nothing."""
    told = [when for name in ("last_seen_at", "attested_at") if (when := _moment(record.get(name))) is not None]
    return (max(told), str(record["ref"])) if told else None


def _written(relation: Mapping[str, Any]) -> tuple[float, str] | None:
    when = _moment(relation.get("updated_at"))
    return None if when is None else (when, str(relation["ref"]))


def _moment(text: Any) -> float | None:
    try:
        return float(times.to_epoch(text)) if text else None
    except ValueError:
        return None


def _age(node: _Node) -> tuple[float, str]:
    """By what paths to a thing are chosen: the youngest of the oldest evidence first. What has no evidence says
    nothing, and so weakens no path: the best path to a CI goes by the best path to the one before it."""
    return (-node.weakest[0] if node.weakest is not None else float("-inf")), node.ref


def _order(node: _Node) -> tuple[int, bool, str]:
    return node.distance, node.record.get("cls") not in _FIRST, node.ref


def _summary(nodes: list[_Node], scope: Scope) -> dict[str, Any]:
    def counted(name: str) -> dict[str, int]:
        if name in scope.hidden:
            return {}
        return dict(Counter(str(value) for node in nodes if (value := node.record.get(name))).most_common())

    return {
        "count": len(nodes),
        "standing": worst([node.standing for node in nodes]),
        "by_class": counted("cls"),
        "by_distance": {str(distance): n for distance, n in sorted(Counter(n.distance for n in nodes).items())},
        "by_criticality": counted("criticality"),
        "by_environment": counted("environment"),
    }

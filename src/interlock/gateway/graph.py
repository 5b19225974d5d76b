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
from interlock.gateway.sameness import Sameness, Twins, warned
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

    nodes: dict[str, _Node]  # by every ref of the thing
    found: list[_Node] = field(default_factory=list)
    relations: int = 0
    unknown: int = 0
    unread: bool = False
    deeper: bool = False
    not_followed: dict[str, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)

    def stop(self, refs: Iterable[str], why: str) -> None:
        self.not_followed |= dict.fromkeys(refs)
        self.warnings[why] = None


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
        walk = _Walk({start.ref: start})
        await self._join(walk, start, scope)
        level = [start]
        for _ in range(arguments.depth):
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
        wanted = list(dict.fromkeys(ref for _, _, ref in reached if ref not in walk.nodes))
        there = await self._records(context, walk, wanted, scope)
        fresh: dict[str, _Node] = {}
        for before, relation, ref in reached:
            entry = there.get(ref)
            if entry is None:
                continue
            record, observed_at = entry
            node = self._arrive(context, before, relation, record, observed_at)
            known = fresh.get(ref)
            if known is None or _youth(node) > _youth(known):
                fresh[ref] = node
        following = []
        for node in sorted(fresh.values(), key=_order):
            if node.ref in walk.nodes:
                continue  # the same thing was met as the record of another source
            if len(walk.found) >= context.arguments.limit:
                walk.stop([node.via[-1] if node.via else str(walk.found[0].ref)], "the limit of CIs was met")
                break
            walk.nodes[node.ref] = node
            walk.found.append(node)
            following.append(node)
            await self._join(walk, node, scope)
        return following

    async def _join(self, walk: _Walk, node: _Node, scope: Scope) -> None:
        """The records of other sources that are the same thing: their relations are followed, too."""
        twins: Twins = await self._sameness.twins(node.record)
        walk.warnings |= dict.fromkeys(warned(twins))
        if twins.silent:
            walk.not_followed[node.ref] = None
        for twin in twins.found:
            ref = str(twin.record["ref"])
            if twin.match.same and ref not in walk.nodes and admits(scope, twin.record):
                walk.nodes[ref] = node
                node.same.append(ref)

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
        walk.sources[name] = None
        at = dict(heads)
        found: list[tuple[_Node, dict[str, Any], str]] = []
        for number in range(0, len(refs), BATCH):
            batch = tuple(refs[number : number + BATCH])
            try:
                relations = await self._searched(context, walk, source, batch, scope)
            except Problem as problem:
                walk.stop(batch, f"relations in {name} could not be read ({problem.slug})")
                continue
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
            late = self._clock.now() - context.now > BUDGET_S
            if walk.relations >= MOST_RELATIONS or late:
                walk.stop(batch, f"at most {MOST_RELATIONS} relations and {BUDGET_S:g} s are spent on one answer")
                return found
            page = await source.search("relationship", query, cursor=cursor, max_age_s=context.arguments.max_age_s)
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
        self, context: Context, walk: _Walk, refs: list[str], scope: Scope
    ) -> dict[str, tuple[dict[str, Any], float]]:
        """The CIs that refs name, inside the scope, by the ref that was asked for."""
        gate = asyncio.Semaphore(AT_ONCE)
        age = max(context.arguments.max_age_s, 60)
        # No more than can be told are read: those that are left over are named as not followed.
        most = context.arguments.limit - len(walk.found) + BATCH
        if len(refs) > most:
            walk.stop((), "the limit of CIs was met")
            walk.not_followed |= dict.fromkeys(node.ref for node in walk.found[-1:] or walk.nodes.values())
            refs = refs[:most]

        async def read(text: str) -> tuple[dict[str, Any], float] | None:
            ref = Ref.parse(text)
            async with gate:
                try:
                    there = await self._reads.sources[ref.source].get("ci", ref.key, max_age_s=age)
                except Problem as problem:
                    if problem.slug is not Slug.NOT_FOUND:
                        # Named by what went wrong only: whether the CI may be read is not known.
                        walk.warnings[f"a CI on a path could not be read ({problem.slug})"] = None
                        walk.unread = True
                    return None
            return (there.record, there.observed_at) if admits(scope, there.record) else None

        found = await asyncio.gather(*(read(ref) for ref in refs))
        return {ref: entry for ref, entry in zip(refs, found, strict=True) if entry is not None}

    def _arrive(
        self, context: Context, before: _Node, relation: dict[str, Any], record: dict[str, Any], observed_at: float
    ) -> _Node:
        judged = self._reads.judged(context, "ci", record)
        evidence = [before.weakest, _seen(record), _written(relation)]
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
        if node.weakest is not None and scope.hidden.isdisjoint(("last_seen_at", "attested_at")):
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


def _youth(node: _Node) -> float:
    """How good a path is: the moment of its oldest evidence; one without any is the worst."""
    return node.weakest[0] if node.weakest is not None else float("-inf")


def _order(node: _Node) -> tuple[int, bool, str]:
    return node.distance, node.record.get("cls") not in _FIRST, node.ref


def _summary(nodes: list[_Node], scope: Scope) -> dict[str, Any]:
    def counted(name: str) -> dict[str, int]:
        if name in scope.hidden:
            return {}
        return dict(Counter(str(value) for node in nodes if (value := node.record.get(name))).most_common())

    return {
        "count": len(nodes),
        "by_class": counted("cls"),
        "by_distance": {str(distance): n for distance, n in sorted(Counter(n.distance for n in nodes).items())},
        "by_criticality": counted("criticality"),
        "by_environment": counted("environment"),
    }

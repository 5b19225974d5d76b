"""Which CIs of other sources are the same thing as one: asked by its keys, kept for some minutes, never in the way.

With one source that holds CIs nothing is asked. A source that fails or is slow is named and costs nothing else.
Sources compare as they are written: a twin is found under the usual ways of writing a key (``matching.variants``),
not under any; only a scan of both sides, normalised, would find those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from interlock.clock import Clock
from interlock.gateway.context import Context
from interlock.gateway.reads import Reads
from interlock.gateway.scopes import admits, scope_of, shown
from interlock.principals.models import Scope
from interlock.quality.matching import KEYS, Match, compare, differences, keys_of, variants
from interlock.quality.profile import Profile
from interlock.records.filters import AnyOf, Condition, Query
from interlock.records.problems import Problem
from interlock.records.refs import Ref
from interlock.sources.source import Source

KEPT_S = 300.0
PATIENCE_S = 3.0
"""How long one other source is waited for; the record itself is not late for it by more than this."""
QUIET_S = 15.0
"""A source that was waited for in vain is not waited for again within this time."""
_ENTRIES = 5000
_MOST = 20
_BATCH = 8
"""CIs whose keys go into one search: each key is asked for in several ways of writing it."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A CI of another source that is the same thing, or that a weaker key takes for it (``match.same`` tells)."""

    source: Source
    record: dict[str, Any]
    observed_at: float
    match: Match


@dataclass(frozen=True, slots=True)
class Twins:
    """What the other sources know of a CI; ``silent``: sources that could not be asked now, with the reason."""

    found: tuple[Twin, ...]
    silent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one source said; ``why`` it may not have said all."""

    source: Source
    records: tuple[dict[str, Any], ...] = ()
    observed_at: float = 0.0
    why: str | None = None


NONE = Twins((), {})
_Asked = tuple[str, tuple[tuple[str, str], ...]]  # a ref and its keys: who got another serial number is asked anew


@dataclass(frozen=True, slots=True)
class _Subject:
    """A CI whose twins are looked for."""

    record: Mapping[str, Any]
    keys: Mapping[str, str]

    @property
    def source(self) -> str:
        return Ref.parse(str(self.record["ref"])).source

    @property
    def kept_as(self) -> _Asked:
        return str(self.record["ref"]), tuple(self.keys.items())


class Sameness:
    """Finds the same CI in other sources."""

    def __init__(self, reads: Reads, profile: Profile, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._junk = frozenset(word.casefold() for word in profile.ci.junk)
        self._kept: TTLCache[_Asked, Twins] = TTLCache(_ENTRIES, KEPT_S, timer=clock.now)
        self._quiet: TTLCache[str, str] = TTLCache(_ENTRIES, QUIET_S, timer=clock.now)
        reads.add({"ci_get": self._get})

    async def _get(self, context: Context) -> dict[str, Any]:
        body = await self._reads.get(context)
        arguments = context.arguments
        if not arguments.same_as or arguments.fields is not None or len(self._sources()) < 2:
            return body
        assert context.source is not None
        record = body["data"]
        # Kept from a moment ago: what the agent may not see of the record tells its twins all the same.
        whole = await context.source.get("ci", Ref.parse(record["ref"]).key, max_age_s=max(arguments.max_age_s, 5))
        twins = await self.twins(whole.record)
        told = self.told(whole.record, twins, scope_of(context.agent, "ci"))
        return {**body, "data": {**record, **told}, "warnings": [*body["warnings"], *warned(twins)]}

    def _sources(self) -> dict[str, Source]:
        return {name: source for name, source in self._reads.sources.items() if "ci" in source.kinds}

    async def twins(self, record: Mapping[str, Any]) -> Twins:
        """The CIs of other sources that have a key in common with this one."""
        return (await self.of([record]))[0]

    async def of(self, records: Sequence[Mapping[str, Any]]) -> list[Twins]:
        """The same for many, in their order, with few searches."""
        sources = self._sources()
        if len(sources) < 2:
            return [NONE] * len(records)
        subjects = [_Subject(record, keys_of(record, self._junk)) for record in records]
        told = {each.kept_as: kept for each in subjects if (kept := self._kept.get(each.kept_as)) is not None}
        missing = [each for each in subjects if each.keys and each.kept_as not in told]
        if missing:
            answers = await asyncio.gather(*(self._ask(source, missing) for source in sources.values()))
            for each in missing:
                others = [answer for answer in answers if answer.source.name != each.source]
                told[each.kept_as] = twins = self._matched(each, others)
                if not twins.silent:  # what could not be asked is asked again
                    self._kept[each.kept_as] = twins
        return [told.get(each.kept_as, NONE) for each in subjects]

    def _matched(self, subject: _Subject, answers: Sequence[_Answer]) -> Twins:
        found = [
            Twin(answer.source, other, answer.observed_at, match)
            for answer in answers
            for other in answer.records
            if (match := compare(subject.keys, keys_of(other, self._junk))).by
        ]
        silent = {answer.source.name: answer.why for answer in answers if answer.why is not None}
        return Twins(tuple(sorted(found, key=lambda twin: str(twin.record["ref"]))), silent)

    async def _ask(self, source: Source, subjects: Sequence[_Subject]) -> _Answer:
        """What one source holds under the keys of CIs of others."""
        asked = [each for each in subjects if each.source != source.name]
        able = source.asked_by("ci", "in")
        queries = []
        for at in range(0, len(asked), _BATCH):
            some = asked[at : at + _BATCH]
            ways = {
                name: dict.fromkeys(
                    way for each in some if name in each.keys for way in variants(name, each.record[name])
                )
                for name in KEYS
                if name in able
            }
            conditions = tuple(Condition(name, "in", tuple(values)) for name, values in ways.items() if values)
            if conditions:
                queries.append(Query((AnyOf(conditions),), limit=_MOST * len(some)))
        if not queries:
            return _Answer(source)
        if (why := self._quiet.get(source.name)) is not None:
            return _Answer(source, why=why)
        try:
            async with asyncio.timeout(PATIENCE_S):
                pages = await asyncio.gather(*(source.search("ci", query) for query in queries))
        except TimeoutError:
            self._quiet[source.name] = why = f"did not answer within {PATIENCE_S:g} s"
            return _Answer(source, why=why)
        except Problem as problem:
            return _Answer(source, why=str(problem.slug))
        more = any(page.cursor is not None or page.truncated for page in pages)
        return _Answer(
            source,
            tuple(record for page in pages for record in page.records),
            min(page.observed_at for page in pages),
            "more CIs have one of its keys than are looked at" if more else None,
        )

    def seen(self, twins: Twins, scope: Scope) -> list[Twin]:
        """The twins that an agent may know of: inside its scope, by a key that is not hidden from it."""
        return [
            twin for twin in twins.found if admits(scope, twin.record) and not scope.hidden.issuperset(twin.match.by)
        ]

    def told(self, record: dict[str, Any], twins: Twins, scope: Scope) -> dict[str, Any]:
        """``same_as`` and ``conflicts`` of a record as an agent may see them."""
        seen = self.seen(twins, scope)
        same_as = [
            {
                "ref": twin.record["ref"],
                "by": [name for name in twin.match.by if name not in scope.hidden],
                "contradicts": [name for name in twin.match.contradicts if name not in scope.hidden],
                "same": twin.match.same,
                "age_s": max(0, int(self._clock.now() - twin.observed_at)),
            }
            for twin in seen
        ]
        one = {record["ref"]: shown(scope, record)}
        one |= {twin.record["ref"]: shown(scope, twin.record) for twin in seen if twin.match.same}
        return {
            "same_as": same_as,
            "conflicts": [{"field": each.field, "values": each.values} for each in differences(one, self._junk)],
        }


def warned(twins: Twins) -> list[str]:
    """What an answer says of sources that could not be asked."""
    return [f"{name} did not tell (all of) what is the same CI: {why}" for name, why in sorted(twins.silent.items())]

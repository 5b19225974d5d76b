"""Which CIs of other sources are the same thing as one: asked by its keys, kept for some minutes, never in the way.

With one source that holds CIs nothing is asked. A source that fails or is slow is named and costs nothing else.
Sources compare as they are written: a twin is found under the usual ways of writing a key (``matching.variants``),
not under any; only a scan of both sides, normalised, would find those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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
_ENTRIES = 5000
_MOST = 20


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


NONE = Twins((), {})


class Sameness:
    """Finds the same CI in other sources."""

    def __init__(self, reads: Reads, profile: Profile, clock: Clock) -> None:
        self._reads = reads
        self._junk = frozenset(word.casefold() for word in profile.ci.junk)
        self._kept: TTLCache[str, Twins] = TTLCache(_ENTRIES, KEPT_S, timer=clock.now)
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
        sources = self._sources()
        if len(sources) < 2:
            return NONE
        ref = str(record["ref"])
        kept = self._kept.get(ref)
        if kept is not None:
            return kept
        keys = keys_of(record, self._junk)
        if not keys:
            return NONE
        here = Ref.parse(ref).source
        others = [source for name, source in sources.items() if name != here]
        answers = await asyncio.gather(*(self._ask(source, record, keys) for source in others))
        silent = {
            source.name: answer for source, answer in zip(others, answers, strict=True) if isinstance(answer, str)
        }
        found = [twin for answer in answers if not isinstance(answer, str) for twin in answer]
        twins = Twins(tuple(sorted(found, key=lambda twin: str(twin.record["ref"]))), silent)
        if not silent:  # what could not be asked is asked again
            self._kept[ref] = twins
        return twins

    async def _ask(self, source: Source, record: Mapping[str, Any], keys: Mapping[str, str]) -> list[Twin] | str:
        """Twins in one source, or why it could not tell."""
        able = source.asked_by("ci", "in")
        asked = tuple(
            Condition(name, "in", variants(name, record[name])) for name in KEYS if name in keys and name in able
        )
        if not asked:
            return []
        query = Query((AnyOf(asked),), limit=_MOST)
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await source.search("ci", query)
        except TimeoutError:
            return f"did not answer within {PATIENCE_S:g} s"
        except Problem as problem:
            return str(problem.slug)
        twins = []
        for other in found.records:
            match = compare(keys, keys_of(other, self._junk))
            if match.by:
                twins.append(Twin(source, other, found.observed_at, match))
        return twins

    def told(self, record: dict[str, Any], twins: Twins, scope: Scope) -> dict[str, Any]:
        """``same_as`` and ``conflicts`` of a record as an agent may see them."""
        seen = [
            twin for twin in twins.found if admits(scope, twin.record) and not scope.hidden.issuperset(twin.match.by)
        ]
        same_as = [
            {
                "ref": twin.record["ref"],
                "by": [name for name in twin.match.by if name not in scope.hidden],
                "contradicts": [name for name in twin.match.contradicts if name not in scope.hidden],
                "same": twin.match.same,
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
    return [f"{name} was not asked for the same CI: {why}" for name, why in sorted(twins.silent.items())]

"""Impact: against a plain search over random graphs, across sources, within bounds and scopes."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway_bench import START, Bench, FakeSource, agent, bench_in

from interlock.clock import ManualClock
from interlock.gateway.graph import FLOWS
from interlock.principals.models import Scope
from interlock.records import times
from interlock.records.ci import RELATION_TYPES
from interlock.records.filters import Condition
from interlock.records.problems import Problem, Slug

DAY = 86_400


class Other(FakeSource):
    """A second source, empty, under another name."""

    name, product = "bmc", "remedy"

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.rows = {}


def ci(source: FakeSource, name: str, seen_days: float | None = 1, **more: Any) -> str:
    ref = f"{source.name}:ci:{name}"
    seen = None if seen_days is None else times.to_text(source.clock.now() - seen_days * DAY)
    source.add(f"h-{name}", ref, name=name, cls=more.pop("cls", "server"), last_seen_at=seen, **more)
    return ref


def relate(source: FakeSource, subject: str, type: str, object: str, days: float | None = None) -> None:  # noqa: A002
    number = len(source.rows)
    updated = None if days is None else times.to_text(source.clock.now() - days * DAY)
    ends = {"subject": {"ref": subject}, "object": {"ref": object}}
    source.add(f"r{number}", f"{source.name}:relationship:r{number}", type=type, updated_at=updated, **ends)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock(START)
    async with bench_in(tmp_path / "state", clock=clock, others={"bmc": Other(clock)}) as found:
        yield found


async def impact(bench: Bench, ref: str, **more: Any) -> dict[str, Any]:
    reply = await bench.call("ci_impact", ref=ref, **more)
    assert not reply.problem, reply.body
    return {**reply.body["data"], "warnings": reply.body["warnings"]}


def test_every_type_of_relation_has_a_direction() -> None:
    assert set(FLOWS) == set(RELATION_TYPES)


async def test_a_path_tells_distance_way_oldest_evidence_and_flags(bench: Bench) -> None:
    db, app = ci(bench.source, "db", 2), ci(bench.source, "app", 200, os="Linux", serial="S77")
    shop = ci(bench.source, "shop", None, cls="service", criticality="critical")
    relate(bench.source, app, "depends_on", db, 30)
    relate(bench.source, shop, "uses", app, 10)
    found = await impact(bench, db)
    assert [(node["ref"], node["distance"], node["via"]) for node in found["nodes"]] == [(app, 1, []), (shop, 2, [app])]
    service = found["nodes"][1]
    assert service["weakest"] == {"ref": app, "age_s": 200 * DAY}
    assert (service["standing"], service["flags"]) == ("flagged", ["CI-STALE"])
    assert found["summary"]["by_criticality"] == {"critical": 1}
    assert (found["complete"], found["sources"]) == (True, ["snow"])


@pytest.mark.parametrize("seed", range(25))
async def test_it_finds_what_a_plain_search_finds(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    clock = ManualClock(START)
    async with bench_in(tmp_path / "state", clock=clock) as bench:
        refs = [ci(bench.source, f"n{number}", choose.choice([1, 50, 90, None])) for number in range(20)]
        after: dict[str, set[str]] = {ref: set() for ref in refs}
        for _ in range(choose.randrange(45)):
            one, other = choose.sample(refs, 2)
            kind = choose.choice(RELATION_TYPES)
            relate(bench.source, one, kind, other)
            if FLOWS[kind] in ("object", "both"):
                after[other].add(one)
            if FLOWS[kind] in ("subject", "both"):
                after[one].add(other)
        depth = choose.randrange(1, 6)
        distance, queue = {refs[0]: 0}, deque([refs[0]])
        while queue:
            here = queue.popleft()
            for there in after[here]:
                if there not in distance:
                    distance[there] = distance[here] + 1
                    queue.append(there)
        found = await impact(bench, refs[0], depth=depth, limit=100)
        expected = {ref: far for ref, far in distance.items() if 0 < far <= depth}
        assert {node["ref"]: node["distance"] for node in found["nodes"]} == expected
        for node in found["nodes"]:
            way = [refs[0], *node["via"], node["ref"]]
            assert all(there in after[here] for here, there in itertools.pairwise(way))
            assert len(way) - 1 == node["distance"]
        if max(distance.values()) > depth:
            assert not found["complete"]


async def test_a_cycle_ends(bench: Bench) -> None:
    one, two = ci(bench.source, "one"), ci(bench.source, "two")
    relate(bench.source, one, "depends_on", two)
    relate(bench.source, two, "depends_on", one)
    found = await impact(bench, one, depth=5)
    assert [node["ref"] for node in found["nodes"]] == [two]


async def test_the_limit_says_what_was_not_followed(bench: Bench) -> None:
    hub = ci(bench.source, "hub")
    for number in range(30):
        relate(bench.source, ci(bench.source, f"leaf{number}"), "depends_on", hub)
    found = await impact(bench, hub, limit=5)
    assert (len(found["nodes"]), found["complete"]) == (5, False)
    assert found["not_followed"]


async def test_a_source_that_fails_is_never_no_impact(bench: Bench) -> None:
    db = ci(bench.source, "db")

    async def broken(kind: str, query: Any, **more: Any) -> Any:
        raise Problem(Slug.SOURCE_UNAVAILABLE, "no answer")

    bench.source.search = broken  # type: ignore[method-assign]
    found = await impact(bench, db)
    assert (found["nodes"], found["complete"], found["not_followed"]) == ([], False, [db])
    assert "relations in snow could not be read (source-unavailable)" in found["warnings"]


async def test_outside_the_scope_nothing_is_told_counted_or_followed(bench: Bench) -> None:
    db = ci(bench.source, "db", environment="production")
    secret = ci(bench.source, "secret", environment="test")
    behind = ci(bench.source, "behind", environment="production")
    relate(bench.source, secret, "depends_on", db)
    relate(bench.source, behind, "depends_on", secret)
    scopes = {"ci": Scope((Condition("environment", "eq", "production"),)), "relationship": Scope()}
    seen = await bench.call("ci_impact", agent(scopes=scopes), ref=db)
    assert seen.body["data"]["nodes"] == []
    assert "secret" not in str(seen.body)
    # The same words when there is nothing there at all.
    bare = await bench.call("ci_impact", agent(scopes=scopes), ref=behind)
    assert bare.body["warnings"] == seen.body["warnings"]
    assert bare.body["data"]["complete"] == seen.body["data"]["complete"]


class TestAcrossSources:
    async def test_the_same_thing_in_two_sources_is_shown_with_its_contradictions(self, bench: Bench) -> None:
        here = ci(bench.source, "web02", serial="SN-CZC1234X", os="Linux", fqdn="web02.example.com")
        there = ci(bench.sources["bmc"], "WEB-02", serial="czc1234x", os="Windows", fqdn="other.example.com")
        weak = ci(bench.sources["bmc"], "WEB-03", serial="OTHER999", fqdn="web02.example.com")
        reply = await bench.call("ci_get", ref=here)
        data = reply.body["data"]
        assert [(each["ref"], each["by"], each["contradicts"], each["same"]) for each in data["same_as"]] == [
            (there, ["serial"], ["fqdn"], True),
            (weak, ["fqdn"], ["serial"], False),
        ]
        assert {each["field"] for each in data["conflicts"]} == {"os", "fqdn"}

    async def test_impact_goes_on_in_the_other_source(self, bench: Bench) -> None:
        bmc = bench.sources["bmc"]
        here, there = ci(bench.source, "db", serial="CZC1234X"), ci(bmc, "DB", serial="czc1234x")
        app = ci(bmc, "APP", serial="AAA1111")
        mine = ci(bench.source, "app", serial="aaa1111")
        shop = ci(bench.source, "shop", cls="service")
        relate(bmc, app, "depends_on", there)
        relate(bench.source, shop, "depends_on", mine)
        found = await impact(bench, here)
        assert [(node["ref"], node["distance"], node["same_as"]) for node in found["nodes"]] == [
            (app, 1, [mine]),
            (shop, 2, []),
        ]
        assert found["sources"] == ["snow", "bmc"]

    async def test_one_that_cannot_be_asked_is_named_and_asked_again(self, bench: Bench) -> None:
        here = ci(bench.source, "db", serial="CZC1234X")
        there = ci(bench.sources["bmc"], "DB", serial="CZC1234X")
        bench.sources["bmc"].down = Problem(Slug.SOURCE_UNAVAILABLE, "no answer")
        reply = await bench.call("ci_get", ref=here)
        assert reply.body["data"]["same_as"] == []
        assert "bmc was not asked for the same CI: source-unavailable" in reply.body["warnings"]
        assert not (await impact(bench, here))["complete"]
        bench.sources["bmc"].down = None
        reply = await bench.call("ci_get", ref=here)
        assert [each["ref"] for each in reply.body["data"]["same_as"]] == [there]

    async def test_twins_outside_the_scope_and_hidden_keys_are_not_shown(self, bench: Bench) -> None:
        here = ci(bench.source, "db", serial="CZC1234X", environment="production")
        ci(bench.sources["bmc"], "DB", serial="CZC1234X", environment="test")
        scopes = {"ci": Scope((Condition("environment", "eq", "production"),))}
        reply = await bench.call("ci_get", agent(scopes=scopes), ref=here)
        assert (reply.body["data"]["same_as"], reply.body["data"]["conflicts"]) == ([], [])
        reply = await bench.call("ci_get", agent(scopes={"ci": Scope((), frozenset({"serial"}))}), ref=here)
        assert reply.body["data"]["same_as"] == []

    async def test_asked_once_in_some_minutes(self, bench: Bench) -> None:
        here = ci(bench.source, "db", serial="CZC1234X")
        asked = []
        search = bench.sources["bmc"].search

        async def counted(kind: str, query: Any, **more: Any) -> Any:
            asked.append(kind)
            return await search(kind, query, **more)

        bench.sources["bmc"].search = counted
        for _ in range(3):
            await bench.call("ci_get", ref=here)
        assert asked == ["ci"]
        bench.clock.advance(301)
        await bench.call("ci_get", ref=here)
        assert asked == ["ci", "ci"]

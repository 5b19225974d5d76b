"""Impact: against a plain search over random graphs, across sources, within bounds and scopes."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway_bench import START, Bench, FakeSource, agent, bench_in

from interlock.clock import ManualClock
from interlock.gateway import sameness
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
        ages = {f"snow:ci:n{number}": choose.choice([1, 50, 90, None]) for number in range(20)}
        refs = [ci(bench.source, f"n{number}", age) for number, age in enumerate(ages.values())]
        after: dict[str, dict[str, float]] = {
            ref: {} for ref in refs
        }  # by where it leads: days of the youngest relation
        for _ in range(choose.randrange(45)):
            one, other = choose.sample(refs, 2)
            kind, days = choose.choice(RELATION_TYPES), choose.choice([2, 30, 70, 100])
            relate(bench.source, one, kind, other, days)
            if FLOWS[kind] in ("object", "both"):
                after[other][one] = min(days, after[other].get(one, days))
            if FLOWS[kind] in ("subject", "both"):
                after[one][other] = min(days, after[one].get(other, days))
        depth, limit = choose.randrange(1, 6), choose.choice([3, 8, 100])
        distance, queue = {refs[0]: 0}, deque([refs[0]])
        while queue:
            here = queue.popleft()
            for there in after[here]:
                if there not in distance:
                    distance[there] = distance[here] + 1
                    queue.append(there)

        def oldest(way: tuple[str, ...]) -> float:
            """Days of the oldest evidence on a way."""
            steps = [after[one][other] for one, other in itertools.pairwise(way)]
            return max([*steps, *(age for ref in way[1:] if (age := ages[ref]) is not None)])

        def shortest(to: str) -> list[tuple[str, ...]]:
            if to == refs[0]:
                return [(to,)]
            before = [ref for ref in distance if to in after[ref] and distance[ref] == distance[to] - 1]
            return [(*way, to) for ref in before for way in shortest(ref)]

        found = await impact(bench, refs[0], depth=depth, limit=limit)
        told = {node["ref"]: node["distance"] for node in found["nodes"]}
        expected = {ref: far for ref, far in distance.items() if 0 < far <= depth}
        assert told.items() <= expected.items()
        assert len(told) <= limit
        if limit == 100:
            assert told == expected
        if found["complete"]:
            assert set(told) == set(distance) - {refs[0]}
        else:
            assert found["warnings"]
        if len(expected) > limit:
            assert found["not_followed"]
        if max(distance.values()) > depth or len(expected) > limit:
            assert not found["complete"]
        for node in found["nodes"]:
            way = (refs[0], *node["via"], node["ref"])
            assert way in shortest(node["ref"])
            assert node["weakest"]["age_s"] == oldest(way) * DAY
            if limit == 100:
                assert oldest(way) == min(map(oldest, shortest(node["ref"])))


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
    assert found["not_followed"][0] == hub  # behind it there are more
    services = [ci(bench.source, f"service{number}", cls="service") for number in range(3)]
    for ref in services:
        relate(bench.source, ref, "depends_on", hub)
    assert {node["ref"] for node in (await impact(bench, hub, limit=50))["nodes"][:3]} == set(services)


async def test_what_is_hidden_of_a_relation_or_ci_is_no_evidence(bench: Bench) -> None:
    db, app = ci(bench.source, "db"), ci(bench.source, "app", 20)
    relate(bench.source, app, "depends_on", db, 400)
    scopes = {"ci": Scope(), "relationship": Scope((), frozenset({"updated_at"}))}
    reply = await bench.call("ci_impact", agent(scopes=scopes), ref=db)
    assert reply.body["data"]["nodes"][0]["weakest"] == {"ref": app, "age_s": 20 * DAY}
    scopes = {"ci": Scope((), frozenset({"last_seen_at"})), "relationship": Scope((), frozenset({"updated_at"}))}
    reply = await bench.call("ci_impact", agent(scopes=scopes), ref=db)
    assert reply.body["data"]["nodes"][0]["weakest"] is None


async def test_a_source_that_fails_is_never_no_impact(bench: Bench) -> None:
    db = ci(bench.source, "db")

    async def broken(kind: str, query: Any, **more: Any) -> Any:
        raise Problem(Slug.SOURCE_UNAVAILABLE, "no answer")

    bench.source.search = broken  # type: ignore[method-assign]
    found = await impact(bench, db)
    assert (found["nodes"], found["complete"], found["not_followed"]) == ([], False, [db])
    assert (found["sources"], found["failed"]) == ([], ["snow"])
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
        assert "bmc did not tell (all of) what is the same CI: source-unavailable" in reply.body["warnings"]
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

    async def test_twins_of_a_level_are_asked_for_together_and_by_new_keys_again(self, bench: Bench) -> None:
        bmc = bench.sources["bmc"]
        hub = ci(bench.source, "hub", serial="HUB0001")
        for number in range(16):
            relate(bench.source, ci(bench.source, f"n{number}", serial=f"S{number}000"), "depends_on", hub)
            ci(bmc, f"N{number}", serial=f"s{number}000")
        asked: list[str] = []
        search = bmc.search

        async def counted(kind: str, query: Any, **more: Any) -> Any:
            asked.append(kind)
            return await search(kind, query, **more)

        bmc.search = counted
        found = await impact(bench, hub, depth=1)
        assert {node["same_as"][0] for node in found["nodes"]} == {f"bmc:ci:N{number}" for number in range(16)}
        assert asked.count("ci") == 3  # the hub's, and two batches of eight
        bench.source.change("h-n1", serial="S2000")
        bench.clock.advance(61)
        reply = await bench.call("ci_get", ref="snow:ci:n1")
        assert [each["ref"] for each in reply.body["data"]["same_as"]] == ["bmc:ci:N2"]

    async def test_one_thing_met_in_two_sources_is_one_node_by_its_best_path(self, bench: Bench) -> None:
        bmc = bench.sources["bmc"]
        db, there = ci(bench.source, "db", serial="DB00001"), ci(bmc, "DB", serial="DB00001")
        app, twin = ci(bench.source, "app", serial="APP0001"), ci(bmc, "APP", serial="APP0001")
        relate(bench.source, app, "depends_on", db, 300)
        relate(bmc, twin, "depends_on", there, 3)
        [node] = (await impact(bench, db))["nodes"]
        assert (node["ref"], node["same_as"], node["weakest"]["age_s"]) == (twin, [app], 3 * DAY)

    async def test_a_source_that_hangs_is_waited_for_once(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sameness, "PATIENCE_S", 0.05)
        below = ci(bench.source, "n0", serial="N000000")
        for number in range(1, 5):
            above = ci(bench.source, f"n{number}", serial=f"N00000{number}")
            relate(bench.source, above, "depends_on", below)
            below = above
        waits = 0

        async def hangs(kind: str, query: Any, **more: Any) -> Any:
            nonlocal waits
            waits += 1
            await asyncio.sleep(60)

        bench.sources["bmc"].search = hangs
        found = await impact(bench, "snow:ci:n0", depth=5)
        assert (len(found["nodes"]), found["complete"], found["failed"], waits) == (4, False, ["bmc"], 1)

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

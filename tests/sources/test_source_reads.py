"""Reading records: the cache, its honesty about age, single flight, handles, and reads that go wrong."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tests.sources.source_bench import Bench, FakeMapping

from interlock.clock import ManualClock
from interlock.config import Cache, Limits
from interlock.config.load import read_config
from interlock.records.filters import Query
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.opening import open_sources
from interlock.telemetry import silent_telemetry


async def test_max_age_zero_always_reads() -> None:
    bench = Bench()
    for _ in range(3):
        assert (await bench.source.get("incident", "INC00001")).origin == "live"
    assert bench.adapter.count("read") == 3


async def test_cached_read_keeps_its_age() -> None:
    bench = Bench()
    first = await bench.source.get("incident", "INC00001")
    bench.clock.advance(10)
    again = await bench.source.get("incident", "INC00001", max_age_s=10)
    assert (again.origin, again.observed_at) == ("cache", first.observed_at)
    assert again.record is first.record
    fresh = await bench.source.get("incident", "INC00001", max_age_s=9.9)
    assert (fresh.origin, fresh.observed_at) == ("live", bench.clock.now())
    assert bench.adapter.count("read") == 2


async def test_ttl_bounds_what_max_age_may_ask_for() -> None:
    bench = Bench(cache=Cache(ttl_s=5, kinds={"ci": 300}))
    await bench.source.get("incident", "INC00001")
    bench.clock.advance(6)
    assert (await bench.source.get("incident", "INC00001", max_age_s=1000)).origin == "live"


async def test_ttl_of_a_kind() -> None:
    bench = Bench(cache=Cache(ttl_s=5, kinds={"incident": 300}))
    await bench.source.get("incident", "INC00001")
    bench.clock.advance(299)
    assert (await bench.source.get("incident", "INC00001", max_age_s=1000)).origin == "cache"


async def test_age_counts_from_the_sending() -> None:
    bench = Bench()
    began = bench.clock.now()

    def slow(operation: str) -> None:
        if operation == "read":
            bench.clock.advance(4)

    bench.adapter.before = slow
    assert (await bench.source.get("incident", "INC00001")).observed_at == began
    assert (await bench.source.get("incident", "INC00001", max_age_s=4)).origin == "cache"
    assert (await bench.source.get("incident", "INC00001", max_age_s=3)).origin == "live"


async def test_a_cache_of_no_entries_keeps_nothing() -> None:
    bench = Bench(cache=Cache(entries=0))
    await bench.source.get("incident", "INC00001", max_age_s=60)
    assert (await bench.source.get("incident", "INC00001", max_age_s=60)).origin == "live"


async def test_the_cache_is_bounded() -> None:
    bench = Bench(rows=30, cache=Cache(entries=10))
    for n in range(1, 31):
        await bench.source.get("incident", f"INC{n:05}", max_age_s=60)
    assert bench.source.health()["cached"] == 10
    assert (await bench.source.get("incident", "INC00030", max_age_s=60)).origin == "cache"
    assert (await bench.source.get("incident", "INC00001", max_age_s=60)).origin == "live"


async def test_key_and_handle_share_one_entry_and_later_reads_go_by_handle() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001")
    assert (await bench.source.get("incident", "~h00001", max_age_s=60)).origin == "cache"
    await bench.source.get("incident", "INC00001")
    reads = [call for call in bench.adapter.calls if call[0] == "read"]
    assert reads == [("read", "INC00001", False), ("read", "h00001", True)]


async def test_a_renumbered_or_replaced_record_is_found_by_its_key() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001")
    bench.adapter.rows["h00001"]["number"] = "INC77777"
    bench.adapter.rows["hnew"] = {"id": "hnew", "number": "INC00001", "title": "other"}
    assert (await bench.source.get("incident", "INC00001")).handle == "hnew"
    del bench.adapter.rows["hnew"]
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert found.value.slug is Slug.NOT_FOUND


async def test_another_record_than_asked_for_is_a_fault() -> None:
    bench = Bench()

    async def any_row(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(bench.adapter.rows["h00002"])

    bench.adapter.read = any_row  # type: ignore[method-assign]
    for key in ("INC00001", "~h00001"):
        with pytest.raises(Problem) as found:
            await bench.source.get("incident", key)
        assert found.value.slug is Slug.SOURCE_FAULT


async def test_concurrent_misses_make_one_call() -> None:
    bench = Bench()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    tasks = [asyncio.create_task(bench.source.get("incident", "INC00001", max_age_s=30)) for _ in range(100)]
    await asyncio.sleep(0.01)
    gate.set()
    assert {fetched.handle for fetched in await asyncio.gather(*tasks)} == {"h00001"}
    assert bench.adapter.count("read") == 1


async def test_a_live_read_joins_nobody() -> None:
    bench = Bench()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    tasks = [asyncio.create_task(bench.source.get("incident", "INC00001")) for _ in range(5)]
    await asyncio.sleep(0.01)
    gate.set()
    await asyncio.gather(*tasks)
    assert bench.adapter.count("read") == 5


async def test_when_the_first_caller_goes_away_another_makes_the_call() -> None:
    bench = Bench()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    tasks = [asyncio.create_task(bench.source.get("incident", "INC00001", max_age_s=30)) for _ in range(3)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.sleep(0.01)
    gate.set()
    assert (await tasks[2]).handle == "h00001"
    assert bench.adapter.count("read") == 2
    assert bench.source.health()["in_flight"] == 0


async def test_everyone_who_waits_gets_the_problem() -> None:
    bench = Bench()
    results = await asyncio.gather(
        *(bench.source.get("incident", "INC404", max_age_s=30) for _ in range(4)), return_exceptions=True
    )
    assert [result.slug for result in results] == [Slug.NOT_FOUND] * 4  # type: ignore[union-attr]


async def test_a_read_sent_before_our_write_is_neither_kept_nor_joined() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001")
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    bench.clock.advance(1)
    early = asyncio.create_task(bench.source.get("incident", "INC00001", max_age_s=0.5))
    await asyncio.sleep(0.01)
    stale = bench.adapter.rows["h00001"].copy()
    bench.clock.advance(0.1)
    effect = Effect("incident", "update", "INC00001", {"title": "new"}, "c1")
    await bench.source.send(effect, not_after=bench.clock.now() + 10)
    bench.clock.advance(0.1)
    late = asyncio.create_task(bench.source.get("incident", "INC00001", max_age_s=5))
    await asyncio.sleep(0.01)
    bench.adapter.rows["h00001"], fresh = stale, bench.adapter.rows["h00001"]
    gate.set()
    await early
    bench.adapter.rows["h00001"] = fresh
    await late
    assert bench.adapter.count("read") == 3  # the late one did not join the early one
    bench.adapter.before = None
    bench.clock.advance(1)
    assert (await bench.source.get("incident", "INC00001", max_age_s=5)).observed_at >= bench.clock.now() - 1.1


async def test_unknown_kind_names_the_kinds() -> None:
    with pytest.raises(Problem) as found:
        await Bench().source.get("ci", "x")
    assert found.value.slug is Slug.UNSUPPORTED
    assert "incident" in str(found.value.next_step)


async def test_first_use_opens_once_and_failure_is_tried_again() -> None:
    bench = Bench(limits=Limits(per_second=None))
    failing = [Problem(Slug.SOURCE_DENIED, "bad password", layer="source")]

    def log_in(operation: str) -> None:
        if operation == "open" and failing:
            raise failing.pop()

    bench.adapter.before = log_in
    with pytest.raises(Problem):
        await bench.source.get("incident", "INC00001")
    await asyncio.gather(*(bench.source.get("incident", "INC00001") for _ in range(5)))
    assert bench.adapter.opened == 1


async def test_journal_shows_only_what_may_be_seen() -> None:
    from interlock.adapterkit.native import NativeNote

    bench = Bench()
    bench.adapter.journals["h00001"] = [
        NativeNote(str(n), "internal" if n % 2 else "public", f"no\u200bte {n}", "ann", "2026-01-01T00:00:00Z")
        for n in range(50)
    ]
    notes = await bench.source.journal("incident", "INC00001", visibility=frozenset({"public"}), limit=5)
    assert [entry["id"] for entry in notes.entries] == ["0", "2", "4", "6", "8"]
    assert notes.entries[0]["text"] == "no⟦U+200B⟧te 0"
    assert set(notes.entries[0]) == {"id", "visibility", "text", "author", "created_at"}
    following = await bench.source.journal(
        "incident", "INC00001", visibility=frozenset({"public"}), cursor=notes.cursor, limit=5
    )
    assert [entry["id"] for entry in following.entries] == ["10", "12", "14", "16", "18"]


async def test_choices_are_kept_and_outlive_a_failure() -> None:
    bench = Bench()
    failing = False

    def fail(operation: str) -> None:
        if operation == "choices" and failing:
            raise Problem(Slug.SOURCE_DENIED, "sys_choice is closed", layer="source")

    bench.adapter.before = fail
    asked = await asyncio.gather(*(bench.source.choices("incident", "state") for _ in range(9)))
    assert [choice.value for choice in asked[0]] == ["1"]
    assert bench.adapter.count("choices") == 1
    bench.clock.advance(599)
    await bench.source.choices("incident", "state")
    assert bench.adapter.count("choices") == 1
    bench.clock.advance(2)
    failing = True
    assert [choice.value for choice in await bench.source.choices("incident", "state")] == ["1"]
    assert bench.adapter.count("choices") == 2
    await bench.source.choices("incident", "state")
    assert bench.adapter.count("choices") == 2  # not with every call
    assert "sys_choice is closed" in bench.source.health()["warnings"][0]
    assert any(b"old choices used" in line for line in bench.lines)
    bench.clock.advance(61)
    failing = False
    await bench.source.choices("incident", "state")
    assert bench.source.health()["warnings"] == []


async def test_choices_that_never_worked_are_a_problem_each_time_but_not_a_call() -> None:
    bench = Bench()

    def fail(operation: str) -> None:
        if operation == "choices":
            raise Problem(Slug.UNSUPPORTED, "no lists here")

    bench.adapter.before = fail
    for _ in range(3):
        with pytest.raises(Problem) as found:
            await bench.source.choices("incident", "state")
        assert found.value.slug is Slug.UNSUPPORTED
    assert bench.adapter.count("choices") == 1


async def test_mapping_questions() -> None:
    bench = Bench(mapping=FakeMapping())
    assert bench.source.fields("incident") == {"title", "state", "assignee", "external_id", "opened_at"}
    assert bench.source.writable("incident") == {"title", "state", "assignee", "external_id"}
    assert bench.source.missing("incident", {}) == ["title"]
    assert bench.source.norm("incident", {"title": "x" * 20}) == {"title": "x" * 10}


async def test_what_comes_from_an_export_is_as_old_as_the_export(tmp_path: Path) -> None:
    file = tmp_path / "incident.csv"
    file.write_text("number,short_description\nINC1,Printer\n", encoding="utf-8")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    settings = {"folder": str(tmp_path), "files": {"incident": {"file": "incident.csv", "key": "number"}}}
    mapping = {"incident": {"fields": {"number": {"read": "number"}}}, "ci": None, "person": None, "group": None}
    config = read_config(
        {
            "sources": {
                "files": {
                    "adapter": "export",
                    "environment": "test",
                    "settings": settings,
                    "mapping": mapping,
                }
            }
        },
        tmp_path,
    )
    clock = ManualClock(1_700_000_000.0)
    sources = await open_sources(config, clock, silent_telemetry(clock))
    fetched = await sources["files"].get("incident", "INC1", max_age_s=60)
    found = await sources["files"].search("incident", Query())
    assert (fetched.origin, fetched.observed_at) == ("snapshot", 1_600_000_000)
    assert (found.origin, found.observed_at) == ("snapshot", 1_600_000_000)
    await sources.close()

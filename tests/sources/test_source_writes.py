"""Writes: sent once, honest about what may have arrived, and found again by their probes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.sources.source_bench import Bench, outage

from interlock.adapterkit.native import NativeNote, NativeWrite
from interlock.config import Limits
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect


def update(**changes: Any) -> Effect:
    return Effect("incident", "update", "INC00001", changes, "c-1")


def later(bench: Bench) -> float:
    return bench.clock.now() + 10


async def test_create_gives_the_handle_and_is_found_by_its_correlation() -> None:
    bench = Bench()
    effect = Effect("incident", "create", None, {"title": "t"}, "il-42")
    assert await bench.source.probe(effect) == []
    handle = await bench.source.send(effect, not_after=later(bench))
    assert handle is not None
    assert (await bench.source.get("incident", f"~{handle}")).record["title"] == "t"
    assert await bench.source.probe(effect) == [handle]


async def test_a_correlation_that_is_only_similar_is_not_ours() -> None:
    bench = Bench()
    bench.adapter.rows["h00001"]["external_id"] = "il-421"

    async def substring(kind: str, correlation: str) -> list[dict[str, Any]]:
        return [r for r in bench.adapter.rows.values() if correlation in r.get("external_id", "")]

    bench.adapter.find_written = substring  # type: ignore[method-assign]
    assert await bench.source.probe(Effect("incident", "create", None, {}, "il-42")) == []


async def test_the_write_carries_the_last_moment_and_the_handle() -> None:
    bench = Bench()
    not_after = later(bench)
    assert await bench.source.send(update(title="n"), not_after=not_after) == "h00001"
    write: NativeWrite = next(call[1] for call in bench.adapter.calls if call[0] == "write")
    assert (write.handle, write.not_after, write.correlation) == ("h00001", not_after, "c-1")


async def test_what_fails_before_the_write_did_not_reach() -> None:
    bench = Bench()
    for effect in (update(colour="red"), Effect("incident", "update", "INC404", {"title": "x"}, "c")):
        with pytest.raises(Problem) as found:
            await bench.source.send(effect, not_after=later(bench))
        assert found.value.reached == "no"
    bench.adapter.before = lambda operation: _raise(outage("maybe")) if operation == "read" else None
    with pytest.raises(Problem) as found:
        await bench.source.send(update(title="x"), not_after=later(bench))
    assert found.value.reached == "no"  # the read of the handle may have arrived; the write was never sent
    assert bench.adapter.count("write") == 0


def _raise(problem: Problem) -> None:
    raise problem


@pytest.mark.parametrize(("told", "reached"), [("maybe", "maybe"), ("yes", "yes"), ("no", "no"), (None, "maybe")])
async def test_a_write_is_sent_once_and_its_problem_says_what_is_known(told: Any, reached: str) -> None:
    bench = Bench()
    problem = Problem(Slug.RATE_LIMITED, "busy", layer="source", retry_after_s=1, reached=told)
    bench.adapter.before = lambda operation: _raise(problem) if operation == "write" else None
    with pytest.raises(Problem) as found:
        await bench.source.send(update(title="n"), not_after=later(bench))
    assert found.value.reached == reached
    assert bench.adapter.count("write") == 1


async def test_no_turn_before_the_last_moment_is_not_sent() -> None:
    bench = Bench(limits=Limits(per_second=1))
    await bench.source.get("incident", "INC00001")
    bench.clock.advance(-0.0)
    with pytest.raises(Problem) as found:
        await bench.source.send(update(title="n"), not_after=bench.clock.now() + 0.5)
    assert (found.value.slug, found.value.reached) == (Slug.RATE_LIMITED, "no")
    assert bench.adapter.count("write") == 0


async def test_while_a_write_may_still_arrive_nothing_is_kept() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001", max_age_s=20)
    bench.adapter.before = lambda operation: _raise(outage()) if operation == "write" else None
    with pytest.raises(Problem):
        await bench.source.send(update(title="n"), not_after=later(bench))
    bench.adapter.before = None
    for _ in range(2):
        bench.clock.advance(1)
        assert (await bench.source.get("incident", "INC00001", max_age_s=20)).origin == "live"
    bench.clock.advance(bench.source.settle_s)
    await bench.source.get("incident", "INC00001", max_age_s=20)
    assert (await bench.source.get("incident", "INC00001", max_age_s=20)).origin == "cache"


async def test_a_sender_that_goes_away_leaves_the_record_uncached() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001", max_age_s=20)
    bench.adapter.before = lambda operation: asyncio.sleep(60) if operation == "write" else None
    task = asyncio.create_task(bench.source.send(update(title="n"), not_after=later(bench)))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await bench.source.get("incident", "INC00001", max_age_s=20)).origin == "live"


async def test_update_is_shown_when_every_field_reads_back_as_the_source_holds_it() -> None:
    bench = Bench()
    effect = update(title="longer than ten", state="closed")
    assert await bench.source.probe(effect) == []
    bench.adapter.rows["h00001"].update(title="longer tha", state="new")
    assert await bench.source.probe(effect) == []
    bench.adapter.rows["h00001"].update(state="closed")
    assert await bench.source.probe(effect) == ["h00001"]


async def test_refs_read_back_by_what_they_name() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00002")
    bench.adapter.rows["h00001"]["assignee"] = "snow:incident:~h00002"
    assert await bench.source.probe(update(assignee="snow:incident:INC00002")) == ["h00001"]
    assert await bench.source.probe(update(assignee="snow:incident:INC00003")) == []


async def test_refs_read_back_after_a_restart_when_no_handle_is_known() -> None:
    bench = Bench()
    bench.adapter.rows["h00001"]["assignee"] = "snow:incident:INC00002"
    assert await bench.source.probe(update(assignee="snow:incident:~h00002")) == ["h00001"]
    assert await bench.source.probe(update(assignee="snow:incident:~h00003")) == []
    bench.adapter.rows["h00001"]["assignee"] = "snow:incident:INC404"
    assert await bench.source.probe(update(assignee="snow:incident:~h00003")) == []


async def test_a_note_is_written_as_the_mapping_says() -> None:
    bench = Bench()
    note = Effect("incident", "note", "INC00001", {}, "c", "[m]", "hello\n[m]", "internal")
    await bench.source.send(note, not_after=later(bench))
    write: NativeWrite = next(call[1] for call in bench.adapter.calls if call[0] == "write")
    assert (write.op, write.payload) == ("note", {"internal": "hello\n[m]"})


async def test_a_field_that_cannot_be_read_proves_nothing() -> None:
    bench = Bench()
    assert await bench.source.probe(update(assignee=None)) == []


async def test_a_note_is_found_by_its_marker_as_a_whole_word_on_any_page() -> None:
    bench = Bench()
    bench.adapter.journals["h00001"] = [
        NativeNote(str(n), "internal", "noise [il:ab12] xil:ab1", None, None) for n in range(120)
    ]
    note = Effect("incident", "note", "INC00001", {}, "c", "il:ab1", "hello", "internal")
    assert await bench.source.probe(note) == []
    bench.adapter.journals["h00001"].append(NativeNote("x", "internal", "hello [il:ab1]", None, None))
    assert await bench.source.probe(note) == ["h00001"]


async def test_a_marker_in_brackets_is_found_however_the_source_joins_lines() -> None:
    bench = Bench()
    bench.adapter.journals["h00001"] = [NativeNote("1", "internal", "hello[interlock ab]bye", None, None)]
    note = Effect("incident", "note", "INC00001", {}, "c", "[interlock ab]", "hello", "internal")
    assert await bench.source.probe(note) == ["h00001"]


async def test_probes_go_first_and_have_their_own_time_out() -> None:
    bench = Bench(limits=Limits(concurrency=2, per_second=None, queue=0))
    await bench.source.open()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    busy = asyncio.create_task(bench.source.get("incident", "INC00001"))
    await asyncio.sleep(0.01)
    assert await bench.source.probe(Effect("incident", "create", None, {}, "c-9")) == []
    gate.set()
    await busy


async def test_preview_touches_nothing() -> None:
    bench = Bench()
    assert bench.source.preview(update(title="n"))["payload"] == {"title": "n"}
    assert bench.adapter.calls == []

"""A harvest reads everything, or what changed; it goes on after a kill, and a doubtful one replaces nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.quality.harvest.harvest_bench import START, HarvestBench, names_in

from interlock.config import Limits
from interlock.quality.harvest import draft as drafts
from interlock.quality.harvest.history import runs, schema_history
from interlock.records.problems import Problem, Slug


def held(bench: HarvestBench) -> dict[str, str]:
    return {handle: row["name"] for handle, row in bench.cmdb.rows.items()}


async def test_everything_is_read_the_first_time(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)
    run = await bench.harvest()
    assert (run.outcome, run.mode, run.rows, run.read, run.calls) == ("published", "full", 25, 25, 3)
    assert bench.names() == held(bench)
    assert bench.current.manifest.watermark == int(START - 86_400 + 24)
    assert runs(bench.snapshots, "cmdb", "ci") == [run]


async def test_then_what_changed_is_merged_over_it(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, 100)
    await bench.harvest()
    first = bench.current
    bench.cmdb.put("h00003", name="renamed", updated=START + 10)
    bench.cmdb.put("h99999", updated=START + 10)
    run = await bench.harvest()
    assert (run.mode, run.changed, run.gone, run.rows) == ("incremental", 2, 0, 101)
    assert bench.names() == held(bench)
    assert len(names_in(first)) == 100  # what somebody may still be reading
    delta = bench.snapshots.delta("cmdb", "ci", first.generation)
    assert delta is not None
    assert (delta.refs(gone=False), delta.refs(gone=True)) == (["cmdb:ci:~h00003", "cmdb:ci:~h99999"], [])


async def test_the_overlap_finds_what_was_stamped_before_the_last_harvest_and_shown_after_it(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, overlap_s=600)
    bench.cmdb.put("h00001", updated=START)
    await bench.harvest()
    bench.cmdb.put("late", updated=START - 599)
    await bench.harvest()
    assert "late" in bench.names()
    assert bench.cmdb.asked[-2][0] == START - 600


async def test_a_row_changed_while_a_long_pass_ran_is_found_by_the_next(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, overlap_s=0)

    def meanwhile(call: int) -> None:
        bench.clock.advance(3600)
        if call == 3:  # h00001 was read already; a row behind it is stamped later
            bench.cmdb.put("h00001", name="changed", updated=bench.clock.now() - 1800)
            bench.cmdb.put("h00024", updated=bench.clock.now())

    bench.cmdb.before = meanwhile
    await bench.harvest()
    assert bench.names()["h00001"] == "host h00001"
    bench.cmdb.before = lambda call: None
    await bench.harvest()
    assert bench.names() == held(bench)


async def test_fewer_rows_than_there_should_be_are_looked_for(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)
    await bench.harvest()
    del bench.cmdb.rows["h00007"]
    run = await bench.harvest()
    assert (run.mode, run.gone) == ("incremental", 1)
    assert bench.names() == held(bench)
    assert ("id",) in [columns for _, _, columns in bench.cmdb.asked]  # a pass over the ids alone


async def test_where_nobody_counts_every_nth_harvest_looks(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, sweep_every=2)
    bench.cmdb.tells_total = False
    await bench.harvest()
    del bench.cmdb.rows["h00007"]
    assert (await bench.harvest()).gone == 0
    assert (await bench.harvest()).gone == 1
    assert bench.names() == held(bench)


async def test_a_row_that_was_never_stamped_is_found_by_the_pass_over_ids(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, sweep_every=1)
    await bench.harvest()
    bench.cmdb.put("restored", updated=1.0)
    run = await bench.harvest()
    assert (run.mode, run.changed) == ("incremental", 1)
    assert bench.names() == held(bench)


async def test_many_such_rows_have_everything_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.quality.harvest.run.MOST_SINGLE", 3)
    bench = HarvestBench(tmp_path, sweep_every=1)
    await bench.harvest()
    for number in range(4):
        bench.cmdb.put(f"restored{number}", updated=1.0)
    assert (await bench.harvest()).mode == "full"
    assert bench.names() == held(bench)


async def test_full_reads_everything_and_so_does_a_source_that_cannot_be_asked(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path / "a")
    await bench.harvest()
    assert (await bench.harvest(full=True)).mode == "full"
    silent = HarvestBench(tmp_path / "b", asks=False)
    await silent.harvest()
    assert (await silent.harvest()).mode == "full"


async def test_a_row_that_came_twice_is_kept_once(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)
    bench.cmdb.shuffled = True  # by offset in the order of names: a new first one moves all others down

    def insert(call: int) -> None:
        if call == 2:
            bench.cmdb.put("new", name="a new one")

    bench.cmdb.before = insert
    run = await bench.harvest()
    assert (run.read, run.rows) == (26, 25)
    assert bench.names() == {handle: name for handle, name in held(bench).items() if handle != "new"}


class Killed(BaseException):
    """As a kill: nothing is tidied up but what the kernel does."""


@pytest.mark.parametrize("call", range(1, 7))
async def test_a_killed_harvest_goes_on_and_the_rows_are_those_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    monkeypatch.setattr(drafts, "PART_ROWS", 20)  # so that some rows are counted and some are not
    bench = HarvestBench(tmp_path, 55)

    def kill(at: int) -> None:
        if at == call:
            raise Killed

    bench.cmdb.before = kill
    with pytest.raises(Killed):
        await bench.harvest()
    assert bench.snapshots.current("cmdb", "ci") is None
    run = await bench.harvest()
    assert bench.names() == held(bench)
    assert run.resumed == (call > 2)
    assert run.calls < 6 or call <= 2


async def test_a_full_harvest_that_was_killed_goes_on_before_anything_incremental(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "PART_ROWS", 10)
    bench = HarvestBench(tmp_path)
    await bench.harvest()

    def kill(at: int) -> None:
        if at == 6:
            raise Killed

    bench.cmdb.before = kill
    with pytest.raises(Killed):
        await bench.harvest(full=True)
    run = await bench.harvest()
    assert (run.mode, run.resumed, run.calls) == ("full", True, 1)


async def test_a_harvest_that_shrank_is_set_aside_until_somebody_takes_it(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, 300)
    await bench.harvest()
    bench.cmdb.rows = dict(list(bench.cmdb.rows.items())[:200])
    run = await bench.harvest(full=True)
    assert (run.outcome, run.detail) == ("suspect", "200 rows where there were 300")
    assert len(bench.names()) == 300
    assert (await bench.harvest(full=True)).outcome == "suspect"  # it stays in doubt
    bench.snapshots.accept("cmdb", "ci")
    assert len(bench.names()) == 200
    assert (await bench.harvest(full=True)).outcome == "published"


@pytest.mark.parametrize("gone", [50, 60])
async def test_what_may_go_without_a_doubt_is_a_setting(tmp_path: Path, gone: int) -> None:
    bench = HarvestBench(tmp_path, 100, shrink_rows=gone - 1 if gone == 60 else gone)
    await bench.harvest()
    bench.cmdb.rows = dict(list(bench.cmdb.rows.items())[gone:])
    assert (await bench.harvest(full=True)).outcome == ("suspect" if gone == 60 else "published")


@pytest.mark.parametrize("full", [True, False])
async def test_a_harvest_that_lost_a_field_is_set_aside_and_recorded(tmp_path: Path, full: bool) -> None:
    bench = HarvestBench(tmp_path)
    await bench.harvest()
    for row in bench.cmdb.rows.values():
        del row["serial"]
        row["updated"] = START + 5
    run = await bench.harvest(full=full)
    assert run.outcome == "suspect"
    assert run.detail == "serial is missing in all 25 rows read; 25 of 25 had it"
    told = {(field, generation): present for _, _, field, _, generation, present in schema_history(bench.snapshots)}
    assert told["serial", 1] is True
    assert told["serial", 2] is False
    assert told["name", 2] is True
    for number in range(25):
        bench.cmdb.put(f"h{number:05}", updated=START + 6)
    assert (await bench.harvest(full=True)).outcome == "published"
    told = {(field, generation): present for _, _, field, _, generation, present in schema_history(bench.snapshots, 1)}
    assert told["serial", 3] is True
    assert bench.snapshots.suspect("cmdb", "ci") is None


async def test_a_field_that_only_the_rows_read_lost_is_recorded_too(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, 200, overlap_s=0)
    await bench.harvest()
    for number, row in enumerate(bench.cmdb.rows.values()):
        del row["serial"]  # in all; but only some of them are read
        row["updated"] += 100_000 if number < 30 else 0
    run = await bench.harvest()
    assert (run.outcome, run.mode) == ("suspect", "incremental")
    told = {(field, generation): present for _, _, field, _, generation, present in schema_history(bench.snapshots)}
    assert (told["serial", 1], told["serial", 2]) == (True, False)


async def test_agents_keep_their_calls(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path, 95, limits=Limits(per_second=10))
    began = bench.clock.now()
    await bench.harvest()
    assert bench.clock.now() - began >= 4.0  # ten pages at two a second, a fifth of the source's limit
    own = HarvestBench(tmp_path / "own", 95, per_hour=5)
    began = own.clock.now()
    await own.harvest()
    assert own.clock.now() - began >= 3600


async def test_a_source_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)

    def refuse(call: int) -> None:
        if call in (2, 3):
            raise Problem(Slug.RATE_LIMITED, "too many", retry_after_s=7.0, layer="source")
        if call == 4:
            raise Problem(Slug.SOURCE_UNAVAILABLE, "away", layer="transport")

    bench.cmdb.before = refuse
    run = await bench.harvest()
    assert (run.outcome, run.rows) == ("published", 25)
    assert sum(bench.slept) >= 14


async def test_one_that_stays_away_fails_and_the_good_snapshot_stays(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)
    await bench.harvest()

    def refuse(call: int) -> None:
        raise Problem(Slug.SOURCE_DENIED, "no right to read", layer="source")

    bench.cmdb.before = refuse
    run: Any = await bench.harvest(full=True)
    assert (run.outcome, run.detail, run.rows) == ("failed", "no right to read", 25)
    assert [each.outcome for each in runs(bench.snapshots, "cmdb", "ci")] == ["published", "failed"]
    assert bench.names() == held(bench)


async def test_records_that_changed_in_our_future_tell_how_far_the_clock_is_ahead(tmp_path: Path) -> None:
    bench = HarvestBench(tmp_path)
    assert (await bench.harvest()).skew_s is None
    bench.cmdb.put("h00003", updated=bench.clock.now() + 300)
    assert (await bench.harvest()).skew_s == pytest.approx(300, abs=2)

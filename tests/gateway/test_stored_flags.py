"""Stored flags at the gate: what a scan found of a record among others holds and refuses, until it is lifted."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway_bench import INC, START, Bench, FakeSource, agent, bench_in
from tests.quality.scan.scan_bench import ScanBench

from interlock.clock import ManualClock
from interlock.principals.models import Scope
from interlock.quality.flags import FlagStore
from interlock.quality.gate.enforcing import put_in_force
from interlock.quality.profile import Profile
from interlock.records.filters import Condition
from interlock.records.refs import Ref

TWIN, WEB, DATABASE = "snow:ci:web01b", "snow:ci:web01", "snow:ci:db01"
SHARED = "duplicate: serial 471108 on 2 records, first snow:ci:web01"
DAY = 86_400.0
_NUMBERS = count()  # no two calls are the same


def night(folder: Path, source: FakeSource) -> None:
    """What is harvested and scanned of a fake source, into the state folder of a gateway."""
    scans = ScanBench(folder)
    scans.clock = scans.snapshots.clock = source.clock
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for handle, row in source.rows.items():
        by_kind.setdefault(Ref.parse(row["ref"]).kind, []).append({**row, "handle": handle})
    for kind in by_kind:
        scans.put("snow", kind, by_kind[kind])
    scans.scan(source.clock.now(), publish=lambda con, result: put_in_force(con, result, folder) and None)


def doubled(clock: ManualClock) -> FakeSource:
    """A source in which web01 stands twice."""
    source = FakeSource(clock)
    source.change("c1", serial="SN-471108")
    source.add(
        "c9", TWIN, name="web01b", cls="server", serial="471108", os="Linux", last_seen_at="2026-09-20T00:00:00Z"
    )
    seen = "2026-09-20T00:00:00Z"
    source.add("c8", DATABASE, name="db01", cls="database", serial="AB-80808", status="live", last_seen_at=seen)
    for number, needing in (("r1", WEB), ("r2", "snow:ci:gone"), ("r3", TWIN), ("r4", "snow:ci:old01")):
        ends = {"subject": {"ref": needing}, "object": {"ref": DATABASE}}
        source.add(number, f"snow:relationship:{number}", type="depends_on", **ends)
    return source


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder after a night."""
    folder = tmp_path_factory.mktemp("scanned") / "state"
    folder.mkdir(mode=0o700)
    night(folder, doubled(ManualClock(START)))
    return folder


@pytest.fixture
async def bench(scanned: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock(START)
    shutil.copytree(scanned, tmp_path / "state")
    async with bench_in(tmp_path / "state", clock=clock, source=doubled(clock)) as found:
        yield found


async def touched(bench: Bench) -> Any:
    """An agent's write that relies on web01."""
    return await bench.call("incident_update", ref=INC, changes={"title": f"t{next(_NUMBERS)}"})


async def test_a_duplicate_refuses_until_a_steward_waives_it_and_again_when_the_waiver_ends(bench: Bench) -> None:
    refused = await touched(bench)
    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (403, "refused")
    (reason,) = [r for r in refused.body["reasons"] if r["code"] == "CI-DUP-IN"]
    assert (reason["effect"], reason["ref"], reason["evidence"]) == ("refuse", WEB, SHARED)
    assert reason["lifts"]
    store = FlagStore(bench.folder, bench.clock)  # as another process has it
    (flag,) = [row for row in store.of(WEB) if row.code == "CI-DUP-IN"]
    assert (flag.stops, flag.status) == (1, "open")

    until = bench.clock.now() + 3 * DAY
    store.act("waive", WEB, "CI-DUP-IN", "person:maria", "merged on Friday", until, at=bench.clock.now())
    bench.quality.follow()
    assert (await touched(bench)).status == 200
    bench.clock.advance(3 * DAY + 1)
    assert (await touched(bench)).status == 403
    store.close()


async def test_a_read_tells_what_is_stored_and_names_no_record_that_the_agent_may_not_read(bench: Bench) -> None:
    reply = await bench.call("ci_get", ref=TWIN)
    assert reply.body["quality"]["standing"] == "flagged"
    (flag,) = reply.body["quality"]["flags"]
    assert (flag["code"], flag["evidence"]) == ("CI-DUP-IN", SHARED)
    narrow = agent(scopes={**agent().scopes, "ci": Scope(filter=(Condition("name", "eq", "web01b"),))})
    (flag,) = (await bench.call("ci_get", narrow, ref=TWIN)).body["quality"]["flags"]
    assert flag["evidence"] == SHARED.replace(WEB, "another record")
    blind = agent(scopes={**agent().scopes, "ci": Scope(hidden=frozenset({"serial"}))})
    (flag,) = (await bench.call("ci_get", blind, ref=TWIN)).body["quality"]["flags"]
    assert "evidence" not in flag


async def test_a_write_that_repairs_it_makes_all_its_records_current_at_once(bench: Bench) -> None:
    assert (await touched(bench)).status == 403
    receipt = await bench.write("ci_update", ref=TWIN, changes={"serial": "471109"})
    assert receipt["outcome"] == "applied"
    assert (await bench.call("ci_get", ref=TWIN)).body["quality"]["flags"] == []
    assert (await touched(bench)).status == 200  # the other one is no duplicate any more either


async def test_a_store_that_cannot_be_read_refuses_writes_and_leaves_reads_unchecked(bench: Bench) -> None:
    with sqlite3.connect(bench.folder / "flags.sqlite") as db:
        db.execute("DROP TABLE flag")
    refused = await touched(bench)
    assert refused.status == 403
    assert "cannot be read" in refused.body["detail"]
    read = await bench.call("ci_get", ref=WEB)
    assert (read.status, read.body["quality"]["standing"]) == (200, "unchecked")
    assert "CI-DUP-IN" in read.body["quality"]["unchecked"]


async def test_a_demanded_check_is_unknown_without_a_scan_and_when_it_is_old(tmp_path: Path) -> None:
    clock = ManualClock(START)
    profile = Profile.default().merge({"demands": {"ci": ["CI-STALE", "CI-DUP-IN"]}})
    source = FakeSource(clock)
    async with bench_in(tmp_path / "state", clock=clock, source=source, profile=profile) as bench:
        held = await touched(bench)
        assert held.status == 202
        (reason,) = held.body["receipt"]["reasons"]
        assert (reason["code"], reason["detail"]) == ("unchecked", "demanded checks could not run: CI-DUP-IN")
        assert "interlock scan" in reason["lifts"]
        night(bench.folder, source)
        bench.quality.follow()
        assert (await touched(bench)).status == 200
        clock.advance(2 * DAY + 1)
        source.change("c1", last_seen_at="2026-10-01T00:00:00Z")
        assert (await touched(bench)).status == 202


async def test_without_a_scan_the_record_alone_decides(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with bench_in(tmp_path / "state", clock=clock, source=doubled(clock)) as bench:
        assert (await touched(bench)).status == 200
        quality = (await bench.call("ci_get", ref=TWIN)).body["quality"]
        assert (quality["standing"], quality["flags"]) == ("trusted", [])
        assert "CI-DUP-IN" not in quality["unchecked"]


async def test_what_only_the_clock_raised_is_on_file_once_it_stopped_a_call(bench: Bench) -> None:
    held = await bench.call("incident_update", ref="snow:incident:INC2", changes={"title": "x"})
    assert held.status == 202
    store = FlagStore(bench.folder, bench.clock)
    (flag,) = store.of("snow:ci:old01")
    assert (flag.code, flag.stops) == ("CI-STALE", 1)
    store.act("waive", flag.ref, flag.code, "person:maria", "being replaced", START + DAY, at=START)
    bench.quality.follow()
    assert (await bench.call("incident_update", ref="snow:incident:INC2", changes={"title": "y"})).status == 200
    store.close()


async def test_what_depends_on_a_ci_weighs_when_it_is_retired_and_not_when_its_name_changes(bench: Bench) -> None:
    assert (await bench.call("ci_update", ref=DATABASE, changes={"location": "x"})).status == 200
    held = await bench.call("ci_update", ref=DATABASE, changes={"status": "retired"})
    assert held.status == 202
    (reason,) = [r for r in held.body["receipt"]["reasons"] if r["code"] == "REL-DANGLING"]
    assert reason["effect"] == "hold"
    assert reason["evidence"] == "snow:relationship:r2: gone: subject snow:ci:gone"
    narrow = agent(scopes={**agent().scopes, "relationship": Scope(filter=(Condition("type", "eq", "runs_on"),))})
    told = await bench.call("ci_update", narrow, ref=DATABASE, changes={"status": "retired", "location": "y"})
    (reason,) = [r for r in told.body["receipt"]["reasons"] if r["code"] == "REL-DANGLING"]
    assert "evidence" not in reason
    assert "snow:ci:gone" not in str(told.body)


async def test_a_source_that_lost_a_field_refuses_what_is_written_to_it(bench: Bench) -> None:
    with_flags(bench, "snow:source:incident", "SRC-SCHEMA", "gone: category, last in the harvest of @0")
    for reply in (
        await bench.call("incident_update", ref="snow:incident:INC3", changes={"title": "x"}),
        await bench.call("incident_create", title="x", description="y", impact="low", urgency="low"),
    ):
        assert reply.status == 403, reply.body
        (reason,) = [r for r in reply.body["reasons"] if r["code"] == "SRC-SCHEMA"]
        assert (reason["effect"], reason["ref"]) == ("refuse", "snow:source:incident")
        assert reason["evidence"] == "gone: category, last in the harvest of 1970-01-01T00:00:00Z"


async def test_priorities_under_a_matrix_in_doubt_are_told_and_stop_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    profile = Profile.default().merge({"matrix": {"TKT-PRIO": "hold"}})
    async with bench_in(tmp_path / "state", clock=clock, profile=profile) as bench:
        bench.source.change("hINC1", priority="p1")
        assert (await bench.call("incident_get", ref=INC)).body["quality"]["standing"] == "flagged"
        assert (await touched(bench)).status == 202
        with_flags(bench, "snow:source:matrix/low/low", "TKT-MATRIX", "differs: priority p1; matrix p5")
        quality = (await bench.call("incident_get", ref=INC)).body["quality"]
        assert ("TKT-PRIO" in {flag["code"] for flag in quality["flags"]}, quality["standing"]) == (True, "caution")
        assert (await touched(bench)).status == 200


async def test_a_call_does_not_wait_for_a_scan_that_is_publishing(bench: Bench) -> None:
    with sqlite3.connect(bench.folder / "flags.sqlite", isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert (await touched(bench)).status == 403
        assert time.monotonic() - began < 1.0
        db.execute("ROLLBACK")
    bench.quality.say_again()
    store = FlagStore(bench.folder, bench.clock)
    assert {row.code: row.stops for row in store.of(WEB)} == {"CI-DUP-IN": 1}
    store.close()


def with_flags(bench: Bench, ref: str, code: str, evidence: str) -> None:
    """As a scan of another process would."""
    store = FlagStore(bench.folder, bench.clock)
    store.replace(ref, [(code, evidence)], [code], bench.clock.now())
    store.close()
    bench.quality.follow()

"""The full scan: live and batch agree on an estate, and a scan is there whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow import Store
from tests.gateway.servicenow_bench import servicenow
from tests.quality.quality_records import NOW, ci, odd_cis, odd_incidents
from tests.quality.scan.scan_bench import ScanBench, findings

from interlock.quality import build
from interlock.quality.judge import Judge
from interlock.quality.kit import RowCheck
from interlock.quality.scan import full
from interlock.quality.scan.records import Scans
from interlock.records.filters import Query
from interlock.records.problems import Problem
from interlock.state.errors import StateError

ROW_CODES = {c.code for c in map(build.check_of, build.modules()) if isinstance(c, RowCheck)}


async def test_an_estate_is_judged_alike_live_and_in_a_scan(tmp_path: Path) -> None:
    """Read as the gateway reads, through the mapping; every row check, every word."""
    store = Store()
    store.load(tables(generate(11, Size.of(300), DEFAULT_AS_OF)))
    bench, live, judge = ScanBench(tmp_path / "scan"), set(), Judge()
    async with servicenow(store, tmp_path) as snow:
        source = snow.runtime.sources["snow"]
        for kind in ("ci", "incident", "relationship"):
            records: list[dict[str, Any]] = []
            cursor = None
            while True:
                found = await source.search(kind, Query((), limit=100), cursor=cursor)
                records += found.records
                if (cursor := found.cursor) is None:
                    break
            bench.put("snow", kind, records)
            live |= {
                (flag.code, kind, flag.ref, flag.evidence) for flag in judge.findings(records, kind, DEFAULT_AS_OF)
            }
    result = bench.scan(DEFAULT_AS_OF)
    found = findings(result)
    assert {row for row in found if row[0] in ROW_CODES} == live
    assert len({code for code, *_ in live}) >= 6
    assert {code for code, *_ in found} - ROW_CODES, "no set check found anything"
    assert sum(result.counts.values()) == len(found)


def test_a_scan_says_what_it_read_and_ran(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    bench.put("snow", "ci", [ci(os=None), ci(ref="snow:ci:2", serial="A2", last_seen_at=None)])
    steps: list[tuple[str, int, int]] = []
    result = bench.scan(codes=["CI-STALE", "CI-MISS-REQ"], progress=lambda *step: steps.append(step))
    assert dict(result.counts) == {"CI-MISS-REQ": 1, "CI-STALE": 1}
    assert result.read == {"snow": {"ci": 1}}
    assert (result.id, result.mode, result.as_of, result.profile) == ("1", "full", NOW, bench.profile.version)
    assert Scans(tmp_path).current() == result
    assert steps == [("CI-MISS-REQ, CI-STALE", 0, 1), ("", 1, 1)]


def test_a_check_whose_table_nothing_fills_is_said_not_to_have_run(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    bench.put("snow", "incident", [{"ref": "snow:incident:1", "title": "VPN down", "category": "printer"}])
    result = bench.scan()
    assert result.faults == {"TKT-LABEL": "no text model scores the tickets yet"}
    assert "TKT-LABEL" not in result.codes
    assert "TKT-REOPEN-DUP" in result.codes


def test_nothing_harvested_is_nothing_found(tmp_path: Path) -> None:
    result = ScanBench(tmp_path).scan()
    assert findings(result) == set()
    assert result.codes == {check.code for check in full.chosen(None)}


def test_a_code_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        ScanBench(tmp_path).scan(codes=["CI-STALLED"])
    assert (raised.value.field, raised.value.value) == ("codes", "CI-STALLED")


def test_a_scan_that_is_cut_short_leaves_the_last_one_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = ScanBench(tmp_path)
    bench.put("snow", "ci", odd_cis(200, seed=1))
    bench.put("snow", "incident", odd_incidents(200, seed=1))
    codes = ["CI-STALE", "TKT-PRIO", "CI-DUP-IN"]
    first = bench.scan(codes=codes)
    for part in ("run", "write_findings", "result_of"):
        with monkeypatch.context() as patch:
            patch.setattr(full, part, lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                bench.scan(codes=codes)
        assert Scans(tmp_path).current() == first
        assert sorted(path.name for path in (tmp_path / "scans").iterdir()) == ["1", "current", "scan.lock"]
    assert findings(bench.scan(codes=codes)) == findings(first)


def test_one_scan_at_a_time_and_what_a_kill_left_is_cleared(tmp_path: Path) -> None:
    scans = Scans(tmp_path)
    with scans.draft() as draft, pytest.raises(StateError, match="in use"), scans.draft():
        pass
    draft.mkdir()
    (draft / "findings.parquet").write_text("half")
    assert ScanBench(tmp_path).scan(codes=["CI-STALE"]).id == "1"
    assert not draft.exists()


def test_the_last_scans_are_kept(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    for _ in range(5):
        result = bench.scan(codes=["CI-STALE"])
    kept = sorted(p.name for p in (tmp_path / "scans").iterdir() if p.is_dir())
    assert (result.id, kept) == ("5", ["3", "4", "5"])

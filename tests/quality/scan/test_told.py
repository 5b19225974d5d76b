"""What a scan finds of sources themselves: late, shrunken, without a field they had."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.quality.quality_records import NOW
from tests.quality.scan.scan_bench import ScanBench, findings

from interlock.config import Config, Kept, read_config
from interlock.quality.harvest.history import add_schema
from interlock.quality.harvest.retention import retire
from interlock.quality.scan.nightly import run
from interlock.quality.stored import stored

DAY = 86_400.0
SOURCE = {"adapter": "servicenow", "base_url": "https://acme.example", "schedule": {"harvest": "0 2 * * *"}}
CONFIG = read_config({"sources": {"cmdb": SOURCE}}, Path("/nowhere"), environ={})


def of_sources(bench: ScanBench, as_of: float, config: Config = CONFIG) -> dict[str, set[str]]:
    result = run(bench.state, bench.profile, as_of, config=config, codes=["SRC-LATE", "SRC-SCHEMA"])
    found: dict[str, set[str]] = {}
    for code, _, ref, evidence in findings(result):
        if ":source:" in ref:
            found.setdefault(f"{code} {ref}", set()).add(evidence)
    return found


def harvested(
    bench: ScanBench, names: Iterable[str], serial: str | None, lost: Iterable[str] = (), why: str = ""
) -> None:
    rows = []
    for name in names:
        record = {"ref": f"cmdb:ci:{name}", "name": name, "status": "live", **({"serial": serial} if serial else {})}
        rows.append(stored("ci", record, name, "cmdb", bench.clock.now()))
    draft = bench.snapshots.begin("cmdb", "ci")
    draft.write(rows)
    add_schema(bench.snapshots, draft.publish(why=[why] if why else []), list(lost))


@pytest.fixture
def bench(tmp_path: Path) -> ScanBench:
    found = ScanBench(tmp_path)
    harvested(found, (f"C{n}" for n in range(200)), "S1")
    return found


def test_a_source_is_late_when_the_schedule_says_so(bench: ScanBench) -> None:
    assert of_sources(bench, NOW + 60) == {}
    (late,) = of_sources(bench, NOW + 3 * DAY)["SRC-LATE cmdb:source:ci"]
    assert late.endswith(f"harvested_at @{NOW:.0f}")
    assert of_sources(bench, NOW + 3 * DAY, Config()) == {}


def test_a_harvest_that_was_set_aside_is_told_until_it_is_accepted(bench: ScanBench) -> None:
    harvested(bench, (f"C{n}" for n in range(20)), None, ["serial"], "20 rows where there were 200")
    assert of_sources(bench, NOW + 60) == {
        "SRC-SCHEMA cmdb:source:ci": {"lost,shrank: field serial; rows 20; before 200"}
    }
    bench.snapshots.accept("cmdb", "ci")
    assert "shrank" not in str(of_sources(bench, NOW + 60))


def test_what_a_scan_reads_is_not_removed_under_it(bench: ScanBench) -> None:
    kept = []

    def progress(*_: object) -> None:
        if not kept:
            for _ in range(3):
                harvested(bench, ["C1"], "S1")
            bench.clock.advance(100 * DAY)
            retire(bench.snapshots, Kept(keep=2, days=0))
            kept.extend(each.generation for each in bench.snapshots.generations("cmdb", "ci"))

    run(bench.state, bench.profile, NOW, config=CONFIG, codes=["SRC-LATE"], progress=progress)
    assert kept == [1, 3, 4]
    retire(bench.snapshots, Kept(keep=2, days=0))
    assert [each.generation for each in bench.snapshots.generations("cmdb", "ci")] == [3, 4]

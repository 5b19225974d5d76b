"""The table of real data: nothing unexplained in the published files, and it would say so if there were."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from benchmarks.realdata.__main__ import PAGE, main, measured
from benchmarks.realdata.finding import Finding, findings
from benchmarks.realdata.loading import DataSet, data_sets, records_of
from benchmarks.realdata.page import page
from benchmarks.realdata.table import numbers, reasons, rows, uncovered, unexplained

SHARED = os.environ.get("INTERLOCK_SHARED")
shared = pytest.mark.skipif(SHARED is None, reason="INTERLOCK_SHARED names no folder of real exports")

CIS = """\
ci_id,ci_class,name,status,serial,asset_tag,role,model,manufacturer,platform,site,primary_ip,last_updated
device:1,device,r1,active,SN471108,,,,,ios,S,,2020-12-20T02:51:03.257Z
device:2,device,r2,active,SN471108,,,,,,S,,2020-12-20T02:51:03.257Z
virtual_machine:1,virtual_machine,,active,,,,,,linux,,10.0.0.1,2020-12-20T02:51:03.257Z
"""
RELATIONS = "source,type,target\ndevice:1,runs_on,device:9\n"


def small(tmp_path: Path) -> DataSet:
    (netbox,) = [each for each in data_sets(tmp_path) if each.name == "netbox_demo"]
    tmp_path.joinpath("derived_ci.csv").write_text(CIS)
    tmp_path.joinpath("derived_rel.csv").write_text(RELATIONS)
    return DataSet(netbox.name, netbox.about, tmp_path)


FACTS: dict[str, Any] = {
    "objects": 3,
    "devices_missing": {"name": 0, "serial": 0, "asset_tag": 2, "platform": 1, "primary_ip": 2, "site": 0, "rack": 2},
    "vms_missing": {"name": 1, "platform": 0, "primary_ip": 0, "site": 1},
    "dup_serials": 2,
    "dup_asset_tags": 0,
    "orphans_no_relation": {"device": 1, "virtual_machine": 1},
    "dangling_rel_targets": 1,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    data = small(tmp_path_factory.mktemp("files"))
    return findings(data, asyncio.run(records_of(data, FACTS)), tmp_path_factory.mktemp("state"))


def test_what_the_checks_find_is_what_was_counted(tmp_path: Path, found: dict[str, list[Finding]]) -> None:
    data = small(tmp_path)
    made = rows(data, FACTS, found)
    assert unexplained(made) == []
    assert {row.number: row.found for row in made} == {
        path: count for path, count in numbers(FACTS) if path not in ("objects", "devices_missing/rack")
    }
    left = uncovered(data, FACTS)
    assert {entry.why: entry.numbers for entry in left} == {
        "R-SIZE": ("objects",),
        "R-NO-FIELD": ("devices_missing/rack",),
    }
    told = page([data], made, left)
    assert (
        "| `devices_missing/asset_tag` | [CI-MISS-REQ](checks.md#ci-miss-req) `asset_tag empty` | 2 | 2 | 0 |  |"
        in told
    )


def test_a_difference_is_told(tmp_path: Path, found: dict[str, list[Finding]]) -> None:
    made = rows(small(tmp_path), FACTS | {"dup_serials": 5}, found)
    assert [(row.number, row.difference) for row in unexplained(made)] == [("dup_serials", -3)]


def test_only_the_difference_that_was_explained_is(tmp_path: Path, found: dict[str, list[Finding]]) -> None:
    data = small(tmp_path)
    entry = {"number": "dup_serials", "check": "CI-DUP-IN", "fact": "serial *", "differs": -3, "why": "R-NO-CHECK"}
    told = DataSet(data.name, {**data.about, "numbers": [entry]}, data.folder)
    assert unexplained(rows(told, {"dup_serials": 5}, found)) == []
    assert unexplained(rows(told, {"dup_serials": 6}, found))
    assert rows(told, {"dup_serials": 2}, found)[0].why == ""


def test_a_number_that_nothing_is_said_of_is_refused(tmp_path: Path, found: dict[str, list[Finding]]) -> None:
    with pytest.raises(ValueError, match="nothing is said of new_number"):
        uncovered(small(tmp_path), FACTS | {"new_number": 1})
    with pytest.raises(ValueError, match="has no number dup_serials"):
        rows(small(tmp_path), {name: value for name, value in FACTS.items() if name != "dup_serials"}, found)


def test_every_reason_has_a_meaning() -> None:
    for data in data_sets(Path()):
        used = {*data.about["uncovered"], *(entry["why"] for entry in data.about["numbers"] if "why" in entry)}
        assert used <= set(reasons()), data.name


@pytest.mark.shared
@pytest.mark.slow
@shared
def test_the_published_files_leave_nothing_unexplained_and_the_page_is_up_to_date() -> None:
    data, made, left = measured(Path(SHARED or "") / "data")
    assert unexplained(made) == []
    assert len(data) == 5
    assert PAGE.read_text(encoding="utf-8") == page(data, made, left), "run: python -m benchmarks.realdata"


def test_without_data_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("INTERLOCK_SHARED", raising=False)
    with pytest.raises(SystemExit):
        main([])
    assert "--data" in capsys.readouterr().err

"""``interlock scan`` on a folder of exports: a table, JSON, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import duckdb
import orjson
import pytest
from tests.cli.commands import Shell

from interlock.quality.scan.records import Scans

CONFIG = """
state: state
sources:
  old:
    adapter: export
    settings: {folder: FOLDER, files: {incident: tickets.csv}}
    harvest: {per_second: 1000}
"""


@pytest.fixture
def exports(shell: Shell) -> Shell:
    rows = ["INC1,broken,closed,high,high,p1", "INC2,late,new,high,high,p4", "INC3,odd,new,low,low,p1"]
    (shell.folder / "tickets.csv").write_text("\n".join(["number,title,state,impact,urgency,priority", *rows]))
    (shell.folder / "interlock.yaml").write_text(CONFIG.replace("FOLDER", str(shell.folder)))
    shell.monkeypatch.chdir(shell.folder)
    return shell


def test_nothing_harvested_is_said(exports: Shell) -> None:
    assert "interlock harvest" in exports.fails("scan")


def test_a_scan_counts_by_check_and_comes_into_force(exports: Shell) -> None:
    exports.ok("harvest")
    out = exports.ok("scan")
    assert "TKT-PRIO" in out
    told = orjson.loads(exports.ok("scan", "--json"))
    assert (told["id"], told["read"], told["counts"]["TKT-PRIO"]) == ("2", {"old": {"incident": 1}}, 2)
    rows = duckdb.execute("SELECT ref, code FROM read_parquet(?) ORDER BY ALL", [told["findings"]]).fetchall()
    assert [ref for ref, code in rows if code == "TKT-PRIO"] == ["old:incident:INC2", "old:incident:INC3"]


def test_single_checks_are_counted_without_coming_into_force(exports: Shell) -> None:
    exports.ok("harvest")
    told = orjson.loads(exports.ok("scan", "--code", "TKT-PRIO", "--json"))
    assert told["counts"] == {"TKT-PRIO": 2}
    assert Path(told["findings"]).exists()
    assert Scans(exports.folder / "state").current() is None
    assert "TKT-PRIOR" in exports.fails("scan", "--code", "TKT-PRIOR")


def test_a_setting_is_tried_before_it_is_changed(exports: Shell) -> None:
    exports.ok("harvest")
    out = exports.ok("checks", "try", "TKT-PRIO", "--set", "priority.low.low=p1")
    assert "TKT-PRIO: would raise 0, clear 1 (now on 2, then on 1)" in out
    assert "cleared: old:incident:INC3" in out
    found = orjson.loads(exports.ok("checks", "try", "TKT-PRIO", "--set", "priority.high.high=p2", "--json"))
    assert (found["raised"], found["calls"]) == (["old:incident:INC1"], 0)
    assert "NAME=VALUE" in exports.fails("checks", "try", "TKT-PRIO", "--set", "priority")

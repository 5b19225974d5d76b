"""``interlock flags`` against a served gateway: as the person whose token is given."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.faces.faces_house import House
from typer.testing import CliRunner

from interlock.cli.main import app
from interlock.clock import SystemClock
from interlock.quality.flags import FlagStore
from interlock.records import times
from interlock.records.problems import Problem

REF = "snow:ci:cli web/01"


@pytest.fixture
def flagged(house: House) -> None:
    store = FlagStore(house.runtime.config.state)
    store.replace(REF, [], ["CI-STALE"], SystemClock().now())
    store.replace(REF, [("CI-STALE", "old: last_discovered @1700000000")], ["CI-STALE"], SystemClock().now())
    store.close()


@pytest.fixture(scope="module")
def steward(house: House) -> str:
    return house.person("cli-steward", "steward")


def run(house: House, token: str, *words: str) -> str:
    done = CliRunner().invoke(app, ["flags", *words, "--url", house.thin, "--token", token], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.usefixtures("flagged")
def test_a_morning_of_a_steward(house: House, steward: str) -> None:
    assert "open" in run(house, steward, "list", "--ref", REF)
    assert run(house, steward, "ack", REF, "CI-STALE") == f"CI-STALE on {REF}: acknowledged\n"
    assert json.loads(run(house, steward, "assign", REF, "CI-STALE", "Network", "--json"))["assignee"] == "Network"
    until = times.to_text(SystemClock().now() + 86_400)
    assert "waived" in run(house, steward, "waive", REF, "CI-STALE", "--reason", "known", "--until", until)
    (row,) = json.loads(run(house, steward, "list", "--status", "waived", "--ref", REF, "--json"))["data"]
    assert (row["code"], row["waived_until"]) == ("CI-STALE", until)
    assert "open" in run(house, steward, "reopen", REF, "CI-STALE")
    events = json.loads(run(house, steward, "show", REF, "CI-STALE"))["events"]
    assert [event["what"] for event in events][-4:] == ["ack", "assign", "waive", "reopen"]
    assert {event["by"] for event in events[-4:]} == {"cli-steward"}


@pytest.mark.usefixtures("flagged")
def test_a_file(house: House, steward: str, tmp_path: Path) -> None:
    path = tmp_path / "flags.csv"
    run(house, steward, "export", "--ref", REF, "--out", str(path))
    with path.open(newline="") as file:
        assert [row["ref"] for row in csv.DictReader(file)] == [REF]
    assert json.loads(run(house, steward, "export", "--ref", REF, "--format", "jsonl"))["code"] == "CI-STALE"


@pytest.mark.usefixtures("flagged")
def test_a_file_that_cannot_be_leaves_the_old_one(house: House, steward: str, tmp_path: Path) -> None:
    path = tmp_path / "flags.doc"
    path.write_text("mine")
    with pytest.raises(Problem, match="format"):
        run(house, steward, "export", "--format", "doc", "--out", str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["flags.doc"]
    assert path.read_text() == "mine"

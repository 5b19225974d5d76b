"""Data sets: recognised in a folder, made into native tables, and what the checks must find in them.

The files beside this test are synthetic, written after the pattern of the two published data sets.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mock_servers.datasets import Dataset, find, load, load_found
from mock_servers.datasets.expected import Expectation, expectations
from mock_servers.servicenow.schema import Schema

from interlock.adapterkit.tabular import derived_id
from interlock.records import times
from interlock.records.problems import Problem

OWN = Path(__file__).with_name("test_datasets_files")
SHARED = Path(os.environ.get("INTERLOCK_SHARED", "")) / "data"
shared = [
    pytest.mark.shared,
    pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no folder of real exports"),
]


@pytest.fixture(scope="module")
def events() -> Dataset:
    return load(OWN / "events")


@pytest.fixture(scope="module")
def demo() -> Dataset:
    return load(OWN / "demo")


def test_a_folder_is_recognised_by_its_files() -> None:
    assert [f.name for f in find(OWN / "events")] == ["uci_incident_event_log"]
    assert [(f.name, f.folder.name) for f in find(OWN)] == [
        ("servicenow_demo", "demo"),
        ("uci_incident_event_log", "events"),
    ]
    with pytest.raises(Problem, match="holds 2 data sets"):
        load(OWN)


def test_other_folders_are_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        find(tmp_path)
    assert "incident_event_log.csv.gz" in str(caught.value.next_step)
    with pytest.raises(Problem, match="is not a folder"):
        find(tmp_path / "none")
    (tmp_path / "incident_event_log.csv").write_text("number,state\nA,1\n")
    with pytest.raises(Problem, match="closed_code, incident_state"):
        find(tmp_path)


def test_the_last_row_of_a_number_becomes_the_incident(events: Dataset) -> None:
    rows = {row["number"]: row for row in events.tables["incident"]}
    assert len(rows) == len(events.tables["incident"]) == 13
    row = rows["INC0000002"]
    assert row["sys_id"] == derived_id("uci_incident_event_log/incident", "INC0000002")
    wanted = {
        "state": "7",
        "incident_state": "7",
        "sys_mod_count": "2",
        "opened_at": "2020-03-01 09:00:00",
        "sys_updated_on": "2020-03-04 10:30:00",
        "resolved_at": "2020-03-03 08:15:00",
        "impact": "2",
        "priority": "3",
        "contact_type": "phone",
        "active": "false",
        "close_code": "code 1",
        "hold_reason": "",
        "u_symptom": "",
    }
    assert {name: row[name] for name in wanted} == wanted
    assert (rows["INC0000020"]["state"], rows["INC0000020"]["hold_reason"]) == ("3", "4")
    assert rows["INC0000022"]["state"] == "-100", "a word without a code stays as it is"


def test_names_become_referenced_rows(events: Dataset) -> None:
    row = next(row for row in events.tables["incident"] if row["number"] == "INC0000002")
    for column, table, shown in (
        ("caller_id", "sys_user", "name"),
        ("assignment_group", "sys_user_group", "name"),
        ("cmdb_ci", "cmdb_ci", "name"),
        ("problem_id", "problem", "number"),
        ("location", "cmn_location", "full_name"),
    ):
        held = {entry["sys_id"]: entry[shown] for entry in events.tables[table]}
        assert held[row[column]] in {"Caller 2", "Group 1", "cmdb_ci 5", "Problem ID  3", 'Site 2,\n"North"'}
    accounts = [entry["user_name"] for entry in events.tables["sys_user"]]
    assert len(accounts) == len(set(accounts))


def test_rows_without_ids_get_their_own_even_when_they_are_alike(demo: Dataset) -> None:
    cis = demo.tables["cmdb_ci"]
    assert len({row["sys_id"] for row in cis}) == len(cis) == 11
    assert Counter(row["name"] for row in cis)["Reader"] == 2
    again = load(OWN / "demo").tables["cmdb_ci"]
    assert [row["sys_id"] for row in again] == [row["sys_id"] for row in cis]


def test_labels_become_codes_and_classes(demo: Dataset) -> None:
    first = demo.tables["cmdb_ci"][0]
    wanted = {
        "sys_class_name": "cmdb_ci_linux_server",
        "install_status": "1",
        "operational_status": "1",
        "sys_updated_on": "2024-03-01 07:05:09",
        "cost": "3665",
        "asset_tag": "P1",
        "attested": "false",
    }
    assert {name: first[name] for name in wanted} == wanted
    (incident,) = [row for row in demo.tables["incident"] if row["number"] == "INC0000005"]
    assert (incident["state"], incident["hold_reason"]) == ("3", "2")


def test_ids_without_a_name_stay_ids(demo: Dataset) -> None:
    group = demo.tables["sys_user_group"][0]
    assert set(group) == {"sys_id"}
    assert "name" in demo.omit["sys_user_group"]
    assert any(row.get("name") == "Ida Öst" for row in demo.tables["sys_user"])
    assert "glide.maint" in {row["sys_id"] for row in demo.tables["sys_user"]}


@pytest.mark.parametrize("name", ["events", "demo"])
def test_every_column_is_there_or_omitted(name: str, request: pytest.FixtureRequest) -> None:
    dataset: Dataset = request.getfixturevalue(name)
    schema = Schema()
    for table, omitted in dataset.omit.items():
        present = {column for row in dataset.tables[table] for column in row}
        assert not present & omitted, table
        assert set(schema.columns(table)) <= present | omitted | {"sys_class_name"}, table
    assert {"close_notes", "description", "correlation_id", "work_notes"} <= dataset.omit["incident"]
    assert ("short_description" in dataset.omit["incident"]) is (name == "events")


def test_as_of_is_the_newest_update(events: Dataset, demo: Dataset) -> None:
    assert times.to_text(events.as_of) == "2020-03-10T10:30:00Z"
    assert times.to_text(demo.as_of) == "2024-03-02T17:05:09Z"


def test_the_own_matrix_and_choices(events: Dataset, demo: Dataset) -> None:
    assert events.matrix["3", "3"] == "4"
    assert events.found.own_matrix()["low"]["low"] == "p4"
    assert demo.matrix == {}
    choices = [(row["element"], row["dependent_value"], row["value"]) for row in events.tables["sys_choice"]]
    assert ("subcategory", "Category 1", "Subcategory 1") in choices
    assert len(choices) == len(set(choices))
    labels = {row["value"]: row["label"] for row in events.tables["sys_choice"] if row["element"] == "contact_type"}
    assert labels == {"phone": "Phone", "email": "Email", "self-service": "Self service", "IVR": "IVR"}


def counted(found: list[Expectation]) -> dict[str, int]:
    return {f"{e.code} {e.reason}": e.records for e in found if e.records}


def test_expectations_of_the_synthetic_files() -> None:
    assert counted(expectations(OWN / "events")) == {
        "TKT-PRIO differs": 2,
        "TKT-CLOSE code": 1,
        "TKT-CLOSE resolved_time": 1,
        "TKT-CAT-UNKNOWN missing": 1,
    }
    assert "TKT-PRIO differs" not in counted(expectations(OWN / "events", own_matrix=True))
    assert counted(expectations(OWN / "demo")) == {
        "CI-STALE never_seen": 5,  # two computers, the router, the printer, the CI of no class
        "CI-STALE stale": 1,
        "CI-MISS-REQ missing": 2,  # the notebook without, the router with a placeholder
        "CI-PLACEHOLDER placeholder": 2,
        "CI-STATUS-CONTRA in_stock_operational": 1,
        "TKT-CAT-UNKNOWN missing": 1,
        "TKT-CAT-CANON variant": 1,
        "TKT-TIME closed_before_resolved": 1,
    }


def test_a_profile_json_of_another_version_is_a_problem(tmp_path: Path) -> None:
    shutil.copytree(OWN / "events", tmp_path / "events")
    facts = tmp_path / "events" / "profile.json"
    facts.write_text('{"incidents_missing_category": 1}')
    (stated,) = [e for e in expectations(tmp_path) if e.code == "TKT-CAT-UNKNOWN" and e.reason == "missing"]
    assert stated.origin == "profile.json: incidents_missing_category"
    facts.write_text('{"incidents_missing_category": 7}')
    with pytest.raises(Problem, match="says 7"):
        expectations(tmp_path)


class TestRealData:
    """The published files."""

    pytestmark = shared

    def test_both_are_found_in_the_parent_folder(self) -> None:
        demo, events = (load_found(found) for found in find(SHARED))
        assert {name: len(demo.tables[name]) for name in ("incident", "cmdb_ci")} == {"incident": 67, "cmdb_ci": 2784}
        assert len(events.tables["incident"]) == 24_918
        assert times.to_text(events.as_of) == "2017-02-18T15:00:00Z"
        assert times.to_text(demo.as_of) == "2024-05-16T12:43:36Z"
        for dataset in (demo, events):
            ids = [row["sys_id"] for rows in dataset.tables.values() for row in rows]
            assert len(ids) == len(set(ids))
            assert dataset.warnings == ()

    def test_expectations(self) -> None:
        events = SHARED / "uci_incident_event_log"
        assert counted(expectations(events)) == {
            "TKT-PRIO differs": 671,
            "TKT-CLOSE code": 107,
            "TKT-CLOSE resolved_time": 1_556,
            "TKT-CAT-UNKNOWN missing": 7,
        }
        assert "TKT-PRIO differs" not in counted(expectations(events, own_matrix=True))
        demo = expectations(SHARED / "servicenow_demo")
        assert counted(demo).items() >= {"CI-STATUS-CONTRA in_stock_operational": 8}.items()
        assert counted(demo)["TKT-TIME closed_before_resolved"] == 20
        assert "TKT-PRIO differs" not in counted(demo)
        assert sum(e.origin.startswith("profile.json") for e in demo) == 8

"""The estate as Remedy entries: everything is there, labels are legal, references hold, planted defects survive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import httpx
import pytest
from mock_servers.estate import Estate, Size, generate
from mock_servers.estate.assumptions import MATRIX
from mock_servers.estate.changes import changes
from mock_servers.remedy import Store
from mock_servers.remedy.estate_codes import CLASSES, LINKS, PRIORITY
from mock_servers.remedy.from_estate import PRODUCTION, change_number, entries, incident_number, instance_id
from mock_servers.remedy.schema import shipped

AS_OF = 1_793_491_200


@pytest.fixture(scope="module")
def estate() -> Estate:
    return generate(5, Size.of(400, 800), AS_OF)


@pytest.fixture(scope="module")
def store(estate: Estate) -> Store:
    store = Store()
    store.load(entries(estate))
    return store


def test_nothing_is_lost(estate: Estate, store: Store) -> None:
    many = {form: len(list(store.rows(form))) for form in ("HPD:Help Desk", "HPD:WorkLog", "CTM:People")}
    assert many == {
        "HPD:Help Desk": len(estate.incidents),
        "HPD:WorkLog": len(estate.notes),
        "CTM:People": len(estate.people),
    }
    assert len(list(store.rows("BMC.CORE:BMC_BaseElement"))) == len(estate.cis)
    assert len(list(store.rows("BMC.CORE:BMC_BaseRelationship"))) == len(estate.relations)
    assert len(list(store.rows("CTM:Support Group"))) == len(estate.groups)
    assert len(list(store.rows("CTM:Support Group Association"))) == len(estate.memberships)


def test_every_change_is_there_with_its_window(estate: Estate, store: Store) -> None:
    meant = {change_number(each.number): (each.start_at, each.end_at) for each in changes(estate)}
    rows = list(store.rows("CHG:Infrastructure Change"))
    found = {row["Infrastructure Change ID"]: (row["Scheduled Start Date"], row["Scheduled End Date"]) for row in rows}
    assert found == meant
    logged = Counter(row["Infrastructure Change ID"] for row in store.rows("CHG:WorkLog"))
    assert logged == {change_number(each.number): 2 for each in changes(estate) if each.state == "closed"}
    assert logged


def test_every_value_suits_its_field(store: Store) -> None:
    for form in shipped().forms:
        for entry in store.rows(form):
            for label, value in entry.items():
                field = store.schema.forms[entry.form].fields[label]
                assert isinstance(value, str) == (field.kind == "char"), (form, label, value)
                if field.enum is not None:
                    assert value in field.enum.labels, (form, label, value)
                if field.kind == "char" and field.length:
                    assert len(str(value)) <= field.length, (form, label, value)


def test_it_is_the_same_each_time(estate: Estate) -> None:
    assert entries(estate) == entries(generate(5, Size.of(400, 800), AS_OF))


def test_references_hold_but_for_the_planted(estate: Estate, store: Store) -> None:
    known = {ci.id for ci in estate.cis}
    dangling = {relation.id for relation in estate.relations if {relation.subject, relation.object} - known}
    found = {
        str(row["InstanceId"])[3:].lower()
        for row in store.rows("BMC.CORE:BMC_BaseRelationship")
        for end in ("Source", "Destination")
        if store.get("BMC.CORE:BMC_BaseElement", str(row[f"{end}.InstanceId"])) is None
    }
    assert found == dangling
    assert dangling
    groups = {row["Support Group Name"] for row in store.rows("CTM:Support Group")}
    assert {row.get("Assigned Group") for row in store.rows("HPD:Help Desk")} - {None} <= groups


def test_priorities_contradict_where_the_estate_does(estate: Estate, store: Store) -> None:
    for incident in estate.incidents:
        entry = store.get("HPD:Help Desk", incident_number(incident.number))
        assert entry is not None
        weight = int(entry["Priority Weight"] or 0)
        derived = 0 if weight >= 24 else 1 if weight >= 18 else 2 if weight >= 10 else 3
        sound = MATRIX.get((incident.impact, incident.urgency)) == incident.priority
        assert (entry["Priority"] == derived) == sound, incident.number


def test_the_stories_are_told(estate: Estate, store: Store) -> None:
    priorities = shipped().enums["priority"].labels
    told = [incident for incident in estate.incidents if incident.number.startswith("INC000900")]
    assert len(told) == 4
    for incident in told:
        entry = store.get("HPD:Help Desk", incident_number(incident.number))
        assert entry is not None
        assert entry["Description"] == incident.title
        assert priorities[int(entry["Priority"] or 0)] == PRIORITY[incident.priority]


def test_relations_point_from_provider_to_consumer(estate: Estate, store: Store) -> None:
    relation = next(r for r in estate.relations if r.type == "depends_on")
    row = store.get("BMC.CORE:BMC_BaseRelationship", f"OR-{relation.id.upper()}")
    assert row is not None
    assert row["Source.InstanceId"] == instance_id(relation.object)
    assert set(LINKS) >= {relation.type for relation in estate.relations}


def test_raw_adds_a_discovery_dataset(estate: Estate) -> None:
    both = [row for rows in entries(estate, raw=True).values() for row in rows if "ReconciliationIdentity" in row]
    datasets = Counter(row["DatasetId"] for row in both if "Name" in row and "HasImpact" not in row)
    seen = sum(ci.last_seen_at is not None for ci in estate.cis)
    assert datasets == {PRODUCTION: len(estate.cis), "BMC.ADDM": seen}


def test_every_form_has_a_class() -> None:
    forms = shipped().forms
    assert all(f"BMC.CORE:{one.name}" in forms for one in CLASSES.values())


def test_it_serves_from_a_process_of_its_own() -> None:
    options = ["--estate", "200", "--incidents", "100", "--customised", "--switches", '{"empty_list": "empty"}']
    command = [sys.executable, "-m", "mock_servers.remedy", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            wsdl = httpx.get(ready["services"]["XX_Ticket_WS"] + "&wsdl").text
        finally:
            process.terminate()
    assert process.returncode == 0
    assert "TicketAendern" in wsdl
    assert (ready["entries"]["HPD:Help Desk"], ready["users"]["integration"]) == (100, "integration")

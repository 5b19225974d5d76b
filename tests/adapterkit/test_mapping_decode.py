"""Decode: the three shapes of a ServiceNow row, the three kinds of nothing, and rows that are none."""

from __future__ import annotations

import pytest
from tests.adapterkit.mapping_samples import (
    INCIDENT,
    servicenow,
    shape_all,
    shape_false,
    shape_named,
    shape_plain,
)

from interlock.records.kinds import FIELDS, MODELS
from interlock.records.problems import Problem, Slug

MAPPING = servicenow().mappings["incident"]

GOLDEN = {
    "ref": "snow:incident:INC0010007",
    "number": "INC0010007",
    "title": "Mail is down",
    "description": "Since nine.\nAll of Oslo.⟦U+200B⟧",
    "state": "in_progress",
    "hold_reason": None,
    "impact": "high",
    "urgency": "medium",
    "priority": "p2",
    "category": "network",
    "subcategory": None,
    "channel": "unmapped",
    "service": None,
    "ci": {"ref": "snow:ci:" + "e" * 32, "name": "web01"},
    "caller": {"ref": "snow:person:ann.lee", "name": "Ann Lee"},
    "opened_by": {"ref": "snow:person:~" + "b" * 32, "name": "Ann Lee"},
    "assignee": None,
    "group": {"ref": "snow:group:Network & Telephony", "name": "Network & Telephony"},
    "parent": None,
    "problem": None,
    "change": None,
    "caused_by": None,
    "opened_at": "2026-03-14T08:12:44Z",
    "created_at": "2026-03-14T08:12:44Z",
    "updated_at": "2026-03-14T09:00:01Z",
    "resolved_at": None,
    "closed_at": None,
    "close_code": None,
    "close_notes": None,
    "active": True,
    "reopen_count": 0,
    "reassignment_count": 12,
    "external_id": None,
    "updated_by": "ann.lee",
    "version": "3",
    "url": "https://acme.example/nav_to.do?uri=%2Fincident.do%3Fsys_id%3D" + "a" * 32,
    "native": {"channel": "fax", "due_at": "soon"},
}


def _nameless(record):
    return {
        name: {**value, "name": None} if isinstance(value, dict) and "ref" in value else value
        for name, value in record.items()
    }


@pytest.mark.parametrize(
    ("shape", "named"), [(shape_plain, False), (shape_false, False), (shape_all, True), (shape_named, True)]
)
def test_all_shapes_give_the_same_record(shape, named):
    record = MAPPING.decode(shape(INCIDENT))
    assert record == (GOLDEN if named else _nameless(GOLDEN))
    MODELS["incident"].model_validate(record)


def test_every_column_asked_for_is_used_and_every_column_used_is_asked_for():
    assert set(MAPPING.columns()) == set(INCIDENT)
    full = {column: value or "1" for column, value in INCIDENT.items()}
    record = MAPPING.decode(shape_all(full))
    for column in set(INCIDENT) - {"sys_id", "number"}:
        changed = MAPPING.decode(shape_all({**full, column: "7"}))
        without = MAPPING.decode(shape_all({name: value for name, value in full.items() if name != column}))
        assert record != changed or record != without, column


def test_absent_is_not_empty():
    record = MAPPING.decode({"number": "INC1", "state": "", "impact": {"display_value": "1 - High"}})
    assert record == {"ref": "snow:incident:INC1", "number": "INC1", "state": None}


def test_a_row_without_key_is_named_by_its_handle():
    assert MAPPING.decode({"sys_id": "global", "number": ""})["ref"] == "snow:incident:~global"
    assert MAPPING.decode({"sys_id": "x1", "number": "~1"})["ref"] == "snow:incident:~x1"
    assert MAPPING.handle({"sys_id": {"value": "x1"}}) == "x1"
    assert MAPPING.handle({"number": "INC1"}) is None


@pytest.mark.parametrize("row", [{}, {"sys_id": "", "number": None}, {"state": "1"}])
def test_a_row_that_cannot_be_named_is_a_fault_of_the_source(row):
    with pytest.raises(Problem) as caught:
        MAPPING.decode(row)
    assert caught.value.slug == Slug.SOURCE_FAULT
    assert "sys_id" in caught.value.detail


@pytest.mark.parametrize(
    "row", ["error", {"number": "INC1", "state": ["1"]}, {"number": ["INC1"]}, {"number": "I", "caller_id": []}]
)
def test_rows_of_another_form_are_a_fault_of_the_source(row):
    with pytest.raises(Problem) as caught:
        MAPPING.decode(row)
    assert caught.value.slug == Slug.SOURCE_FAULT


@pytest.mark.parametrize(
    "native", ["2026-02-30 00:00:00", "2026-W11-6 08:12:44", "2026-03-14T08:12:44", "2026-03-14", "2026-03-14 08:12+01"]
)
def test_an_instant_that_cannot_be_read_is_kept_not_guessed(native):
    record = MAPPING.decode({"number": "INC1", "opened_at": native})
    assert "opened_at" not in record
    assert record["native"] == {"opened_at": native}


def test_numbers_and_booleans_of_json_are_read_like_text():
    record = MAPPING.decode({"number": "INC1", "state": 2, "active": True, "reopen_count": 4, "sys_mod_count": 9})
    assert (record["state"], record["active"], record["reopen_count"], record["version"]) == (
        "in_progress",
        True,
        4,
        "9",
    )


def test_a_reference_with_a_name_only_is_unknown():
    record = MAPPING.decode({"number": "INC1", "caller_id": {"display_value": "Ann"}})
    assert "caller" not in record
    assert record["native"] == {"caller": "Ann"}


@pytest.mark.parametrize(
    ("native", "word", "turned"),
    [
        ("Depends on::Used by", "depends_on", False),
        ("Used by::Depends on", "depends_on", True),
        ("Members::Member of", "member_of", True),
        ("Provides power for::Receives power from", "powered_by", True),
        ("Contains::Contained by", "contains", False),
        ("Owns::Owned by", "unmapped", False),
    ],
)
def test_a_relationship_reads_as_a_sentence(native, word, turned):
    row = {"sys_id": "r1", "type.name": native, "parent": {"value": "p1", "display_value": "P"}, "child": "c1"}
    record = servicenow().mappings["relationship"].decode(row)
    subject, other = ("c1", "p1") if turned else ("p1", "c1")
    assert (record["type"], record["native_type"]) == (word, native)
    assert (record["subject"]["ref"], record["object"]["ref"]) == (f"snow:ci:{subject}", f"snow:ci:{other}")
    MODELS["relationship"].model_validate(record)


def test_the_ends_of_a_relationship_need_its_type():
    mapping = servicenow().mappings["relationship"]
    assert mapping.decode({"sys_id": "r1", "parent": "p1", "child": "c1"}) == {"ref": "snow:relationship:r1"}
    assert {"parent", "child", "type.name"} <= set(mapping.columns(["subject"]))


@pytest.mark.parametrize(
    ("native", "word"),
    [
        ("cmdb_ci_linux_server", "server"),
        ("cmdb_ci_web_server", "web_server"),
        ("cmdb_ci_db_hana_instance", "database"),
        ("cmdb_ci_app_server_glassfish", "middleware"),
        ("cmdb_ci", "other"),
        ("u_cmdb_ci_robot", "unmapped"),
    ],
)
def test_classes_are_read_by_name_or_pattern(native, word):
    record = servicenow().mappings["ci"].decode({"sys_id": "c1", "sys_class_name": native})
    assert (record["cls"], record["native_class"]) == (word, native)
    assert record.get("native") == ({"cls": native} if word == "unmapped" else None)


@pytest.mark.parametrize("kind", sorted(servicenow().mappings))
def test_emitted_records_validate_and_describe_names_every_field(kind):
    mapping = servicenow().mappings[kind]
    row = dict.fromkeys(mapping.columns(), "1")
    MODELS[kind].model_validate(mapping.decode(row))
    assert {entry["field"] for entry in mapping.describe()} == set(mapping.fields) <= set(FIELDS[kind])


@pytest.mark.parametrize(
    ("native", "number"),
    [("12", 12), ("-3", -3), ("2.0", 2), ("1.5", None), ("1" * 30, None), ("many", None), ("nan", None)],
)
def test_numbers_are_whole_or_kept_as_they_are(native, number):
    record = MAPPING.decode({"number": "INC1", "reopen_count": native})
    assert record.get("reopen_count") == number
    assert record.get("native") == (None if number is not None else {"reopen_count": native})

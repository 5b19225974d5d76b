"""Fields that the contract does not know: declared, typed, read and asked, and hidden where they are to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.yamlfile import MappingError
from interlock.gateway.scopes import shown
from interlock.places import place
from interlock.principals.declaration import read_declaration
from interlock.principals.models import Scope
from interlock.records.fields import Field
from interlock.records.filters import Query, matches, read_filter
from interlock.records.kinds import FIELDS, MODELS
from interlock.records.problems import Problem

OWN = """extends: servicenow/incident
ext:
  u_cost_centre: u_cost_centre
  u_reason: {at: u_reason, type: text, label: Grund}
  u_count: {at: u_count, type: int}
  u_vip: {at: u_vip, type: bool}
  u_since: {at: u_since, type: instant}
  u_stage: {at: u_stage, type: enum, codes: stage}
  u_team: {at: u_team, type: ref, ref: group, key: u_team.name}
codes:
  stage: {open: 1, done: [2, 3]}
"""
ROW = {
    "number": "INC1", "sys_id": "a1", "short_description": "x", "u_cost_centre": "4711", "u_reason": "warum",
    "u_count": "3", "u_vip": "true", "u_since": "2026-03-01 08:00:00", "u_stage": "9", "u_team": "g1",
    "u_team.name": "Netz",
}  # fmt: skip
EXT = {
    "u_cost_centre": "4711", "u_reason": "warum", "u_count": 3, "u_vip": True, "u_since": "2026-03-01T08:00:00Z",
    "u_stage": "unmapped", "u_team": {"ref": "snow:group:Netz", "name": None},
}  # fmt: skip


def incident(folder: Path, text: str = OWN) -> Mapping:
    (folder / "incident.yaml").write_text(text)
    return compile_product(place("adapters") / "servicenow", source="snow", overlays=folder).mappings["incident"]


def known(mapping: Mapping) -> dict[str, Field]:
    return {**FIELDS["incident"], **mapping.ext}


def test_they_are_decoded_by_their_types_and_validate(tmp_path: Path) -> None:
    record = incident(tmp_path).decode(ROW)
    assert record["ext"] == EXT
    assert record["native"] == {"ext.u_stage": "9"}
    MODELS["incident"].model_validate(record)
    assert "ext" not in incident(tmp_path).decode({"number": "INC1", "sys_id": "a1"})


@pytest.mark.parametrize(
    ("condition", "pushed", "holds"),
    [
        ({"field": "ext.u_cost_centre", "value": "4711"}, "u_cost_centre=4711", True),
        ({"field": "ext.u_count", "op": "gt", "value": 3}, "u_count>3", False),
        ({"field": "ext.u_vip", "value": True}, "u_vip=true", True),
        ({"field": "ext.u_since", "op": "lt", "value": "2026-03-02T00:00:00+01:00"}, "u_since<2026-03-01 23:00:00", True),  # noqa: E501
        ({"field": "ext.u_stage", "op": "in", "value": ["done"]}, "u_stageIN2,3", False),
        ({"field": "ext.u_team", "value": "snow:group:Netz"}, "u_team.name=Netz", True),
    ],
)  # fmt: skip
def test_they_are_asked_of_the_source_and_checked(
    tmp_path: Path, condition: dict[str, object], pushed: str, holds: bool
) -> None:
    mapping = incident(tmp_path)
    clauses = read_filter([condition], known(mapping))
    assert mapping.plan(Query(clauses)).pushed == pushed
    assert matches(clauses, mapping.decode(ROW)) is holds
    assert not matches(clauses, {"ref": "snow:incident:1"})  # unknown is not a match


def test_a_source_without_the_field_finds_nothing(tmp_path: Path) -> None:
    clauses = read_filter([{"field": "ext.u_count", "value": 1}], known(incident(tmp_path)))
    bare = compile_product(place("adapters") / "servicenow", source="other").mappings["incident"]
    assert bare.plan(Query(clauses)).empty


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ({"field": "ext.u_cost_center", "value": "1"}, "Did you mean ext.u_cost_centre"),
        ({"field": "ext.u_count", "value": "3"}, "must be a whole number"),
        ({"field": "ext.u_stage", "value": "opened"}, "Did you mean open"),
        ({"field": "ext.u_team", "value": "snow:person:x"}, "refers to group"),
        ({"field": "ext.u_vip", "op": "gt", "value": True}, "does not apply"),
    ],
)
def test_filters_are_held_to_the_types(tmp_path: Path, condition: dict[str, object], why: str) -> None:
    with pytest.raises(Problem) as told:
        read_filter([condition], known(incident(tmp_path)))
    assert why in f"{told.value.detail} {told.value.next_step}"


def test_only_their_columns_are_asked_for(tmp_path: Path) -> None:
    mapping = incident(tmp_path)
    assert set(mapping.columns(["ext.u_team"])) == {"sys_id", "number", "sys_mod_count", "u_team", "u_team.name"}
    assert "u_vip" in mapping.columns(["ext"])
    assert "u_vip" in mapping.columns(None)


def test_hidden_ones_are_not_shown_and_what_cannot_be_declared_is_refused(tmp_path: Path) -> None:
    agent = """{id: a, owner: o, purpose: p, tools: [], read: {incident: {hide: [ext.u_reason, ext.u_stage]}}}"""
    scope = read_declaration(agent, tools=(), tool_sets={}, fields=FIELDS).scopes["incident"]
    seen = shown(scope, incident(tmp_path).decode(ROW))
    assert set(seen["ext"]) == set(EXT) - {"u_reason", "u_stage"}
    assert "native" not in seen
    assert "ext" not in shown(Scope((), frozenset({"ext"})), incident(tmp_path).decode(ROW))
    filtered = agent.replace("hide: [ext.u_reason, ext.u_stage]", "filter: [{field: ext.u_vip, value: true}]")
    with pytest.raises(Problem, match="is not a field of this kind"):
        read_declaration(filtered, tools=(), tool_sets={}, fields=FIELDS)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("u_x: {at: u_x, type: number}", r"incident\.yaml line 3: ext\.u_x"),
        ("u_x: {at: u_x, type: enum}", "needs codes"),
        ("u_x: {at: u_x, type: ref}", "needs ref"),
        ("u_x: {at: u_x, tpye: int}", "line 3: ext.u_x.tpye is not a key here"),
        ("'u x': u_x", "is no name of a field"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(MappingError, match=told):
        incident(tmp_path, f"extends: servicenow/incident\next:\n  {entry}\n")

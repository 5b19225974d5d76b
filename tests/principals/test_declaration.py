"""Declarations: what they grant, and errors that name the entry and the nearest word."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.principals import Agent, Budgets, Scope, read_declaration
from interlock.records.filters import Condition
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug

TOOLS = ("incident_get", "incident_search", "incident_update", "ci_get")
SETS = {"triage": ("incident_get", "incident_search")}

YAML = """
id: triage-bot
owner: service-desk@example.com
purpose: Sorts new incidents.
tools: [triage, ci_get]
read:
  incident:
    filter: [{field: state, op: in, value: [new, in_progress]}, {any: [{field: active, value: true}]}]
    hide: [caller, description]
  ci: {}
stage: reviewed
budgets: {calls_per_minute: 30}
"""


def read(source: Any) -> Agent:
    return read_declaration(source, tools=TOOLS, tool_sets=SETS, fields=FIELDS)


def test_a_declaration_says_what_an_agent_may_do() -> None:
    agent = read(YAML)
    assert agent.tools == {"incident_get", "incident_search", "ci_get"}
    assert agent.scopes["ci"] == Scope()
    scope = agent.scopes["incident"]
    assert scope.filter[0] == Condition("state", "in", ("new", "in_progress"))
    assert scope.hidden == {"caller", "description"}
    assert (agent.stage, agent.status, agent.budgets) == ("reviewed", "active", Budgets(30, 120))


def test_what_is_not_declared_is_denied() -> None:
    agent = read({"id": "a", "owner": "o", "purpose": "p"})
    assert (agent.tools, dict(agent.scopes), agent.stage) == (frozenset(), {}, "shadow")


@pytest.mark.parametrize(
    ("change", "field", "hint"),
    [
        ({"tools": ["incident_gett"]}, "tools[0]", "incident_get?"),
        ({"tools": ["triag"]}, "tools[0]", "triage?"),
        ({"tools": "triage"}, "tools", None),
        ({"listed": ["ci_get"]}, "listed", "Name it in tools"),
        ({"tools": ["triage"], "listed": ["triag"]}, "listed[0]", "triage?"),
        ({"tool": ["triage"]}, "tool", "tools?"),
        ({"read": {"incidents": {}}}, "read.incidents", "incident?"),
        ({"read": {"ci": None}}, "read.ci", "Write {}"),
        ({"read": {"ci": {"hid": []}}}, "read.ci.hid", "hide?"),
        ({"read": {"ci": {"hide": ["serials"]}}}, "read.ci.hide[0]", "serial?"),
        ({"read": {"ci": {"filter": [{"field": "nam", "value": "x"}]}}}, "read.ci.filter[0].field", "name?"),
        ({"read": {"incident": {"filter": [{"field": "priority", "op": "like"}]}}}, "read.incident.filter[0].op", "eq"),
        ({"stage": "reviewd"}, "stage", None),
        ({"budgets": {"calls_per_minute": 0}}, "budgets.calls_per_minute", None),
        ({"budgets": {"calls_per_minute": "30"}}, "budgets.calls_per_minute", None),
        ({"budgets": {"calls_per_minut": 3}}, "budgets.calls_per_minut", "calls_per_minute?"),
        ({"id": "Triage Bot"}, "id", "lower-case"),
        ({"owner": ""}, "owner", None),
        ({"purpose": None}, "purpose", None),
    ],
)
def test_mistakes_name_the_entry_and_the_way_out(change: dict[str, Any], field: str, hint: str | None) -> None:
    with pytest.raises(Problem) as caught:
        read({"id": "a", "owner": "o", "purpose": "p", **change})
    assert caught.value.slug == Slug.INVALID_ARGUMENT
    assert caught.value.field == field
    if hint:
        assert hint in (caught.value.next_step or "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id: [", "is not YAML"),
        ("- a", "is not a mapping"),
        ("", "is not a mapping"),
        ("id: x\nowner: y", "is missing"),
        ("x" * 200_000, "longer"),
        ("id: !!python/object/apply:os.system [true]", "is not YAML"),
    ],
)
def test_text_that_is_no_declaration(text: str, why: str) -> None:
    with pytest.raises(Problem, match=why):
        read(text)

"""The published contracts: the files are those of the code, small enough for an agent, and what is answered fits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from tests.faces.faces_house import House

from interlock.clock import SystemClock
from interlock.faces.openapi import document
from interlock.gateway import render
from interlock.places import place
from interlock.quality.flags import FlagStore
from interlock.quality.judge import Flag, Judged
from interlock.tools.catalogue import BY_NAME, GENERAL, TOOL_SETS, TOOLS
from interlock.tools.contracts import VERSION, documents, envelope_of, input_schema, listed, output_schema, strict
from interlock.tools.envelope import ProblemOut

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def test_the_files_are_what_the_code_publishes() -> None:
    wanted = documents() | {f"{VERSION}/openapi.json": orjson.dumps(document(), option=OPTIONS)}
    folder = place("contracts")
    there = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder, VERSION).rglob("*.json")}
    assert there.keys() == wanted.keys()
    assert [name for name in wanted if wanted[name] != there[name]] == []


def test_every_published_schema_is_one() -> None:
    for tool in TOOLS:
        for schema in (input_schema(tool.name), output_schema(tool.name), listed(tool)["inputSchema"]):
            Draft202012Validator.check_schema(schema)


def test_the_default_list_fits_an_agents_context() -> None:
    names = (*TOOL_SETS["triage"], *GENERAL)
    assert len(TOOL_SETS["triage"]) == 14
    assert len(GENERAL) == 4
    tools = [listed(BY_NAME[name]) for name in names]
    assert len(orjson.dumps({"tools": tools})) <= 14_000
    assert all(len(tool["description"]) >= 20 for tool in tools)


WORST = {
    # Long in every way that real desks are: umlauts (2 bytes each), numbers of ten digits, long names and groups.
    "ref": "snow-produktion:incident:INC0012345678",
    "title": "Große Störung: Auftragsübermittlung für Österreich schlägt fehl, Rückmeldungen über das Kundenportal "
    "kommen verzögert oder überhaupt nicht mehr an, betroffen sind sämtliche Außenstellen",
    "state": "in_progress",
    "priority": "p1",
    "ci": {
        "ref": "snow-produktion:ci:~f85facab4c67ea3320b66d6dd9a8cd6b",
        "name": "Auftragsübermittlungsschnittstelle Österreich-Süd (Produktion, Knoten 04)",
    },
    "group": {
        "ref": "snow-produktion:group:Anwendungsbetrieb Auftragsübermittlung Österreich-Süd",
        "name": "Anwendungsbetrieb Auftragsübermittlung Österreich-Süd",
    },
    "assignee": {
        "ref": "snow-produktion:person:maria-magdalena.müller-lüdenscheidt@übersee.example",
        "name": "Maria Magdalena Müller-Lüdenscheidt von und zu Übersee",
    },
    "updated_at": "2026-10-31T23:59:59Z",
}


def test_a_default_row_is_at_most_600_bytes_in_the_worst_realistic_case() -> None:
    codes = ("TKT-PRIO", "TKT-CAT-UNKNOWN", "TKT-SUBCAT")
    flags = tuple(Flag(code, "high", "r", "e", "l", str(WORST["ref"]), frozenset()) for code in codes)
    row = render.row("incident", WORST, None, Judged(flags, frozenset(), "flagged"), 86_400)
    assert len(orjson.dumps(row)) <= 600, orjson.dumps(row)
    assert row["ci"]["ref"] == WORST["ci"]["ref"]  # type: ignore[index]
    # No name is lost for good: what was cut is in the record.
    assert row["title"].endswith("…")


def test_default_rows_of_the_estate_are_small(house: House) -> None:
    for tool in ("incident_search", "ci_search"):
        rows = house.call(tool, {"limit": 100}).json()["data"]
        assert len(rows) == 100
        assert max(len(orjson.dumps(row)) for row in rows) <= 600


def problem_fits(body: dict[str, Any]) -> None:
    ProblemOut.model_validate(body)


OTHERS: dict[str, dict[str, Any]] = {
    "change_check_conflicts": {"ref": "snow:change:CHG0009001"},
    "record_search": {"kind": "article", "text": "VPN", "detail": "full"},
    "catalog_search": {"limit": 50},
}


class Answers:
    """Validates each answer against its tool's model and its published schema."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._schemas = {tool.name: Draft202012Validator(output_schema(tool.name)) for tool in TOOLS}
        self.seen: dict[str, int] = {}

    def of(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = self._house.call(tool, arguments)
        body: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            problem_fits(body)
            assert answer.headers["content-type"] == "application/problem+json"
            return body
        envelope_of(tool).model_validate(body, strict=True)
        rows = body["data"]
        self._schemas[tool].validate({**body, "data": rows[:3]} if isinstance(rows, list) else body)
        self.seen[tool] = self.seen.get(tool, 0) + 1
        return body


def test_every_answer_validates_against_its_model(house: House) -> None:
    """Compiled mappings emit dicts past the models: over the estate, each must be what the contract says."""
    answers = Answers(house)
    choose = random.Random(4)
    pages = 0
    for kind in ("incident", "ci"):
        cursor, refs = None, []
        while pages < 12:
            extra = {"cursor": cursor} if cursor else {}
            body = answers.of(f"{kind}_search", limit=100, detail="full", **extra)
            refs += [row["ref"] for row in body["data"]]
            cursor = body["page"]["cursor"]
            pages += 1
            if cursor is None:
                break
        assert len(refs) >= 100
        for ref in choose.sample(refs, 8):
            answers.of(f"{kind}_get", ref=ref)
            answers.of("record_get", ref=ref)
            answers.of("journal_list" if kind == "incident" else "ci_related", ref=ref)
    for text in ("a", "Service", "müller", "@"):
        for kind in ("person", "group"):
            for row in answers.of("directory_find", kind=kind, text=text, limit=5)["data"]:
                answers.of("record_get", ref=row["ref"])
    for field in input_schema("taxonomy_values")["properties"]["field"]["enum"]:
        answers.of("taxonomy_values", field=field)
    for name, arguments in OTHERS.items():
        answers.of(name, **arguments)
    incident = f"snow:incident:{house.numbers['p1_caution']}"
    for name in ("sla_list", "attachment_list"):
        answers.of(name, ref=incident)
    file = next(row for row in answers.of("attachment_list", ref=incident)["data"] if row["size"] < 10_000)
    answers.of("attachment_get", ref=incident, id=file["id"], form="base64")
    for ref in choose.sample([row["ref"] for row in answers.of("ci_search", limit=100)["data"]], 5):
        answers.of("ci_impact", ref=ref, depth=2)
    for row in answers.of("change_search", limit=20)["data"]:
        answers.of("change_get", ref=row["ref"])
    (order,) = answers.of("record_search", kind="problem", limit=1)["data"]
    answers.of("record_get", ref=order["ref"])
    item = answers.of("catalog_search", limit=5)["data"][0]["item"]
    answers.of("catalog_item", item=item)
    raised = FlagStore(house.runtime.config.state)
    raised.replace(incident, [("TKT-CLOSE", "code: close_code empty")], ["TKT-CLOSE"], SystemClock().now())
    raised.close()
    assert answers.of("flag_list", ref=incident)["data"]
    answers.of("whoami")
    answers.of("source_list")
    for tool in TOOLS:
        answers.of("tool_describe", name=tool.name)
    assert {tool.name for tool in TOOLS if tool.reads} - {"request_status"} <= answers.seen.keys()


def test_every_receipt_validates_against_its_model(house: House) -> None:
    answers = Answers(house)
    rows = answers.of("incident_search", limit=40, filter=[{"field": "state", "value": "in_progress"}])["data"]
    groups = answers.of("directory_find", kind="group", text="Service")["data"]
    outcomes = set()
    for number, row in enumerate(rows[:5]):
        ref = row["ref"]
        calls: list[tuple[str, dict[str, Any]]] = [
            ("incident_update", {"changes": {"urgency": "low", "title": f"Ein Titel {number}"}}),
            ("incident_add_note", {"text": f"Notiz {number}", "visibility": "internal"}),
            ("incident_assign", {"group": groups[0]["ref"]}),
            ("incident_resolve", {"close_code": "fixed", "close_notes": "Ersetzt."}),
            ("incident_reopen", {}),
        ]
        for tool, arguments in calls:
            for dry_run in (True, False):
                body = answers.of(tool, ref=ref, dry_run=dry_run, **arguments)
                outcomes.add((body.get("receipt") or {}).get("outcome"))
    answers.of("incident_create", title="Drucker druckt nicht", impact="low", urgency="low")
    answers.of("incident_create", title="Drucker druckt nicht", impact="low", urgency="low")
    assert {"applied", "held"} <= outcomes
    change = answers.of("change_create", type="emergency", title="Neustart", impact="low")["receipt"]["ref"]
    answers.of("change_update", ref=change, changes={"backout_plan": "Zurück."})
    answers.of("change_transition", ref=change, to="authorize")
    answers.of("link", ref=rows[0]["ref"], to=change, relation="caused_by")
    (item,) = answers.of("catalog_search", text="Distribution list", limit=1)["data"]
    schema = answers.of("catalog_item", item=item["item"])["data"]["variables"]
    assert schema["required"] == ["name"]
    ordered = answers.of("request_order", item=item["item"], variables={"name": "dl-berlin"})["receipt"]["ref"]
    answers.of("request_status", ref=ordered)
    server = answers.of("ci_create", cls="server", name="neu-01", serial="NEU0001X", os="Linux")["receipt"]["ref"]
    answers.of("ci_update", ref=server, changes={"os_version": "12"})
    answers.of("ci_attest", ref=server)
    sound = answers.of("ci_search", filter=[{"field": "cls", "value": "virtual_machine"}], limit=2)["data"]
    answers.of("ci_relate", subject=sound[0]["ref"], type="runs_on", object=sound[1]["ref"])
    assert {tool.name for tool in TOOLS if not tool.reads} <= answers.seen.keys()


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_strict_projection_is_closed_and_total(name: str) -> None:
    """What strict function calling demands: every object closed, every property required, no dialect it lacks."""
    function = strict(name)
    assert function["strict"] is True

    def look(schema: dict[str, Any]) -> None:
        assert schema.keys() <= {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf",
                                 "description", "const"}, schema  # fmt: skip
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            for entry in schema["properties"].values():
                look(entry)
        for entry in schema.get("anyOf", []):
            look(entry)
        if "items" in schema:
            look(schema["items"])

    look(function["parameters"])

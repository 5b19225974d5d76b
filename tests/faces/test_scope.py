"""No tool tells a record or a field outside an agent's read scope, whatever the scope.

Scopes are drawn at random over the estate's own values. What is inside is judged here by a small reader of
filters of its own, from what an agent without bounds sees.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.faces.faces_house import House

from interlock.records.kinds import FIELDS

Record = dict[str, Any]
WIDE = {
    "incident": ("state", "priority", "category", "group", "impact", "active", "title", "assignee"),
    "ci": ("cls", "environment", "status", "support_group", "name", "criticality"),
    "person": ("active", "department", "name"),
    "group": ("active", "name"),
    "relationship": ("type",),
}
NEVER_HIDDEN = {"ref"}


@dataclass(repr=False)
class World:
    """Every record as an agent without bounds sees it, by kind and ref."""

    records: dict[str, dict[str, Record]] = field(default_factory=dict)

    def values(self, kind: str, name: str) -> list[Any]:
        found = (plain(record.get(name)) for record in self.records[kind].values())
        return sorted({value for value in found if value not in (None, "", [], "unmapped")}, key=str)


def plain(value: Any) -> Any:
    return value["ref"] if isinstance(value, Mapping) and "ref" in value else value


@pytest.fixture(scope="module")
def world(house: House) -> World:
    found = World()
    for kind in ("incident", "ci"):
        records, cursor = {}, None
        while True:
            asked = {"limit": 100, "detail": "full", **({"cursor": cursor} if cursor else {})}
            body = house.call(f"{kind}_search", asked).json()
            records.update({row["ref"]: row for row in body["data"]})
            cursor = body["page"]["cursor"]
            if cursor is None:
                break
        found.records[kind] = records
    for kind in ("person", "group"):
        rows = [
            row
            for text in "aeiou"
            for row in house.call("directory_find", {"kind": kind, "text": text, "limit": 50}).json()["data"]
        ]
        found.records[kind] = {
            row["ref"]: house.call("record_get", {"ref": row["ref"]}).json()["data"] for row in rows[:60]
        }
    found.records["relationship"] = {}
    return found


def admits(conditions: list[dict[str, Any]], record: Record) -> bool:
    """Whether all conditions hold; a field that is not there holds nothing."""
    return all(_holds(condition, record) for condition in conditions)


def _holds(condition: dict[str, Any], record: Record) -> bool:
    if condition["field"] not in record:
        return False
    value, wanted, op = plain(record[condition["field"]]), condition.get("value"), condition["op"]
    low = str(value).casefold() if value is not None else ""
    if op == "eq":
        return value is not None and low == str(wanted).casefold()
    if op == "ne":
        return value in (None, "") or low != str(wanted).casefold()
    if op == "in":
        return value is not None and low in [str(one).casefold() for one in wanted or []]
    if op == "contains":
        return str(wanted).casefold() in low
    assert op == "not_empty"
    return value not in (None, "", [])


def scope(kind: str, choose: random.Random, world: World) -> dict[str, Any] | None:
    """A scope for a kind: none, everything, or some of it with some fields hidden."""
    shape = choose.random()
    if shape < 0.12:
        return None
    conditions: list[dict[str, Any]] = []
    for name in choose.sample(WIDE[kind], k=min(choose.choice((0, 1, 1, 2)), len(WIDE[kind]))):
        values = world.values(kind, name) if world.records[kind] else ["depends_on", "runs_on"]
        if not values:
            continue
        kind_of = FIELDS[kind][name].type
        if kind_of == "bool":
            conditions.append({"field": name, "op": "eq", "value": choose.choice(values)})
        elif kind_of == "text":
            word = choose.choice(str(choose.choice(values)).split())
            conditions.append({"field": name, "op": "contains", "value": word})
        else:
            op = choose.choice(("eq", "ne", "in", "not_empty"))
            more = {"eq": choose.choice(values), "ne": choose.choice(values)}.get(op)
            if op == "in":
                more = choose.sample(values, k=min(2, len(values)))
            conditions.append({"field": name, "op": op, **({"value": more} if more is not None else {})})
    hidable = sorted(set(FIELDS[kind]) - NEVER_HIDDEN - {condition["field"] for condition in conditions})
    return {"filter": conditions, "hide": choose.sample(hidable, k=min(choose.choice((0, 0, 2, 6)), len(hidable)))}


def declaration(id: str, scopes: Mapping[str, dict[str, Any] | None]) -> str:  # noqa: A002
    body = {
        "id": id,
        "owner": "somebody-else",
        "purpose": "Bounded",
        "tools": ["triage"],
        "stage": "autonomous",
        "read": {kind: found for kind, found in scopes.items() if found is not None},
        "budgets": {"calls_per_minute": 1_000_000, "writes_per_hour": 1_000_000},
    }
    return yaml.safe_dump(body)


QUIET = [HealthCheck.function_scoped_fixture]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, suppress_health_check=QUIET)
def test_nothing_outside_the_scope_is_told(house: House, world: World, seed: int) -> None:
    look_around(house, world, random.Random(seed))


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
def test_nothing_outside_many_scopes_is_told(house: House, world: World, seed: int) -> None:
    look_around(house, world, random.Random(seed))


def look_around(house: House, world: World, choose: random.Random) -> None:
    """Every read tool, and a dry run, as an agent with a scope drawn at random."""
    scopes = {kind: scope(kind, choose, world) for kind in WIDE}
    key = house.agent(declaration(house.fresh("bounded"), scopes))
    look = Look(house, world, scopes, key)
    for kind in ("incident", "ci"):
        look.searches(kind, choose)
        for ref in choose.sample(sorted(world.records[kind]), k=4):
            look.reads(kind, ref)
    for kind in ("person", "group"):
        look.directory(kind, choose)
        for ref in choose.sample(sorted(world.records[kind]), k=2):
            look.one("record_get", kind, ref)
    look.taxonomy()
    look.writes(choose)


class Look:
    """Calls of one bounded agent, each answer judged."""

    def __init__(self, house: House, world: World, scopes: Mapping[str, dict[str, Any] | None], key: str) -> None:
        self._house, self._world, self._scopes, self._key = house, world, scopes, key

    def call(self, tool: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
        answer = self._house.call(tool, arguments, self._key)
        assert answer.status_code < 500, answer.text
        return answer.status_code, answer.json()

    def inside(self, kind: str, ref: str) -> bool:
        found = self._scopes[kind]
        record = self._world.records[kind].get(ref) or self._fetch(kind, ref)
        return found is not None and admits(found["filter"], record)

    def _fetch(self, kind: str, ref: str) -> Record:
        record: Record = self._house.call("record_get", {"ref": ref}).json()["data"]
        self._world.records[kind][ref] = record
        return record

    def told(self, kind: str, record: Record) -> None:
        """A record in an answer: inside, and without hidden fields."""
        assert self.inside(kind, record["ref"]), (kind, record, self._scopes[kind])
        hidden = set(self._hidden(kind))
        assert hidden.isdisjoint(record), (hidden, record)
        assert hidden.isdisjoint(record.get("native") or {})

    def _hidden(self, kind: str) -> list[str]:
        found = self._scopes[kind]
        return found["hide"] if found else []

    def flags(self, flags: list[dict[str, Any]]) -> None:
        """Evidence: of records inside only, and never naming a hidden field."""
        for flag in flags:
            if flag.get("ref") is None:
                assert "evidence" not in flag
                continue
            kind = flag["ref"].split(":")[1]
            assert self.inside(kind, flag["ref"]), flag
            words = set((flag.get("evidence") or "").replace(";", " ").replace(":", " ").split())
            assert words.isdisjoint(self._hidden(kind)), (flag, self._hidden(kind))

    def refused_or(self, status: int, body: dict[str, Any], kind: str) -> bool:
        """True when there is an answer to judge; without a scope there is none."""
        if self._scopes[kind] is None:
            assert (status, body["slug"]) == (403, "refused"), body
            return False
        assert status == 200, body
        return True

    def searches(self, kind: str, choose: random.Random) -> None:
        asked: dict[str, Any] = {"limit": 100, "detail": choose.choice(("compact", "full"))}
        status, body = self.call(f"{kind}_search", **asked)
        if not self.refused_or(status, body, kind):
            return
        for row in body["data"]:
            self.told(kind, row)
        self.flags(body["quality"]["flags"])
        found = {row["ref"] for row in body["data"]}
        expected = {ref for ref in self._world.records[kind] if self.inside(kind, ref)}
        if body["page"]["cursor"] is None and not body["page"]["truncated"]:
            assert expected <= found, "what is inside is found"
        for name in self._hidden(kind)[:2]:
            for arguments in ({"fields": [name]}, {"filter": [{"field": name, "op": "not_empty"}]}, {"sort": [name]}):
                status, body = self.call(f"{kind}_search", **arguments)
                assert (status, body["slug"]) == (422, "invalid-argument"), (name, arguments, body)

    def one(self, tool: str, kind: str, ref: str) -> None:
        status, body = self.call(tool, ref=ref)
        if self._scopes[kind] is None:
            assert (status, body.get("slug")) == (403, "refused")
        elif self.inside(kind, ref):
            assert status == 200, body
            if isinstance(body["data"], dict):
                self.told(kind, body["data"])
            self.flags((body.get("quality") or {}).get("flags", []))
        else:
            nobody = f"snow:{kind}:no-such-record"
            missing = self.call(tool, ref=nobody)[1]
            assert (status, body.get("slug")) == (404, "not-found"), (ref, self._scopes[kind], body)
            for one, name in ((body, ref), (missing, nobody)):
                one.pop("call_id")
                one["detail"] = one["detail"].replace(name, "*")
                one["value"] = one["value"].replace(name, "*")
            assert body == missing, "as if it did not exist"

    def reads(self, kind: str, ref: str) -> None:
        self.one(f"{kind}_get", kind, ref)
        self.one("record_get", kind, ref)
        if kind == "incident":
            self.one("journal_list", kind, ref)
            return
        status, body = self.call("ci_related", ref=ref)
        if self._scopes["relationship"] is None or self._scopes["ci"] is None:
            assert (status, body["slug"]) == (403, "refused")
        elif status == 200:
            for entry in body["data"]:
                if entry["ci"] is not None:
                    self.told("ci", entry["ci"])
        else:
            assert not self.inside("ci", ref)

    def directory(self, kind: str, choose: random.Random) -> None:
        text = choose.choice("aeiou")
        status, body = self.call("directory_find", kind=kind, text=text, limit=50)
        if status == 422:
            assert {"name", "email"} <= set(self._hidden(kind)), body
        elif self.refused_or(status, body, kind):
            for row in body["data"]:
                self.told(kind, row)

    def taxonomy(self) -> None:
        for name in ("category", "state"):
            status, body = self.call("taxonomy_values", field=name)
            if name in self._hidden("incident"):
                assert status == 422
            else:
                self.refused_or(status, body, "incident")

    def writes(self, choose: random.Random) -> None:
        """A dry run says as little as a read does."""
        for ref in choose.sample(sorted(self._world.records["incident"]), k=3):
            status, body = self.call("incident_update", ref=ref, changes={"title": "x"}, dry_run=True)
            if self._scopes["incident"] is None:
                assert status == 403
            elif not self.inside("incident", ref):
                assert status == 404, body
            elif status == 200:
                self.told("incident", body["data"])
                self.flags(body["quality"]["flags"])
                self.flags([reason for reason in body["preview"]["reasons"] if reason["kind"] == "quality"])
                assert set(self._hidden("incident")).isdisjoint(body["preview"]["before"])


def test_the_property_has_teeth(house: House, world: World) -> None:
    """The records outside are many, and the judge of this test sees them when they are told."""
    scopes = {"incident": {"filter": [{"field": "priority", "op": "eq", "value": "p1"}], "hide": ["title"]}}
    outside = [ref for ref, record in world.records["incident"].items() if record["priority"] != "p1"]
    look = Look(house, world, {**dict.fromkeys(WIDE), **scopes}, house.key)  # the key of an agent without bounds
    assert len(outside) > 50
    with pytest.raises(AssertionError):
        look.one("incident_get", "incident", outside[0])
    with pytest.raises(AssertionError):
        look.searches("incident", random.Random(1))

"""``flag_list``: flags of records inside the agent's scope, and evidence that tells nothing from outside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.faces.faces_house import House

from interlock.clock import SystemClock
from interlock.quality.flags import FlagStore

AGENT = """
id: {id}
owner: owner
purpose: Reads flags
tools: [flag_list]
stage: autonomous
read: {read}
"""
DUP = "same: serial 471108; record snow:ci:somebody-elses"


class Flagged:
    """Two incidents of different groups and a CI, each with a flag, and one on the source as a whole."""

    def __init__(self, house: House) -> None:
        self.house = house
        rows = house.call("incident_search", {"limit": 100}).json()["data"]
        self.inside = next(row for row in rows if row.get("group"))
        self.group = self.inside["group"]["ref"]
        self.outside = next(row for row in rows if row.get("group") and row["group"]["ref"] != self.group)
        self.ci = house.call("ci_search", {"limit": 1}).json()["data"][0]["ref"]
        self.late = "snow:source:incident"
        store, now = FlagStore(house.runtime.config.state), SystemClock().now()
        for ref, code, evidence in (
            (self.inside["ref"], "TKT-CLOSE", "code,notes: close_code empty; close_notes empty"),
            (self.outside["ref"], "TKT-CLOSE", "code,notes: close_code empty; close_notes empty"),
            (self.ci, "CI-DUP-IN", DUP),
            (self.late, "SRC-LATE", "late: expected_by @1700000000"),
        ):
            store.replace(ref, [(code, evidence)], [code], now)
        store.close()
        self.ours = {self.inside["ref"], self.outside["ref"], self.ci, self.late}

    def ask(self, read: str, **arguments: Any) -> Any:
        key = self.house.agent(AGENT.format(id=self.house.fresh("flagger"), read=read))
        return self.house.call("flag_list", {"limit": 100, **arguments}, key)

    def told(self, read: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        """The flags of our records, by ref."""
        answer = self.ask(read, **arguments)
        assert answer.status_code == 200, answer.text
        return {
            row["ref"]: row
            for row in answer.json()["data"]
            if row["ref"] in self.ours and row["code"] in ("TKT-CLOSE", "CI-DUP-IN", "SRC-LATE")
        }


@pytest.fixture(scope="module")
def flagged(house: House) -> Iterator[Flagged]:
    made = Flagged(house)
    yield made
    store = FlagStore(house.runtime.config.state)
    for ref in made.ours:
        store.replace(ref, [], ["TKT-CLOSE", "CI-DUP-IN", "SRC-LATE"], SystemClock().now())
    store.close()


def test_who_may_read_everything_is_told_everything(flagged: Flagged) -> None:
    told = flagged.told("{incident: {}, ci: {}}")
    assert told.keys() == flagged.ours
    assert told[flagged.ci]["evidence"] == DUP
    assert told[flagged.late]["evidence"] == "late: expected_by 2023-11-14T22:13:20Z"
    assert told[flagged.ci]["lifts"]
    assert {row["status"] for row in told.values()} == {"open"}


def test_a_kind_that_may_not_be_read_is_not_told(flagged: Flagged) -> None:
    assert flagged.told("{ci: {}}").keys() == {flagged.ci}
    assert flagged.told("{person: {}}") == {}
    assert flagged.ask("{ci: {}}", ref=flagged.inside["ref"]).status_code == 403


def test_a_record_outside_the_filter_is_not_told(flagged: Flagged) -> None:
    read = f'{{incident: {{filter: [{{field: group, op: eq, value: "{flagged.group}"}}]}}}}'
    told = flagged.told(read)
    assert told.keys() == {flagged.inside["ref"], flagged.late}
    assert "evidence" in told[flagged.inside["ref"]]
    assert "evidence" not in told[flagged.late], "it counts records of others"
    assert flagged.ask(read, ref=flagged.outside["ref"]).status_code == 404
    (row,) = flagged.ask(read, ref=flagged.inside["ref"], code="TKT-CLOSE").json()["data"]
    assert row["ref"] == flagged.inside["ref"]


def test_evidence_of_hidden_fields_is_not_told(flagged: Flagged) -> None:
    told = flagged.told("{incident: {hide: [close_notes]}, ci: {hide: [location]}}")
    assert told.keys() == flagged.ours
    assert "evidence" not in told[flagged.inside["ref"]]
    assert "evidence" not in told[flagged.ci], "it may name any CI, and this agent may not read all of each"


def test_evidence_about_others_is_not_told_to_who_may_read_some(flagged: Flagged) -> None:
    read = "{ci: {filter: [{field: name, op: ne, value: nobody}]}}"
    told = flagged.told(read)
    assert told.keys() == {flagged.ci}
    assert "evidence" not in told[flagged.ci]


def test_pages_and_filters(flagged: Flagged) -> None:
    read = "{incident: {}, ci: {}}"
    key = flagged.house.agent(AGENT.format(id=flagged.house.fresh("flagger"), read=read))
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        body = flagged.house.call("flag_list", {"code": "TKT-CLOSE", "limit": 1, **more}, key).json()
        seen += [row["ref"] for row in body["data"]]
        if body["page"]["cursor"] is None:
            break
        more = {"cursor": body["page"]["cursor"]}
    assert {flagged.inside["ref"], flagged.outside["ref"]} <= set(seen)
    assert len(seen) == len(set(seen))
    assert flagged.told(read, status="resolved") == {}
    assert flagged.ask(read, source="nowhere").status_code == 422
    assert flagged.ask(read, code="lower").status_code == 422

"""Filters: what may be asked, and three-valued logic held to a naive oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.records.fields import OPERATORS
from interlock.records.filters import (
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    AnyOf,
    Condition,
    Sort,
    excludes,
    holds,
    matches,
    read_filter,
    read_sort,
)
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem

INCIDENT = FIELDS["incident"]
WORDS = ["a", "B", "ab", "Straße", "STRASSE", "", "ß"]
GROUPS = ["snow:group:Desk", "snow:group:desk", "snow:group:Ops"]
TIMES = ["2026-01-01T00:00:00Z", "2026-03-01T12:00:00Z", "2026-12-31T23:59:59Z"]


def record(draw: Any) -> dict[str, Any]:
    """A record in which any field may be absent (unknown) or null (empty)."""
    found: dict[str, Any] = {
        "title": draw(st.sampled_from([None, *WORDS])),
        "category": draw(st.sampled_from([None, *WORDS])),
        "state": draw(st.sampled_from([None, "new", "closed", "unmapped"])),
        "group": draw(st.sampled_from([None, *({"ref": ref, "name": None} for ref in GROUPS)])),
        "updated_at": draw(st.sampled_from([None, *TIMES])),
        "reopen_count": draw(st.sampled_from([None, 0, 1, 5])),
        "active": draw(st.sampled_from([None, True, False])),
    }
    return {name: value for name, value in found.items() if draw(st.booleans())}


VALUES: dict[str, list[Any]] = {
    "title": [word for word in WORDS if word],
    "category": [word for word in WORDS if word],
    "state": ["new", "closed", "unmapped"],
    "group": GROUPS,
    "updated_at": TIMES,
    "reopen_count": [0, 1, 5],
    "active": [True, False],
}


def condition(draw: Any) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(VALUES)))
    op = draw(st.sampled_from(OPERATORS[INCIDENT[name].type]))
    if op in ("empty", "not_empty"):
        return {"field": name, "op": op}
    one = st.sampled_from(VALUES[name])
    return {
        "field": name,
        "op": op,
        "value": draw(st.lists(one, min_size=1, max_size=3) if "in" in op and op != "contains" else one),
    }


def naive(asked: dict[str, Any], row: dict[str, Any]) -> bool | None:
    """What a condition means, said another way: by cases, on lower-cased text."""
    if "any" in asked:
        found = {naive(each, row) for each in asked["any"]}
        return True if True in found else None if None in found else False
    name, op = asked["field"], asked["op"]
    if name not in row:
        return None
    value = row[name]["ref"] if isinstance(row[name], dict) else row[name]
    nothing = value is None or (value == "" and not isinstance(value, bool))
    if op in ("empty", "not_empty"):
        return nothing == (op == "empty")
    wanted = asked["value"]
    if op in ("ne", "not_in"):
        return not naive({**asked, "op": "eq" if op == "ne" else "in"}, row)
    if nothing:
        return False

    def low(thing: Any) -> Any:
        return thing.casefold() if isinstance(thing, str) else thing

    match op:
        case "eq":
            return bool(low(value) == low(wanted))
        case "in":
            return any(low(value) == low(each) for each in wanted)
        case "contains":
            return low(value).find(low(wanted)) >= 0
        case "starts":
            return low(value)[: len(low(wanted))] == low(wanted)
    return bool({"gt": value > wanted, "ge": value >= wanted, "lt": value < wanted, "le": value <= wanted}[op])


@given(st.data())
def test_a_filter_means_what_the_oracle_says(data: st.DataObject) -> None:
    row = record(data.draw)
    asked: list[dict[str, Any]] = []
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.integers(0, 3)) == 0:
            asked.append({"any": [condition(data.draw) for _ in range(data.draw(st.integers(1, 3)))]})
        else:
            asked.append(condition(data.draw))
    parsed = read_filter(asked, INCIDENT)
    said = [naive(each, row) for each in asked]
    assert matches(parsed, row) is (said.count(True) == len(said))
    assert excludes(parsed, row) is (False in said)
    for clause, expected in zip(parsed, said, strict=True):
        if isinstance(clause, Condition):
            assert holds(clause, row) is expected


@given(st.data())
def test_knowing_more_never_turns_a_match_into_none_nor_brings_back_what_was_excluded(data: st.DataObject) -> None:
    """A scope that hides a record from what is known hides it whatever else becomes known."""
    row = record(data.draw)
    parsed = read_filter([condition(data.draw) for _ in range(3)], INCIDENT)
    less = {name: value for name, value in row.items() if data.draw(st.booleans())}
    assert matches(parsed, less) <= matches(parsed, row)
    assert excludes(parsed, less) <= excludes(parsed, row)


@pytest.mark.parametrize(
    ("asked", "field", "word"),
    [
        ([{"field": "stat", "value": "new"}], "filter[0].field", "state"),
        ([{"field": None, "value": "new"}], "filter[0].field", "Fields are"),
        ([{"field": "state", "value": "nwe"}], "filter[0].value", "new"),
        ([{"field": "state", "op": "contains", "value": "n"}], "filter[0].op", "eq"),
        ([{"field": "state", "op": "in", "value": "new"}], "filter[0].value", "list"),
        ([{"field": "state", "op": "in", "value": []}], "filter[0].value", "list"),
        ([{"field": "state", "op": "in", "value": ["new", "x"]}], "filter[0].value[1]", "Values"),
        ([{"field": "state", "op": "empty", "value": "x"}], "filter[0].value", "no value"),
        ([{"field": "state", "value": "new", "not": 1}], "filter[0].not", "field, op, value"),
        ([{"any": []}], "filter[0]", "any"),
        ([{"any": [{"field": "state", "value": 1}]}], "filter[0].any[0].value", "string"),
        ([{"any": ["x"]}], "filter[0].any[0]", "condition"),
        ([{"field": "active", "value": "true"}], "filter[0].value", "true or false"),
        ([{"field": "reopen_count", "op": "gt", "value": True}], "filter[0].value", "whole"),
        ([{"field": "reopen_count", "op": "gt", "value": 2**60}], "filter[0].value", "whole"),
        ([{"field": "group", "value": "Desk"}], "filter[0].value", "ref"),
        ([{"field": "group", "value": "snow:person:kim"}], "filter[0].value", "group"),
        ([{"field": "updated_at", "op": "gt", "value": "2026-01-01T00:00:00"}], "filter[0].value", "zone"),
        ([{"field": "title", "value": "x" * (MAX_TEXT + 1)}], "filter[0].value", "longer"),
        ([{"field": "title", "value": "\udc00"}], "filter[0].value", "surrogate"),
        ([{"field": "url", "value": "x"}], "filter[0].op", "cannot be filtered"),
        ([{"field": "state", "op": "in", "value": ["new"] * (MAX_VALUES + 1)}], "filter[0].value", "more than"),
        ([{"field": "state", "value": "new"}] * (MAX_CONDITIONS + 1), "filter", "more than"),
    ],
)
def test_a_filter_that_cannot_be_taken_names_the_place_and_the_way_out(asked: Any, field: str, word: str) -> None:
    with pytest.raises(Problem) as caught:
        read_filter(asked, INCIDENT)
    assert caught.value.field == field
    assert word in f"{caught.value.detail} {caught.value.next_step}"


def test_what_is_read_is_canonical() -> None:
    parsed = read_filter(
        [
            {"field": "updated_at", "op": "ge", "value": "2026-03-01T13:00:00+01:00"},
            {"any": [{"field": "state", "op": "in", "value": ["new"]}, {"field": "priority", "value": "p1"}]},
        ],
        INCIDENT,
    )
    assert parsed == (
        Condition("updated_at", "ge", "2026-03-01T12:00:00Z"),
        AnyOf((Condition("state", "in", ("new",)), Condition("priority", "eq", "p1"))),
    )
    hash(parsed)  # it is part of cache keys


def test_an_order() -> None:
    assert read_sort(["-priority", "updated_at"], INCIDENT) == (Sort("priority", True), Sort("updated_at"))
    with pytest.raises(Problem, match="cannot be sorted by"):
        read_sort(["title"], INCIDENT)
    with pytest.raises(Problem) as caught:
        read_sort(["updated_att"], INCIDENT)
    assert caught.value.next_step == "Did you mean updated_at?"

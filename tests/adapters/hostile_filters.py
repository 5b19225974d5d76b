"""Filters with hostile values on any mapped field of any kind, and the same filters with values that are harmless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from interlock.adapterkit.product import compile_product
from interlock.places import place
from interlock.records.filters import Condition, Query
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem

SIGNS = "\"'$\\%_[]=!<>()&|^,.;:+-#*@?/ANDORNQLIKEnul0123456789\n\t \x00"
HOSTILE = st.one_of(
    st.text(max_size=30),
    st.text(SIGNS, max_size=30),
    st.sampled_from(
        [
            '" OR "1" = "1', "' OR 1 = 1", '""', '\\" OR 1 = 1 --', "$NULL$", "$USER$", "\") OR ('Status' = \"New",
            "x^ORstate=7", "x^NQactive=true", "^EQ", "x^ORDERBYname", "javascript:gs.getUserID()", "NULL", "ISEMPTY",
            "a,b", "a&depth=10", "a#b", "a;b", "a%26b=c", "x&limit=0", "__ie", "a+b", "%", "_", "*", "a\nb", "x\x00",
        ]
    ),
).filter(lambda text: bool(text.strip()))  # fmt: skip
ASKED = ("word", "text", "long_text", "ref")


def product(name: str) -> Any:
    """An adapter, compiled for a source called src."""
    return compile_product(place("adapters") / name, source="src", settings={"server": "a", "base_url": "http://x"})


def cases(adapter: Any) -> list[tuple[str, str, str]]:
    """Kind, field and operator, for all that a person may put a text into."""
    return [
        (kind, name, op)
        for kind, mapping in adapter.mappings.items()
        for name, use in mapping.fields.items()
        if use.type in ASKED
        for op in FIELDS[kind][name].operators
        if op not in ("empty", "not_empty")
    ]


def condition(adapter: Any, kind: str, name: str, op: str, values: list[str]) -> Condition:
    """The condition with as many of the values as its operator takes; refs are made of them."""
    field = FIELDS[kind][name]
    if field.type == "ref":
        to = adapter.mappings[kind].spec.fields[name].ref
        keys = ["".join(c for c in value if c.isprintable()) for value in values]  # others are refused as no ref
        values = [f"src:{to}:{key or 'x'}" for key in keys]
    return Condition(name, op, tuple(values) if op in ("in", "not_in") else values[0])


@st.composite
def filters(draw: Callable[..., Any], adapter: Any) -> tuple[str, list[tuple[str, str, list[str]]]]:
    """A kind, and up to four conditions on it: field, operator, hostile values."""
    kind = draw(st.sampled_from(sorted(adapter.mappings)))
    able = [case for case in cases(adapter) if case[0] == kind]
    picked = draw(st.lists(st.sampled_from(able), min_size=1, max_size=4))
    values = st.lists(HOSTILE, min_size=1, max_size=3, unique_by=lambda text: text.casefold().strip())
    return kind, [(name, op, draw(values)) for _, name, op in picked]


def harmless(many: int) -> list[list[str]]:
    """Values of no meaning, in the two shapes that a list may be asked in: whole, or value by value."""
    return [[f"benign{n}" for n in range(many)], [f"benign {n} x" for n in range(many)]]


def plan(adapter: Any, kind: str, *conditions: Condition) -> Any:
    return adapter.mappings[kind].plan(Query(filter=tuple(conditions)))


def accepted(adapter: Any, kind: str, wanted: list[tuple[str, str, list[str]]]) -> list[tuple[Any, Condition]]:
    """The conditions that are asked at all; a text that is no ref is refused before."""
    found = []
    for each in wanted:
        made = condition(adapter, kind, *each)
        try:
            plan(adapter, kind, made)
        except Problem:
            assert FIELDS[kind][made.field].type == "ref"
            continue
        found.append((each, made))
    return found


def escapes(conditions: list[Condition]) -> set[str]:
    """What may stand in a query for these conditions: the values, a ref's also without source, kind and tilde."""
    found: set[str] = set()
    for each in conditions:
        for value in each.value if isinstance(each.value, tuple) else (each.value,):
            tail = str(value).split(":", 2)[-1]
            found |= {str(value), tail, tail.removeprefix("~")}
    return found

"""No value of a filter changes an encoded query: every kind, field and operator, against the mock's own parser."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from mock_servers.servicenow.encoded_query import parse
from tests.adapters import hostile_filters as hostile

PRODUCT = hostile.product("servicenow")


def groups(text: str) -> list[Any]:
    """What all must hold, each as the columns and operators of its alternatives."""
    query = parse(text)
    assert not query.order, text
    (only,) = query.filters
    return [tuple((clause.field, clause.operator) for clause in group) for group in only]


def values(text: str) -> set[str]:
    (only,) = parse(text).filters
    found: set[str] = set()
    for group in only:
        for clause in group:
            found |= {clause.value, *(clause.value.split(",") if "IN" in clause.operator else ())}
    return found


@given(hostile.filters(PRODUCT))
@settings(max_examples=300, deadline=None)
def test_the_query_is_that_of_harmless_values_and_every_value_comes_back(asked: Any) -> None:
    kind, wanted = asked
    taken = hostile.accepted(PRODUCT, kind, wanted)
    conditions = [made for _, made in taken]
    found = hostile.plan(PRODUCT, kind, *conditions)
    if found.empty or not found.pushed:
        return
    allowed = []
    for (name, op, given_values), each in taken:
        # Values that come to the same after cleaning are asked once.
        fewer = [same for many in range(1, len(given_values) + 1) for same in hostile.harmless(many)]
        shapes = [hostile.condition(PRODUCT, kind, name, op, same) for same in fewer]
        shapes += [hostile.condition(PRODUCT, kind, name, op, [f"~{v}" for v in same]) for same in hostile.harmless(1)]
        plain = [groups(p.pushed) for p in (hostile.plan(PRODUCT, kind, one) for one in shapes) if p.pushed]
        own = hostile.plan(PRODUCT, kind, each)
        if own.pushed:
            assert groups(own.pushed) in plain, own.pushed
            allowed += groups(own.pushed)
            asked_for = hostile.escapes([each])
            assert all(value in asked_for or set(value.split(",")) <= asked_for for value in values(own.pushed) - {""})
        elif not own.empty:
            assert each in own.post
    assert all(part in allowed for part in groups(found.pushed))

"""No value of a filter changes a qualification: every kind, field and operator, against the mock's own parser."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from mock_servers.remedy.qualification import All, Compare, FieldName, Not, Text, parse
from mock_servers.remedy.qualification import Any as AnyOf
from tests.adapters import hostile_filters as hostile

PRODUCT = hostile.product("remedy")


def skeleton(node: Any) -> Any:
    """The tree without its texts."""
    if isinstance(node, Compare):
        return (node.left, node.operator, Text if isinstance(node.right, Text) else node.right)
    if isinstance(node, Not):
        return ("not", skeleton(node.part))
    assert isinstance(node, All | AnyOf)
    return (type(node).__name__, tuple(skeleton(part) for part in node.parts))


def groups(text: str) -> list[Any]:
    """Skeletons of what all must hold."""
    node = parse(text)
    return [skeleton(part) for part in (node.parts if isinstance(node, All) else (node,))]


def texts(node: Any) -> set[str]:
    if isinstance(node, Compare):
        assert isinstance(node.left, FieldName)
        return {node.right.value} if isinstance(node.right, Text) else set()
    return set().union(*(texts(part) for part in (node.parts if not isinstance(node, Not) else (node.part,))))


@given(hostile.filters(PRODUCT))
@settings(max_examples=300, deadline=None)
def test_the_tree_is_that_of_harmless_values_and_every_value_comes_back(asked: Any) -> None:
    kind, wanted = asked
    taken = hostile.accepted(PRODUCT, kind, wanted)
    conditions = [made for _, made in taken]
    found = hostile.plan(PRODUCT, kind, *conditions)
    if found.empty or not found.pushed:
        return
    allowed = []
    for (name, op, values), each in taken:
        shapes = [hostile.condition(PRODUCT, kind, name, op, same) for same in hostile.harmless(len(values))]
        plain = [groups(p.pushed) for p in (hostile.plan(PRODUCT, kind, one) for one in shapes) if p.pushed]
        own = hostile.plan(PRODUCT, kind, each)
        if own.pushed:
            assert groups(own.pushed) in plain
            allowed += groups(own.pushed)
        elif not own.empty:
            assert each in own.post
    assert all(repr(part) in [repr(one) for one in allowed] for part in groups(found.pushed))
    assert texts(parse(found.pushed)) <= hostile.escapes(conditions)

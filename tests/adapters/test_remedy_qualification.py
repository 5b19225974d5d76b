"""A filter's value can never change a qualification's meaning: hostile values against the mock's own parser."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mock_servers.remedy.qualification import All, Compare, FieldName, Keyword, Node, Not, Text, parse
from mock_servers.remedy.qualification import Any as AnyNode

from interlock.adapterkit.literals import Unsafe
from interlock.adapterkit.product import compile_product
from interlock.places import place
from interlock.records.filters import AnyOf, Condition, Query
from interlock.records.times import to_text

PRODUCT = compile_product(place("adapters") / "remedy", source="rem", settings={})
INCIDENT = PRODUCT.mappings["incident"]
LABELS = {name.strip("'") for each in INCIDENT.spec.fields.values() for name in each.filters.values()}
HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text("\"'$\\%_[] =!<>()&|ANDORNOTLIKEnul0123456789", max_size=40),
    st.sampled_from(
        [
            '" OR "1" = "1',
            "' OR 1 = 1",
            '""',
            '"',
            '\\" OR 1 = 1 --',
            "$NULL$",
            "$USER$",
            "\") OR ('Status' = \"New",
            "a\nb",
            "x\x00",
        ]
    ),
).filter(lambda text: bool(text.strip()))
KEYS = HOSTILE.filter(lambda text: text.isprintable() and len(text) < 200 and text[0] != "~")


def refs(kind: str) -> st.SearchStrategy[str]:
    return KEYS.map(lambda key: f"rem:{kind}:{key}")


CONDITIONS = st.one_of(
    st.builds(Condition, st.just("group"), st.sampled_from(["eq", "ne"]), refs("group")),
    st.builds(
        Condition,
        st.just("assignee"),
        st.sampled_from(["in", "not_in"]),
        st.lists(refs("person"), min_size=1, max_size=4).map(tuple),
    ),
    st.builds(
        Condition,
        st.sampled_from(["title", "category", "number", "external_id"]),
        st.sampled_from(["eq", "ne", "contains", "starts"]),
        HOSTILE,
    ),
    st.builds(
        Condition, st.just("state"), st.sampled_from(["eq", "ne"]), st.sampled_from(["new", "on_hold", "closed"])
    ),
    st.builds(
        Condition,
        st.just("updated_at"),
        st.sampled_from(["gt", "ge", "lt", "le"]),
        st.integers(0, 4_000_000_000).map(to_text),
    ),
    st.builds(Condition, st.sampled_from(["parent", "category", "due_at"]), st.sampled_from(["empty", "not_empty"])),
)


def comparisons(node: Node) -> list[Compare]:
    if isinstance(node, Compare):
        return [node]
    assert not isinstance(node, Not)
    return [found for part in node.parts for found in comparisons(part)]


def shape(node: Node) -> Any:
    """AND of comparisons and of OR groups, as lists."""
    parts = node.parts if isinstance(node, All) else (node,)
    return [len(part.parts) if isinstance(part, AnyNode) else 1 for part in parts]


@given(st.lists(CONDITIONS, min_size=1, max_size=5))
@settings(max_examples=250, deadline=None)
def test_the_structure_is_the_filters_and_every_value_comes_back_whole(conditions: list[Condition]) -> None:
    plan = INCIDENT.plan(Query(filter=tuple(conditions)))
    if plan.empty or not plan.pushed:
        return
    tree = parse(plan.pushed)
    pushed = [each for each in conditions if each not in plan.post]
    assert len(shape(tree)) <= sum(_groups(each) for each in pushed)
    written = {part.right.value for part in comparisons(tree) if isinstance(part.right, Text)}
    for part in comparisons(tree):
        assert isinstance(part.left, FieldName)
        assert part.left.name in LABELS
        assert isinstance(part.right, Text) or part.right == Keyword("NULL")
    asked = {value for each in pushed for value in _natives(each)}
    assert {value for value in written if value not in asked} == set()


def _groups(condition: Condition) -> int:
    return len(condition.value) if condition.op == "not_in" else 2 if condition.field == "state" else 1


def _natives(condition: Condition) -> list[str]:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.field == "state":
        return [text for texts in INCIDENT.spec.fields["state"].codes.asks.values() for text in texts]  # type: ignore[union-attr]
    if condition.field == "updated_at":
        return [f"{value[:19]}+00:00" for value in values]
    if condition.field in ("group", "assignee"):
        return [str(value).split(":", 2)[2] for value in values]
    return [str(value) for value in values if value is not None]


@given(st.lists(st.builds(Condition, st.just("group"), st.just("eq"), refs("group")), min_size=2, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_of_stays_one_group(conditions: list[Condition]) -> None:
    only = Condition("state", "eq", "closed")
    plan = INCIDENT.plan(Query(filter=(only, AnyOf(tuple(conditions)))))
    assert not plan.empty
    found = shape(parse(plan.pushed))
    if plan.post:
        assert found == [1]
    else:
        assert found == [1, len(conditions)]


@given(HOSTILE)
@settings(max_examples=200, deadline=None)
def test_the_one_builder_quotes_or_refuses(value: str) -> None:
    try:
        quoted = INCIDENT.planner.literal.one(value)
    except Unsafe:
        return
    tree = parse(f"'Incident Number' = {quoted}")
    assert tree == Compare(FieldName("Incident Number"), "=", Text(value))

"""No value of a filter changes the parameters of a REST call: every kind, field and operator, as servers read them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from hypothesis import given, settings
from starlette.datastructures import QueryParams
from tests.adapters import hostile_filters as hostile

PRODUCT = hostile.product("nautobot")


def asked_of(plan: Any) -> list[tuple[Any, list[tuple[str, str]]]]:
    """Per place that is asked: its name, and the parameters as two decoders find them in the address."""
    found = []
    for branch in plan.branches or (plan,):
        if branch.pushed is None:
            continue
        text = urlencode(branch.pushed, doseq=True, quote_via=quote)
        decoded = parse_qsl(text, keep_blank_values=True)
        assert QueryParams(text).multi_items() == decoded
        assert "#" not in text
        found.append((getattr(branch, "part", None), decoded))
    return found


@given(hostile.filters(PRODUCT))
@settings(max_examples=300, deadline=None)
def test_the_parameters_are_those_of_harmless_values_and_every_value_comes_back(asked: Any) -> None:
    kind, wanted = asked
    names: set[str] = set()
    taken = hostile.accepted(PRODUCT, kind, wanted)
    conditions = [made for _, made in taken]
    found = hostile.plan(PRODUCT, kind, *conditions)
    for (name, op, values), _ in taken:
        for same in hostile.harmless(len(values)):
            plain = hostile.plan(PRODUCT, kind, hostile.condition(PRODUCT, kind, name, op, same))
            names |= {parameter for _, told in asked_of(plain) for parameter, _ in told}
    if found.empty:
        return
    fixed = {value for _, told in asked_of(hostile.plan(PRODUCT, kind)) for _, value in told}
    for _, told in asked_of(found):
        assert {parameter for parameter, _ in told} <= names
        for _, value in told:
            asked_for = hostile.escapes(conditions)
            handles = {each.rpartition("/")[2] for each in asked_for}  # a ref names its part, too; checked after
            assert value in asked_for | handles | fixed, (value, conditions)

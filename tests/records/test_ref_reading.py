"""Reading a ref, well-formed or not, is the same however often it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.records.problems import Problem
from interlock.records.refs import Ref

PARTS = st.sampled_from(["snow", "Snow", "", "incident", "ci", "incidents", "~a1", "INC1", " ", "a:b", "x\n", "é"])


@given(st.lists(PARTS, min_size=1, max_size=4), st.sampled_from([None, "incident", "ci"]))
def test_what_is_read_prints_as_it_was_and_else_names_the_field(parts: list[str], kind: str | None) -> None:
    text = ":".join(parts)
    for _ in range(2):
        try:
            found = Ref.parse(text, "where", kind)
        except Problem as problem:
            assert problem.field == "where"  # noqa: PT017 - either end is right
        else:
            assert str(found) == text
            assert kind in (None, found.kind)


def test_the_kind_that_is_needed_is_named_for_a_known_ref() -> None:
    Ref.parse("snow:ci:a")
    with pytest.raises(Problem, match="names a ci, but this needs a incident"):
        Ref.parse("snow:ci:a", kind="incident")

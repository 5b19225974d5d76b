"""The catalogue: tools, their arguments and their sets fit together."""

from __future__ import annotations

import pytest

from interlock.records.kinds import FIELDS
from interlock.tools.catalogue import BY_NAME, COMPACT, GENERAL, TOOL_SETS, TOOLS, Tool

WRITES = [tool for tool in TOOLS if tool.write is not None]


def test_names_sets_and_the_default_list() -> None:
    assert len(BY_NAME) == len(TOOLS)
    assert {name for names in TOOL_SETS.values() for name in names} | set(GENERAL) == set(BY_NAME)
    for name, names in TOOL_SETS.items():
        assert len(names) == len(set(names)), name
        assert set(names).isdisjoint(GENERAL), name
        assert len(names) + len(GENERAL) <= 18, name  # an agent with one set has its whole list
        if name.endswith("-read"):
            assert all(BY_NAME[each].reads for each in names), name


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_that_writes_says_how_and_one_that_reads_takes_no_key(tool: Tool) -> None:
    taken = set(tool.arguments.model_fields)
    assert tool.reads == (tool.write is None)
    assert ({"idempotency_key", "dry_run"} <= taken) == (tool.write is not None)
    assert tool.arguments.model_config["extra"] == "forbid"
    assert tool.description.endswith(".")


@pytest.mark.parametrize("tool", WRITES, ids=lambda tool: tool.name)
def test_what_a_write_takes_and_sets_are_fields_of_its_kind(tool: Tool) -> None:
    spec = tool.write
    assert spec is not None
    taken = tool.arguments.model_fields
    if spec.links is not None:
        for (kind, other), relations in spec.links.items():
            assert all(
                other in FIELDS[kind][name].refers and FIELDS[kind][name].writable for name in relations.values()
            )
        return
    assert tool.kind is not None
    fields = FIELDS[tool.kind]
    assert set(spec.takes) <= set(taken)
    if spec.op == "note":
        return
    changes = taken["changes"].annotation.model_fields if "changes" in spec.takes else dict.fromkeys(spec.takes)  # type: ignore[union-attr]
    for name in (*changes, *(spec.sets or {})):
        assert fields[(spec.fields or {}).get(name, name)].writable, name
    assert all(fields[name].type == "instant" for name in spec.stamps)
    for state in spec.from_states:
        assert state in (*fields["state"].values, "unmapped")
    for name, value in (spec.sets or {}).items():
        assert value in fields[name].values
    assert ("expected_version" in taken) == (spec.op == "update")


@pytest.mark.parametrize("kind", sorted(COMPACT))
def test_a_compact_row_has_fields_of_its_kind(kind: str) -> None:
    assert set(COMPACT[kind]) <= set(FIELDS[kind])

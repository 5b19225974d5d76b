"""The catalogue: tools, their arguments and their sets fit together."""

from __future__ import annotations

import pytest

from interlock.records.kinds import FIELDS
from interlock.tools.catalogue import BY_NAME, COMPACT, GENERAL, TOOL_SETS, TOOLS, Tool

WRITES = [tool for tool in TOOLS if tool.write is not None]


def test_names_sets_and_the_default_list() -> None:
    assert len(BY_NAME) == len(TOOLS) == 18
    assert {name for names in TOOL_SETS.values() for name in names} <= set(BY_NAME)
    assert set(TOOL_SETS["triage"]) | set(GENERAL) == set(BY_NAME)
    assert set(TOOL_SETS["triage"]).isdisjoint(GENERAL)
    assert all(BY_NAME[name].reads for name in (*TOOL_SETS["triage-read"], *GENERAL))


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
    assert tool.kind is not None
    fields = FIELDS[tool.kind]
    taken = tool.arguments.model_fields
    assert set(spec.takes) <= set(taken)
    if spec.op == "note":
        return
    changes = taken["changes"].annotation.model_fields if "changes" in spec.takes else dict.fromkeys(spec.takes)  # type: ignore[union-attr]
    for name in (*changes, *(spec.sets or {})):
        assert fields[name].writable, name
    for state in spec.from_states:
        assert state in (*fields["state"].values, "unmapped")
    for name, value in (spec.sets or {}).items():
        assert value in fields[name].values
    assert ("expected_version" in taken) == (spec.op == "update")


@pytest.mark.parametrize("kind", sorted(COMPACT))
def test_a_compact_row_has_fields_of_its_kind(kind: str) -> None:
    assert set(COMPACT[kind]) <= set(FIELDS[kind])

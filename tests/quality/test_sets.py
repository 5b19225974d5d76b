"""The set checks: their examples on both engines, and the indexed path of one key against the batch."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.quality.quality_tables import NOW, judged, on_duckdb, on_sqlite

from interlock.quality import build, setsql
from interlock.quality.kit import SetCheck
from interlock.quality.rowlevel import shipped
from interlock.quality.tables import INDEXES, STORED

CHECKS = {
    check.code: (check, module)
    for module in build.modules()
    for check in [build.check_of(module)]
    if isinstance(check, SetCheck)
}
LOCAL = sorted(code for code, (check, _) in CHECKS.items() if check.key_local)
EXAMPLES = [(code, index) for code, (_, module) in CHECKS.items() for index in range(len(module.EXAMPLES))]


def _tables(example: dict[str, Any]) -> dict[str, Any]:
    return {name: rows for name, rows in example.items() if name not in ("finds", "now")}


def _refs(check: SetCheck, example: dict[str, Any]) -> set[str]:
    """What an example shows to a check: records, or the kinds and the clock of its sources."""
    if check.on != "source":
        return {
            row["ref"]
            for table in (*(f"stored_{kind}" for kind in check.kinds), *check.reads)
            for row in example.get(table, ())
            if "ref" in row
        }
    told = [row for table in ("source_state", "schema_history", "priority_cell") for row in example.get(table, ())]
    return {f"{row['source']}:source:{row.get('kind', 'matrix/low/low')}" for row in told} | {
        f"{row['source']}:source:clock" for row in told
    }


@pytest.mark.parametrize(("code", "index"), EXAMPLES)
def test_an_example_finds_what_it_says_in_a_batch(code: str, index: int) -> None:
    check, module = CHECKS[code]
    example = module.EXAMPLES[index]
    with on_duckdb(_tables(example)) as duck:
        found = duck.execute(setsql.batch(check, example.get("now", NOW))).fetchall()
    assert dict(found) == example["finds"]
    assert len(found) == len(example["finds"])


@pytest.mark.parametrize(("code", "index"), [pair for pair in EXAMPLES if pair[0] in LOCAL])
def test_an_example_finds_the_same_record_by_record(code: str, index: int) -> None:
    example = CHECKS[code][1].EXAMPLES[index]
    check = shipped().sets[code]
    lite = on_sqlite(_tables(example))
    refs = _refs(CHECKS[code][0], example)
    found = {ref: judged(lite, check, ref, example.get("now", NOW)) for ref in refs}
    assert {ref: evidence for ref, evidence in found.items() if evidence} == example["finds"]


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_every_check_shows_what_it_finds_and_what_it_lets_be(code: str) -> None:
    check, module = CHECKS[code]
    finds = [example["finds"] for example in module.EXAMPLES]
    assert any(finds)
    refs = {ref for example in module.EXAMPLES for ref in _refs(check, example)}
    assert refs - {ref for found in finds for ref in found}


@pytest.mark.parametrize("code", LOCAL)
def test_one_key_is_found_by_index(code: str) -> None:
    check = shipped().sets[code]
    lite = on_sqlite({})
    statements = [check.sql, *([check.members] if check.members else []), *check.touched.values()]
    binds: dict[str, str | int] = {
        name: "x" for columns in STORED.values() for name in [column.name for column in columns]
    }
    binds |= {"key": "x", "now": NOW}
    for statement in statements:
        assert statement
        named = {alias or table for table, alias in re.findall(r'"?(stored_\w+)"?(?: AS "(\w+)")?', statement)}
        plan = [row[3] for row in lite.execute(f"EXPLAIN QUERY PLAN {statement}", binds)]
        assert any(step.startswith("SEARCH") for step in plan) or not named
        assert not [step for step in plan if step.startswith("SCAN") and step.split()[1] in named]


def test_serving_knows_every_set_check() -> None:
    level = shipped()
    assert set(level.sets) == set(CHECKS)
    assert set(level.sets) <= set(level.checks)
    for code, entry in level.sets.items():
        assert entry.kind == level.checks[code].kind
        assert (entry.sql is not None) == CHECKS[code][0].key_local
        for table, columns in entry.tables.items():
            assert columns, (code, table)
    assert INDEXES
    assert json.dumps(setsql.entry(CHECKS["CI-ORPHAN"][0]))

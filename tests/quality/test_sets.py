"""The set checks: their examples on both engines, and the indexed path of one key against the batch."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.quality.gate.test_live import KINDS, World
from tests.quality.quality_tables import NOW, judged, on_duckdb, on_sqlite

from interlock.quality import build, setsql
from interlock.quality.kit import SetCheck
from interlock.quality.rowlevel import shipped
from interlock.quality.tables import CI_AMONG_OTHERS, INDEXES, STORED

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


@cache
def _batch(code: str, now: int) -> str:
    return setsql.batch(CHECKS[code][0], now)


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
    module = CHECKS[code][1]
    example = module.EXAMPLES[index]
    with on_duckdb(_tables(example)) as duck:
        found = duck.execute(_batch(code, example.get("now", NOW))).fetchall()
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


DENSE: dict[str, tuple[Any, ...]] = {
    "ip": ("10.0.0.1", "10.0.0.2", None),
    "state": ("open", "new", "closed", "resolved", None),
    "status": ("live", "in_use", "retired", None),
    "type": ("uses", "runs_on", None),
    "cls": ("server", "server", "printer", None),
    "subject": ("a:ci:1", "b:ci:2", "a:ci:~3", None),
    "object": ("a:ci:2", "b:ci:2", "a:ci:99", None),
    "active": (True, False, None, None),
}


def _dense(world: World) -> World:
    """A world in which most checks have something to find."""
    pick = world.random.choice
    for _ in range(250):
        kind = pick([*KINDS, *["ci", "relationship"] * 5])
        ref = world.ref(kind)
        row = world.rows[kind][ref] = world.row(kind, ref)
        row |= {name: pick(DENSE[name]) for name in DENSE if name in row}
    world.small["shared_address"] = [{"source": "b", "ip": "10.0.0.1"}]
    world.small["junk"] = world.small["junk_key"] = []
    world.small["source_state"] = [{"source": s, "kind": k} for s in "ab" for k in KINDS if world.random.random() < 0.9]
    world.small["source_role"] = [{"source": "a", "role": "cmdb"}] + [
        {"source": "b", "role": role} for role in ("cmdb", "monitoring", "asset") if world.random.random() < 0.7
    ]
    pairs = [(world.ref("ci"), world.ref("ci"), pick((1000, 900, 899, 500, 499))) for _ in range(12)]
    both = {(x, y): score for one, other, score in pairs for x, y in ((one, other), (other, one))}
    world.small["same_as"] = [{"ref": x, "other": y, "by": "serial", "score": n} for (x, y), n in both.items()]
    classes, environments = ("", "server", "virtual_machine", "printer"), ("", "production", "test")
    world.small["ci_setting"] = [
        {"source": source, "cls": cls, "environment": environment, "max_age": 86_400, "identified_by": "|serial|mac|"}
        | {c.name: pick((True, True, False)) for c in CI_AMONG_OTHERS if c.type == "boolean"}
        for source, cls, environment in product("ab", classes, environments)
    ]
    return world


@pytest.mark.parametrize("seed", range(2))
def test_every_record_is_judged_alike_by_index_and_in_a_batch(seed: int) -> None:
    """Random rows of few values, so that they meet: nulls, absent fields, links by handle, junk, roles."""
    world = _dense(World(seed + 100))
    lite, tables = on_sqlite(world.tables()), world.tables()
    found: set[str] = set()
    with on_duckdb(tables) as duck:
        for code in LOCAL:
            check = shipped().sets[code]
            if check.kind == "source":
                continue
            batch = dict(duck.execute(_batch(code, NOW)).fetchall())
            refs = [ref for kind in check.kinds for ref in world.rows[kind]]
            live = {ref: judged(lite, check, ref, NOW) for ref in refs}
            there = {ref: evidence for ref, evidence in batch.items() if ref in live}
            assert {ref: evidence for ref, evidence in live.items() if evidence} == there, code
            found |= {code} if there else set()
    assert len(found) >= 7, found


def test_a_faulty_set_check_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    good, module = CHECKS["CI-ORPHAN"]

    def built(**changes: Any) -> None:
        check = replace(good, **changes)
        monkeypatch.setattr(module, "ci_orphan", check)
        build._entry(module)
        setsql.entry(check)

    built()
    shouting = lambda ci, edge_end, source_state: ci.select(record=ci.ref, evidence=ci.cls.upper())  # noqa: E731
    with pytest.raises(ValueError, match="engines do not agree on: Uppercase"):
        built(function=shouting)
    with pytest.raises(ValueError, match="klass"):
        built(fields=("klass",))
    with pytest.raises(ValueError, match=r"judged again when these change: .*ci"):
        built(touched={"relationship": "SELECT :ref"})
    with pytest.raises(KeyError, match="edges"):
        built(reads={"ci": "ref", "edges": "ci"})


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

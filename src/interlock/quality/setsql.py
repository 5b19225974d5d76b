"""Set checks compiled: for a scan over everything, and to SQLite text for one key.

The function of a check is the same for both. For the live form its inputs are cut to one key, and what lies
beneath the cut is left open to SQLite's planner (``NOT MATERIALIZED``), which takes the key down to an index.
"""

from __future__ import annotations

import re
from typing import Any

import ibis
import ibis.expr.types as ir
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from interlock.quality.evidence import MERGED
from interlock.quality.kit import SetCheck
from interlock.quality.relations import Relations
from interlock.quality.tables import ALL

_KEY = "\x01key"  # stands for the key while compiling: no record's
_NOW = 8_888_777_766_665_554  # stands for the time
_SCHEMA = {name: {column.name: column.type for column in columns} for name, columns in ALL.items()}


def expression(check: SetCheck, now: int) -> ir.Table:
    """The findings of a check over all rows, as of ``now`` (epoch seconds); null keys belong to no group."""
    relations = Relations(ibis.literal(now))
    inputs = {name: relations[name] for name in (*check.reads, *check.joins)}
    for name, key in check.reads.items():
        inputs[name] = inputs[name].filter(inputs[name][key].notnull())
    return check(inputs)


def batch(check: SetCheck, now: int) -> str:
    """DuckDB SQL of all findings: ``record`` and ``evidence``, one row a record."""
    return merged_sql(expression(check, now))


def merged_sql(found: ir.Table) -> str:
    """DuckDB SQL of findings, one row a record.

    What is used twice and only reads, filters or looks up is read twice: written down in between, as DuckDB would
    do, the rows of a whole kind take more memory and more time than they take to read.
    """
    tree = sqlglot.parse_one(str(ibis.to_sql(found, dialect="duckdb", pretty=False)), read="duckdb")
    for part in tree.find_all(exp.CTE):
        joins = any(join.kind == "INNER" for join in part.find_all(exp.Join))
        if not joins and part.find(exp.Group, exp.AggFunc) is None:
            part.set("materialized", False)
    return MERGED.format(found=tree.sql("duckdb"))


def keyed(check: SetCheck) -> tuple[str, dict[str, list[str]]]:
    """SQLite text of the findings under one key, which binds ``:key`` and ``:now``; and the columns it uses."""
    relations = Relations(ibis.literal(_NOW))
    inputs = {name: relations[name] for name in (*check.reads, *check.joins)}
    for name, key in check.reads.items():
        inputs[name] = inputs[name].filter(inputs[name][key] == _KEY)
    tree = _slim(check(inputs))
    return _text(tree), _used(tree)


def members(check: SetCheck) -> str | None:
    """SQLite text of the records under a key; None when the key is the record's ref."""
    if check.members is None:
        return None
    view = Relations(ibis.literal(_NOW))[check.members]
    return _text(_slim(view.filter(view[check.reads[check.members]] == _KEY).select("ref")))


def _text(tree: exp.Expression) -> str:
    cut: set[str] = set()
    for part in tree.find_all(exp.CTE):
        if _KEY in part.sql() or cut & {table.name for table in part.find_all(exp.Table)}:
            cut.add(part.alias)
        else:
            part.set("materialized", False)
    return str(tree.sql("sqlite")).replace(f"'{_KEY}'", ":key").replace(str(_NOW), ":now")


def _slim(findings: ir.Table) -> exp.Expression:
    """The SQLite form, less all columns that nothing uses: a view has many."""
    tree = sqlglot.parse_one(str(ibis.to_sql(findings, dialect="sqlite", pretty=False)), read="sqlite")
    return pushdown_projections(qualify(tree, schema=_SCHEMA, dialect="sqlite"))


def _used(tree: exp.Expression) -> dict[str, list[str]]:
    """The columns of tables in a tree, by table."""
    found: dict[str, set[str]] = {}
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table):
                found.setdefault(source.name, set()).add(column.name)
    return {name: [c.name for c in ALL[name] if c.name in found[name]] for name in ALL if name in found}


def entry(check: SetCheck) -> dict[str, Any]:
    """What the live path needs of a check, JSON-ready. Raises ValueError when it names what is not there."""
    text, used = keyed(check)
    for kind, statement in check.touched.items():  # the changed row is bound by name
        bound = set(re.findall(r":(\w+)", statement))
        name = f"stored_{kind}"
        if name not in ALL:  # a source is known by its name alone
            continue
        used[name] = [c.name for c in ALL[name] if c.name in {*used.get(name, ()), *bound}]
    if check.key_local and (silent := set(check.kinds) - set(check.touched)):
        raise ValueError(f"{check.code} does not say what is judged again when these change: {sorted(silent)}")
    return {
        "kind": check.on,
        "kinds": list(check.kinds),
        "key_local": check.key_local,
        "awaits_scan": check.awaits_scan,
        "reads": dict(check.reads),
        "tables": used,
        "touched": dict(check.touched),
        "members": members(check),
        "reads_now": ":now" in text,
        "sql": text if check.key_local else None,
    }

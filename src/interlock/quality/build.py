"""Compile the checks to SQLite, written to ``rowlevel.json`` beside this file: one statement a kind for row
checks, one a check and key for set checks (see ``setsql``).

Run when checks change, as ``python -m interlock.quality.build`` (or ``interlock checks build``); the result
is committed and a test fails on drift. Needs the extra ``quality``; serving reads only the result.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from interlock.quality import catalogue, checks, columns, kit, relations, setsql, tables
from interlock.quality.columns import RELATIONS
from interlock.quality.kit import HEADINGS, RowCheck, SetCheck
from interlock.quality.rowlevel import PATH, digest
from interlock.records.kinds import FIELDS

ALLOWED = frozenset(
    {
        # tried on SQLite, DuckDB and Spark with nulls, quotes, bars, umlauts and boundary values
        *("UnboundTable", "Field", "Literal", "Cast"),
        *("Equals", "NotEquals", "Less", "LessEqual", "Greater", "GreaterEqual", "And", "Or", "Not"),
        *("IsNull", "NotNull", "NullIf", "Coalesce", "InValues", "IfElse"),
        *("Add", "Subtract", "Multiply", "StringConcat", "StringContains", "StringReplace"),
        # relations, for set checks
        *("Project", "Filter", "Union", "JoinChain", "JoinLink", "JoinReference", "JoinTable", "Aggregate"),
        *("CountStar", "Min", "Max"),
    }
)
"""Operations that mean the same on every engine; all others are refused."""


def modules() -> Iterator[ModuleType]:
    """The check files, by name."""
    for found in sorted(pkgutil.iter_modules(checks.__path__), key=lambda m: m.name):
        yield import_module(f"{checks.__name__}.{found.name}")


def check_of(module: ModuleType) -> RowCheck | SetCheck:
    """The one check of a check file. Raises ValueError when there is not exactly one."""
    found = [entry for entry in vars(module).values() if isinstance(entry, RowCheck | SetCheck)]
    if len(found) != 1:
        raise ValueError(f"{module.__name__} holds {len(found)} checks; a file holds one")
    return found[0]


def relation(kind: str) -> ir.Table:
    """The relation that checks of the kind are written over: record, settings and now."""
    return ibis.table({c.name: c.type for c in RELATIONS[kind].columns}, name=kind)


def judgement(kind: str, row_checks: list[RowCheck], table: ir.Table | None = None) -> ir.Table:
    """One column of evidence per check, over ``table`` or the unbound relation. The batch form too."""
    source = relation(kind) if table is None else table
    return source.select(**{check.code: check(source) for check in row_checks})


def statement(kind: str, row_checks: list[RowCheck]) -> str:
    """The SQLite text that judges one bound record."""
    binds = ", ".join(f'? AS "{column.name}"' for column in RELATIONS[kind].columns)
    select = str(ibis.to_sql(judgement(kind, row_checks), dialect="sqlite", pretty=False))
    return f'WITH "{kind}" AS (SELECT {binds}) {select}'


def refused(expression: ir.Expr) -> list[str]:
    """Operations of an expression that engines do not agree on."""
    node = expression.op()
    bad = {type(n).__name__ for n in node.find(ops.Node)} - ALLOWED
    bad |= {
        f"Cast from {cast.arg.dtype} to {cast.to}"
        for cast in node.find(ops.Cast)
        if not (cast.arg.dtype.is_integer() and (cast.to.is_string() or cast.to.is_int64()))
    }
    bad |= {
        f"Literal {literal.dtype}"
        for literal in node.find(ops.Literal)
        if not (literal.dtype.is_string() or literal.dtype.is_integer() or literal.dtype.is_boolean())
    }
    return sorted(bad)


def _columns_read(expression: ir.Expr) -> set[str]:
    return {found.name for found in expression.op().find(ops.Field)}


def _sections(module: ModuleType) -> dict[str, str]:
    """The docstring under its headings, plus ``summary``. Raises ValueError on a missing heading."""
    lines = inspect.cleandoc(module.__doc__ or "").splitlines()
    sections: dict[str, list[str]] = {"summary": []}
    current = "summary"
    for line in lines:
        if line in HEADINGS:
            current = line
            sections[current] = []
        elif line.strip():
            sections[current].append(line.strip())
    text = {heading: " ".join(part) for heading, part in sections.items()}
    if tuple(text) != ("summary", *HEADINGS) or not all(text.values()):
        raise ValueError(f"{module.__name__}: the docstring needs, in order: {', '.join(HEADINGS)}")
    return text


def _entry(module: ModuleType) -> dict[str, Any]:
    check = check_of(module)
    sections = _sections(module)
    summary = sections.pop("summary").removeprefix(f"{check.code}: ")
    examples = module.EXAMPLES
    return {
        "kind": check.on,
        "kinds": list(check.kinds) if isinstance(check, SetCheck) else [check.on],
        "level": "row" if isinstance(check, RowCheck) else "set",
        "severity": check.severity,
        "effect": check.effect,
        "effects": dict(check.effects),
        "needs": list(check.needs),
        **(_row_entry(check) if isinstance(check, RowCheck) else _set_entry(check)),
        "summary": summary,
        "doc": sections,
        "examples": examples if isinstance(check, RowCheck) else [{"finds": e["finds"]} for e in examples],
    }


def _agreed(check: RowCheck | SetCheck, expression: ir.Expr, unknown: set[str]) -> None:
    if bad := refused(expression):
        raise ValueError(f"{check.code} uses operations that engines do not agree on: {', '.join(bad)}")
    unknown |= set(check.needs) - set(FIELDS.get(check.on, ()))
    if unknown:
        raise ValueError(f"{check.code} needs what {check.on} does not have: {', '.join(sorted(unknown))}")


def _row_entry(check: RowCheck) -> dict[str, Any]:
    rel = RELATIONS[check.on]
    expression = check(relation(check.on))
    settings = {column.name for column in rel.settings}
    _agreed(
        check,
        expression,
        {s for s in (check.needs_listed, check.needs_setting, check.applies) if s and s not in settings},
    )
    read = _columns_read(expression)
    return {
        "needs_listed": check.needs_listed,
        "needs_setting": check.needs_setting,
        "applies": check.applies,
        "itemised": check.itemised,
        "columns": [column.name for column in rel.columns if column.name in read],
        "fields": sorted({field for column in rel.columns if column.name in read for field in column.speaks}),
    }


def _set_entry(check: SetCheck) -> dict[str, Any]:
    fields = {field for kind in check.kinds for field in FIELDS.get(kind, ())}
    _agreed(check, setsql.expression(check, 0), set(check.fields) - fields)
    return {
        "needs_listed": None,
        "needs_setting": None,
        "applies": None,
        "itemised": check.itemised,
        "fields": sorted(check.fields),
    }


def _source_digest() -> str:
    """SHA-256 over what the statements are made of: check files, vocabulary, columns and views."""
    whole = hashlib.sha256()
    for module in (kit, columns, tables, relations, setsql, *modules()):
        whole.update(inspect.getsource(module).encode())
    return whole.hexdigest()


def build() -> dict[str, Any]:
    """All that serving needs of the row checks, JSON-ready. Raises ValueError on a faulty check."""
    entries = {check_of(module).code: _entry(module) for module in modules()}
    by_kind: dict[str, list[RowCheck]] = {}
    sets: dict[str, Any] = {}
    for check in sorted((check_of(module) for module in modules()), key=lambda c: c.code):
        if isinstance(check, SetCheck):
            sets[check.code] = setsql.entry(check)
        else:
            by_kind.setdefault(check.on, []).append(check)
    level: dict[str, Any] = {
        "sources": _source_digest(),
        "kinds": {
            kind: {
                "sql": statement(kind, row_checks),
                "columns": [column.name for column in RELATIONS[kind].columns],
                "codes": [check.code for check in row_checks],
            }
            for kind, row_checks in sorted(by_kind.items())
        },
        "sets": sets,
        "checks": dict(sorted(entries.items())),
    }
    return {"hash": digest(level), **level}


def rendered(level: Mapping[str, Any]) -> str:
    """The text of ``rowlevel.json``."""
    return json.dumps(level, ensure_ascii=False, indent=1) + "\n"


def write(docs: Path | None = None) -> list[Path]:
    """Write ``rowlevel.json`` and, when a docs folder is given, its ``checks.md``; returns what was written."""
    level = build()
    PATH.write_text(rendered(level), encoding="utf-8")
    written = [PATH]
    if docs is not None:
        page = docs / "checks.md"
        page.write_text(catalogue.page(level), encoding="utf-8")
        written.append(page)
    return written


if __name__ == "__main__":
    checkout = Path(__file__).resolve().parents[3] / "docs"
    write(checkout if checkout.is_dir() else None)

"""Row checks over a whole kind: one pass, one relation, one column of evidence a check.

The relation is the one that the live judge binds (``columns.RELATIONS``), made of the stored rows and the
settings tables. Beside its columns it has an answer to every question that a bar list can be asked
(``empty os``), so that no list is ever written out for a record just to look into it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from interlock.quality.columns import MAX_SHOWN, NOW, RELATIONS, REQUIRABLE, Column
from interlock.quality.kit import RowCheck
from interlock.quality.scan.conditions import asked_singly, speaks
from interlock.quality.scan.engine import text
from interlock.quality.scan.placeholders import is_junk, junk_sets
from interlock.quality.scan.settings import COMBINED, looked_up
from interlock.records.kinds import FIELDS

SETTINGS = {"ci": "ci_setting", "incident": "incident_words"}
"""The table that the looked-up settings of a kind are joined from."""


def judged(con: Any, kind: str, checks: Sequence[RowCheck], as_of: int, stored: str | None = None) -> str:
    """SQL: ``code``, ``kind``, ``ref`` and ``evidence`` of all that the checks find in a table of stored rows.

    ``as_of``: epoch seconds, UTC. ``stored``: the table; ``stored_<kind>`` without it.
    """
    columns, lists = _columns(con, kind, as_of), _lists() if kind == "ci" else {}
    types = {"ref": "string"} | {column.name: column.type for column in RELATIONS[kind].columns}
    single = {(name.split(" ")[0], name.split(" ")[1]): name for name in columns if " " in name}
    table = ibis.table(types | dict.fromkeys(single.values(), "boolean"), name=f"rows_{kind}")
    answers = _Answers({asked: table[name] for asked, name in single.items()})
    told = {check.code: asked_singly(check(table), answers) for check in checks}
    raised = {code: speaks(evidence) for code, evidence in told.items()}
    found = table.filter(reduce(or_, raised.values())).select(
        table.ref, **{code: ibis.ifelse(raised[code], told[code], ibis.null("string")) for code in told}
    )
    used = {field.name for field in found.op().find(ops.Field)}
    inner = columns.keys() if used & lists.keys() else used & columns.keys()
    rows = f"SELECT {_chosen(columns, inner)} FROM {stored or f'stored_{kind}'} c LEFT JOIN {_settings(kind)}"
    if used & lists.keys():
        rows = f"SELECT *, {_chosen(lists, used)} FROM ({rows})"
    codes, texts = ", ".join(map(text, told)), ", ".join(f'"{code}"' for code in told)
    return f"""SELECT code, {text(kind)} AS kind, ref, evidence FROM (
        WITH rows_{kind} AS NOT MATERIALIZED ({rows})
        SELECT unnest([{codes}]) AS code, ref, unnest([{texts}]) AS evidence
        FROM ({ibis.to_sql(found, dialect="duckdb")})) WHERE evidence IS NOT NULL"""


def _columns(con: Any, kind: str, as_of: int) -> dict[str, str]:
    """Every column of the relation by name, and the single answers, in SQL over ``c`` and the settings ``s``."""
    found = {"ref": "c.ref"}
    found |= {column.name: _record_sql(kind, column) for column in RELATIONS[kind].record}
    found |= {column.name: f"s.{column.name}" for column in looked_up(kind)}
    for name, word in _listed(con, kind):
        found[f"{name} {word}"] = f"coalesce(contains(s.{name}, '|{word}|'), false)"
    if kind == "ci":
        found |= _attributes(con) | {"os_fits": _os_fits(con)}
    return found | {NOW.name: f"{as_of}::BIGINT"}


def _chosen(columns: Mapping[str, str], names: Collection[str]) -> str:
    return ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items() if name in names)


def _settings(kind: str) -> str:
    keys = " AND ".join(f"s.{key} = coalesce(c.{key}, '')" for key in COMBINED[kind])
    return f"{SETTINGS[kind]} s ON s.source = c.source AND {keys}"


class _Answers(dict[tuple[str, str], ir.BooleanValue]):
    """The single answers; a word that no row of settings lists is answered at once."""

    def get(self, asked: tuple[str, str], default: Any = None) -> Any:
        if asked in self or asked[0] not in _BAR_SETTINGS:
            return super().get(asked, default)
        return ibis.literal(False)


_BAR_SETTINGS = ("requires", "recommends")
"""Settings that are bar lists of fields."""


def _listed(con: Any, kind: str) -> list[tuple[str, str]]:
    """Each word that a bar list of the settings has anywhere, by column."""
    found = []
    for name in (column.name for column in looked_up(kind) if column.name in _BAR_SETTINGS):
        lists = con.execute(f"SELECT DISTINCT {name} FROM {SETTINGS[kind]} WHERE {name} <> ''").fetchall()
        found += [(name, word) for word in sorted({word for (bars,) in lists for word in bars.strip("|").split("|")})]
    return found


def _record_sql(kind: str, column: Column) -> str:
    """One column of the record as ``prepare`` gives it, of the stored row."""
    if column.name == "known":
        return "c.known"
    (name,) = column.speaks
    field = FIELDS[kind][name]
    if column.type == "boolean":
        either = f"c.{name} IS NOT NULL"
        return f"({either} OR c.{name}_name IS NOT NULL)" if field.type == "ref" else f"({either})"
    if column.type == "int64":
        return f"c.{name}"
    cut = f"left(c.{name}, {MAX_SHOWN})" if field.type == "word" else f"c.{name}"
    return f"coalesce({cut}, '')"


def _attributes(con: Any) -> dict[str, str]:
    """Per attribute of a CI: what is shown of it, whether it is empty, whether it is a placeholder."""
    sets, found = junk_sets(con), {}
    for name in REQUIRABLE:
        shown = f"coalesce(c.{name}_name, c.{name})" if FIELDS["ci"][name].type == "ref" else f"c.{name}"
        found[f"shown {name}"] = shown
        found[f"empty {name}"] = f"{shown} IS NULL"
        found[f"placeholders {name}"] = is_junk(shown, "s.junk_set", sets)
    return found


def _os_fits(con: Any) -> str:
    """Whether the operating system is one of the native class, else of the class; null where neither names any."""
    marks: dict[str, list[str]] = {}
    for cls, word in con.execute("SELECT cls, word FROM class_os ORDER BY ALL").fetchall():
        marks.setdefault(cls, []).append(f"contains(lower(c.os), {text(word)})")
    if not marks:
        return "NULL::BOOLEAN"
    named = ", ".join(map(text, marks))
    whens = " ".join(f"WHEN {text(cls)} THEN {' OR '.join(found)}" for cls, found in marks.items())
    which = f"CASE WHEN list_contains([{named}], c.native_class) THEN c.native_class ELSE c.cls END"
    return f"CASE ({which}) {whens} END"


def _lists() -> dict[str, str]:
    """The settings that are made of all attributes; the facts are only put together where there are any."""
    found = {}
    for name in ("empty", "placeholders"):
        words = ", ".join(f"CASE WHEN \"{name} {word}\" THEN '{word}' END" for word in REQUIRABLE)
        found[name] = f"'|' || concat_ws('|', {words}) || '|'"
    any_junk = " OR ".join(f'"placeholders {word}"' for word in REQUIRABLE)
    facts = ", ".join(f'CASE WHEN "placeholders {w}" THEN \'{w} \' || "shown {w}" END' for w in REQUIRABLE)
    found["placeholder_facts"] = f"CASE WHEN {any_junk} THEN concat_ws('; ', {facts}) ELSE '' END"
    return found

"""Row checks over a whole kind: one pass, one relation, one column of evidence a check.

The relation is the one that the live judge binds (``columns.RELATIONS``), made of the stored rows and the
settings tables. Beside its columns it has an answer to every question that a bar list can be asked
(``empty os``), so that no list is ever written out for a record just to look into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import ibis
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


def view_rows(con: Any, kind: str, as_of: int, suffix: str = "") -> None:
    """``rows_<kind>``: the relation of the kind's row checks as of a time, ``ref`` and the single answers."""
    setting, keys = SETTINGS[kind], COMBINED[kind]
    joins = " AND ".join(["s.source = c.source", *(f"s.{key} = coalesce(c.{key}, '')" for key in keys)])
    columns = ["c.ref", "c.source"]
    columns += [f"{_record_sql(kind, column)} AS {column.name}" for column in RELATIONS[kind].record]
    columns += [f"s.{column.name}" for column in looked_up(kind)]
    columns += [
        f"coalesce(contains(s.{name}, '|{word}|'), false) AS \"{name} {word}\"" for name, word in _listed(con, kind)
    ]
    columns.append(f"{as_of}::BIGINT AS {NOW.name}")
    if kind == "ci":
        columns += [*_attributes(con), f"{_os_fits(con)} AS os_fits"]
    whole = f"SELECT {', '.join(columns)} FROM stored_{kind}{suffix} c LEFT JOIN {setting} s ON {joins}"
    if kind == "ci":
        whole = f"SELECT *, {', '.join(_lists())} FROM ({whole})"
    con.execute(f"CREATE OR REPLACE TEMP VIEW rows_{kind}{suffix} AS {whole}")


def judged(con: Any, kind: str, checks: Sequence[RowCheck], rows: str) -> str:
    """SQL: ``code``, ``kind``, ``ref`` and ``evidence`` of all that the checks find in a relation named ``rows``."""
    single = _single_answers(con, rows)
    types = {"ref": "string"} | {column.name: column.type for column in RELATIONS[kind].columns}
    table = ibis.table(types | dict.fromkeys(single.values(), "boolean"), name=rows)
    answers = _Answers({asked: table[name] for asked, name in single.items()})
    told = {check.code: asked_singly(check(table), answers) for check in checks}
    raised = {code: speaks(evidence) for code, evidence in told.items()}
    found = table.filter(reduce(or_, raised.values())).select(
        table.ref, **{code: ibis.ifelse(raised[code], told[code], ibis.null("string")) for code in told}
    )
    codes, texts = ", ".join(map(text, told)), ", ".join(f'"{code}"' for code in told)
    return f"""SELECT code, {text(kind)} AS kind, ref, evidence FROM (
        SELECT unnest([{codes}]) AS code, ref, unnest([{texts}]) AS evidence
        FROM ({ibis.to_sql(found, dialect="duckdb")})) WHERE evidence IS NOT NULL"""


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


def _single_answers(con: Any, rows: str) -> dict[tuple[str, str], str]:
    names = [row[0] for row in con.execute(f"DESCRIBE {rows}").fetchall()]
    return {(name.split(" ")[0], name.split(" ")[1]): name for name in names if " " in name}


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


def _attributes(con: Any) -> list[str]:
    """Per attribute of a CI: what is shown of it, whether it is empty, whether it is a placeholder."""
    sets, found = junk_sets(con), []
    for name in REQUIRABLE:
        shown = f"coalesce(c.{name}_name, c.{name})" if FIELDS["ci"][name].type == "ref" else f"c.{name}"
        found += [
            f'{shown} AS "shown {name}"',
            f'{shown} IS NULL AS "empty {name}"',
            f'{is_junk(shown, "s.junk_set", sets)} AS "placeholders {name}"',
        ]
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
    which = f"CASE WHEN c.native_class IN ({named}) THEN c.native_class ELSE c.cls END"
    return f"CASE ({which}) {whens} END"


def _lists() -> list[str]:
    """The settings that are made of all attributes; the facts are only put together where there are any."""
    found = []
    for name in ("empty", "placeholders"):
        words = ", ".join(f"CASE WHEN \"{name} {word}\" THEN '{word}' END" for word in REQUIRABLE)
        found.append(f"'|' || concat_ws('|', {words}) || '|' AS {name}")
    any_junk = " OR ".join(f'"placeholders {word}"' for word in REQUIRABLE)
    facts = ", ".join(f'CASE WHEN "placeholders {w}" THEN \'{w} \' || "shown {w}" END' for w in REQUIRABLE)
    found.append(f"CASE WHEN {any_junk} THEN concat_ws('; ', {facts}) ELSE '' END AS placeholder_facts")
    return found

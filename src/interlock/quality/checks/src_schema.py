"""SRC-SCHEMA: a source that no longer gives what it gave.

What it finds
    Kinds of a source whose last harvest lost a field that earlier ones had (reason `lost`), has it with another
    type (reason `changed`), or lost a large part of the records (reason `shrank`). Such a harvest is set aside:
    the snapshot before it stays.
Why it matters to an agent
    A field or a record that is gone in one night was rather hidden (rights, a renamed column, a filter) than
    emptied. A write relies on what cannot be seen, and "not found" is no absence.
Formula
    A field of the generation before is not in the last one, or with another type; or more than
    `source.shrink_percent` of the records and more than `source.shrink_rows` of them are gone.
Evidence
    The fields, with their types; or how many records there are and were.
What lifts it
    The right or the column comes back and a harvest ends well, or a person accepts the new state.
Settings
    `source.shrink_percent` (20) and `source.shrink_rows` (50), also per source.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import union

_FIELD = {"source": "a", "kind": "ci", "type": "text", "present": True}

EXAMPLES = [
    {
        "schema_history": [
            {**_FIELD, "field": "serial", "generation": 1},
            {**_FIELD, "field": "serial", "generation": 2, "present": False},
            {**_FIELD, "field": "os", "generation": 1},
            {**_FIELD, "field": "os", "generation": 2, "present": False},
            {**_FIELD, "field": "version", "generation": 1},
            {**_FIELD, "field": "version", "generation": 2, "type": "int"},
            {**_FIELD, "field": "name", "generation": 1},
            {**_FIELD, "field": "name", "generation": 2},
            {**_FIELD, "source": "b", "field": "serial", "generation": 1, "present": False},
            {**_FIELD, "source": "b", "field": "serial", "generation": 2},  # it is back
        ],
        "source_state": [
            {"source": "c", "kind": "ci", "rows": 799, "rows_before": 1000},
            {"source": "d", "kind": "ci", "rows": 800, "rows_before": 1000},  # exactly a fifth less
            {"source": "e", "kind": "ci", "rows": 0, "rows_before": 50},  # too few to tell
            {"source": "f", "kind": "ci", "rows": 10},
        ],
        "source_setting": [{"source": source, "shrink_percent": 20, "shrink_rows": 50} for source in "abcdef"],
        "finds": {
            "a:source:ci": "changed,lost: field os; field serial; field version type int before text",
            "c:source:ci": "shrank: rows 799; before 1000",
        },
    },
]


@set_check(
    "SRC-SCHEMA",
    on="source",
    severity="high",
    effect="refuse",
    reads={"schema_history": "source", "source": "source"},
    touched={"source": "SELECT :source"},
    members="source",
    fields=(),
)
def src_schema(schema_history: ir.Table, source: ir.Table) -> ir.Table:
    by = ("source", "kind")
    newest = schema_history.group_by(by).agg(generation=schema_history.generation.max())
    last = schema_history.join(newest, [*by, "generation"])
    lost = last.filter(~last.present)
    before = schema_history.select(
        "source", "kind", "field", was=schema_history.type, earlier=schema_history.generation
    )
    changed = last.filter(last.present).join(before, [*by, "field"])
    changed = changed.filter(changed.earlier < changed.generation, changed.type != changed.was)
    fewer = source.rows_before - source.rows
    shrank = source.filter(fewer > source.shrink_rows, fewer * 100 > source.rows_before * source.shrink_percent)
    return union(
        [
            lost.select(record=_record(lost), evidence=text("lost: field {}", lost.field)),
            changed.select(
                record=_record(changed),
                evidence=text("changed: field {} type {} before {}", changed.field, changed.type, changed.was),
            ),
            shrank.select(
                record=shrank.ref, evidence=text("shrank: rows {}; before {}", shrank.rows, shrank.rows_before)
            ),
        ]
    )


def _record(table: ir.Table) -> ir.StringValue:
    return text("{}:source:{}", table.source, table.kind)

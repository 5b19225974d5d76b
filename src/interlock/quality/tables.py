"""The tables that set checks read: stored records, settings and derived facts, the same on every engine.

A scan makes them in DuckDB over Parquet, the gate keeps them in SQLite. Like ``stored`` they hold only text,
int64 and booleans. A settings table has a row for every combination that occurs, with ``''`` for an empty
class or environment; a derived table is made by a preparer, and is empty where that did not run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from interlock.quality.columns import Column
from interlock.quality.stored import TABLES

STORED: dict[str, tuple[Column, ...]] = {
    f"stored_{kind}": (*columns, Column("handle_ref", "string")) for kind, columns in TABLES.items()
}
"""One table a kind. ``handle_ref`` is the other name of a record: the ref that a link holds when the source told
only the handle (see ``handle_ref``)."""


def handle_ref(kind: str) -> str:
    """SQL, for any engine, of the ``handle_ref`` column of a kind's table."""
    return f"source || ':{kind}:~' || handle"


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "string") for name in names)


def _whole(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "int64") for name in names)


def _yes(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "boolean") for name in names)


CI_AMONG_OTHERS = (*_yes("needs_relation", "monitored", "needs_asset", "owns_address"), *_text("identified_by"))
"""What set checks ask of a CI's class: see ``profile_ci.CiRules``. ``identified_by`` is a bar list of keys."""

SETTINGS: dict[str, tuple[Column, ...]] = {
    "ci_setting": (
        *_text("source", "cls", "environment"),
        *_whole("max_age"),  # seconds; null: discovery does not see the class
        *CI_AMONG_OTHERS,
    ),
    "junk": _text("source", "value"),  # case-folded
    "junk_key": _text("source", "key"),  # the same, normalised as keys are
    "shared_address": _text("source", "ip"),  # addresses that several CIs may have
    "dependency_type": _text("type"),
    "relation_rule": _text("subject_cls", "type", "object_cls"),  # a type that is not here has no rules
    "source_role": _text("source", "role"),  # cmdb, monitoring, asset, itsm
    "source_setting": (
        *_text("source"),
        *_whole("clock_skew_s", "shrink_percent", "shrink_rows", "matrix_tickets", "matrix_percent"),
    ),
    "priority_cell": _text("source", "impact", "urgency", "want_priority"),
    "ticket_class": _text("category", "cls"),  # a category that is not here can be about anything
}
"""What the profile says, as tables."""

DERIVED: dict[str, tuple[Column, ...]] = {
    "same_as": (*_text("ref", "other", "thing", "by"), *_whole("score")),  # both directions; score of 1000
    "scc": (*_text("ref", "component"), *_whole("size")),
    "source_state": (
        *_text("source", "kind"),
        *_whole("harvested_at", "expected_by", "rows", "rows_before", "skew_s"),
    ),
    "schema_history": (*_text("source", "kind", "field", "type"), *_whole("generation"), *_yes("present")),
    "category_match": (*_text("source", "category", "canonical"), *_whole("score")),  # score of 100
    "label_score": (*_text("ref", "suggested"), *_whole("own", "best")),  # of 100
    "repeat_group": (*_text("ref", "group_key"), *_whole("n"), *_text("first")),
}
"""Facts that are not relational, each made by one preparer; ``source_state`` has a row a harvested kind."""

KEYS: dict[str, tuple[str, ...]] = {
    "ci_setting": ("source", "cls", "environment"),
    "junk": ("source", "value"),
    "junk_key": ("source", "key"),
    "shared_address": ("source", "ip"),
    "dependency_type": ("type",),
    "relation_rule": ("type", "subject_cls", "object_cls"),
    "source_role": ("source", "role"),
    "same_as": ("ref", "other"),
    "scc": ("ref",),
    "source_state": ("source", "kind"),
    "source_setting": ("source",),
    "priority_cell": ("source", "impact", "urgency"),
    "ticket_class": ("category", "cls"),
    "schema_history": ("source", "kind", "field", "generation"),
    "category_match": ("source", "category"),
    "label_score": ("ref",),
    "repeat_group": ("ref",),
}
"""The primary key of each small table."""

INDEXES: dict[str, tuple[str, ...]] = {
    "stored_ci": ("ref", "handle_ref", "serial_key", "cloud_id_key", "asset_tag_key", "mac_key", "fqdn_key", "ip"),
    "stored_relationship": ("ref", "subject", "object"),
    "stored_asset": ("ref", "handle_ref", "ci", "serial_key", "asset_tag_key"),
    "stored_alert": ("ref", "handle_ref", "ci"),
    "stored_incident": ("ref", "handle_ref", "ci"),
}
"""Columns of stored tables by which keyed statements seek; of the others ``ref`` and ``handle_ref``."""

ALL: dict[str, tuple[Column, ...]] = {**STORED, **SETTINGS, **DERIVED}

_SQLITE = {"string": "TEXT", "int64": "INTEGER", "boolean": "INTEGER"}


def ddl(table: str, used: Collection[str]) -> list[str]:
    """SQLite statements that make a table with the columns that are used, and its indexes."""
    if table in KEYS:
        columns = ", ".join(f'"{c.name}" {_SQLITE[c.type]}' for c in ALL[table])
        return [f'CREATE TABLE "{table}" ({columns}, PRIMARY KEY ({", ".join(KEYS[table])})) WITHOUT ROWID']
    kind = table.removeprefix("stored_")
    kept = [c for c in STORED[table] if c.name in {"ref", "handle", "source", *used} and c.name != "handle_ref"]
    columns = ", ".join(f'"{c.name}" {_SQLITE[c.type]}' for c in kept)
    made = [f'CREATE TABLE "{table}" ({columns}, "handle_ref" TEXT GENERATED ALWAYS AS ({handle_ref(kind)}) VIRTUAL)']
    sought = [name for name in INDEXES.get(table, ("ref", "handle_ref")) if name in {"ref", "handle_ref", *used}]
    return made + [f'CREATE INDEX "{table}_{name}" ON "{table}" ("{name}")' for name in sought]


def used_by(*tables: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """The tables and columns of several checks together."""
    found: dict[str, frozenset[str]] = {}
    for each in tables:
        for table, columns in each.items():
            found[table] = found.get(table, frozenset()) | frozenset(columns)
    return found

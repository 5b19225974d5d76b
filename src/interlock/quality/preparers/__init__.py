"""Preparers: facts that are not relational, each made into one derived table that checks read.

A file holds one preparer: ``prepare(con, ...)`` creates the table named like the file from the views
``stored_<kind>`` and the settings tables of a scan. Needs the extra ``quality``; never imported to serve.
"""

from __future__ import annotations

from interlock.quality.tables import ALL

_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}


def create(table: str) -> str:
    """DuckDB SQL that makes the empty table, instead of the one there is."""
    columns = ", ".join(f'"{column.name}" {_TYPES[column.type]}' for column in ALL[table])
    return f"CREATE OR REPLACE TABLE {table} ({columns})"

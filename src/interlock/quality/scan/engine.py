"""DuckDB as a scan uses it: bounded in memory, reading nothing but the snapshots, over one view a kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from interlock.quality.columns import Column
from interlock.quality.scan.records import SPILL
from interlock.quality.scan.settings import COMBINED, Table, tables
from interlock.quality.stored import TABLES
from interlock.quality.tables import ALL, DERIVED, SETTINGS, handle_ref

if TYPE_CHECKING:
    from interlock.quality.profile import Profile

SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}

Files = Mapping[str, Sequence[Path]]
"""The Parquet parts of each kind, those of all sources together."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a scan may take of the machine. ``threads`` 0: as many as there are cores."""

    memory: str = "2GB"
    threads: int = 0


@contextmanager
def engine(scratch: Path, folders: Sequence[Path], bounds: Bounds | None = None) -> Iterator[Any]:
    """A connection that can read and write files in ``folders`` and spill to ``scratch``, and nothing else."""
    bounds = bounds or Bounds()
    config: dict[str, Any] = {
        "memory_limit": bounds.memory,
        "temp_directory": str(scratch / SPILL),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if bounds.threads:
        config["threads"] = str(bounds.threads)
    con = duckdb.connect(":memory:", config=config)
    try:
        con.execute("SET enable_progress_bar = false")
        allowed = ", ".join(text(str(folder)) for folder in (*folders, scratch))
        con.execute(f"SET allowed_directories = [{allowed}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def view_stored(con: Any, files: Files, suffix: str = "") -> None:
    """``stored_<kind>`` for every kind: its parts by name of column, empty where there is no snapshot."""
    for kind, columns in TABLES.items():
        parts = files.get(kind, ())
        there = _columns_of(con, parts) if parts else frozenset()
        chosen = ", ".join([*(_chosen(column, there) for column in columns), f"{handle_ref(kind)} AS handle_ref"])
        rows = parquet(parts) if parts else "(SELECT 1) WHERE false"
        con.execute(f"CREATE OR REPLACE TEMP VIEW stored_{kind}{suffix} AS SELECT {chosen} FROM {rows}")


def create_settings(con: Any, profile: Profile, sources: Sequence[str]) -> None:
    """The settings tables, for the sources and the words of the incidents that are in ``stored_incident``.

    Tables that nobody fills are made empty: a check that reads one finds nothing.
    """
    made = tables(profile, sources, _words(con))
    for name, table in ({name: Table(ALL[name], ()) for name in (*SETTINGS, *DERIVED)} | made).items():
        create(con, name, table)


def create(con: Any, name: str, table: Table) -> None:
    """A small table, anew."""
    columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in table.columns)
    con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    if table.rows:
        import pyarrow as pa

        types = {"string": pa.string(), "int64": pa.int64(), "boolean": pa.bool_()}
        named = zip(table.columns, zip(*table.rows, strict=True), strict=True)
        con.register("_rows", pa.table({c.name: pa.array(values, types[c.type]) for c, values in named}))
        con.execute(f"INSERT INTO {name} SELECT * FROM _rows")
        con.unregister("_rows")


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def parquet(files: Sequence[Path]) -> str:
    """The parts as a table expression; older ones may lack columns. ``files`` must not be empty."""
    return f"read_parquet([{', '.join(text(str(path)) for path in files)}], union_by_name = true)"


def _words(con: Any) -> list[tuple[Any, ...]]:
    keys = ", ".join(f"coalesce({name}, '')" for name in COMBINED["incident"])
    rows: list[tuple[Any, ...]] = con.execute(f"SELECT DISTINCT source, {keys} FROM stored_incident").fetchall()
    return sorted(rows)


def _columns_of(con: Any, parts: Sequence[Path]) -> frozenset[str]:
    return frozenset(row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {parquet(parts)}").fetchall())


def _chosen(column: Column, there: frozenset[str]) -> str:
    if column.name in there:
        return f'"{column.name}"'
    return f'NULL::{SQL_TYPES[column.type]} AS "{column.name}"'

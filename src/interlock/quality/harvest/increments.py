"""From what was read to a full picture: rows merged over the last generation, rows that came twice, rows that
are gone. Done by DuckDB on the parts; a part of the last generation that nothing touches is linked, not copied.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interlock.quality.harvest.draft import Draft
from interlock.quality.harvest.durable import sync
from interlock.quality.harvest.engine import engine, parquet, text
from interlock.quality.harvest.parts import Part, part_at
from interlock.quality.harvest.snapshots import Snapshot
from interlock.quality.stored import TABLES

_LAST_READ = "QUALIFY row_number() OVER (PARTITION BY handle ORDER BY observed_at DESC, file_row_number DESC) = 1"


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows differ from the last generation or are new, and how many are gone."""

    changed: int
    gone: int


def keep_last_of_twins(draft: Draft) -> int:
    """Of rows with one handle keep the one that was read last. Gives how many went."""
    if not draft.parts:
        return 0
    files = _files(draft)
    with engine(draft.folder) as con:
        rows, handles = con.execute(f"SELECT count(*), count(DISTINCT handle) FROM {parquet(files)}").fetchall()[0]
        if rows == handles:
            return 0
        whole = f"SELECT * EXCLUDE (file_row_number, filename) FROM {_numbered(files)} {_LAST_READ}"
        part = _written(con, draft, f"part-{len(draft.parts):05}.parquet", whole)
        draft.replace_parts([part], _known(con, [draft.folder / part.name]))
    return int(rows - handles)


def merge(draft: Draft, base: Snapshot, ids: Path | None) -> Merged:
    """Make the draft the base with the draft's rows over it, without the rows that ``ids`` does not name.

    Leaves the file of what changed beside the parts, as ``Snapshots.delta`` would make it.
    """
    with engine(draft.folder) as con:
        con.execute(f"CREATE TEMP TABLE read AS {_read(draft)}")
        con.execute(f"CREATE TEMP VIEW base AS SELECT * FROM {_numbered(base.files)}" if base.files else _EMPTY_BASE)
        row = ", ".join(f'"{column.name}"' for column in TABLES[draft.kind] if column.name != "observed_at")
        same = f"SELECT handle, hash({row}) AS r FROM base SEMI JOIN read USING (handle)"
        hashed = f"SELECT *, hash({row}) AS r FROM read"
        con.execute(f"CREATE TEMP TABLE fresh AS SELECT * FROM ({hashed}) ANTI JOIN ({same}) USING (handle, r)")
        still = f"SELECT handle FROM {parquet([ids])}" if ids is not None else "SELECT handle FROM base"
        there = f"({still}) UNION ALL SELECT handle FROM read"
        con.execute(f"CREATE TEMP TABLE gone AS SELECT handle, ref FROM base ANTI JOIN ({there}) USING (handle)")
        con.execute("CREATE TEMP TABLE out AS SELECT handle FROM fresh UNION ALL SELECT handle FROM gone")
        changed, gone = con.execute("SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM gone)").fetchall()[0]
        named = con.execute("SELECT DISTINCT filename FROM base SEMI JOIN out USING (handle)").fetchall()
        touched = {name for (name,) in named}
        parts = [_kept(con, draft, base, at, str(path) in touched) for at, path in enumerate(base.files)]
        if changed:
            name = f"part-{len(base.files):05}-new.parquet"
            parts.append(_written(con, draft, name, "SELECT * EXCLUDE (r) FROM fresh"))
        parts = [part for part in parts if part.rows]
        _write(con, draft.folder / f"delta-{base.generation}.parquet", _DELTA)
        draft.replace_parts(parts, _known(con, [draft.folder / part.name for part in parts]))
    return Merged(int(changed), int(gone))


def added(draft: Draft, base: Snapshot) -> int:
    """How many handles were read that the base does not have."""
    if not draft.parts:
        return 0
    old = f"SELECT handle FROM {parquet(base.files)}" if base.files else "SELECT NULL::VARCHAR AS handle WHERE false"
    with engine(draft.folder) as con:
        sql = f"SELECT count(DISTINCT handle) FROM {parquet(_files(draft))} ANTI JOIN ({old}) USING (handle)"
        return int(con.execute(sql).fetchall()[0][0])


def missing(draft: Draft, base: Snapshot, ids: Path, most: int) -> list[str]:
    """Handles that the source names and that are neither in the base nor among what was read; at most ``most``."""
    known = [*base.files, *_files(draft)]
    seen = f"SELECT handle FROM {parquet(known)}" if known else "SELECT NULL::VARCHAR AS handle WHERE false"
    with engine(draft.folder) as con:
        sql = f"SELECT handle FROM {parquet([ids])} ANTI JOIN ({seen}) USING (handle) ORDER BY handle LIMIT {most:d}"
        return [handle for (handle,) in con.execute(sql).fetchall()]


_EMPTY_BASE = (
    """CREATE TEMP VIEW base AS SELECT *, ''::VARCHAR AS filename, 0 AS file_row_number FROM read WHERE false"""
)
_DELTA = """
    SELECT ref, false AS gone FROM fresh
    UNION ALL SELECT ref, true FROM gone
    UNION ALL SELECT ref, true FROM (SELECT base.ref FROM base JOIN fresh USING (handle) WHERE base.ref <> fresh.ref)
"""


def _files(draft: Draft) -> list[Path]:
    return [draft.folder / part.name for part in draft.parts]


def _numbered(files: Sequence[Path]) -> str:
    return f"{parquet(files)[:-1]}, filename = true, file_row_number = true)"


def _read(draft: Draft) -> str:
    if draft.parts:
        return f"SELECT * EXCLUDE (file_row_number, filename) FROM {_numbered(_files(draft))} {_LAST_READ}"
    columns = ", ".join(f'NULL::{_SQL[column.type]} AS "{column.name}"' for column in TABLES[draft.kind])
    return f"SELECT {columns} WHERE false"


_SQL = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}


def _kept(con: Any, draft: Draft, base: Snapshot, number: int, touched: bool) -> Part:
    """A part of the base without the rows that are out."""
    path = base.files[number]
    name = f"part-{number:05}-{draft.snapshots.next_generation(draft.source, draft.kind)}.parquet"
    if touched:
        return _written(con, draft, name, f"SELECT * FROM {parquet([path])} ANTI JOIN out USING (handle)")
    os.link(path, draft.folder / name)
    return replace(Part(**base.manifest.parts[number]), name=name)


def _written(con: Any, draft: Draft, name: str, query: str) -> Part:
    path = draft.folder / name
    return part_at(path, _write(con, path, query))


def _write(con: Any, path: Path, query: str) -> int:
    found = con.execute(f"COPY ({query}) TO {text(str(path))} (FORMAT parquet, COMPRESSION zstd)").fetchall()
    path.chmod(0o600)
    sync(path)
    return int(found[0][0])


def _known(con: Any, files: Sequence[Path]) -> dict[str, int]:
    """In how many rows each field is known."""
    if not files:
        return {}
    found: dict[str, int] = {}
    for bars, rows in con.execute(f"SELECT known, count(*) FROM {parquet(files)} GROUP BY known").fetchall():
        for name in str(bars).strip("|").split("|"):
            if name:
                found[name] = found.get(name, 0) + int(rows)
    return found

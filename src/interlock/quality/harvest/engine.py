"""DuckDB as a harvest uses it: bounded in memory, over Parquet parts, nothing loaded from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interlock.records.problems import Problem, Slug

try:
    import duckdb
except ImportError:  # pragma: no cover - the extra is in every development environment
    raise Problem(
        Slug.UNSUPPORTED,
        "comparing and merging snapshots needs the extra quality",
        next_step="pip install 'interlock-gateway[quality]'",
    ) from None

MEMORY = "2GB"


@contextmanager
def engine(scratch: Path) -> Iterator[Any]:
    """A connection of its own; what does not fit in memory is kept in ``scratch`` meanwhile."""
    con = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "temp_directory": str(scratch / ".duckdb"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    con.execute("SET enable_progress_bar = false")
    try:
        yield con
    finally:
        con.close()


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def parquet(files: Sequence[Path]) -> str:
    """The parts as a table expression. ``files`` must not be empty."""
    return f"read_parquet([{', '.join(text(str(path)) for path in files)}])"

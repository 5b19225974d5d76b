"""Parts of a snapshot: stored rows as Parquet (zstd), written column by column."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interlock.quality.harvest.durable import sync
from interlock.quality.stored import TABLES, Stored
from interlock.records.problems import Problem, Slug

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError:  # pragma: no cover - the extra is in every development environment
    raise Problem(
        Slug.UNSUPPORTED,
        "writing snapshots needs the extra quality",
        next_step="pip install 'interlock-gateway[quality]'",
    ) from None

arrow = pa
_ARROW = {"string": pa.string(), "int64": pa.int64(), "boolean": pa.bool_()}
SCHEMAS = {
    kind: pa.schema([(column.name, _ARROW[column.type]) for column in columns]) for kind, columns in TABLES.items()
}
_KNOWN = next(index for index, column in enumerate(TABLES["ci"]) if column.name == "known")
_DISTINCT = frozenset({"ref", "handle", "name", "description", "short_description", "title", "text", "ext"})
"""Columns in which hardly a value comes twice: a dictionary of them costs time and saves nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file: its name in the snapshot's folder, rows, bytes, and BLAKE2 of its bytes."""

    name: str
    rows: int
    bytes: int
    digest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def batch_of(kind: str, rows: Sequence[Stored]) -> Any:
    """Rows as an Arrow record batch."""
    schema = SCHEMAS[kind]
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [pa.array(values, type=field.type) for field, values in zip(schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def latest_in(batch: Any) -> int | None:
    """The latest ``updated_at`` of a batch."""
    if "updated_at" not in batch.schema.names:
        return None
    found: int | None = pc.max(batch.column("updated_at")).as_py()
    return found


def known_in(rows: Sequence[Stored]) -> Counter[str]:
    """In how many rows each field was known."""
    found: Counter[str] = Counter()
    for text, times in Counter(row[_KNOWN] for row in rows).items():
        for name in str(text).strip("|").split("|"):
            if name:
                found[name] += times
    return found


def write_part(path: Path, kind: str, batches: Sequence[Any]) -> Part:
    """Write record batches as one file that is on the disk when this returns. Raises OSError."""
    table = pa.Table.from_batches(batches, schema=SCHEMAS[kind])
    dictionary = [name for name in table.schema.names if name not in _DISTINCT]
    pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=dictionary)
    path.chmod(0o600)
    sync(path)
    return part_at(path, table.num_rows)


@contextmanager
def handle_file(path: Path) -> Iterator[Callable[[Sequence[str]], None]]:
    """A file of handles alone, written bit by bit."""
    schema = pa.schema([("handle", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda handles: writer.write_table(pa.table({"handle": handles}, schema=schema))


def part_at(path: Path, rows: int) -> Part:
    """What a file that is there is. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return Part(path.name, rows, path.stat().st_size, digest)

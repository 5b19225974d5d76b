"""Writes a mask file: in the process of the scan, with DuckDB and numpy, in bounded memory."""

from __future__ import annotations

import json
import mmap
import os
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.quality.gate.mask import HEADER_BYTES, MAGIC, NEVER, PREFIX, SUFFIX, checksum, sizes
from interlock.quality.gate.numbered import replace
from interlock.records.problems import Problem, Slug

if TYPE_CHECKING:
    import duckdb

MAX_CODES = 64
_CHUNK = 500_000  # records held at a time
_BUCKET_BITS = (8, 22)  # two to four records a bucket, 16 MiB of buckets at most


def publish(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    flags: str,
    stale: str | None,
    as_of: float,
    scan: str,
    seq: int,
    ran: Collection[str] | None = None,
    harvested: Mapping[str, float] | None = None,
) -> Path:
    """Write the next mask and put it in force.

    ``flags``: a relation of the connection with ``ref, code``, one row a raised check. ``stale``: one with
    ``ref, stale_at`` (epoch seconds, UTC; null: never). ``seq``: every change of the flag store up to it is
    in ``flags``. ``ran``: the checks of the scan (default: those that raised something); ``harvested``: when
    each source was read (default: nothing is said of when). The memory DuckDB takes is that of the connection's
    settings. Raises Problem invalid-argument for more than 64 codes, StateError when the folder cannot be used.
    """
    distinct = f"SELECT DISTINCT code FROM {flags}"  # noqa: S608 - our own name
    codes = sorted(code for (code,) in connection.execute(distinct).fetchall())
    if len(codes) > MAX_CODES:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"flags of {len(codes)} checks were found, a mask holds {MAX_CODES}",
            field="flags",
            value=len(codes),
            next_step="Run fewer checks of your own.",
        )
    header = {"codes": codes, "as_of": int(as_of), "scan": scan, "seq": seq}
    header |= {"ran": sorted(codes if ran is None else ran), "harvested": dict(harvested or {})}
    records = _records(flags, stale)
    return replace(folder, SUFFIX, lambda draft: _write(connection, draft, records, header))


_RAISED = (
    "SELECT md5_number_lower(ref) AS hash, 1::UBIGINT << (list_position($codes, code) - 1) AS bits,"
    " NULL AS stale_at FROM {flags}"
)
_STALE = "SELECT md5_number_lower(ref), 0, greatest(stale_at, 0) FROM {stale} WHERE stale_at IS NOT NULL"
_RECORDS = (
    "CREATE OR REPLACE TEMP TABLE mask_record AS SELECT hash, bit_or(bits)::UBIGINT AS bits,"
    " least(min(stale_at), {never})::UINTEGER AS stale_at"
    " FROM ({parts}) GROUP BY hash ORDER BY hash"
)


def _records(flags: str, stale: str | None) -> str:
    """Hash, bits and stale_at of every record that has one of them, in order of the hash."""
    parts = [_RAISED.format(flags=flags), *([_STALE.format(stale=stale)] if stale else [])]
    return _RECORDS.format(never=NEVER, parts=" UNION ALL ".join(parts))


def _write(connection: duckdb.DuckDBPyConnection, path: Path, records: str, header: dict[str, Any]) -> None:
    import numpy as np

    connection.execute(records, {"codes": header["codes"]})
    count = int(connection.execute("SELECT count(*) FROM mask_record").fetchall()[0][0])
    bits = min(max(count.bit_length() - 2, _BUCKET_BITS[0]), _BUCKET_BITS[1])
    ends = sizes(bits, count)
    begins = (ends[0], ends[1], ends[2])
    buckets = np.zeros((1 << bits) + 1, dtype="<u8")
    done = 0
    with path.open("w+b") as file:
        file.truncate(HEADER_BYTES + ends[-1])
        reader = connection.sql("SELECT * FROM mask_record").to_arrow_reader(_CHUNK)
        for batch in reader:
            hashes, masks, stale = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            for begin, values, width in zip(
                begins, (hashes.astype("<u8"), masks.astype("<u8"), stale.astype("<u4")), (8, 8, 4), strict=True
            ):
                file.seek(HEADER_BYTES + begin + done * width)
                file.write(values.tobytes())
            buckets[1:] += np.bincount(hashes >> np.uint64(64 - bits), minlength=1 << bits).astype("<u8")
            done += len(hashes)
        file.seek(HEADER_BYTES)
        file.write(np.cumsum(buckets).astype("<u4").tobytes())
        file.flush()
        _head(file.fileno(), {**header, "records": count, "bits": bits})
    connection.execute("DROP TABLE mask_record")


def _head(descriptor: int, header: dict[str, Any]) -> None:
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    with mapped, memoryview(mapped) as view, view[HEADER_BYTES:] as arrays:
        header["crc"] = checksum(arrays)
    told = json.dumps(header).encode()
    assert len(told) <= HEADER_BYTES - PREFIX.size
    os.pwrite(descriptor, PREFIX.pack(MAGIC, len(told), zlib.crc32(told)) + told, 0)

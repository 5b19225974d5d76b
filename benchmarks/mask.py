"""What the gate costs a call. ``python -m benchmarks.mask [--size 10m] [--json] [--folder DIR]``

A mask of as many flagged records is written (DuckDB, at most 1 GB) and opened; then random refs of it are
looked up one by one, each timed alone: the bits of a record, without and with its evidence.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from interlock.quality.gate.mask import Mask
from interlock.quality.gate.publish import publish

SIZES = {"200k": 200_000, "1m": 1_000_000, "10m": 10_000_000}
LOOKUPS = 200_000
CODES = ("CI-STALE", "CI-MISS-REQ", "CI-DUP-IN", "CI-CONFLICT", "CI-ORPHAN", "CI-IP-SHARED", "REF-DANGLING")
AS_OF = 1_763_000_000

Row = dict[str, object]


def ref(number: int) -> str:
    return f"snow:ci:CI{number:09d}"


def row(name: str, value: float, budget: float | None = None) -> Row:
    return {"name": name, "value": round(value, 3), "budget": budget, "ok": budget is None or value <= budget}


def written(folder: Path, records: int) -> tuple[Path, float]:
    """A mask of so many records, each with one check raised, and the seconds it took."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit='1GB'; SET temp_directory='{folder / 'spill'}'")
        numbered = f"SELECT 'snow:ci:CI' || lpad(i::VARCHAR, 9, '0') AS ref, i FROM range({records}) AS t(i)"
        connection.execute(
            f"CREATE VIEW flagged AS SELECT ref, {list(CODES)}[1 + (i % {len(CODES)})] AS code FROM ({numbered})"
        )
        connection.execute(f"CREATE VIEW stale AS SELECT ref, {AS_OF} + i AS stale_at FROM ({numbered})")
        began = time.perf_counter()
        path = publish(connection, folder / "masks", flags="flagged", stale="stale", as_of=AS_OF, scan="b", seq=0)
        return path, time.perf_counter() - began


def timed(call: Callable[[str], object], refs: Sequence[str]) -> tuple[float, float]:
    """Microseconds a call: median and 99th percentile."""
    times = []
    clock = time.perf_counter_ns
    for each in refs:
        began = clock()
        call(each)
        times.append(clock() - began)
    times.sort()
    return times[len(times) // 2] / 1e3, times[len(times) * 99 // 100] / 1e3


def lookups(folder: Path, records: int) -> list[Row]:
    """Lookups in a mask of so many flagged records, without evidence."""
    path, wrote_s = written(folder, records)
    began = time.perf_counter()
    mask = Mask(path)
    opened_s = time.perf_counter() - began
    seed = random.Random(records)
    numbers = [seed.randrange(records) for _ in range(LOOKUPS)]
    for number in numbers[:1_000]:  # what is measured is also right
        bits, stale_at = mask.find(ref(number))
        if mask.named(bits) != {CODES[number % len(CODES)]} or stale_at != AS_OF + number:
            raise SystemExit(f"{ref(number)} is not found as written: {mask.named(bits)}, {stale_at}")
    known = timed(mask.find, [ref(number) for number in numbers])
    unknown = timed(mask.find, [ref(records + number) for number in numbers])
    return [
        row("mask lookup p50 us", known[0]),
        row("mask lookup p99 us", known[1], 5.0),
        row("mask lookup p99 us, record without flags", unknown[1], 5.0),
        row("mask MB", path.stat().st_size / 1e6, 25.0 * max(records, 200_000) / 1e6),
        row("mask written s", wrote_s),
        row("mask opened and verified s", opened_s),
    ]


def measure(folder: Path, records: int) -> list[Row]:
    rows = lookups(folder, records)
    rows.append(row("peak MB of the writing process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mask", description="Measure the gate's lookups.")
    parser.add_argument("--size", choices=SIZES, default="1m", help="flagged records")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to write (on the disk to be measured)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = measure(Path(folder), SIZES[options.size])
    if options.json:
        print(json.dumps(rows))
    else:
        for each in rows:
            mark = "-" if each["budget"] is None else "ok" if each["ok"] else "MISSED"
            print(f"{each['name']:<48} {each['value']!s:>12}  budget {each['budget'] or '-'!s:>8}  {mark}")
    return 0 if all(each["ok"] for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

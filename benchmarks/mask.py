"""What the gate costs a call. ``python -m benchmarks.mask [--size 10m] [--json] [--folder DIR]``

A mask of as many flagged records is written (DuckDB, at most 1 GB) and opened; then random refs of it are
looked up one by one, each timed alone: the bits of a record, without and with its evidence. Last, CIs of a live
index of a million at most change one by one: until all flags that hang on each are current.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.quality.gate.filling import fill
from interlock.quality.gate.gate import Gate
from interlock.quality.gate.mask import Mask
from interlock.quality.gate.publish import publish
from interlock.quality.gate.quality import CHECKPOINT_S, LIVE, Quality
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.quality.scan.engine import SQL_TYPES as _DUCK
from interlock.quality.scan.engine import create, create_settings
from interlock.quality.scan.settings import Table
from interlock.quality.tables import DERIVED, STORED
from interlock.state.files import private_folder

SIZES = {"200k": 200_000, "1m": 1_000_000, "10m": 10_000_000}
LOOKUPS = 200_000
TOUCHES = 3_000
MOST_TOUCHED = 1_000_000  # CIs of the live index; filling it takes a minute a million
CODES = ("CI-STALE", "CI-MISS-REQ", "CI-DUP-IN", "CI-CONFLICT", "CI-ORPHAN", "CI-IP-SHARED", "REF-DANGLING")
AS_OF = 1_763_000_000

Row = dict[str, object]


def ref(number: int) -> str:
    return f"snow:ci:CI{number:09d}"


def row(name: str, value: float, budget: float | None = None) -> Row:
    return {"name": name, "value": round(value, 3), "budget": budget, "ok": budget is None or value <= budget}


def written(folder: Path, records: int, seq: int = 0) -> tuple[Path, float]:
    """A mask of so many records, each with one check raised, and the seconds it took."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit='1GB'; SET temp_directory='{folder / 'spill'}'")
        numbered = f"SELECT 'snow:ci:CI' || lpad(i::VARCHAR, 9, '0') AS ref, i FROM range({records}) AS t(i)"
        connection.execute(
            f"CREATE VIEW flagged AS SELECT ref, {list(CODES)}[1 + (i % {len(CODES)})] AS code FROM ({numbered})"
        )
        connection.execute(f"CREATE VIEW stale AS SELECT ref, {AS_OF} + i AS stale_at FROM ({numbered})")
        began = time.perf_counter()
        path = publish(connection, folder / "masks", flags="flagged", stale="stale", as_of=AS_OF, scan="b", seq=seq)
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


def flagged(state: Path, records: int) -> None:
    """The rows of flags that a scan found once and nobody touched, written in order as fast as SQLite takes them."""
    columns = (
        "ref, code, kind, source, thing, handle, evidence, severity, state, first_at, last_at, status_at, stops, scan"
    )
    rows = (
        (
            ref(number),
            CODES[number % len(CODES)],
            "ci",
            "snow",
            f"serial:{number}",
            f"snow:ci:~{number:032x}",
            f"stale: cls server; last_seen_at @{AS_OF + number}; allowed_s 5184000",
            1,
            "open",
            AS_OF,
            AS_OF,
            AS_OF,
            0,
            "1",
        )
        for number in range(records)
    )
    with sqlite3.connect(state / "flags.sqlite") as db:
        db.execute("PRAGMA synchronous=OFF")
        for index in ("flag_listed", "flag_thing"):  # made for people; nothing here asks them
            db.execute(f"DROP INDEX IF EXISTS {index}")
        marks = ", ".join("?" * len(columns.split(",")))
        db.executemany(f"INSERT INTO flag ({columns}) VALUES ({marks})", rows)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # as a gateway does beside the calls


def evidence(folder: Path, records: int) -> list[Row]:
    """The flags of a record with their evidence, from a store in which so many records are flagged."""
    state = folder / "state"
    store = FlagStore(state, ManualClock(AS_OF))
    began = time.perf_counter()
    flagged(state, records)
    filled_s = time.perf_counter() - began
    path, _ = written(state, records)
    gate = Gate(path.parent, store, monotonic=lambda: 0.0)
    gate.follow()
    seed = random.Random(records)
    numbers = [seed.randrange(records) for _ in range(LOOKUPS // 4)]
    for number in numbers[:1_000]:
        (flag,) = gate.flags(ref(number))
        if flag.code != CODES[number % len(CODES)] or str(AS_OF + number) not in flag.evidence:
            raise SystemExit(f"{ref(number)} is not found as published: {flag}")
    p50, p99 = timed(gate.flags, [ref(number) for number in numbers])
    store.close()
    return [
        row("flags with evidence p50 us", p50),
        row("flags with evidence p99 us", p99, 50.0),
        row("flag rows written s", filled_s),
    ]


def touches(folder: Path, records: int) -> list[Row]:
    """One CI changed until its flags and those of its neighbours are current, in an index of so many CIs."""
    state = private_folder(folder / "touched")
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit='1GB'; SET temp_directory='{folder / 'spill'}'")
        began = time.perf_counter()
        estate(connection, records)
        fill(connection, state / LIVE, {"snow": AS_OF})
        filled_s = time.perf_counter() - began
    clock = ManualClock(AS_OF)
    quality = Quality(Judge(), state, clock)
    seed = random.Random(records)
    times, cpus = [], []
    checkpoints = Event()
    beside = Thread(target=_checkpoints, args=(quality, checkpoints))  # as the gateway has it
    beside.start()
    for _ in range(TOUCHES):
        clock.advance(1.0)
        number = seed.randrange(records)
        record = ci_of(number, serial=seed.randrange(records) if seed.random() < 0.5 else number)
        began, cpu = time.perf_counter(), time.thread_time()
        quality.touched("ci", record, f"{number:032x}", "snow")
        times.append(time.perf_counter() - began)
        cpus.append(time.thread_time() - cpu)
    checkpoints.set()
    beside.join()
    quality.close()
    times.sort()
    cpus.sort()
    return [
        row("one changed record current p50 ms", times[len(times) // 2] * 1e3),
        row("one changed record current p99 ms", times[len(times) * 99 // 100] * 1e3, 3.0),
        row("... CPU of the caller alone, p99 ms", cpus[len(cpus) * 99 // 100] * 1e3),
        row("live index filled s", filled_s),
    ]


def _checkpoints(quality: Quality, ended: Event) -> None:
    while not ended.wait(CHECKPOINT_S):
        quality.checkpoint()


def ci_of(number: int, serial: int) -> dict[str, Any]:
    """A CI of the estate as it is read live: its serial number may be that of another by now."""
    return {
        "ref": ref(number),
        "name": f"host{number}",
        "cls": "server",
        "status": "live",
        "operational_status": "operational",
        "environment": "production",
        "serial": f"SN{serial:09d}",
        "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "os": "Linux",
        "last_seen_at": "2025-11-01T00:00:00Z",
    }


def estate(connection: duckdb.DuckDBPyConnection, records: int) -> None:
    """The views a live index is filled from: servers, two relations each, and the settings of their source."""
    for table, columns in STORED.items():
        made = {
            "ref": f"'snow:{table.removeprefix('stored_')}:CI' || lpad(i::VARCHAR, 9, '0')",
            "handle": "lpad(printf('%x', i), 32, '0')",
            "source": "'snow'",
            "known": "'|cls|status|serial|subject|object|type|last_seen_at|'",
            "cls": "'server'",
            "environment": "'production'",
            "status": "'live'",
            "type": "'depends_on'",
            "serial_key": "lpad(i::VARCHAR, 9, '0')",
            "subject": f"'snow:ci:CI' || lpad((i % {records})::VARCHAR, 9, '0')",
            "object": f"'snow:ci:CI' || lpad(((i * 7 + 1) % {records})::VARCHAR, 9, '0')",
        }
        count = {"stored_ci": records, "stored_relationship": 2 * records}.get(table, 0)
        chosen = ", ".join(f"{made.get(c.name, f'NULL::{_DUCK[c.type]}')} AS {c.name}" for c in columns)
        connection.execute(f"CREATE VIEW {table} AS SELECT {chosen} FROM range({count}) AS t(i)")
    create_settings(connection, Profile.default(), ["snow"])
    kinds = tuple(("snow", kind, AS_OF, None, records, None, None) for kind in ("ci", "relationship"))
    create(connection, "source_state", Table(DERIVED["source_state"], kinds))


def measure(folder: Path, records: int) -> list[Row]:
    rows = lookups(folder, records)
    rows += evidence(folder, records)
    rows += touches(folder, min(records, MOST_TOUCHED))
    rows.append(
        row("peak MB of the process, writing included", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    )
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

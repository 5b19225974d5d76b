"""B7: what the ledger costs. ``python -m benchmarks.ledger [--json] [--folder DIR]``

Chained, durable (SQLite WAL, synchronous=FULL) appends with 64 callers waiting at once and with one; the
CPU of the whole process (callers included) per entry; and what handing over a read's entry costs the
caller. The median of three rounds is reported. The chain is verified afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from interlock.clock import SystemClock
from interlock.governance.ledger import Entry, Ledger, Payload, verify

WAITING = 64
ENTRIES = 20_000
ALONE = 1_000
QUEUED = 4_000
ROUNDS = 3


def entry(number: int) -> Entry:
    return Entry(
        kind="call",
        call_id=f"call-{number:012d}",
        at=1_763_000_000.0 + number / 1000,
        principal="agent:triage",
        tool="incident_get",
        refs=(f"snow:incident:INC{number:07d}",),
        verdict="allow",
        reasons=("CI-STALE",),
        versions={"policy": "3f9c2a71", "profile": "b07d55e0", "contract": "v0"},
    )


async def appends(ledger: Ledger, waiting: int, count: int) -> tuple[float, float, float]:
    """Entries a second, median milliseconds, microseconds of CPU an entry."""
    numbers = iter(range(count))
    times: list[float] = []

    async def caller() -> None:
        for number in numbers:
            began = time.perf_counter()
            await ledger.append(entry(number))
            times.append(time.perf_counter() - began)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(waiting)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return count / wall, statistics.median(times) * 1e3, cpu / count * 1e6


async def queued(ledger: Ledger) -> tuple[float, float]:
    """Microseconds on the caller's side for a read's entry with its payload: median, and CPU in all."""
    answer = b'{"data":{"number":"INC0010023"}}' * 20
    times: list[float] = []
    cpu = time.process_time()
    for number in range(QUEUED):
        item, payload = entry(number), Payload({"ref": "snow:incident:INC0010023"}, answer)
        began = time.perf_counter()
        await ledger.queue(item, payload)
        times.append(time.perf_counter() - began)
        if number % 16 == 0:
            await asyncio.sleep(0)
    await ledger.flush()
    return statistics.mean(times) * 1e6, (time.process_time() - cpu) / QUEUED * 1e6


async def measure(folder: Path) -> list[dict[str, object]]:
    many, alone, reads = [], [], []
    ledger = Ledger(folder / "state", SystemClock())
    await appends(ledger, WAITING, 2_000)
    for _ in range(ROUNDS):
        many.append(await appends(ledger, WAITING, ENTRIES))
        alone.append(await appends(ledger, 1, ALONE))
        reads.append(await queued(ledger))
    counts = ledger.counts
    await ledger.close()
    began = time.perf_counter()
    report = verify(folder / "state")
    wall = time.perf_counter() - began
    if not report.ok or report.entries != counts.entries or counts.lost:
        raise SystemExit(f"the ledger does not verify after the run: {report}, {counts}")

    def row(name: str, value: float, budget: float | None, atleast: bool = False) -> dict[str, object]:
        ok = budget is None or (value >= budget if atleast else value <= budget)
        return {"name": name, "value": round(value, 3), "budget": budget, "ok": ok}

    def middle(runs: Sequence[tuple[float, ...]], at: int) -> float:
        return statistics.median(run[at] for run in runs)

    return [
        row("B7 appends/s, 64 waiting", middle(many, 0), 20_000, atleast=True),
        row("B7 append p50 ms, 64 waiting", middle(many, 1), 4.0),
        row("B7 CPU us an entry, 64 waiting", middle(many, 2), 30.0),
        row("B7 append p50 ms, alone", middle(alone, 1), 0.8),
        row("B7 CPU us an entry, alone", middle(alone, 2), None),
        row("ledger.queue us on the caller's side", middle(reads, 0), 15.0),
        row("ledger.queue CPU us in all, payload included", middle(reads, 1), None),
        row("verify us an entry", wall / report.entries * 1e6, None),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description="Measure budget B7.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to write (on the disk to be measured)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = uvloop.run(measure(Path(folder)))
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            mark = "-" if row["budget"] is None else "ok" if row["ok"] else "MISSED"
            print(f"{row['name']:<48} {row['value']!s:>12}  budget {row['budget'] or '-'!s:>8}  {mark}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

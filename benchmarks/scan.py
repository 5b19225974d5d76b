"""What a scan costs against SQL written by hand. ``python -m benchmarks.scan [--size 200k|1m|10m] [--json]``

Eight checks over one CMDB in Parquet (``scan_data``): by the product, and by hand in DuckDB's SQL
(``scan_sql``), each run in a process of its own, by turns; the findings have to be the same, word for word. Then
1 % of the records change, and the scan by what changed is held against a full scan of the same.
CPU is user and system time of the process, memory its peak; both from the kernel. What else the issue of flags asks
for is measured beside it, each in a process of its own: lookups in the mask and one changed record
(``benchmarks.mask``), and the CPU of a harvest (``benchmarks.harvest``); ``--alone`` leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import scan_data

SIZES = {"200k": (200_000, 200_000), "1m": (1_000_000, 1_000_000), "10m": (10_000_000, 1_000_000)}
CODES = ("CI-STALE", "CI-MISS-REQ", "CI-ORPHAN", "CI-DUP-IN", "CI-CONFLICT", "REL-DANGLING", "TKT-PRIO", "TKT-CI-CLASS")
MEMORY = "2GB"
MOST_RATIO = 1.2
MOST_GB = 3.0
MOST_DELTA = 0.25
MOST_DELTA_GB = 4.0

Row = dict[str, Any]


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


def ours(job: dict[str, Any]) -> None:
    """A scan by the product, in this process: full, or by what changed since ``since``."""
    from interlock.quality.scan import delta, full
    from interlock.quality.scan.changes import Changes
    from interlock.quality.scan.engine import Bounds
    from interlock.quality.scan.records import Scans

    marks: list[tuple[str, float, float]] = []

    def progress(label: str, done: int, steps: int) -> None:
        marks.append((label, time.perf_counter(), _cpu()))

    with duckdb.connect() as con:
        found = {g: scan_data.snapshots(con, Path(job["data"]), *SIZES[job["size"]], g) for g in job["generations"]}
    state, bounds = Path(job["state"]), Bounds(memory=MEMORY)
    as_of = scan_data.AS_OF + job["later"]
    if job["mode"] == "full":
        full.scan(
            state, found[job["generations"][-1]], scan_data.profile(), as_of, CODES, bounds=bounds, progress=progress
        )
    else:
        files: dict[str, list[Path]] = {}
        for path in job["deltas"]:
            files.setdefault(Path(path).parent.parent.name, []).append(Path(path))
        last = Scans(state).current()
        assert last is not None
        changes = Changes(files, found[1])
        how: dict[str, Any] = {"bounds": bounds, "progress": progress}
        assert delta.scan(state, last, found[2], changes, scan_data.profile(), as_of, **how)
    for (label, wall, cpu), (_, wall_next, cpu_next) in pairwise(marks):
        say(f"    {label:40} {wall_next - wall:7.2f} s wall {cpu_next - cpu:7.2f} s CPU")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, command: Sequence[str]) -> Row:
    """Run a command; its wall and CPU seconds and peak memory, of it and its children. Raises RuntimeError."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{name} ended with {status}")
    row = {"name": name, "wall_s": round(wall, 2), "cpu_s": round(used.ru_utime + used.ru_stime, 2)}
    row["peak_gb"] = round(used.ru_maxrss / 1e6, 2)
    say(f"  {name:12} wall {row['wall_s']:7.2f} s  CPU {row['cpu_s']:7.2f} s  {row['peak_gb']:.2f} GB")
    return row


def differences(one: Path, other: Path) -> int:
    """Findings that are in one file and not in the other, both ways, with all their text."""
    with duckdb.connect(config={"memory_limit": "3GB", "temp_directory": str(one.parent / "compare")}) as con:
        con.execute("SET preserve_insertion_order = false")
        left, right = (f"(SELECT code, kind, ref, evidence FROM read_parquet('{each}'))" for each in (one, other))
        missing = [f"(FROM {a} EXCEPT ALL FROM {b})" for a, b in ((left, right), (right, left))]
        return int(con.execute(f"SELECT count(*) FROM ({' UNION ALL '.join(missing)})").fetchall()[0][0])


class Bench:
    """One size in one folder."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder, self.size = folder / size, size
        self.folder.mkdir(parents=True, exist_ok=True)
        say(f"{size}: making the CMDB, unless it is there")
        with duckdb.connect(config={"memory_limit": MEMORY}) as con:
            con.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
            self.first, self.second = (
                scan_data.snapshots(con, self.folder / "data", *SIZES[size], generation) for generation in (1, 2)
            )

    def plan(self) -> Path:
        """What the hand-written scan is told."""
        from interlock.quality.scan.full import files_of

        impossible = " OR ".join(
            f"(category = '{category}' AND cls NOT IN {classes})" for category, classes in scan_data.CATEGORIES.items()
        )
        plan = {
            "as_of": scan_data.AS_OF,
            "junk": list(scan_data.profile().ci.junk),
            "memory": MEMORY,
            "scratch": str(self.folder / "spill"),
            "files": {kind: [str(file) for file in files] for kind, files in files_of(self.first).items()},
            "findings": str(self.folder / "by-hand.parquet"),
            "impossible": impossible,
        }
        file = self.folder / "plan.json"
        file.write_text(json.dumps(plan))
        return file

    def job(self, name: str, **more: Any) -> list[str]:
        job = {
            "data": str(self.folder / "data"),
            "size": self.size,
            "state": str(self.folder / name),
            "later": 0,
            **more,
        }
        return [sys.executable, "-m", "benchmarks.scan", "--job", json.dumps(job)]

    def full(self, rounds: int) -> dict[str, Any]:
        """The scan and the SQL by hand, by turns."""
        ours_command = self.job("ours", mode="full", generations=[1])
        hand_command = [sys.executable, "-m", "benchmarks.scan_sql", str(self.plan())]
        mine: list[Row] = []
        hand: list[Row] = []
        for _ in range(rounds):
            hand.append(measured("by hand", hand_command))
            mine.append(measured("scan", ours_command))
        differ = differences(self.findings("ours"), self.folder / "by-hand.parquet")
        return {
            "scan": mine,
            "by_hand": hand,
            "cpu_ratio": round(_middle(mine, "cpu_s") / _middle(hand, "cpu_s"), 3),
            "wall_ratio": round(_middle(mine, "wall_s") / _middle(hand, "wall_s"), 3),
            "peak_gb": max(row["peak_gb"] for row in mine),
            "differences": differ,
        }

    def delta(self, rounds: int) -> dict[str, Any]:
        """The scan by what changed, against a full scan of the same records at the same time, a day later."""
        from interlock.quality.harvest.delta import delta_between

        deltas = [str(delta_between(old, new).file) for old, new in zip(self.first, self.second, strict=True)]
        later = {"generations": [1, 2], "later": 86_400}
        whole: list[Row] = []
        by_change: list[Row] = []
        for _ in range(rounds):
            whole.append(measured("full again", self.job("again", mode="full", **later)))
            self.pin("ours")
            by_change.append(measured("by change", self.job("ours", mode="delta", deltas=deltas, **later)))
        return {
            "full": whole,
            "by_change": by_change,
            "wall_ratio": round(_middle(by_change, "wall_s") / _middle(whole, "wall_s"), 3),
            "cpu_ratio": round(_middle(by_change, "cpu_s") / _middle(whole, "cpu_s"), 3),
            "peak_gb": max(row["peak_gb"] for row in by_change),
            "differences": differences(self.findings("ours"), self.findings("again")),
        }

    def pin(self, name: str) -> None:
        """Have the last full scan in force, whatever ran after it."""
        scans = self.folder / name / "scans"
        numbers = sorted((int(p.name) for p in scans.iterdir() if p.name.isdecimal()), reverse=True)
        whole = next(n for n in numbers if json.loads((scans / str(n) / "scan.json").read_text())["mode"] == "full")
        (scans / "current").write_text(f"{whole}\n")

    def findings(self, name: str) -> Path:
        scans = self.folder / name / "scans"
        return scans / (scans / "current").read_text().strip() / "findings.parquet"


def _middle(rows: Sequence[Row], name: str) -> float:
    return statistics.median(float(row[name]) for row in rows)


def judged(result: dict[str, Any]) -> list[Row]:
    """The goals, each with its value."""
    scan, delta = result["scan"], result["delta"]
    rows = [
        ("CPU of a scan / SQL by hand", scan["cpu_ratio"], MOST_RATIO),
        ("wall of a scan / SQL by hand", scan["wall_ratio"], MOST_RATIO),
        ("peak memory of a scan, GB", scan["peak_gb"], MOST_GB),
        ("findings that differ from SQL by hand", scan["differences"], 0),
        ("wall of a scan of 1 % / full", delta["wall_ratio"], MOST_DELTA),
        ("findings that differ from a full scan", delta["differences"], 0),
        ("peak memory of a scan of 1 %, GB", delta["peak_gb"], MOST_DELTA_GB),
    ]
    return [{"name": name, "value": value, "budget": most, "ok": value <= most} for name, value, most in rows]


def beside(size: str) -> list[Row]:
    """What the mask, one changed record and a harvest cost: the rows of their own benchmarks."""
    mask = _asked("benchmarks.mask", "--size", size)
    harvest = _asked("benchmarks.harvest")
    rows: list[Row] = list(mask)
    goal = harvest["goal"]
    told = {"name": "CPU of a harvest / a bare pager", "value": harvest["ratio"], "budget": goal}
    return [*rows, {**told, "ok": harvest["ratio"] <= goal}]


def _asked(*command: str) -> Any:
    say(f"{' '.join(command)}")
    ran = subprocess.run([sys.executable, "-m", *command, "--json"], stdout=subprocess.PIPE, check=False, timeout=3600)
    if not ran.stdout:
        raise RuntimeError(f"{command[0]} measured nothing (exit {ran.returncode})")
    return json.loads(ran.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scan", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="1m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "interlock-scan")
    parser.add_argument("--alone", action="store_true", help="the scans only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        ours(json.loads(given.job))
        return 0
    bench = Bench(given.folder, given.size)
    result: dict[str, Any] = {"size": given.size, "codes": CODES, "memory_limit": MEMORY, "cores": os.cpu_count()}
    result["load"] = [round(each, 1) for each in os.getloadavg()]
    result |= {"scan": bench.full(given.rounds), "delta": bench.delta(given.rounds)}
    result["goals"] = judged(result) + ([] if given.alone else beside(given.size))
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        for row in result["goals"]:
            goal = "" if row["budget"] is None else f"at most {row['budget']}"
            print(f"{'ok ' if row['ok'] else 'NOT'} {row['name']:48} {row['value']!s:>10}  {goal}")
    return 0 if all(row["ok"] for row in result["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())

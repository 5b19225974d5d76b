"""A scan against Great Expectations. ``python -m benchmarks.rival_gx [--size 200k|1m] [--json]``

The CMDB of ``benchmarks.scan`` in Parquet: eight checks by the product, and seven of them by Great Expectations on
pandas (``rival_gx_job``), by turns, each a process of its own. The records that both name have to be the same.
Great Expectations lives in an environment of its own, made with pip under ``--folder`` at the first run. CPU is user
and system time of the whole process, with start, reading, joins and writing; memory is its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import scan_data
from benchmarks.scan import CODES, Bench, Row, measured, say

NEEDS = ("great-expectations==1.24.*", "pandas>=3,<4", "pyarrow")
JOB = Path(__file__).with_name("rival_gx_job.py")
SIZES = ("200k", "1m")
ALONE = ("CI-CONFLICT",)  # compares pairs of records of two sources: an expectation sees one table
LEAST_RATIO = 15.0
QUIET = {"GX_ANALYTICS_ENABLED": "false", "TQDM_DISABLE": "1"}


def interpreter(folder: Path) -> Path:
    """The interpreter that has Great Expectations, made in ``folder`` unless it is there. Raises CalledProcessError."""
    python = folder / "bin" / "python"
    have = "import great_expectations as gx; assert gx.__version__.startswith('1.24.')"
    if python.exists() and subprocess.run([python, "-c", have], capture_output=True, check=False).returncode == 0:
        return python
    say(f"installing {', '.join(NEEDS)} into {folder}")
    venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS], check=True, timeout=900)
    return python


def plan(bench: Bench) -> dict[str, Any]:
    """What the rival is told: the files by kind, the time, the placeholder words, and where its answers go."""
    from interlock.quality.scan.full import files_of

    return {
        "as_of": scan_data.AS_OF,
        "junk": list(scan_data.profile().ci.junk),
        "categories": scan_data.CATEGORIES,
        "files": {kind: [str(file) for file in files] for kind, files in files_of(bench.first).items()},
        "found": str(bench.folder / "by-gx.parquet"),
        "told": str(bench.folder / "by-gx.json"),
    }


def compared(ours: Path, theirs: Path) -> dict[str, Row]:
    """By check: how many records both name, and how many only one of them."""
    sql = f"""
        SELECT code, count(*) FILTER (o.ref = t.ref), count(*) FILTER (t.ref IS NULL), count(*) FILTER (o.ref IS NULL)
        FROM (SELECT DISTINCT code, ref FROM read_parquet('{ours}')) o
        FULL JOIN (SELECT DISTINCT code, ref FROM read_parquet('{theirs}')) t USING (code, ref)
        GROUP BY code ORDER BY code"""
    names = ("both", "only_scan", "only_great_expectations")
    with duckdb.connect() as con:
        return {code: dict(zip(names, counts, strict=True)) for code, *counts in con.execute(sql).fetchall()}


def run(folder: Path, size: str, rounds: int) -> dict[str, Any]:
    """Both, by turns."""
    bench, python = Bench(folder, size), interpreter(folder / "great-expectations")
    told = plan(bench)
    file = bench.folder / "gx-plan.json"
    file.write_text(json.dumps(told))
    scans: list[Row] = []
    rivals: list[Row] = []
    os.environ.update(QUIET)
    for _ in range(rounds):
        scans.append(measured("scan", bench.job("ours", mode="full", generations=[1])))
        row = measured("rival", [str(python), str(JOB), str(file)])
        rivals.append(row | json.loads(Path(told["told"]).read_text()))
    found = compared(bench.findings("ours"), Path(told["found"]))
    load = [round(each, 1) for each in os.getloadavg()]
    return {
        "size": size,
        "cores": os.cpu_count(),
        "load": load,
        "scan": scans,
        "great_expectations": rivals,
        "records": found,
    }


def median(rows: Sequence[Row], name: str) -> float:
    return statistics.median(float(row[name]) for row in rows)


def judged(result: dict[str, Any]) -> list[Row]:
    """The goals, then figures beside them, which have no budget."""
    scan, rival = result["scan"], result["great_expectations"]
    both = {code: row for code, row in result["records"].items() if code not in ALONE}
    differ = sum(row["only_scan"] + row["only_great_expectations"] for row in both.values())
    complete = set(both) == set(CODES) - set(ALONE)
    ratio = median(rival, "cpu_s") / median(scan, "cpu_s")
    parts = [row["parts"] for row in rival]
    rows: list[tuple[str, float, float | None, bool]] = [
        ("CPU of Great Expectations / scan, at least", round(ratio, 2), LEAST_RATIO, ratio >= LEAST_RATIO),
        ("records of seven checks that only one names", differ, 0, complete and differ == 0),
        ("records of seven checks that both name", sum(row["both"] for row in both.values()), None, True),
        ("scan, eight checks: CPU s", median(scan, "cpu_s"), None, True),
        ("scan, eight checks: peak GB", median(scan, "peak_gb"), None, True),
        ("Great Expectations, seven checks: CPU s", median(rival, "cpu_s"), None, True),
        ("Great Expectations, seven checks: peak GB", median(rival, "peak_gb"), None, True),
    ]
    rows += [(f"Great Expectations, {part}: CPU s", median(parts, part), None, True) for part in parts[0]]
    return [{"name": name, "value": value, "budget": budget, "ok": ok} for name, value, budget, ok in rows]


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.rival_gx", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="1m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for the CMDB and the environment; a temporary one by default")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--out", type=Path, help="write rows and runs as JSON to this file")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-rival-")))
        result = run(folder, given.size, given.rounds)
    rows = judged(result)
    if given.out:
        told = {"command": f"python -m benchmarks.rival_gx --size {given.size} --rounds {given.rounds}"}
        given.out.write_text(json.dumps(told | {"rows": rows} | result, indent=1) + "\n")
    if given.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            budget = "" if row["budget"] is None else f"  budget {row['budget']:g}"
            print(f"{'ok ' if row['ok'] else 'NOT'} {row['name']:48} {row['value']:>9}{budget}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

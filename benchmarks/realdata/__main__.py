"""``python -m benchmarks.realdata [--json]``: the table of real data, its page and its record."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.realdata.finding import findings
from benchmarks.realdata.loading import DataSet, data_sets, records_of
from benchmarks.realdata.page import page
from benchmarks.realdata.table import Row, Uncovered, rows, uncovered, unexplained

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "real-data.md"


def measured(shared: Path) -> tuple[list[DataSet], list[Row], list[Uncovered]]:
    """All data sets under a folder: the covered numbers, and the others. Minutes of one core: below one."""
    data, made, left = data_sets(shared), [], []
    for each in data:
        facts: dict[str, Any] = json.loads((each.folder / "profile.json").read_text(encoding="utf-8"))
        sources = asyncio.run(records_of(each, facts))
        with tempfile.TemporaryDirectory() as folder:
            made += rows(each, facts, findings(each, sources, Path(folder)))
        left += uncovered(each, facts)
    return data, made, left


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 when a difference has no reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realdata")
    parser.add_argument("--json", action="store_true", help="print the table as JSON and write nothing")
    parser.add_argument("--data", type=Path, help="the folder of the data sets; $INTERLOCK_SHARED/data by default")
    asked = parser.parse_args(arguments)
    shared = asked.data or (Path(os.environ["INTERLOCK_SHARED"]) / "data" if "INTERLOCK_SHARED" in os.environ else None)
    if shared is None or not shared.is_dir():
        parser.error("no data sets: name their folder with --data, or set INTERLOCK_SHARED")
    data, made, left = measured(shared)
    told = {
        "covered": [{**asdict(row), "difference": row.difference} for row in made],
        "uncovered": [{"data": e.data, "why": e.why, "numbers": len(e.numbers)} for e in left],
        "unexplained": len(unexplained(made)),
    }
    text = json.dumps(told, indent=1) + "\n"
    if asked.json:
        sys.stdout.write(text)
    else:
        day = datetime.now(UTC).date().isoformat()
        (ROOT / "docs" / "measured" / f"realdata-{day}.json").write_text(text, encoding="utf-8")
        PAGE.write_text(page(data, made, left), encoding="utf-8")
        for row in made:
            counts = f"{row.expected:6} {row.found:6} {row.difference:4}"
            print(f"{row.data:26} {row.number:64} {row.check:16} {counts} {row.why}")
        print(f"{len(made)} numbers, {told['unexplained']} unexplained differences; wrote {PAGE.relative_to(ROOT)}")
    return 1 if unexplained(made) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

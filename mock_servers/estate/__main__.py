"""``python -m mock_servers.estate --size 2000 --seed 7 --out FOLDER``: native tables as JSON lines, and the key."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from interlock.records import times
from interlock.records.problems import Problem
from mock_servers.estate import assumptions, generate, servicenow, stories
from mock_servers.estate.model import Estate, Size


def write(estate: Estate, folder: Path) -> dict[str, int]:
    """Write ``TABLE.jsonl`` for every table and ``answer_key.json``; returns rows by table."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    with ExitStack() as open_files:
        files: dict[str, TextIO] = {}
        for table, row in servicenow.rows(estate):
            if table not in files:
                path = folder / f"{table}.jsonl"
                files[table] = open_files.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            files[table].write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            counts[table] = counts.get(table, 0) + 1
    key = servicenow.answer_key(estate)
    answer = {
        "seed": estate.seed,
        "cis": estate.size.cis,
        "incidents": estate.size.incidents,
        "stories": stories(estate),
        "assumptions": assumptions.as_data(estate.as_of),
        "codes": key.codes(),
        "entries": key.as_data(),
    }
    with (folder / "answer_key.json").open("w", encoding="utf-8", newline="\n") as file:
        json.dump(answer, file, ensure_ascii=False, indent=1)
        file.write("\n")
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with a sentence on standard error when an argument will not do."""
    parser = argparse.ArgumentParser(prog="python -m mock_servers.estate", description=__doc__)
    parser.add_argument("--size", type=int, default=2000, help="number of CIs (default 2000)")
    parser.add_argument("--incidents", type=int, help="number of incidents (default: half of --size)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--as-of", help="the estate's present, such as 2026-11-01T00:00:00Z (the default)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    given = parser.parse_args(arguments)
    try:
        as_of = times.parse(given.as_of, "--as-of") if given.as_of else assumptions.DEFAULT_AS_OF
        size = Size.of(given.size, given.incidents)
    except (Problem, ValueError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    for table, rows in sorted(write(generate(given.seed, size, as_of), given.out).items()):
        sys.stdout.write(f"{rows:>9,} {table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

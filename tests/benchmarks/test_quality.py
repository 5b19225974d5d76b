"""The quality benchmark at small sizes: every check finds what was planted, and a difference is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.enterprise import Planted
from benchmarks.quality import LATER, rows, run, scores, table

from interlock.quality.rowlevel import shipped

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cis", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_checks_find_exactly_what_was_planted(cis: int, tmp_path: Path) -> None:
    outcome = run(cis, tmp_path)
    assert [line for line in table(outcome) if "missed" in line or "extra" in line] == []
    assert outcome.exact
    by_code = {score.code: score for score in outcome.scores}
    assert by_code.keys() | LATER.keys() >= shipped().checks.keys()
    unplanted = {code for code, score in by_code.items() if not score.planted}
    assert unplanted <= LATER.keys(), "a check without a planted finding proves nothing"
    assert outcome.records > 2.5 * cis
    told = {row["name"]: row for row in rows(outcome)}
    assert told["CI-STALE"]["value"] == told["CI-STALE"]["budget"] == 1
    assert told["records"]["value"] == outcome.records


def test_an_enterprise_is_the_same_in_every_process() -> None:
    program = (
        "import hashlib; from benchmarks.enterprise import Enterprise; made = Enterprise(200)\n"
        "rows = [(source, row.kind, row.row) for source, rows in made.sources() for row in rows]\n"
        "print(hashlib.sha256(repr((rows, sorted(map(repr, made.key())))).encode()).hexdigest())"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            cwd=ROOT,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1] != b""


def test_differences_are_counted_and_told() -> None:
    key = [Planted("CI-STALE", f"snow:ci:{n}", "stale") for n in range(4)]
    found = [("CI-STALE", f"snow:ci:{n}", f"stale: {n}") for n in (1, 2, 3, 9, 8)]
    orphan, stale = scores(key, found, ["CI-STALE", "CI-ORPHAN"])
    assert (stale.planted, stale.found, stale.right) == (4, 5, 3)
    assert (stale.precision, stale.recall, stale.exact) == (0.6, 0.75, False)
    assert stale.missed == (("snow:ci:0", "stale"),)
    assert stale.extra == (("snow:ci:8", "stale: 8"), ("snow:ci:9", "stale: 9"))
    assert (orphan.precision, orphan.recall, orphan.exact) == (1.0, 1.0, True)

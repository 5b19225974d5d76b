"""The comparison with Great Expectations says no when records differ, or a check is not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from benchmarks.rival_gx import compared, judged

SEVEN = ("CI-STALE", "CI-MISS-REQ", "CI-ORPHAN", "CI-DUP-IN", "REL-DANGLING", "TKT-PRIO", "TKT-CI-CLASS")


def written(file: Path, rows: list[tuple[str, str]]) -> Path:
    values = ", ".join(f"('{code}', '{ref}')" for code, ref in rows)
    with duckdb.connect() as con:
        con.execute(f"COPY (FROM (VALUES {values}) f(code, ref)) TO '{file}' (FORMAT parquet)")
    return file


def result(tmp_path: Path, theirs: list[tuple[str, str]], cpu_s: float = 30.0) -> dict[str, Any]:
    ours = [(code, "a") for code in SEVEN] + [("CI-CONFLICT", "a")]
    found = compared(written(tmp_path / "ours", ours), written(tmp_path / "theirs", theirs))
    rival = {"cpu_s": cpu_s, "peak_gb": 2.0, "parts": {"validation": 20.0}}
    return {"scan": [{"cpu_s": 2.0, "peak_gb": 1.0}], "great_expectations": [rival], "records": found}


def goals(result: dict[str, Any]) -> list[tuple[float, bool]]:
    return [(row["value"], row["ok"]) for row in judged(result) if row["budget"] is not None]


def test_the_same_records_for_a_fifteenth_are_ok_and_the_eighth_check_is_not_compared(tmp_path: Path) -> None:
    # a record that is named twice is one record: an expectation for each of two columns may fail
    assert goals(result(tmp_path, [*((code, "a") for code in SEVEN), ("CI-STALE", "a")])) == [(15.0, True), (0, True)]


def test_less_than_fifteen_times_is_a_miss(tmp_path: Path) -> None:
    assert goals(result(tmp_path, [(code, "a") for code in SEVEN], 29.9))[0] == (14.95, False)


def test_records_of_one_side_only_are_counted_both_ways(tmp_path: Path) -> None:
    theirs = [(code, "b" if code == "CI-STALE" else "a") for code in SEVEN]
    assert goals(result(tmp_path, theirs))[1] == (2, False)


def test_a_check_that_neither_side_ran_is_no_agreement(tmp_path: Path) -> None:
    made = result(tmp_path, [(code, "a") for code in SEVEN])
    del made["records"]["CI-ORPHAN"]
    assert goals(made)[1] == (0, False)

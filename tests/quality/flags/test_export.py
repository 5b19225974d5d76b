"""Flags as files: whole, in pieces, and nothing in them that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.quality.flags import export as exports
from interlock.quality.flags.export import cell, export
from interlock.quality.flags.listing import Filters
from interlock.records.problems import Problem, Slug


def _raise(store: FlagStore, clock: ManualClock, count: int, evidence: str = "old: @1700000000") -> None:
    for number in range(count):
        store.replace(f"snow:ci:{number:04}", [("CI-STALE", evidence)], ["CI-STALE"], clock.now())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["late: expected_by 2023", "snow:ci:=1", "", None, 7, True])
def test_other_cells_stay(value: object) -> None:
    assert cell(value) is value


def test_more_than_a_page_comes_whole_and_once(
    store: FlagStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_LIMIT", 7)
    _raise(store, clock, 30)
    pieces = list(export(store, "jsonl", Filters()))
    assert len(pieces) == 5, "a page at a time"
    refs = [json.loads(line)["ref"] for line in b"".join(pieces).splitlines()]
    assert refs == [f"snow:ci:{number:04}" for number in range(30)]


def test_evidence_of_any_kind_fits_every_format(store: FlagStore, clock: ManualClock) -> None:
    wild = 'quo"te, comma\nline \x07 bell ü'
    _raise(store, clock, 1, wild)
    (row,) = csv.DictReader(io.StringIO(b"".join(export(store, "csv", Filters())).decode(), newline=""))
    assert row["evidence"] == wild
    from openpyxl import load_workbook

    sheet = load_workbook(io.BytesIO(b"".join(export(store, "xlsx", Filters())))).active
    assert sheet["E2"].value == wild.replace("\x07", "\ufffd"), "XML has no place for it"


def test_a_sheet_that_would_be_too_long_is_refused_before_anything_is_sent(
    store: FlagStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_SHEET", 3)
    _raise(store, clock, 4)
    with pytest.raises(Problem) as caught:
        next(export(store, "xlsx", Filters()))
    assert caught.value.slug is Slug.TOO_LARGE


@pytest.mark.parametrize(
    ("wanted", "module", "extra"), [("xlsx", "openpyxl", "excel"), ("parquet", "pyarrow", "parquet")]
)
def test_a_missing_extra_is_named(
    store: FlagStore, monkeypatch: pytest.MonkeyPatch, wanted: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Problem) as caught:
        export(store, wanted, Filters())
    assert caught.value.slug is Slug.UNSUPPORTED
    assert f"interlock-gateway[{extra}]" in (caught.value.next_step or "")


def test_no_flags_are_a_file_too(store: FlagStore) -> None:
    assert b"".join(export(store, "jsonl", Filters())) == b""
    assert len(b"".join(export(store, "csv", Filters())).splitlines()) == 1

"""Three published exports of the same events, in three shapes, are the same rows once declared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlock.adapterkit.tabular import Table, file_form, read_table

SHARED = Path(os.environ.get("INTERLOCK_SHARED", "")) / "data" / "uci_incident_event_log"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no folder of real exports"),
]
DATES = ("opened_at", "sys_created_at", "sys_updated_at", "resolved_at", "closed_at")
FLAGS = ("active", "made_sla", "knowledge", "u_priority_confirmation")


def read(name: str, form: str, **more: object) -> Table:
    declared = {"missing": ["?"], "dates": dict.fromkeys(DATES, form), "booleans": list(FLAGS), **more}
    return read_table(SHARED / name, file_form(declared))


@pytest.fixture(scope="module")
def original() -> Table:
    return read("incident_event_log.csv.gz", "D/M/YYYY hh:mm")


def test_dashes_and_upper_case(original: Table) -> None:
    variant = read("variant_first5998_dash_dates_upper_bool.csv.gz", "DD-MM-YYYY hh:mm")
    assert len(variant.rows) == 5_998
    assert variant.rows == original.rows[:5_998]
    assert variant.warnings == original.warnings == ()


def test_repeated_header_and_stripped_words(original: Table) -> None:
    names = {"category": ["category", "subcategory"], "ident_state": ["incident_state"]}
    variant = read("variant_stripped_dup_header.csv.gz", "D/M/YYYY hh:mm", columns=names)
    assert variant.columns == original.columns
    assert len(variant.rows) == 141_712
    for name, prefix in (("number", "INC"), ("category", "Category "), ("subcategory", "Subcategory ")):
        for stripped, whole in zip(variant.rows, original.rows, strict=True):
            bare = whole[name]
            assert stripped[name] == (bare.removeprefix(prefix) if bare else None)
    for name in (*DATES, *FLAGS):
        assert [row[name] for row in variant.rows] == [row[name] for row in original.rows], name

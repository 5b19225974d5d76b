"""Reading a page by column gives what decoding and storing it row by row gives, whatever the source sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.adapterkit.mapping import Mapping as Compiled
from interlock.adapterkit.product import compile_product
from interlock.places import place
from interlock.quality.harvest.columnwise import ByColumn, ByRow, reader
from interlock.records.problems import Problem

SETTINGS = {"base_url": "https://snow.example", "time_zone": "Europe/Berlin", "server": "ar", "environment": "test"}
EXTRA = {"ci": {"ext": {"rack": {"at": "u_rack", "type": "word"}, "slots": {"at": "u_slots", "type": "int"}}}}


def mappings(product: str, overlay: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found = compile_product(place("adapters") / product, source="src", settings=SETTINGS, overlay=overlay or {})
    return dict(found.mappings)


SNOW = mappings("servicenow", EXTRA)
REMEDY = mappings("remedy")
CASES = [(kind, mapping) for each in (SNOW, REMEDY) for kind, mapping in each.items() if type(mapping) is Compiled]
_WORDS = """1 2 true false 2026-03-01T09:15:00 2026-03-01T09:15:00+01:00 cmdb_ci_linux_server ~x aaaa
00:11:22:33:44:55 0050.56ab.cdef web01.example.com. localhost.localdomain"""
_LINES = """2026-03-01 09:15:00,2026-13-01 09:15:00,0000-00-00 00:00:00,2026-03-01 09:15+01,SN: 0012,Zürich ,
Depends on::Used by,Contains::Contained by"""
_TEXTS = (*_WORDS.split(), *_LINES.split(","), "", " ", "a\nb\tc", "a\x00b", "a\u200bb", "y" * 4100, "z" * 65)
TEXTS = st.one_of(st.sampled_from(_TEXTS), st.text(max_size=12))
ODD = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**6), st.just([]), st.just({}))


def cells(leaf: bool) -> st.SearchStrategy[Any]:
    if not leaf:
        return st.one_of(TEXTS, TEXTS, ODD)
    whole = st.fixed_dictionaries({"value": TEXTS, "display_value": TEXTS})
    link = st.just("https://snow.example/api/now/table/x/abc123")
    partly = st.fixed_dictionaries({}, optional={"value": st.one_of(TEXTS, ODD), "display_value": TEXTS, "link": link})
    return st.one_of(whole, whole, whole, partly, TEXTS, ODD)


@st.composite
def pages(draw: st.DrawFn, mapping: Compiled) -> list[dict[str, Any]]:
    """Rows of which most are as a source sends them, some with columns that are missing or of another form."""
    leaf = mapping.manifest.wire.leaf is not None
    columns = mapping.columns(None)
    usual = st.fixed_dictionaries({"value": TEXTS, "display_value": TEXTS}) if leaf else TEXTS
    strange = draw(st.sets(st.sampled_from(columns), max_size=3))
    rows = []
    for number in range(draw(st.integers(1, 4))):
        row = {name: draw(usual) for name in columns if name not in strange}
        row |= {name: draw(cells(leaf)) for name in strange if draw(st.integers(0, 2))}
        if draw(st.integers(0, 9)):
            ident = f"{number:032x}"
            row[mapping.id] = {"value": ident, "display_value": ident} if leaf else ident
        if draw(st.booleans()):
            row |= {name: draw(usual) for name in ("u_rack", "u_slots")}
        rows.append(row)
    return rows


def outcome(read: Any, rows: list[dict[str, Any]]) -> Any:
    try:
        found = read(rows, 1_700_000_000.5)
    except Problem as problem:
        return str(problem.slug)
    return found.batch.to_pylist(), found.handles, dict(found.known)


@pytest.mark.parametrize(("kind", "mapping"), CASES, ids=[f"{m.manifest.adapter}-{kind}" for kind, m in CASES])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_by_column_is_as_by_row(kind: str, mapping: Compiled, data: st.DataObject) -> None:
    quick, slow = ByColumn(mapping, kind, "src"), ByRow(mapping, kind, "src")
    for _ in range(2):  # the second page meets what the first left in memory
        rows = data.draw(pages(mapping))
        assert outcome(quick, rows) == outcome(slow, rows)


def test_which_mappings_are_read_by_column() -> None:
    assert isinstance(reader(SNOW["ci"], "ci", "src"), ByColumn)
    parted = mappings("nautobot")["ci"]
    assert type(parted) is not Compiled
    assert isinstance(reader(parted, "ci", "src"), ByRow)


def test_values_that_were_forgotten_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.quality.harvest.fieldwise.REMEMBERED", 3)
    quick, slow = ByColumn(SNOW["ci"], "ci", "src"), ByRow(SNOW["ci"], "ci", "src")
    for start in (0, 5, 2, 7):
        rows = [
            {
                "sys_id": {"value": f"a{n}", "display_value": ""},
                "install_status": {"value": str(n), "display_value": ""},
            }
            for n in range(start, start + 5)
        ]
        assert outcome(quick, rows) == outcome(slow, rows)

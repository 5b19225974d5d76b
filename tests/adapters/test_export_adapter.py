"""The export adapter over real files: pages, keys, handles, reloading, and what it cannot do."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from adapters.export import adapter as module
from adapters.export.adapter import ExportAdapter

from interlock.adapterkit.native import NativeWrite, Plan
from interlock.adapterkit.tabular import derived_id
from interlock.records.problems import Problem, Slug

TICKETS = "number,title,caller,group\nINC1,Printer,Ann,Desk\nINC2,Mail,Bob,Desk\nINC3,Disk,Ann,\nINC3,Disk again,,\n"
FILES: dict[str, Any] = {
    "incident": {"file": "tickets*.csv", "key": "number", "refs": {"caller": "person", "group": "group"}}
}
PLAN = Plan(pushed=None, columns=())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tickets-01.csv").write_text(TICKETS)
    return tmp_path


def make(folder: Path, **more: Any) -> ExportAdapter:
    kinds = {"incident": "incident", "person": "person", "group": "group"}
    return ExportAdapter({"folder": str(folder), "files": FILES, "kinds": kinds, **more}, source="old")


async def slug_of(call: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        await call
    return caught.value


async def test_pages_go_through_all_rows_once(folder: Path) -> None:
    adapter = make(folder)
    found, cursor = [], None
    while True:
        page = await adapter.page("incident", PLAN, cursor, 3)
        found += [row["title"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ["Printer", "Mail", "Disk", "Disk again"]


async def test_native_order_puts_the_empty_last(folder: Path) -> None:
    adapter = make(folder)
    for descending, wanted in ((False, ["INC1", "INC2", "INC3", "INC3"]), (True, ["INC3", "INC3", "INC2", "INC1"])):
        page = await adapter.page("incident", Plan(None, (), order_native=[("number", descending)]), None, 9)
        assert [row["number"] for row in page.rows] == wanted


async def test_a_row_by_key_and_by_handle(folder: Path) -> None:
    adapter = make(folder)
    row = await adapter.read("incident", "INC2", (), by_handle=False)
    assert row["caller"] == {"id": derived_id("old/person", "Bob"), "name": "Bob"}
    assert row["_id"] == derived_id("old/incident", "INC2")
    assert await adapter.read("incident", row["_id"], (), by_handle=True) is row
    bob = await adapter.read("person", "Bob", (), by_handle=False)
    assert bob == {"_id": row["caller"]["id"], "name": "Bob"}


async def test_unknown_and_repeated_keys(folder: Path) -> None:
    adapter = make(folder)
    for key, by_handle in (("INC9", False), ("f" * 32, True)):
        assert (await slug_of(adapter.read("incident", key, (), by_handle=by_handle))).slug == Slug.NOT_FOUND
    twice = await slug_of(adapter.read("incident", "INC3", (), by_handle=False))
    assert twice.slug == Slug.AMBIGUOUS_REF
    first, second = derived_id("old/incident", "INC3"), derived_id("old/incident", ("INC3", "#1"))
    assert f"~{first}" in str(twice.next_step)
    assert (await adapter.read("incident", second, (), by_handle=True))["title"] == "Disk again"


async def test_a_newer_file_is_read_and_old_cursors_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 0.0)
    adapter = make(folder)
    page = await adapter.page("incident", PLAN, None, 1)
    same = (await adapter.page("incident", PLAN, None, 1)).rows[0]
    assert same is page.rows[0], "unchanged files are not read again"
    (folder / "tickets-02.csv").write_text("number,title,caller,group\nINC7,New,Ann,Desk\n")
    os.utime(folder / "tickets-02.csv", (1_600_000_000, 1_600_000_000))
    assert (await slug_of(adapter.page("incident", PLAN, page.cursor, 1))).field == "cursor"
    assert [r["number"] for r in (await adapter.page("incident", PLAN, None, 9)).rows] == ["INC7"]
    assert await adapter.exported_at("incident") == 1_600_000_000
    assert await adapter.exported_at("person") == 1_600_000_000


async def test_the_files_are_read_once_by_many_callers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = module.read_tables
    monkeypatch.setattr(module, "read_tables", lambda *given: reads.append(1) or real(*given))
    adapter = make(folder)
    await asyncio.gather(*(adapter.page("incident", PLAN, None, 2) for _ in range(20)))
    assert len(reads) == 1


async def test_a_file_that_is_gone_is_a_problem_and_heals(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 0.0)
    adapter = make(folder)
    await adapter.open()
    (folder / "tickets-01.csv").unlink()
    gone = await slug_of(adapter.page("incident", PLAN, None, 1))
    assert (gone.slug, gone.retryable) == (Slug.SOURCE_UNAVAILABLE, True)
    (folder / "tickets-01.csv").write_text(TICKETS)
    assert len((await adapter.page("incident", PLAN, None, 9)).rows) == 4


async def test_reading_that_takes_too_long_is_a_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(module, "LOAD_TIMEOUT_S", 0.05)
    monkeypatch.setattr(module, "read_tables", lambda *given: time.sleep(0.3))
    assert (await slug_of(make(folder).open())).slug == Slug.SOURCE_UNAVAILABLE


async def test_it_only_reads(folder: Path) -> None:
    adapter = make(folder)
    calls = (
        adapter.write(NativeWrite("incident", "update", "x", {})),
        adapter.find_written("incident", "key"),
        adapter.notes("incident", "x", None, 5),
        adapter.choices("incident", "category"),
        adapter.page("relationship", PLAN, None, 5),
    )
    for call in calls:
        error = await slug_of(call)
        assert (error.slug, error.reached) == (Slug.UNSUPPORTED, "no")


async def test_declared_choices_are_told(folder: Path) -> None:
    choices = {"incident": {"category": ["net", "mail"], "subcategory": {"net": ["vpn"]}}}
    adapter = make(folder, choices=choices)
    assert [c.value for c in await adapter.choices("incident", "category")] == ["net", "mail"]
    (pair,) = await adapter.choices("incident", "subcategory")
    assert (pair.value, pair.depends_on) == ("vpn", "net")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"folder": ""}, "folder"),
        ({"files": {}}, "files"),
        ({"files": {"incident": {"key": "number"}}}, "files.incident"),
        ({"files": {"incident": {"file": "../secret.csv"}}}, "files.incident.file"),
        ({"files": {"incident": {"file": "a.csv", "keys": "number"}}}, "files.incident.keys"),
        ({"files": {"incident": {"file": "a.csv", "refs": {"caller": {"tabel": "x"}}}}}, "files.incident.refs.caller"),
    ],
)
def test_faulty_settings_name_the_key(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as caught:
        ExportAdapter({"folder": str(tmp_path), "files": FILES, **changes})
    assert caught.value.field == field


async def test_declared_columns_must_be_there(folder: Path) -> None:
    files = {"incident": {"file": "tickets-01.csv", "key": "nummer"}}
    error = await slug_of(make(folder, files=files).open())
    assert error.field == "nummer"
    assert "number" in str(error.next_step)
    unknown = await slug_of(make(folder, kinds={"ci": "cis"}).open())
    assert unknown.field == "kinds.ci"

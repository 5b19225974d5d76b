"""The export adapter over real files: pages, keys, handles, reloading, and what it cannot do."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from adapters.export import adapter as module
from adapters.export.adapter import ExportAdapter

from interlock.adapterkit.loader import adapter_class, open_adapter
from interlock.adapterkit.native import NativeWrite, Plan
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.tabular import derived_id
from interlock.clock import ManualClock
from interlock.places import place
from interlock.records.filters import Query, read_filter, read_sort
from interlock.records.kinds import FIELDS
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


def searchable(folder: Path, text: str) -> tuple[ExportAdapter, Any]:
    """An adapter with its compiled mapping, over columns named like the contract's fields."""
    (folder / "named.csv").write_text(text)
    settings = {"folder": str(folder), "files": {"incident": {"file": "named.csv", "key": "number"}}}
    product = compile_product(place("adapters") / "export", source="old", settings=settings)
    return ExportAdapter(settings, source="old", product=product), product


NAMED = (
    "number,title,priority,state,updated_at\n"
    "I1,Printer on fire,p2,new,2020-01-03T00:00:00Z\n"
    "I2,Mail,p1,closed,2020-01-01T00:00:00Z\n"
    "I3,printer jam,,new,2020-01-02T00:00:00Z\n"
    "I4,Disk,p9,new,\n"
    "I5,Print,p2,in_progress,2020-01-04T00:00:00Z\n"
)


@pytest.mark.parametrize(
    ("filter_", "sort", "text", "wanted"),
    [
        ([], ["updated_at"], None, ["I2", "I3", "I1", "I5", "I4"]),
        ([], ["-updated_at"], None, ["I5", "I1", "I3", "I2", "I4"]),
        ([], ["priority", "-number"], None, ["I2", "I5", "I1", "I4", "I3"]),
        ([], ["state", "number"], None, ["I1", "I3", "I4", "I5", "I2"]),
        ([{"field": "title", "op": "contains", "value": "PRINTER"}], [], None, ["I1", "I3"]),
        ([{"field": "state", "op": "eq", "value": "new"}], ["-number"], "printer", ["I3", "I1"]),
        ([{"field": "priority", "op": "empty"}], [], None, ["I3"]),
        ([{"field": "close_notes", "op": "empty"}], [], None, []),
    ],
)
async def test_queries_are_answered_from_all_rows(
    tmp_path: Path, filter_: list[dict[str, Any]], sort: list[str], text: str | None, wanted: list[str]
) -> None:
    adapter, product = searchable(tmp_path, NAMED)
    fields = FIELDS["incident"]
    plan = product.mappings["incident"].plan(
        Query(read_filter(filter_, fields), text=text, sort=read_sort(sort, fields))
    )
    found: list[Any] = []
    cursor = None
    while True:
        page = await adapter.page("incident", plan, cursor, 2)
        found += [row["number"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == wanted


async def test_queries_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    lines = "".join(f"I{n},t,p{n % 5 + 1},new,\n" for n in range(3_000))
    adapter, product = searchable(tmp_path, "number,title,priority,state,updated_at\n" + lines)
    plans = [
        product.mappings["incident"].plan(
            Query(read_filter([{"field": "priority", "value": f"p{n % 5 + 1}"}], FIELDS["incident"]))
        )
        for n in range(20)
    ]
    pages = await asyncio.gather(*(adapter.page("incident", plan, None, 5_000) for plan in plans))
    assert [len(page.rows) for page in pages] == [600] * 20


async def test_few_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_ANSWERS", 2)
    adapter, product = searchable(tmp_path, NAMED)
    for number in ("I1", "I2", "I3", "I1"):
        query = Query(read_filter([{"field": "number", "value": number}], FIELDS["incident"]))
        page = await adapter.page("incident", product.mappings["incident"].plan(query), None, 5)
        assert [row["number"] for row in page.rows] == [number]


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


async def test_it_is_loaded_like_every_adapter(folder: Path) -> None:
    settings = {"folder": str(folder), "files": FILES}
    product = compile_product(
        place("adapters") / "export",
        source="old",
        settings=settings,
        overlay={"incident": {"fields": {"caller": {"read": "caller", "ref": "person", "key": "caller.name"}}}},
    )
    assert adapter_class(place("adapters") / "export").__name__ == "ExportAdapter"
    adapter = open_adapter(place("adapters") / "export", product, None, settings, ManualClock())
    record = product.mappings["incident"].decode(await adapter.read("incident", "INC1", (), by_handle=False))
    assert record["ref"] == "old:incident:INC1"
    assert record["caller"] == {"ref": "old:person:Ann", "name": "Ann"}
    assert record["group"]["ref"] == f"old:group:~{derived_id('old/group', 'Desk')}"

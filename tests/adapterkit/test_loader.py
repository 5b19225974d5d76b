"""Loading adapters from folders, and the base that is all data with each paging style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from interlock.adapterkit.loader import adapter_class, open_adapter
from interlock.adapterkit.native import NativeWrite, Plan
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.rest import RestAdapter
from interlock.adapterkit.session import open_session
from interlock.clock import ManualClock
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug

BASE = "https://acme.example"
MANIFEST = """
adapter: plain
title: Plain
versions: "1"
transport: {{protocol: http-json, base: "{{setting.base_url}}/api"}}
query:
  style: params
  operators: {{eq: "{{f}}", in: {{write: "{{f}}", repeat: true}}}}
  order: {{asc: "sort={{f}}", desc: "sort=-{{f}}"}}
  order_and: "&"
paging: {paging}
write: {{settle_s: 1, probe: {{create: {{field: external_id}}}}}}
"""
MAPPING = """
kind: incident
entity: tickets
key: number
id: id
fields:
  number: {read: number}
  title: title
  category: category
  external_id: {create: corr}
"""


def folder(at: Path, paging: str = "{style: none, rows: items}", code: str | None = None) -> Path:
    made = at / "plain"
    (made / "mapping").mkdir(parents=True)
    (made / "adapter.yaml").write_text(MANIFEST.format(paging=paging))
    (made / "mapping" / "incident.yaml").write_text(MAPPING)
    if code is not None:
        (made / "adapter.py").write_text(code)
    return made


def opened(made: Path) -> Any:
    clock = ManualClock(0.0)
    product = compile_product(made, source="plain", settings={"base_url": BASE})
    return open_adapter(made, product, open_session(BASE, clock, transport="httpx"), {"a": 1}, clock)


def test_a_folder_without_code_is_all_data(tmp_path: Path) -> None:
    assert adapter_class(folder(tmp_path)) is RestAdapter


def test_two_folders_with_one_file_name_are_two_modules(tmp_path: Path) -> None:
    code = "class {}Adapter:\n    def __init__(self, settings, source):\n        self.got = (settings, source)\n"
    one = folder(tmp_path / "a", code=code.format("One"))
    two = folder(tmp_path / "b", code=code.format("Two"))
    assert (adapter_class(one).__name__, adapter_class(two).__name__) == ("OneAdapter", "TwoAdapter")
    assert adapter_class(one) is adapter_class(one)
    assert opened(one).got == ({"a": 1}, "plain")


def test_files_beside_adapter_py_are_imported_relatively(tmp_path: Path) -> None:
    code = (
        "from .words import WORD, Base\n\n\n"
        "class SplitAdapter(Base):\n    def __init__(self, source):\n        self.got = (WORD, source)\n"
    )
    for name in ("a", "b.c"):  # the same file names in two folders, one of them with a dot in its name
        made = folder(tmp_path / name, code=code)
        (made / "words.py").write_text(f"WORD = {name!r}\n\n\nclass Base:\n    pass\n")
        assert opened(made).got == (name, "plain")
    broken = folder(tmp_path / "d", code=code)
    (broken / "words.py").write_text("import nothing_like_this\n")
    with pytest.raises(Problem, match="nothing_like_this"):
        adapter_class(broken)
    (broken / "words.py").write_text("WORD = 'mended'\n\n\nclass Base:\n    pass\n")
    assert opened(broken).got == ("mended", "plain")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x = 1\n", "defines 0 classes"),
        ("class AAdapter: ...\nclass BAdapter: ...\n", "defines 2 classes"),
        ("import nothing_like_this\n", "ModuleNotFoundError"),
        ("def (\n", "SyntaxError"),
    ],
)
def test_code_that_cannot_be_used(tmp_path: Path, code: str, why: str) -> None:
    with pytest.raises(Problem) as told:
        adapter_class(folder(tmp_path, code=code))
    assert told.value.slug is Slug.INVALID_ARGUMENT
    assert why in told.value.detail


def test_a_session_is_needed_where_the_class_takes_one(tmp_path: Path) -> None:
    made = folder(tmp_path)
    product = compile_product(made, source="plain", settings={"base_url": BASE})
    with pytest.raises(Problem) as told:
        open_adapter(made, product, None, {}, ManualClock(0.0))
    assert told.value.field == "base_url"


# --- paging styles: the same eight rows by every style ------------------------------------------------

ROWS = [{"id": str(n), "number": f"T{n}", "title": "t"} for n in range(8)]


def offset(query: httpx.QueryParams) -> httpx.Response:
    at, size = int(query.get("skip", 0)), int(query["take"])
    return httpx.Response(200, json={"items": ROWS[at : at + size], "total": 8})


def numbered(query: httpx.QueryParams) -> httpx.Response:
    page, size = int(query["page"]), int(query["take"])
    following = page + 1 if page * size < 8 else None
    return httpx.Response(200, json={"items": ROWS[(page - 1) * size : page * size], "following": following})


def token(query: httpx.QueryParams) -> httpx.Response:
    at = int(query.get("after", "t0")[1:])
    body = {"items": ROWS[at : at + 3], "after": f"t{at + 3}" if at + 3 < 8 else None}
    return httpx.Response(200, json=body)


def whole(query: httpx.QueryParams) -> httpx.Response:
    return httpx.Response(200, json={"items": ROWS})


@respx.mock
@pytest.mark.parametrize(
    ("paging", "serve"),
    [
        ("{style: offset, offset: skip, size: {parameter: take}, rows: items, total: total}", offset),
        ("{style: offset, offset: skip, size: {parameter: take}, rows: items}", offset),
        ("{style: page, page: page, size: {parameter: take}, next: following, rows: items}", numbered),
        ("{style: page, page: page, size: {parameter: take}, rows: items}", numbered),
        ("{style: token, next: after, rows: items}", token),
        ("{style: none, rows: items}", whole),
    ],
)
async def test_paging_styles(tmp_path: Path, paging: str, serve: Any) -> None:
    respx.get(f"{BASE}/api/tickets").mock(side_effect=lambda request: serve(request.url.params))
    adapter = opened(folder(tmp_path, paging))
    plan = adapter.product.mappings["incident"].plan(Query())
    found, cursor = [], None
    for _ in range(9):
        page = await adapter.page("incident", plan, cursor, 3)
        found += page.rows
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ROWS
    assert cursor is None


@respx.mock
async def test_a_token_that_stays_is_not_followed_for_ever(tmp_path: Path) -> None:
    respx.get(f"{BASE}/api/tickets").mock(return_value=httpx.Response(200, json={"items": ROWS, "after": "t1"}))
    adapter = opened(folder(tmp_path, "{style: token, next: after, rows: items}"))
    with pytest.raises(Problem) as told:
        await adapter.page("incident", Plan({}, ()), "t1", 3)
    assert told.value.slug is Slug.SOURCE_FAULT


@respx.mock
async def test_the_base_reads_writes_and_asks(tmp_path: Path) -> None:
    adapter = opened(folder(tmp_path))
    mapping = adapter.product.mappings["incident"]
    one = respx.get(f"{BASE}/api/tickets/a%2Fb").mock(return_value=httpx.Response(200, json=ROWS[1]))
    assert await adapter.read("incident", "a/b", mapping.columns(None), by_handle=True) == ROWS[1]
    assert one.called
    listed = respx.get(f"{BASE}/api/tickets").mock(return_value=httpx.Response(200, json={"items": ROWS}))
    # The source ignored what was asked: only the row that was meant is taken.
    assert await adapter.read("incident", "t3", mapping.columns(None), by_handle=False) == ROWS[3]
    assert listed.calls[0].request.url.params["number"] == "t3"
    conditions = (Condition("category", "in", ("net&work", "b")), Condition("title", "eq", "ü"))
    await adapter.page("incident", mapping.plan(Query(filter=conditions, sort=(Sort("number", True),))), None, 5)
    asked = listed.calls[1].request.url.params
    assert asked.get_list("category") == ["net&work", "b"]
    assert asked.get_list("sort") == ["-number", "id"]
    assert asked["title"] == "ü"
    created = respx.post(f"{BASE}/api/tickets").mock(return_value=httpx.Response(201, json={"id": "9", "corr": "k"}))
    written = await adapter.write(NativeWrite("incident", "create", None, {"title": "x"}, "k"))
    assert (written.handle, created.calls[0].request.content) == ("9", b'{"title":"x","corr":"k"}')
    for call in (adapter.notes("incident", "9", None, 1), adapter.choices("incident", "category")):
        with pytest.raises(Problem) as told:
            await call
        assert told.value.slug is Slug.UNSUPPORTED


@respx.mock
@pytest.mark.parametrize("body", [{"items": [1]}, {"items": {}}, {"other": []}, [[]]])
async def test_rows_of_another_shape_are_a_fault(tmp_path: Path, body: Any) -> None:
    respx.get(f"{BASE}/api/tickets").mock(return_value=httpx.Response(200, json=body))
    adapter = opened(folder(tmp_path))
    with pytest.raises(Problem) as told:
        await adapter.page("incident", Plan({}, ()), None, 5)
    assert told.value.slug is Slug.SOURCE_FAULT

"""Searching: nothing dropped, nothing twice, bounds that say so."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.source_bench import Bench, FakeMapping

from interlock.config import Cache
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect, Found

CLOSED = (Condition("state", "eq", "closed"),)


async def walk(bench: Bench, query: Query) -> tuple[list[str], list[Found]]:
    found: list[Found] = []
    cursor: Any = None
    while True:
        page = await bench.source.search("incident", query, cursor=cursor)
        found.append(page)
        if page.cursor is None:
            return [r["ref"] for p in found for r in p.records], found
        cursor = orjson.loads(orjson.dumps(page.cursor))


async def test_pushed_search_reads_no_more_than_asked() -> None:
    bench = Bench(rows=50, mapping=FakeMapping(push=True))
    page = await bench.source.search("incident", Query(limit=20))
    assert len(page.records) == 20
    assert [call for call in bench.adapter.calls if call[0] == "page"] == [("page", None, 20)]
    assert not page.truncated


@settings(deadline=None)
@given(rows=st.integers(0, 350), limit=st.integers(1, 40), scan=st.integers(1, 400), checked=st.booleans())
async def test_pages_together_are_a_full_scan(rows: int, limit: int, scan: int, checked: bool) -> None:
    bench = Bench(rows=rows, mapping=FakeMapping(), scan_limit=scan)
    refs, pages = await walk(bench, Query(CLOSED if checked else (), limit=limit))
    expected = [n for n in range(1, rows + 1) if not checked or n % 10 == 0]
    assert refs == [f"snow:incident:INC{n:05}" for n in expected]
    for page in pages:
        assert len(page.records) <= limit
        assert page.truncated is bool(page.warnings)


async def test_the_bound_is_told_and_the_cursor_goes_on() -> None:
    bench = Bench(rows=300, scan_limit=150)
    page = await bench.source.search("incident", Query((Condition("state", "eq", "gone"),)))
    assert page.truncated
    assert page.records == []
    assert "150 rows" in page.warnings[0]
    assert "not offered by the source" in page.warnings[0]
    assert page.cursor is not None
    assert sum(call[2] for call in bench.adapter.calls if call[0] == "page") == 150


async def test_a_search_that_takes_too_long_stops() -> None:
    bench = Bench(rows=300, timeout_s=5)
    bench.adapter.before = lambda operation: bench.clock.advance(3) if operation == "page" else None
    page = await bench.source.search("incident", Query((Condition("state", "eq", "gone"),)))
    assert page.truncated
    assert "5 s" in page.warnings[0]
    assert bench.adapter.count("page") == 2


async def test_a_row_that_left_the_page_loses_none() -> None:
    bench = Bench(rows=40, mapping=FakeMapping())
    query = Query((Condition("state", "eq", "new"),), limit=5)
    first = await bench.source.search("incident", query)
    assert first.cursor is not None
    del bench.adapter.rows[first.cursor["after"]]
    following = await bench.source.search("incident", query, cursor=first.cursor)
    # The page is given whole: rows may come twice, none is lost.
    assert [r["ref"][-2:] for r in following.records] == ["01", "02", "03", "04", "06"]


async def test_no_call_when_nothing_can_match() -> None:
    bench = Bench(mapping=FakeMapping(empty=True))
    page = await bench.source.search("incident", Query(CLOSED))
    assert page.records == []
    assert page.warnings == ("not offered by the source",)
    assert bench.adapter.count("page") == 0


async def test_the_same_page_again_is_a_fault_not_a_loop() -> None:
    from interlock.adapterkit.native import Page

    bench = Bench()

    async def stuck(kind: str, plan: Any, cursor: Any, limit: int) -> Page:
        return Page([], "here", 0)

    bench.adapter.page = stuck  # type: ignore[method-assign]
    with pytest.raises(Problem) as found:
        await bench.source.search("incident", Query())
    assert found.value.slug is Slug.SOURCE_FAULT


async def test_a_foreign_cursor_is_refused() -> None:
    with pytest.raises(Problem) as found:
        await Bench().source.search("incident", Query(), cursor="x")
    assert found.value.slug is Slug.INVALID_ARGUMENT


async def test_pages_are_cached_by_question_until_we_write() -> None:
    bench = Bench(cache=Cache(ttl_s=60))
    first = await bench.source.search("incident", Query(limit=2), max_age_s=30)
    bench.clock.advance(5)
    again = await bench.source.search("incident", Query(limit=2), max_age_s=30)
    assert (again.origin, again.observed_at) == ("cache", first.observed_at)
    assert (await bench.source.search("incident", Query(limit=1), max_age_s=30)).origin == "live"
    await bench.source.send(
        Effect("incident", "update", "INC00001", {"title": "n"}, "c"), not_after=bench.clock.now() + 9
    )
    assert (await bench.source.search("incident", Query(limit=2), max_age_s=30)).origin == "live"


async def test_a_search_teaches_handles() -> None:
    bench = Bench()
    await bench.source.search("incident", Query())
    await bench.source.get("incident", "INC00002")
    assert ("read", "h00002", True) in bench.adapter.calls


async def test_text_that_the_source_cannot_search_is_checked_here_and_order_is_not_pretended() -> None:
    bench = Bench(rows=30, mapping=FakeMapping(push=True))
    page = await bench.source.search("incident", Query(text="t2", sort=(Sort("updated_at"),)))
    assert [r["title"] for r in page.records] == ["t2", *(f"t{n}" for n in range(20, 30))]
    assert page.warnings == ("Not sorted by updated_at: the source cannot.",)

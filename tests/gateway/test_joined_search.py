"""Joined search: nothing lost, nothing twice, one order, and every source that is missing is named."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.gateway_bench import Bench, agent, lost
from tests.gateway.joined_sources import SimSource, raises, waits

from interlock.gateway.cursors import MOST_BYTES, Cursors
from interlock.gateway.search import Joined, fitted, question
from interlock.principals.models import Scope
from interlock.records.filters import Condition, Query, Sort
from interlock.records.kinds import FIELDS
from interlock.records.order import places
from interlock.records.problems import Problem, Slug

INCIDENT = FIELDS["incident"]
CURSORS = Cursors(b"k" * 32)


async def pages(
    sources: list[SimSource],
    query: Query,
    *,
    usual: bool = False,
    most: int = 300,
    joined: Joined | None = None,
    rows: list[dict[str, Any]] | None = None,
) -> tuple[list[dict[str, Any]], list[Any]]:
    """All pages of a search, its positions taken through signed cursors."""
    joined = joined or Joined(0.2)
    rows = [] if rows is None else rows
    shares: list[Any] = []
    positions: Any = None
    for _ in range(most):
        asked = question("incident", query, INCIDENT, sources, usual=usual)  # type: ignore[arg-type]
        joint = await joined.page(asked, positions, 0.0, lambda record: record.get("category") != "hidden")
        joint, cursor = fitted(joint, lambda at, seal=asked.seal: CURSORS.sign(at, "bot", seal, 0.0))  # type: ignore[misc]
        assert len(joint.rows) <= query.limit
        assert [share.rows for share in joint.shares] == [
            sum(record["ref"].startswith(f"{share.source}:") for record, _ in joint.rows) for share in joint.shares
        ]
        rows += [record for record, _ in joint.rows]
        shares.append(joint.shares)
        if cursor is None:
            return rows, shares
        assert len(cursor) <= MOST_BYTES
        positions = CURSORS.read(cursor, "bot", asked.seal, 0.0)
    raise AssertionError("the search does not end")


instants = st.sampled_from([None, *(f"2026-03-{day:02d}T00:00:00Z" for day in range(1, 7))])
records = st.fixed_dictionaries(
    {
        "updated_at": instants.filter(bool),
        "resolved_at": instants,
        "priority": st.sampled_from(["p1", "p2", "p3", None, "unmapped"]),
        "category": st.sampled_from(["network", "hidden"]),
    }
)
sorts = st.sampled_from(
    [
        (Sort("updated_at", descending=True),),
        (Sort("updated_at"),),
        (Sort("resolved_at"),),
        (Sort("resolved_at", descending=True),),
        (Sort("priority"), Sort("updated_at", descending=True)),
        (Sort("number"),),
        (),
    ]
)


@st.composite
def estates(draw: st.DrawFn) -> list[SimSource]:
    found = []
    for name in ("alpha", "beta", "gamma", "delta")[: draw(st.integers(1, 4))]:
        rows = draw(st.lists(records, max_size=25))
        for number, row in enumerate(rows):
            row["number"] = f"{'nN'[number % 2]}{number:03d}"
        found.append(
            SimSource(
                name,
                rows,
                order=draw(st.sampled_from(["contract", "low", "high", "none"])),
                checks=draw(st.booleans()),
                page=draw(st.integers(1, 12)),
            )
        )
    return found


@settings(max_examples=150, deadline=None)
@given(estates(), sorts, st.integers(1, 9), st.booleans())
async def test_every_row_comes_once_and_in_order(
    sources: list[SimSource], sort: tuple[Sort, ...], limit: int, filtered: bool
) -> None:
    clauses = (Condition("priority", "in", ("p1", "p2")),) if filtered else ()
    rows, shares = await pages(sources, Query(clauses, None, sort, None, limit))
    wanted = [
        each["record"]
        for source in sources
        for each in source.native
        if each["record"]["category"] != "hidden" and (not filtered or each["record"]["priority"] in ("p1", "p2"))
    ]
    assert Counter(row["ref"] for row in rows) == Counter(row["ref"] for row in wanted)
    assert {share.outcome for page in shares for share in page} == {"answered"}
    if sort and all(
        each.field != "priority" for each in sort
    ):  # words we cannot read stand where their source has them
        place = places(sort, INCIDENT)
        found = [place(row) for row in rows]
        assert found == sorted(found)


@settings(max_examples=60, deadline=None)
@given(estates(), sorts, st.integers(1, 6), st.data())
async def test_a_source_that_breaks_costs_the_others_no_row_and_is_named(
    sources: list[SimSource], sort: tuple[Sort, ...], limit: int, data: st.DataObject
) -> None:
    broken = data.draw(st.sampled_from(sources))
    good_for = data.draw(st.integers(0, 4))  # reads before it breaks, for good or once
    for_good = data.draw(st.booleans())

    async def breaks() -> None:
        if broken.asked == good_for + 1 or (for_good and broken.asked > good_for):
            raise lost("no")

    broken.before = breaks
    rows: list[dict[str, Any]] = []
    refused: Problem | None = None
    shares: list[Any] = []
    try:
        _, shares = await pages(sources, Query((), None, sort, None, limit), rows=rows)
    except Problem as problem:  # only where nobody else has anything left to give
        refused = problem
    if refused is not None:
        assert refused.slug is Slug.SOURCE_UNAVAILABLE
        assert broken.asked > good_for
    seen = Counter(row["ref"] for row in rows)
    assert max(seen.values(), default=1) == 1
    for source in sources:
        visible = {each["record"]["ref"] for each in source.native if each["record"]["category"] != "hidden"}
        if source is not broken:
            assert visible <= set(seen)
        elif refused is None and not visible <= set(seen):
            told = [share for page in shares for share in page if share.source == source.name]
            assert {share.outcome for share in told} & {"failed", "partial"}
            assert told[-1].outcome == "failed"
            assert told[-1].reason
    if sort and all(each.field != "priority" for each in sort):
        found = [places(sort, INCIDENT)(row) for row in rows]
        assert found == sorted(found)


def stamped(number: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"number": f"N{n}", "updated_at": f"2026-03-01T{n // 60:02d}:{n % 60:02d}:00Z", "title": f"t{n}"}
        for n in range(first, first + number)
    ]


NEWEST = (Sort("updated_at", descending=True),)


class TestMissing:
    async def test_a_slow_source_is_waited_for_a_little_and_named(self) -> None:
        fast, slow = SimSource("fast", stamped(30)), SimSource("slow", stamped(30))
        slow.before = waits(5)
        joined = Joined(0.1)
        began = time.monotonic()
        rows, shares = await pages([fast, slow], Query((), None, NEWEST, None, 10), joined=joined)
        assert time.monotonic() - began < 1
        assert len(rows) == 30
        assert [(s.source, s.outcome) for s in shares[0]] == [("fast", "answered"), ("slow", "late")]
        assert "on an earlier page" in (shares[-1][1].reason or "")
        assert slow.asked == 1  # it is not asked again in this search
        await joined.close()

    async def test_a_source_that_stays_silent_is_not_asked_again_and_again(self) -> None:
        fast, slow = SimSource("fast", stamped(3)), SimSource("slow", stamped(3))
        slow.before = waits(30)
        joined = Joined(0.02)
        for _ in range(6):
            await pages([fast, slow], Query((), None, NEWEST, None, 10), joined=joined)
        assert slow.asked == 2
        began = time.monotonic()
        _, shares = await pages([fast, slow], Query((), None, NEWEST, None, 10), joined=joined)
        assert time.monotonic() - began < 0.02
        assert shares[0][1].outcome == "late"
        slow.before = None
        await joined.close()
        await asyncio.sleep(0)
        rows, _ = await pages([fast, slow], Query((), None, NEWEST, None, 10), joined=joined)
        assert len(rows) == 6

    async def test_nobody_waits_longer_than_a_sources_time_out_when_all_are_silent(self) -> None:
        silent = [SimSource(name, stamped(3), timeout_s=0.1) for name in ("a", "b")]
        for source in silent:
            source.before = waits(30)
        joined = Joined(5)
        with pytest.raises(Problem) as caught:
            await pages(silent, Query((), None, NEWEST, None, 10), joined=joined)
        assert caught.value.slug is Slug.SOURCE_UNAVAILABLE
        assert "a did not answer" in caught.value.detail
        assert "b did not answer" in caught.value.detail
        await joined.close()

    async def test_one_that_stops_in_the_middle_of_a_page_ends_it_and_is_asked_again(self) -> None:
        old, young = SimSource("old", stamped(12)), SimSource("young", stamped(12, 100))
        query = Query((), None, NEWEST, None, 8)
        asked = question("incident", query, INCIDENT, [old, young], usual=False)  # type: ignore[arg-type]
        joined = Joined(0.5)
        first = await joined.page(asked, None, 0, lambda _: True)
        assert [share.rows for share in first.shares] == [0, 8]
        reads = young.asked

        async def once() -> None:
            if young.asked == reads + 2:  # the page of the position answers, the one behind it does not
                raise lost("no")

        young.most, young.before = 2, once
        second = await joined.page(asked, first.positions, 0, lambda _: True)
        rows, positions = [*first.rows, *second.rows], second.positions
        while positions is not None:
            more = await joined.page(asked, positions, 0, lambda _: True)
            rows, positions = rows + more.rows, more.positions
        found = [record["ref"] for record, _ in rows]
        assert len(found) == len(set(found)) == 24
        assert found[:12] == [f"young:incident:N{n}" for n in range(111, 99, -1)]

    async def test_a_defect_of_ours_is_not_taken_for_a_missing_source(self) -> None:
        bad = SimSource("bad", stamped(3))
        bad.before = raises(KeyError("defect"))
        with pytest.raises(KeyError):
            await pages([bad, SimSource("good", stamped(3))], Query((), None, NEWEST, None, 5))

    async def test_a_caller_that_goes_away_leaves_no_read_behind(self) -> None:
        slow = [SimSource(name, stamped(3)) for name in ("a", "b")]
        ended: list[str] = []

        async def wait() -> None:
            try:
                await asyncio.sleep(30)
            finally:
                ended.append("x")

        for source in slow:
            source.before = wait
        task = asyncio.create_task(pages(slow, Query((), None, NEWEST, None, 5)))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert len(ended) == 2


class TestOrder:
    def _three(self, scan_limit: int) -> list[SimSource]:
        rows = stamped(20)
        return [
            SimSource("a", rows),
            SimSource("b", rows, order="none", scan_limit=scan_limit),
            SimSource("c", rows, order="contract"),
        ]

    async def test_a_source_that_cannot_sort_is_read_within_its_bound(self) -> None:
        rows, shares = await pages(self._three(scan_limit=20), Query((), None, NEWEST, None, 7))
        assert len(rows) == 60
        assert [row["updated_at"] for row in rows] == sorted((row["updated_at"] for row in rows), reverse=True)
        assert {share.outcome for page in shares for share in page} == {"answered"}

    async def test_beyond_its_bound_it_is_left_out_with_the_reason(self) -> None:
        rows, shares = await pages(self._three(scan_limit=19), Query((), None, NEWEST, None, 7))
        assert len(rows) == 40
        (share,) = [share for share in shares[0] if share.source == "b"]
        assert share.outcome == "left_out"
        assert "b cannot sort by -updated_at, and at most 19 rows are read" in share.reason

    async def test_the_usual_order_is_given_up_rather_than_a_source(self) -> None:
        sources = self._three(scan_limit=5)
        asked = question("incident", Query((), None, NEWEST, None, 6), INCIDENT, sources, usual=True)  # type: ignore[arg-type]
        joint = await Joined(1).page(asked, None, 0, lambda _: True)
        assert [share.rows for share in joint.shares] == [2, 2, 2]
        assert joint.warnings[-1:] == [
            "Not in the usual order, which b cannot give: rows come from each source in turn."
        ]
        rows, _ = await pages(sources, Query((), None, NEWEST, None, 6), usual=True)
        assert len({row["ref"] for row in rows}) == len(rows) == 60

    async def test_a_filter_that_a_source_cannot_check_is_checked_within_its_bound(self) -> None:
        sources = [SimSource("a", stamped(5)), SimSource("b", stamped(300), checks=False, scan_limit=100)]
        query = Query((Condition("title", "contains", "t29"),), None, (Sort("updated_at"),), None, 5)
        joint = await Joined(1).page(
            question("incident", query, INCIDENT, sources, usual=False),
            None,
            0,
            lambda _: True,  # type: ignore[arg-type]
        )
        b = joint.shares[1]
        assert (b.outcome, b.rows, joint.truncated) == ("partial", 1, True)
        assert joint.positions is not None
        none = Query((Condition("title", "contains", "t299"),), None, (Sort("updated_at"),), None, 5)
        joint = await Joined(1).page(
            question("incident", none, INCIDENT, sources, usual=False),
            None,
            0,
            lambda _: True,  # type: ignore[arg-type]
        )
        assert joint.shares[1].outcome == "left_out"
        assert "none of the rows that were read for it matched" in (joint.shares[1].reason or "")

    async def test_a_source_without_the_field_comes_last(self) -> None:
        bare = SimSource("bare", [{"number": f"N{n}", "updated_at": "2026-03-01T00:00:00Z"} for n in range(3)])
        full = SimSource("full", [{"number": "N1", "resolved_at": "2026-03-01T00:00:00Z"}, {"number": "N2"}])
        rows, _ = await pages([bare, full], Query((), None, (Sort("resolved_at"),), None, 2))
        assert [row["ref"] for row in rows] == [
            "full:incident:N1", *(f"bare:incident:N{n}" for n in range(3)), "full:incident:N2"
        ]  # fmt: skip

    async def test_one_page_asks_each_source_once(self) -> None:
        sources = self._three(scan_limit=20)
        asked = question("incident", Query((), None, NEWEST, None, 20), INCIDENT, sources, usual=False)  # type: ignore[arg-type]
        await Joined(1).page(asked, None, 0, lambda _: True)
        assert [source.asked for source in sources] == [1, 1, 1]


class TestCursor:
    def test_twelve_sources_fit_into_512_bytes(self) -> None:
        from hashlib import sha256

        at = [[0, 19, 20, {"at": {"skip": 40 * n}, "after": sha256(b"%d" % n).hexdigest()[:32], "size": 100}]
              for n in range(12)]  # fmt: skip
        cursor = CURSORS.sign(at, "bot", b"q", 1_790_000_000.0)
        assert cursor is not None
        assert len(cursor) <= MOST_BYTES
        assert CURSORS.read(cursor, "bot", b"q", 1_790_000_000.0) == at

    def test_a_place_that_does_not_fit_is_given_up_and_named(self) -> None:
        import secrets

        from interlock.gateway.runs import Share
        from interlock.gateway.search import Joint

        long = [0, 0, 20, {"at": secrets.token_urlsafe(600)}]
        short = [0, 0, 20, {"at": {"skip": 20}}]
        joint = Joint([], [Share("a", "answered", 1), Share("b", "answered", 1)], [long, short], False, [])
        fit, cursor = fitted(joint, lambda at: CURSORS.sign(at, "bot", b"q", 0.0))
        assert cursor is not None
        assert CURSORS.read(cursor, "bot", b"q", 0.0) == ["c", short]
        assert (fit.shares[0].outcome, fit.shares[1].outcome, fit.truncated) == ("partial", "answered", True)
        alone, none = fitted(
            joint.__class__([], joint.shares[:1], [long], False, []), lambda at: CURSORS.sign(at, "b", b"q", 0.0)
        )
        assert (none, alone.truncated) == (None, True)

    @given(st.recursive(st.none() | st.integers() | st.text(max_size=20), lambda each: st.lists(each, max_size=6)))
    def test_what_goes_in_comes_out(self, position: Any) -> None:
        try:
            orjson.dumps(position)
        except orjson.JSONEncodeError:
            return
        cursor = CURSORS.sign(position, "bot", b"q", 0.0)
        if cursor is not None:
            assert len(cursor) <= MOST_BYTES
            assert CURSORS.read(cursor, "bot", b"q", 0.0) == position


class TestTools:
    """Through the whole gateway."""

    def _two(self, bench: Bench, **more: Any) -> tuple[SimSource, SimSource]:
        one, two = SimSource("one", stamped(8)), SimSource("two", stamped(8, 4), **more)
        bench.sources.clear()
        bench.sources.update(one=one, two=two)
        return one, two

    async def test_one_answer_with_one_cursor_and_the_age_of_the_oldest(self, bench: Bench) -> None:
        self._two(bench)
        body = (await bench.call("incident_search", limit=10)).body
        assert [row["ref"].split(":")[0] for row in body["data"][:4]] == ["two"] * 4
        told = body["provenance"]
        assert told["source"] is None
        assert [(s["source"], s["outcome"]) for s in told["sources"]] == [("one", "answered"), ("two", "answered")]
        assert sum(s["rows"] for s in told["sources"]) == 10
        rest = (await bench.call("incident_search", limit=10, cursor=body["page"]["cursor"])).body
        assert len({row["ref"] for row in [*body["data"], *rest["data"]]}) == 16
        assert rest["page"] == {"cursor": None, "truncated": False}

    async def test_the_scope_holds_on_every_record(self, bench: Bench) -> None:
        self._two(bench)
        scope = Scope((Condition("title", "eq", "t5"),), frozenset({"number"}))
        who = agent(scopes={"incident": scope})
        body = (await bench.call("incident_search", who)).body
        assert [row["ref"] for row in body["data"]] == ["one:incident:N5", "two:incident:N5"]
        full = (await bench.call("incident_search", who, detail="full")).body
        assert all("number" not in row for row in full["data"])

    async def test_a_cursor_is_for_this_scope_and_these_sources(self, bench: Bench) -> None:
        self._two(bench)
        cursor = (await bench.call("incident_search", limit=2)).body["page"]["cursor"]
        narrow = agent(scopes={"incident": Scope((Condition("title", "contains", "t"),))})
        for refused in (await bench.call("incident_search", narrow, cursor=cursor),):
            assert (refused.status, refused.body["field"]) == (422, "cursor")
        assert (await bench.call("incident_search", agent(), limit=3, cursor=cursor)).status == 200
        bench.sources["three"] = SimSource("three", stamped(1))
        assert (await bench.call("incident_search", cursor=cursor)).body["field"] == "cursor"

    async def test_a_cursor_of_one_source_is_for_this_scope(self, bench: Bench) -> None:
        cursor = (await bench.call("incident_search", limit=1)).body["page"]["cursor"]
        blind = agent(scopes={**agent().scopes, "incident": Scope((), frozenset({"title"}))})
        assert (await bench.call("incident_search", blind, cursor=cursor)).body["field"] == "cursor"

    async def test_a_broken_source_is_named_and_costs_nothing(self, bench: Bench) -> None:
        _, two = self._two(bench)
        two.before = raises(lost("no"))
        reply = await bench.call("incident_search")
        assert (reply.status, len(reply.body["data"]), reply.body["page"]["truncated"]) == (200, 8, True)
        (share,) = [s for s in reply.body["provenance"]["sources"] if s["source"] == "two"]
        assert (share["outcome"], share["reason"]) == ("failed", "no answer")
        assert reply.body["warnings"] == ["Rows of two are missing: no answer"]

    async def test_all_broken_is_a_problem_that_names_each(self, bench: Bench) -> None:
        for source in self._two(bench):
            source.before = raises(lost("no"))
        reply = await bench.call("incident_search")
        assert (reply.status, reply.body["slug"], reply.body["retryable"]) == (503, "source-unavailable", True)

    async def test_a_named_source_that_cannot_sort_is_refused_beyond_its_bound(self, bench: Bench) -> None:
        self._two(bench, order="none", scan_limit=7)
        reply = await bench.call("incident_search", source="two", sort=["updated_at"])
        assert (reply.status, reply.body["slug"], reply.body["field"]) == (422, "unsupported", "sort")
        assert "narrow the filter" in reply.body["next_step"].lower()
        usual = await bench.call("incident_search", source="two")
        assert usual.status == 200  # nobody asked for an order
        assert usual.body["warnings"][:1] == ["Not sorted by updated_at: the source cannot."]

    async def test_a_named_source_that_cannot_sort_is_sorted_here_within_its_bound(self, bench: Bench) -> None:
        self._two(bench, order="none", scan_limit=8)
        body = (await bench.call("incident_search", source="two", sort=["-updated_at"], limit=3)).body
        assert [row["ref"] for row in body["data"]] == [f"two:incident:N{n}" for n in (11, 10, 9)]
        assert body["provenance"]["source"] == "two"
        body = (await bench.call("incident_search", source="two", sort=["-updated_at"], limit=3,
                                 cursor=body["page"]["cursor"])).body  # fmt: skip
        assert [row["ref"] for row in body["data"]] == [f"two:incident:N{n}" for n in (8, 7, 6)]

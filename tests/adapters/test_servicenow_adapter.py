"""The ServiceNow adapter on the mock instance: every trap of the Table API, over real sockets."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
from mock_servers.servicenow import MockServiceNow, Rule, Store, Switches
from pydantic import SecretStr

from interlock.adapterkit.auth import Basic, OAuth
from interlock.adapterkit.loader import open_adapter
from interlock.adapterkit.native import NativeWrite, Plan
from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.session import Session, open_transport
from interlock.adapterkit.wire import Answer, Call, Limits, Transport, Trust
from interlock.clock import SystemClock
from interlock.config.model import OAuth2
from interlock.places import place
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug

FOLDER = place("adapters") / "servicenow"
LIMITS = Limits(connect_s=2, read_s=1, total_s=3)


class Counting:
    """A transport that keeps what was sent."""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.name, self.calls = inner, inner.name, []  # type: ignore[var-annotated]

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        return await self.inner.send(call)

    async def close(self) -> None:
        await self.inner.close()


class Bench:
    """One adapter against one mock."""

    def __init__(self, mock: MockServiceNow, user: str, transport: str, overlay: dict[str, Any], auth: Any) -> None:
        clock = SystemClock()
        self.mock = mock
        self.product: Product = compile_product(FOLDER, source="snow", settings={"base_url": mock.url}, overlay=overlay)
        self.wire = Counting(open_transport(transport, LIMITS, Trust(), clock))  # type: ignore[arg-type]
        session = Session(mock.url, self.wire, clock, auth or Basic(user, SecretStr(user)))
        self.adapter: Any = open_adapter(FOLDER, self.product, session, {}, clock)

    def plan(self, kind: str = "incident", *conditions: Condition, sort: tuple[Sort, ...] = ()) -> Plan:
        return self.product.mappings[kind].plan(Query(filter=conditions, sort=sort))

    def columns(self, kind: str = "incident", *fields: str) -> tuple[str, ...]:
        return self.product.mappings[kind].columns(fields or None)

    async def all(self, plan: Plan, limit: int = 10, kind: str = "incident") -> list[str]:
        found, cursor, pages = [], None, 0
        while True:
            page = await self.adapter.page(kind, plan, cursor, limit)
            found += [row["sys_id"]["value"] for row in page.rows]
            cursor, pages = page.cursor, pages + 1
            if cursor is None:
                return found
            assert pages < 200

    async def incident(self, **payload: str) -> str:
        written = await self.adapter.write(
            NativeWrite("incident", "create", None, {"short_description": "x", **payload})
        )
        return str(written.handle)


def store(count: int = 40) -> Store:
    found = Store()
    people = [{"sys_id": f"{n:032x}", "user_name": f"user{n}", "name": f"Ünal {n}"} for n in range(3)]
    rows = [
        {
            "number": f"INC{n:07d}",
            "short_description": f"number {n}",
            "state": "2" if n % 2 else "1",
            "priority": str(n % 5 + 1),
            "impact": "2",
            "urgency": "2",
            "caller_id": f"{n % 3:032x}",
            "sys_updated_on": "2026-03-01 09:15:00",
            "sys_created_on": "2026-03-01 09:15:00",
            "sys_mod_count": "0",
        }
        for n in range(count)
    ]
    servers = [{"sys_id": "c" * 32, "name": "web01", "os": "Linux Debian", "ip_address": "10.0.0.1"}]
    found.load({"sys_user": people, "incident": rows, "cmdb_ci_linux_server": servers})
    found.install_choices()
    return found


@asynccontextmanager
async def bench(
    count: int = 40,
    user: str = "integration",
    transport: str = "auto",
    overlay: dict[str, Any] | None = None,
    auth: Any = None,
    **switches: Any,
) -> AsyncIterator[Bench]:
    async with MockServiceNow(store(count), switches=Switches(**switches)) as mock:
        made = Bench(mock, user, transport, overlay or {}, auth)
        try:
            yield made
        finally:
            await made.adapter.close()


async def refused(call: Any) -> Problem:
    with pytest.raises(Problem) as told:
        await call
    return told.value


# --- single records ---------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["pyreqwest", "httpx"])
async def test_read_by_handle_is_one_call(transport: str) -> None:
    async with bench(transport=transport) as b:
        row = await b.adapter.read("incident", "INC0000003", b.columns(), by_handle=False)
        handle = row["sys_id"]["value"]
        assert len(b.wire.calls) == 1
        again = await b.adapter.read("incident", handle, b.columns(), by_handle=True)
        assert len(b.wire.calls) == 2
        assert again == row
        assert b.product.mappings["incident"].decode(row)["title"] == "number 3"
        assert "javascript" not in b.wire.calls[0].url


async def test_what_is_not_there() -> None:
    async with bench() as b:
        for key, by_handle in (("INC9", False), ("f" * 32, True), ("a/../b", True), ("..", True), ("x" * 40, True)):
            told = await refused(b.adapter.read("incident", key, b.columns(), by_handle=by_handle))
            assert told.slug is Slug.NOT_FOUND
        before = len(b.wire.calls)
        for hostile in ("INC1^ORnumber!=x", "javascript:gs.getUserID()", " x", ""):
            told = await refused(b.adapter.read("incident", hostile, b.columns(), by_handle=False))
            assert told.slug is Slug.NOT_FOUND
        assert len(b.wire.calls) == before  # never asked


async def test_a_key_of_two_records_is_ambiguous() -> None:
    async with bench() as b:
        b.mock.store.load({"incident": [{"sys_id": "d" * 32, "number": "INC0000003"}]})
        told = await refused(b.adapter.read("incident", "INC0000003", b.columns(), by_handle=False))
        assert told.slug is Slug.AMBIGUOUS_REF
        assert "~" + "d" * 32 in (told.next_step or "")


async def test_a_ci_shows_the_columns_of_its_class() -> None:
    async with bench() as b:
        columns = b.columns("ci", "name", "os")
        row = await b.adapter.read("ci", "c" * 32, columns, by_handle=True)
        assert row["os"]["value"] == "Linux Debian"
        assert [call.url.split("?")[0].rsplit("/", 2)[1] for call in b.wire.calls] == [
            "cmdb_ci",
            "cmdb_ci_linux_server",
        ]
        b.wire.calls.clear()
        await b.adapter.read("ci", "c" * 32, b.columns("ci", "name"), by_handle=True)
        assert len(b.wire.calls) == 1


# --- pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", [(), (Sort("priority", True),)])
async def test_pages_bring_every_row_once(sort: tuple[Sort, ...]) -> None:
    async with bench() as b:
        plan = b.plan("incident", Condition("state", "eq", "in_progress"), sort=sort)
        found = await b.all(plan, 7)
        assert (len(found), len(set(found))) == (20, 20)


@pytest.mark.parametrize("sort", [(), (Sort("number"),)])
async def test_rows_hidden_after_the_limit_do_not_end_the_list(sort: tuple[Sort, ...]) -> None:
    """Most pages are empty: readable are four rows of forty, and the limit is applied before."""
    async with bench(row_acl={"incident": "priority=1^state=1"}) as b:
        found = await b.all(b.plan(sort=sort), 2)
        readable = [row for row in b.mock.store.rows("incident") if row["priority"] == "1" and row["state"] == "1"]
        assert sorted(found) == sorted(row["sys_id"] for row in readable)
        assert len(found) == 4


async def test_many_hidden_rows_end_in_a_page_that_leads_on() -> None:
    async with bench(count=24, row_acl={"incident": "number=none"}) as b:
        page = await b.adapter.page("incident", b.plan(), None, 1)
        assert page.rows == []
        assert page.cursor is not None
        assert page.warnings
        assert await b.all(b.plan(), 1) == []


@pytest.mark.parametrize("variant", ["a", "b", "c", "d"])
async def test_a_list_that_fails_while_it_streams_is_read_in_smaller_pages(variant: str) -> None:
    async with bench() as b:
        await b.all(b.plan(), 40)
        b.mock.faults.set([Rule("broken", path="sysparm_limit=40", variant=variant)])
        page = await b.adapter.page("incident", b.plan(), None, 40)
        assert len(page.rows) == 20
        assert page.warnings
        assert len(set(await b.all(b.plan(), 40))) == 40
        b.mock.faults.set([Rule("broken", variant=variant)])
        assert (await refused(b.adapter.page("incident", b.plan(), None, 40))).layer == "source"


async def test_an_empty_plan_makes_no_call() -> None:
    async with bench() as b:
        assert (await b.adapter.page("incident", Plan(None, (), empty=True), None, 10)).rows == []
        assert b.wire.calls == []


async def test_a_query_that_is_too_long_is_refused_before_it_is_sent() -> None:
    async with bench() as b:
        conditions = [Condition("title", "contains", "ü" * 400) for _ in range(4)]
        told = await refused(b.adapter.page("incident", b.plan("incident", *conditions), None, 10))
        assert (told.slug, told.field) == (Slug.INVALID_ARGUMENT, "filter")
        handles = tuple(f"snow:person:~{n:032x}" for n in range(100))
        assert await b.all(b.plan("incident", Condition("caller", "in", handles)), 40)


# --- fields the instance does not know ----------------------------------------------------------------

BAD = {"incident": {"fields": {"category": "u_no_such_column"}}}


@pytest.mark.parametrize("mode", ["ignore", "empty"])
@pytest.mark.parametrize("dictionary", [True, False])
async def test_an_unknown_column_never_widens(mode: str, dictionary: bool) -> None:
    denied = [] if dictionary else ["sys_dictionary", "sys_db_object"]
    async with bench(overlay=BAD, invalid_query=mode, denied_tables=denied) as b:
        told = await refused(b.adapter.page("incident", b.plan("incident", Condition("category", "eq", "x")), None, 9))
        assert (told.slug, told.field, told.reached) == (Slug.UNSUPPORTED, "category", "no")
        # Known ones still work, and are asked for once.
        plan = b.plan("incident", Condition("title", "contains", "number 1"))
        assert len(await b.all(plan)) == 11
        asked = len(b.wire.calls)
        await b.adapter.page("incident", plan, None, 10)
        assert len(b.wire.calls) == asked + 1


async def test_many_first_searches_read_the_dictionary_once() -> None:
    async with bench() as b:
        plan = b.plan("incident", Condition("title", "contains", "number"))
        await asyncio.gather(*(b.adapter.page("incident", plan, None, 5) for _ in range(12)))
        assert sum("/table/sys_dictionary" in call.url for call in b.wire.calls) == 1


async def test_an_instance_that_refuses_unknown_columns() -> None:
    async with bench(overlay=BAD, invalid_query="403") as b:
        told = await refused(b.adapter.page("incident", b.plan("incident", Condition("category", "eq", "x")), None, 9))
        assert told.slug is Slug.SOURCE_DENIED


# --- writes -------------------------------------------------------------------------------------------


async def test_create_is_found_by_its_key_exactly() -> None:
    async with bench() as b:
        payload = {"short_description": "Ölpumpe", "impact": "1", "urgency": "1"}
        written = await b.adapter.write(NativeWrite("incident", "create", None, payload, "corr-1", time.time() + 9))
        record = b.product.mappings["incident"].decode(written.row)
        assert (record["title"], record["priority"], record["version"]) == ("Ölpumpe", "p1", "0")
        stored = b.mock.store.get("incident", written.handle)
        assert stored is not None
        assert (stored["correlation_id"], stored["correlation_display"]) == ("corr-1", "Interlock")
        assert [row["sys_id"]["value"] for row in await b.adapter.find_written("incident", "corr-1")] == [
            written.handle
        ]
        assert await b.adapter.find_written("incident", "corr") == []
        assert await b.adapter.find_written("incident", "CORR-1") == []
        told = await refused(
            b.adapter.write(NativeWrite("incident", "create", None, {"correlation_id": "theirs"}, "corr-2"))
        )
        assert (told.slug, told.reached) == (Slug.INVALID_ARGUMENT, "no")


async def test_update_moves_the_version_by_one() -> None:
    async with bench() as b:
        handle = await b.incident()
        written = await b.adapter.write(NativeWrite("incident", "update", handle, {"short_description": "y"}))
        assert (written.handle, written.row["sys_mod_count"]["value"]) == (handle, "1")
        told = await refused(b.adapter.write(NativeWrite("incident", "update", "f" * 32, {"short_description": "y"})))
        assert (told.slug, told.reached) == (Slug.NOT_FOUND, "yes")


async def test_a_data_policy_names_its_fields() -> None:
    async with bench() as b:
        handle = await b.incident()
        told = await refused(b.adapter.write(NativeWrite("incident", "update", handle, {"state": "6"})))
        assert (told.slug, told.reached) == (Slug.SOURCE_REJECTED, "yes")
        assert len(told.more["mandatory"]) == 2
        assert told.more["mandatory"][0] in (told.next_step or "")


async def test_a_write_is_denied() -> None:
    async with bench(user="reader") as b:
        told = await refused(b.incident())
        assert (told.slug, told.reached) == (Slug.SOURCE_DENIED, "yes")


@pytest.mark.parametrize(
    ("rule", "reached", "rows"),
    [
        (Rule("error_before", methods=("POST",)), "maybe", 0),
        (Rule("error_after", methods=("POST",), status=502), "maybe", 1),
        (Rule("error_after", methods=("POST",), status=429), "maybe", 1),
        (Rule("drop_before", methods=("POST",)), "maybe", 0),
        (Rule("drop_after", methods=("POST",)), "maybe", 1),
        (Rule("truncate", methods=("POST",)), "maybe", 1),
        (Rule("truncate", methods=("POST",), variant="clean"), "maybe", 1),
        (Rule("broken", methods=("POST",), variant="d"), "maybe", 1),
        (Rule("timeout_after", methods=("POST",)), "maybe", 1),
        (Rule("rate_limit", methods=("POST",), variant="bare"), "maybe", 0),
        (Rule("dropped_202", methods=("POST",)), "maybe", 0),
        (Rule("html", methods=("POST",), variant="hibernate"), "maybe", 0),
        (Rule("session_expired", methods=("POST",)), "no", 0),
    ],
    ids=lambda value: f"{value.fault}-{value.variant or value.status}" if isinstance(value, Rule) else str(value),
)
async def test_a_write_is_sent_once_and_tells_what_is_known(rule: Rule, reached: str, rows: int) -> None:
    async with bench() as b:
        b.mock.faults.set([rule])
        posts = len(b.wire.calls)
        write = NativeWrite("incident", "create", None, {"short_description": "x"}, "corr-9")
        told = await refused(b.adapter.write(write))
        assert told.reached == reached
        assert len(b.wire.calls) == posts + 1
        b.mock.faults.reset()
        assert len(await b.adapter.find_written("incident", "corr-9")) == rows


async def test_nothing_is_sent_after_its_time() -> None:
    async with bench() as b:
        write = NativeWrite("incident", "create", None, {"short_description": "x"}, "corr-9", time.time() - 0.01)
        assert (await refused(b.adapter.write(write))).reached == "no"
        assert await b.adapter.find_written("incident", "corr-9") == []


# --- journals, choices --------------------------------------------------------------------------------


async def test_journal_is_paged_newest_first_through_entries_of_one_second() -> None:
    async with bench() as b:
        handle, other = await b.incident(), await b.incident()
        b.mock.clock.set(1_800_000_000, frozen=True)
        mapping = b.product.mappings["incident"]
        for n in range(9):
            if n == 6:
                b.mock.clock.advance(5)
            note = mapping.encode_note("internal" if n % 2 else "public", f"note {n}")
            await b.adapter.write(NativeWrite("incident", "note", handle, note))
        await b.adapter.write(NativeWrite("incident", "note", other, mapping.encode_note("public", "not mine")))
        for limit in (1, 4, 20):
            notes, cursor, seen = [], None, 0
            while True:
                page, cursor = await b.adapter.notes("incident", handle, cursor, limit)
                notes += page
                seen += 1
                assert len(page) <= limit
                if cursor is None:
                    break
                assert seen < 20
            assert sorted(note.text for note in notes) == [f"note {n}" for n in range(9)]
            assert {note.text for note in notes[:3]} == {"note 6", "note 7", "note 8"}
        assert {note.text: note.visibility for note in notes}["note 1"] == "internal"
        assert {note.text: note.visibility for note in notes}["note 2"] == "public"
        assert notes[0].author == "integration"
        assert notes[0].created_at == "2027-01-15T08:00:05Z"


async def test_a_journal_handle_is_no_query() -> None:
    async with bench() as b:
        told = await refused(b.adapter.notes("incident", "x^ORelement_id!=x", None, 5))
        assert told.slug is Slug.NOT_FOUND
        told = await refused(b.adapter.notes("incident", "f" * 32, ["x^ORsys_id!=1", "y"], 5))
        assert told.slug is Slug.INVALID_ARGUMENT
        assert b.wire.calls == []


async def test_choices_are_live_and_dependent() -> None:
    async with bench() as b:
        states = {choice.value: choice for choice in await b.adapter.choices("incident", "state")}
        assert (states["2"].label, states["2"].canonical) == ("In Progress", "in_progress")
        subs = await b.adapter.choices("incident", "subcategory")
        assert {choice.depends_on for choice in subs} > {"network", "software"}
        told = await refused(b.adapter.choices("incident", "title"))
        assert told.slug is Slug.UNSUPPORTED
    async with bench(denied_tables=["sys_choice"]) as b:
        assert (await refused(b.adapter.choices("incident", "state"))).slug is Slug.SOURCE_DENIED


# --- the instance as a whole --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "slug"),
    [
        (Rule("html", variant="hibernate"), Slug.SOURCE_UNAVAILABLE),
        (Rule("html", variant="maintenance", status=503), Slug.SOURCE_UNAVAILABLE),
        (Rule("html", variant="login"), Slug.SOURCE_DENIED),
        (Rule("session_expired"), Slug.SOURCE_DENIED),
        (Rule("truncate"), Slug.SOURCE_UNAVAILABLE),
        (Rule("rate_limit", seconds=60), Slug.RATE_LIMITED),
    ],
    ids=lambda value: f"{value.fault}-{value.variant}" if isinstance(value, Rule) else str(value),
)
async def test_reads_tell_what_is_wrong(rule: Rule, slug: Slug) -> None:
    async with bench() as b:
        b.mock.faults.set([rule])
        told = await refused(b.adapter.read("incident", "a" * 32, b.columns(), by_handle=True))
        assert told.slug is slug
        assert told.next_step


async def test_reads_are_tried_again() -> None:
    async with bench() as b:
        b.mock.faults.set([Rule("error_before", status=503, count=2)])
        row = await b.adapter.read("incident", "INC0000003", b.columns(), by_handle=False)
        assert row["number"]["value"] == "INC0000003"
        assert len(b.wire.calls) == 3


async def test_oauth_survives_a_token_that_the_instance_forgot() -> None:
    client = OAuth2(
        grant="client_credentials",
        client_id="interlock-client",
        client_secret=SecretStr("interlock-secret"),
    )
    async with bench(auth=OAuth(client)) as b:
        await asyncio.gather(*(b.adapter.page("incident", b.plan(), None, 5) for _ in range(8)))
        assert sum("/oauth_token.do" in call.url for call in b.wire.calls) == 1
        b.mock.faults.set([Rule("session_expired", path="/api/now", count=1)])
        assert len((await b.adapter.page("incident", b.plan(), None, 5)).rows) == 5


async def test_no_call_shares_a_session_with_another() -> None:
    async with bench(session_queue=1) as b:
        pages = await asyncio.gather(*(b.adapter.page("incident", b.plan(), None, 5) for _ in range(12)))
        assert all(len(page.rows) == 5 for page in pages)


class OtherZone:
    """An instance that reads the times of queries in the account's zone, nine hours ahead of GMT."""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.name = inner, inner.name

    async def send(self, call: Call) -> Answer:
        def earlier(found: re.Match[str]) -> str:
            moment = datetime.strptime(unquote(found.group(1)), "%Y-%m-%d %H:%M:%S") - timedelta(hours=9)  # noqa: DTZ007
            return quote(f"sys_created_on<={moment:%Y-%m-%d %H:%M:%S}")

        url = re.sub(r"sys_created_on%3C%3D(.+?)(?=%5E)", earlier, call.url)
        return await self.inner.send(replace(call, url=url))

    async def close(self) -> None:
        await self.inner.close()


async def test_a_journal_in_another_zone_is_told_not_cut() -> None:
    async with bench() as b:
        handle = await b.incident()
        mapping = b.product.mappings["incident"]
        for n in range(4):
            note = mapping.encode_note("public", f"note {n}")
            await b.adapter.write(NativeWrite("incident", "note", handle, note))
        first, cursor = await b.adapter.notes("incident", handle, None, 2)
        assert len(first) == 2
        b.wire.inner = OtherZone(b.wire.inner)
        told = await refused(b.adapter.notes("incident", handle, cursor, 9))
        assert told.slug is Slug.SOURCE_FAULT
        assert "GMT" in (told.next_step or "")

"""Changes on a Remedy: read, found, made and moved over the mock's sockets, by the adapter and a whole gateway."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mock_servers.estate.changes import CHANGES, changes
from mock_servers.remedy.from_estate import change_number, entries
from mock_servers.remedy.schema import Value
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store
from tests.adapters.remedy_bench import estate, remedy

from interlock.adapterkit.offers import OffersTransitions
from interlock.cli.demo_gateway import config_for, opened
from interlock.records import times
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.source import Source

FORM = "CHG:Infrastructure Change"
SCHEDULED, DRAFT = change_number(CHANGES["scheduled"]), change_number(CHANGES["stale_ci"])
ASKER = next(person for person in estate().people if person.active)
ALL = {each.number: each for each in changes(estate())}
AGENT = """
id: change-bot
owner: olga
purpose: Plans changes
tools: [change_search, change_get, change_create, change_update, change_transition]
stage: autonomous
read: {change: {}, ci: {}, person: {}, group: {}}
"""


@pytest.fixture(scope="module")
def wsdls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wsdls")


async def send(source: Source, op: Any, key: str | None, values: dict[str, Any], **more: Any) -> Effect:
    effect = Effect("change", op, key, values, f"c-{op}", **more)
    await source.send(effect, not_after=time.time() + 30)
    return effect


async def next_states(source: Source, number: str) -> list[str]:
    return await source.ask(OffersTransitions, "transitions", lambda each: each.next_states("change", number))


def put(mock: MockRemedy, number: str, status: str, **others: Value) -> None:
    """Have a change stand in a status, as people at the console brought it there."""
    before = mock.store.get(FORM, number)
    enum = mock.store.schema.forms[FORM].fields["Change Request Status"].enum
    assert before is not None
    assert enum is not None
    mock.store.put(FORM, {**before, "Change Request Status": enum.numbers[status], **others})


async def test_a_change_reads_as_the_estate_means_it(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        meant = ALL[CHANGES["scheduled"]]
        record = (await source.get("change", SCHEDULED)).record
        people = {person.id: person.user_name for person in estate().people}
        assert {name: record[name] for name in ("number", "title", "type", "state", "risk", "on_hold", "category")} == {
            "number": SCHEDULED, "title": meant.title, "type": "normal", "state": "scheduled", "risk": "moderate",
            "on_hold": False, "category": meant.category,
        }  # fmt: skip
        assert record["planned_start_at"] == times.to_text(meant.start_at)
        assert record["planned_end_at"] == times.to_text(meant.end_at)
        assert record["requested_by"]["ref"] == f"rem:person:{people[meant.requested_by]}"
        assert "ci" not in record


async def test_changes_are_found_by_state_type_and_window(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        middle = times.to_text(ALL[CHANGES["overlapping"]].start_at - 1)
        for clauses, wanted in (
            ((Condition("state", "eq", "closed"),), [n for n, c in ALL.items() if c.state == "closed"]),
            ((Condition("type", "eq", "emergency"),), [n for n, c in ALL.items() if c.type == "emergency"]),
            (
                (Condition("state", "eq", "scheduled"), Condition("planned_start_at", "gt", middle)),
                [n for n, c in ALL.items() if c.state == "scheduled" and times.to_text(c.start_at) > middle],
            ),
        ):
            page = await source.search("change", Query(filter=clauses, limit=100))
            assert sorted(each["number"] for each in page.records) == sorted(change_number(n) for n in wanted)
            assert wanted


async def test_pending_and_rejected_are_no_stage_and_pending_waits(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        put(mock, SCHEDULED, "Pending", **{"Status Reason": 2000})
        record = (await source.get("change", SCHEDULED)).record
        assert (record["state"], record["on_hold"], record["on_hold_reason"]) == (
            "unmapped", True, "Funding Not Available",
        )  # fmt: skip
        assert await next_states(source, SCHEDULED) == ["assess", "scheduled", "implement", "cancelled"]
        put(mock, SCHEDULED, "Rejected", **{"Status Reason": None})
        record = (await source.get("change", SCHEDULED)).record
        assert (record["state"], record["on_hold"], record["on_hold_reason"]) == ("unmapped", False, None)


async def test_what_the_adapter_says_may_follow_is_what_the_server_takes(wsdls: Path) -> None:
    # The table of the adapter against the rules of the mock: each state offered is taken, each other one refused.
    states = ("new", "assess", "authorize", "scheduled", "implement", "review", "closed", "cancelled")
    natives = ("Draft", "Planning In Progress", "Scheduled For Approval", "Implementation In Progress", "Completed")
    async with remedy(wsdls) as (source, mock):
        for native in natives:
            put(mock, SCHEDULED, native)
            here = (await source.get("change", SCHEDULED)).record["state"]
            offered = await next_states(source, SCHEDULED)
            assert offered
            for state in states:
                if state == here:
                    continue
                put(mock, SCHEDULED, native)
                wanted = {"state": state, **({"close_code": "successful"} if state == "closed" else {})}
                moving = send(source, "update", SCHEDULED, wanted)
                if state in offered:
                    await moving
                    assert (await source.get("change", SCHEDULED)).record["state"] == state
                else:
                    with pytest.raises(Problem) as caught:
                        await moving
                    assert caught.value.slug is Slug.SOURCE_REJECTED, (native, state)


async def test_next_states_are_of_changes_only(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        with pytest.raises(Problem) as caught:
            await source.ask(OffersTransitions, "transitions", lambda each: each.next_states("incident", "INC1"))
        assert caught.value.slug is Slug.UNSUPPORTED
        with pytest.raises(Problem) as caught:
            await next_states(source, "CRQ999999999999")
        assert caught.value.slug is Slug.NOT_FOUND


async def test_a_site_s_own_flow_replaces_entries(wsdls: Path) -> None:
    flow = {"change": {"transitions": {"Draft": ["Scheduled"], "Scheduled": None}}}
    async with remedy(wsdls, mapping=flow) as (source, _):
        assert await next_states(source, DRAFT) == ["scheduled"]
        assert await next_states(source, SCHEDULED) == []


async def test_a_new_change_needs_somebody_who_asks_for_it(wsdls: Path) -> None:
    values = {"type": "emergency", "title": "Patch now", "group": "rem:group:Network Operations EMEA"}
    async with remedy(wsdls) as (source, mock):
        many = len(list(mock.store.rows(FORM)))
        with pytest.raises(Problem) as caught:
            await send(source, "create", None, values)
        assert (caught.value.slug, caught.value.field, caught.value.reached) == (
            Slug.INVALID_ARGUMENT, "requested_by", "no",
        )  # fmt: skip
        assert len(list(mock.store.rows(FORM))) == many
    async with remedy(wsdls, settings={"requester": ASKER.user_name}) as (source, mock):
        (handle,) = await source.probe(await send(source, "create", None, values))
        entry = mock.store.get(FORM, handle)
        assert entry is not None
        assert (entry["First Name"], entry["Last Name"]) == (ASKER.first_name, ASKER.last_name)
        assert entry["Support Company"] == estate().companies[0].name
        record = (await source.get("change", handle)).record
        assert (record["state"], record["type"], record["group"]["ref"], record["external_id"]) == (
            "new", "emergency", values["group"], "c-create",
        )  # fmt: skip


async def test_an_update_empties_nothing_and_a_note_changes_nothing_else(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        before = dict(mock.store.get(FORM, SCHEDULED) or {})
        await send(source, "update", SCHEDULED, {"risk": "high", "actual_start_at": "2026-11-01T08:00:00Z"})
        after = dict(mock.store.get(FORM, SCHEDULED) or {})
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert changed == {"Risk Level", "Actual Start Date", "Last Modified By", "Last Modified Date"}
        for n, visibility in enumerate(("internal", "public")):
            text = f"note {n} [interlock {n}]"
            effect = await send(
                source, "note", SCHEDULED, {}, marker=f"[interlock {n}]", note_text=text, visibility=visibility
            )
            assert await source.probe(effect) == [SCHEDULED]
        both = frozenset({"public", "internal"})
        journal = await source.journal("change", SCHEDULED, visibility=both, limit=10)
        assert [(each["visibility"], each["text"].split(" [")[0]) for each in journal.entries] == [
            ("public", "note 1"), ("internal", "note 0"),
        ]  # fmt: skip
        noted = dict(mock.store.get(FORM, SCHEDULED) or {})
        assert {name: v for name, v in noted.items() if name != "Last Modified Date"} == {
            name: v for name, v in after.items() if name != "Last Modified Date"
        }


@asynccontextmanager
async def gateway(state: Path) -> AsyncIterator[tuple[Any, MockRemedy]]:
    """A call of an agent that may do all with changes, and the mock behind it."""
    store = Store()
    store.load(entries(estate()))
    async with MockRemedy(store) as mock:
        mock.clock.set(estate().as_of)
        source = {
            "adapter": "remedy",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "integration", "password": "integration"}},
            "settings": {"server": "arserver", "requester": ASKER.user_name},
        }
        async with opened(config_for({"rem": source}, state, times.to_text(estate().as_of))) as desk:
            key = desk.agent(AGENT)

            async def call(tool: str, **arguments: Any) -> dict[str, Any]:
                return (await desk.call(key, tool, **arguments))[1]

            yield call, mock


async def test_a_change_goes_its_way_through_the_gateway_and_no_other(tmp_path: Path) -> None:
    async with gateway(tmp_path / "state") as (call, mock):
        made = await call("change_create", type="normal", title="Raise the memory", risk="low", impact="low")
        assert made["receipt"]["outcome"] == "applied", made
        ref = made["receipt"]["ref"]
        assert (await call("change_get", ref=ref))["data"]["next_states"] == ["assess", "cancelled"]
        refused = await call("change_transition", ref=ref, to="implement")
        assert (refused["slug"], refused["field"]) == ("wrong-state", "to")
        assert refused["next_step"] == "It may go to: assess, cancelled."
        moved = await call("change_transition", ref=ref, to="assess")
        assert moved["receipt"]["outcome"] == "applied", moved
        window = {"planned_start_at": "2026-11-10T20:00:00Z", "planned_end_at": "2026-11-10T22:00:00Z"}
        early = await call("change_transition", ref=ref, to="scheduled")
        assert (early["slug"], early["field"]) == ("invalid-argument", "planned_start_at")
        changed = await call("change_update", ref=ref, changes=window)
        assert changed["receipt"]["outcome"] == "applied", changed
        for state in ("scheduled", "implement", "review"):
            moved = await call("change_transition", ref=ref, to=state)
            assert moved["receipt"]["outcome"] == "applied", moved
        how = {"close_code": "successful_issues", "close_notes": "One reboot more than planned."}
        closed = await call("change_transition", ref=ref, to="closed", **how)
        assert closed.get("receipt", {}).get("outcome") == "applied", closed
        (entry,) = (row for row in mock.store.rows("CHG:WorkLog") if row["Infrastructure Change ID"] == ref[11:])
        assert entry["Detailed Description"] == how["close_notes"]
        data = (await call("change_get", ref=ref))["data"]
        assert (data["state"], data["close_code"], data["next_states"]) == ("closed", "successful_issues", [])

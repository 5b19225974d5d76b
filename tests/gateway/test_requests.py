"""Orders from the service catalogue, end to end over the mock: found, asked, ordered once, followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mock_servers.estate import Estate, generate
from mock_servers.estate.servicenow import tables
from mock_servers.faults import Rule
from mock_servers.servicenow import Store
from tests.gateway.gateway_bench import agent
from tests.gateway.servicenow_bench import AS_OF, SnowBench, servicenow

from interlock.principals.models import Scope
from interlock.records import times
from interlock.records.filters import Condition

ORDER = r"/order_now"


@pytest.fixture(scope="module")
def estate() -> Estate:
    return generate(7, 200, times.to_epoch(AS_OF))


@pytest.fixture
async def snow(tmp_path: Path, estate: Estate) -> AsyncIterator[SnowBench]:
    store = Store()
    store.load(tables(estate))
    async with servicenow(store, tmp_path) as found:
        yield found


async def item(snow: SnowBench, name: str) -> str:
    rows = (await snow.call("catalog_search", text=name)).body["data"]
    return next(str(row["item"]) for row in rows if row["name"] == name)


def requests(snow: SnowBench) -> int:
    return len(snow.mock.store.table("sc_request").rows)


async def test_what_can_be_ordered_and_what_it_asks(snow: SnowBench) -> None:
    rows = (await snow.call("catalog_search", text="laptop")).body["data"]
    assert (rows[0]["name"], rows[0]["category"], rows[0]["price"]) == ("Laptop", "Hardware", "$1,290.00")
    assert len((await snow.call("catalog_search", limit=50)).body["data"]) == 15
    about = (await snow.call("catalog_item", item=rows[0]["item"])).body["data"]
    assert "Delivered within five working days." in about["description"]
    assert "<" not in about["description"]
    asked = about["variables"]
    assert asked["required"] == ["keyboard", "business_reason", "cost_center"]
    model = asked["properties"]["model"]
    assert (model["default"], model["title"]) == ("standard", "Model")
    assert {"const": "mac", "title": "MacBook Pro 14″"} in model["oneOf"]
    assert asked["properties"]["cost_center"]["pattern"] == "^(?:[1-9][0-9]{5})$"
    assert asked["properties"]["needed_by"]["format"] == "date"
    vpn = (await snow.call("catalog_item", item=await item(snow, "VPN access"))).body["data"]["variables"]
    assert vpn["properties"]["for_user"]["x-refers"] == ["person"]
    assert vpn["properties"]["terms"]["const"] is True
    server = (await snow.call("catalog_item", item=await item(snow, "Virtual server"))).body["data"]["variables"]
    assert server["properties"]["cpus"] | {"title": ""} == {
        "title": "", "type": "integer", "minimum": 1, "maximum": 16, "default": 4,
    }  # fmt: skip
    problem = await snow.refused("catalog_item", item=f"snow/{'f' * 32}")
    assert (problem["slug"], problem["field"]) == ("not-found", "item")


async def test_an_order_is_placed_and_followed(snow: SnowBench, estate: Estate) -> None:
    person = next(each for each in estate.people if each.active and each.manager)
    asked = {
        "keyboard": "de",
        "needed_by": "2026-04-01",
        "business_reason": "Neuer Platz, größerer Schirm",
        "cost_center": "471100",
    }
    reply = await snow.call(
        "request_order",
        item=await item(snow, "Laptop"),
        variables=asked,
        quantity=2,
        requested_for=f"snow:person:{person.user_name}",
    )
    receipt, data = reply.body["receipt"], reply.body["data"]
    assert (receipt["outcome"], receipt["verified"]) == ("applied", True), receipt
    assert (data["state"], data["approval"]) == ("awaiting_approval", "requested")
    assert data["requested_for"]["ref"] == f"snow:person:{person.user_name}"
    (row,) = snow.named("sc_request", "number", receipt["ref"].removeprefix("snow:request:"))
    assert row["requested_for"] == person.id
    kept = {option["value"] for option in snow.mock.store.rows("sc_item_option")}
    assert kept == {"standard", *asked.values()}
    status = (await snow.call("request_status", ref=receipt["ref"])).body["data"]
    boss = next(each for each in estate.people if each.id == person.manager)
    assert status["approvals"] == [{"approver": boss.name, "state": "requested", "at": None, "comment": None}]
    (line,) = status["items"]
    assert (line["name"], line["quantity"], line["stage"]) == ("Laptop", 2, "Waiting for Approval")
    found = (await snow.call("record_search", kind="article", text="locked")).body["data"]
    assert [row["title"] for row in found] == ["SAP: user is locked"]


async def test_refs_among_the_variables_are_resolved_inside_the_scope(snow: SnowBench, estate: Estate) -> None:
    vpn = await item(snow, "VPN access")
    inside, outside = [each for each in estate.people if each.active][:2]
    asked: dict[str, Any] = {"until": "2027-01-01", "terms": True}
    only = Scope((Condition("user_name", "eq", inside.user_name),))
    snow.bot = agent(scopes={**snow.bot.scopes, "person": only})
    for_one = {**asked, "for_user": f"snow:person:{outside.user_name}"}
    problem = await snow.refused("request_order", item=vpn, variables=for_one)
    nobody = await snow.refused("request_order", item=vpn, variables={**asked, "for_user": "snow:person:no.such"})
    assert (problem["slug"], problem["field"]) == ("not-found", "variables.for_user")
    assert problem["detail"].replace(outside.user_name, "no.such") == nobody["detail"]
    wrong = await snow.refused("request_order", item=vpn, variables={**asked, "for_user": "snow:group:x"})
    assert wrong["field"] == "variables.for_user"
    before = requests(snow)
    fine = {**asked, "for_user": f"snow:person:{inside.user_name}"}
    assert (await snow.call("request_order", item=vpn, variables=fine)).body["receipt"]["outcome"] == "applied"
    assert requests(snow) == before + 1
    assert inside.id in {option["value"] for option in snow.mock.store.rows("sc_item_option")}


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"keyboard": "de", "business_reason": "x"}, "variables.cost_center"),
        ({"keyboard": "klingon", "business_reason": "x", "cost_center": "471100"}, "variables.keyboard"),
        ({"keyboard": "de", "business_reason": "x", "cost_center": "047110"}, "variables.cost_center"),
        ({"keyboard": "de", "business_reason": "", "cost_center": "471100"}, "variables.business_reason"),
        ({"keyboard": "de", "business_reason": "x", "cost_center": "471100", "bribe": "1"}, "variables.bribe"),
    ],
)
async def test_wrong_variables_are_named_and_nothing_is_ordered(
    snow: SnowBench, variables: dict[str, Any], field: str
) -> None:
    before = requests(snow)
    problem = await snow.refused("request_order", item=await item(snow, "Laptop"), variables=variables)
    assert (problem["slug"], problem["field"]) == ("invalid-argument", field)
    assert requests(snow) == before


async def test_what_only_a_form_demands_is_told_too(snow: SnowBench) -> None:
    folder = await item(snow, "Distribution list")
    process = snow.mock.instance
    (external,) = [v for v in process.store.rows("item_option_new") if v["name"] == "external"]

    shown = await snow.call("catalog_item", item=folder)
    assert shown.body["data"]["variables"]["required"] == ["name"]
    snow.mock.store.put("item_option_new", {**external, "mandatory": "true"})
    problem = await snow.refused("request_order", item=folder, variables={"name": "x"})
    assert problem["field"] == "variables.external"
    snow.mock.store.put("item_option_new", external)
    snow.mock.switches.change(form_mandatory={folder.partition("/")[2]: ["external"]})
    problem = await snow.refused("request_order", item=folder, variables={"name": "x"})
    assert (problem["field"], problem["native_message"]) == ("variables", "Mandatory Variables are required")
    assert "external" in problem["detail"]
    assert problem["receipt"]["outcome"] == "not_applied"


@pytest.mark.parametrize("fills_in", [True, False])
async def test_defaults_are_kept_whether_the_instance_fills_them_in_or_not(snow: SnowBench, fills_in: bool) -> None:
    snow.mock.switches.change(order_defaults=fills_in)
    asked = {"product": "autocad", "business_reason": "x"}
    await snow.call("request_order", item=await item(snow, "Software licence"), variables=asked)
    assert {option["value"] for option in snow.mock.store.rows("sc_item_option")} == {"autocad", "3", "x"}


async def test_read_only_variables_and_what_is_no_item_are_refused(snow: SnowBench, estate: Estate) -> None:
    owner = f"snow:person:{next(each for each in estate.people if each.active).user_name}"
    asked = {"address": "team@example.com", "owner": owner, "retention": "1 year"}
    problem = await snow.refused("request_order", item=await item(snow, "Shared mailbox"), variables=asked)
    assert problem["field"] == "variables.retention"
    del asked["retention"]
    fine = await snow.call("request_order", item=await item(snow, "Shared mailbox"), variables=asked)
    assert fine.body["receipt"]["outcome"] == "applied"
    producer = {
        "sys_id": "f" * 32,
        "name": "Report a fault",
        "active": "true",
        "sys_class_name": "sc_cat_item_producer",
    }
    snow.mock.store.load({"sc_cat_item": [producer]})
    assert (await snow.call("catalog_search", text="Report a fault")).body["data"] == []
    refused = await snow.refused("catalog_item", item=f"snow/{'f' * 32}")
    assert refused["slug"] == "unsupported"


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "drop_before", "truncate"])
async def test_a_lost_order_waits_for_a_person_and_is_never_sent_again(snow: SnowBench, fault: str) -> None:
    asked = {"name": "News"}
    where, before = await item(snow, "Distribution list"), requests(snow)
    snow.fail(fault, ORDER)
    receipt = (await snow.call("request_order", item=where, variables=asked)).body["receipt"]
    assert (receipt["outcome"], receipt["needs_person"]) == ("unknown", True)
    assert "settles_by" not in receipt
    arrived = requests(snow) - before
    assert arrived == (0 if fault == "drop_before" else 1)
    again = (await snow.call("request_order", item=where, variables=asked)).body["receipt"]
    assert (again["id"], again["replayed"]) == (receipt["id"], True)
    row = await snow.runtime.journal.get(receipt["id"])
    assert row is not None
    # Due at once, and long after anything could still arrive: a write that may be sent again would be.
    assert await snow.runtime.journal.move(row, "unknown", 0.0, due_at=0.0, quiet_at=1.0, needs_person=True)
    for _ in range(40):  # the settling pass comes by, and leaves it to a person
        now = await snow.runtime.journal.get(receipt["id"])
        assert now is not None
        if (now.due_at or 0) > 0:
            break
        await asyncio.sleep(0.05)
    assert (now.state, bool(now.needs_person), now.attempts) == ("unknown", True, 1)
    assert requests(snow) - before == arrived


async def test_an_order_that_surely_was_not_sent_is_not_applied(snow: SnowBench) -> None:
    where = await item(snow, "Distribution list")
    snow.mock.faults.set([Rule("session_expired", methods=("POST",), path=ORDER)])
    problem = await snow.refused("request_order", item=where, variables={"name": "News"})
    assert (problem["slug"], problem["receipt"]["outcome"]) == ("source-denied", "not_applied")


async def test_articles_are_plain_text(snow: SnowBench) -> None:
    (row,) = (await snow.call("record_search", kind="article", text="VPN drops")).body["data"]
    data = (await snow.call("record_get", ref=row["ref"])).body["data"]
    assert data["state"] == "published"
    assert data["base"] == "IT Knowledge"
    assert "- Run ipconfig /renew." in data["text"]
    assert "alert" not in data["text"]
    assert "<" not in data["text"]
    drafts = (await snow.call("record_search", kind="article", filter=[{"field": "state", "value": "draft"}])).body
    assert [row["title"] for row in drafts["data"]] == ["Onboarding at Pune"]

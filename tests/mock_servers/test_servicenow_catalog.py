"""The service catalogue and the knowledge base of the mock: items, variables, orders, carts, articles."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mock_servers.servicenow import MockServiceNow, Store

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CATALOG, HARDWARE = "c" * 32, "d" * 32
LAPTOP, VPN, GONE = "1" * 32, "2" * 32, "3" * 32
KIM, BOSS = "8" * 32, "9" * 32
BASE = "/api/sn_sc/servicecatalog"


def variable(n: int, item: str, name: str, kind: int, **more: str) -> dict[str, str]:
    return {
        "sys_id": f"{n:032x}",
        "cat_item": item,
        "name": name,
        "question_text": name.title(),
        "type": str(kind),
        "order": str(n),
        **more,
    }


def store() -> Store:
    found = Store()
    found.load(
        {
            "sys_user": [
                {"sys_id": BOSS, "user_name": "boss", "name": "Bo Ss"},
                {"sys_id": KIM, "user_name": "kim", "name": "Kim Roe", "manager": BOSS},
            ],
            "sc_catalog": [{"sys_id": CATALOG, "title": "Service Catalog", "active": "true"}],
            "sc_category": [{"sys_id": HARDWARE, "title": "Hardware", "sc_catalog": CATALOG, "active": "true"}],
            "sc_cat_item": [
                {"sys_id": LAPTOP, "name": "Laptop", "category": HARDWARE, "sc_catalogs": CATALOG, "price": "1499"},
                {"sys_id": VPN, "name": "VPN access", "short_description": "Remote work", "sc_catalogs": CATALOG},
                {"sys_id": GONE, "name": "Pager", "active": "false"},
            ],
            "item_option_new": [
                variable(11, LAPTOP, "model", 5, mandatory="true"),
                variable(12, LAPTOP, "reason", 2),
                variable(13, LAPTOP, "fixed", 6, read_only="true", default_value="house rules"),
                variable(14, VPN, "token", 6, validate_regex="[A-Z]{3}"),
                variable(15, VPN, "terms", 7, mandatory="true"),
                variable(16, VPN, "level", 4, scale_min="1", scale_max="3"),
            ],
            "question_choice": [
                {"question": f"{11:032x}", "value": "air", "text": "Light", "order": "2"},
                {"question": f"{11:032x}", "value": "pro", "text": "Strong", "order": "1", "sys_id": "e" * 32},
            ],
            "kb_knowledge": [
                article("KB0000001", "Printer offline", "<p>Turn it <b>off</b> &amp; on.</p>"),
                article("KB0000002", "Secret printer", "<p>draft</p>", workflow_state="draft"),
                article("KB0000003", "Drucker", "<p>printer</p>", language="de"),
                article("KB0000004", "Scanner", "<p>not a printer</p>", sys_view_count="7"),
            ],
        }
    )
    return found


def article(number: str, title: str, text: str, **more: str) -> dict[str, str]:
    values = {"number": number, "short_description": title, "text": text, "workflow_state": "published"}
    return {**values, "language": "en", "active": "true", **more}


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    async with MockServiceNow(store()) as running:
        yield running


@pytest.fixture
async def client(mock: MockServiceNow) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url, auth=("reader", "reader")) as session:
        yield session


async def got(client: httpx.AsyncClient, path: str, **params: str) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def order(client: httpx.AsyncClient, item: str, variables: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"sysparm_quantity": "1", "variables": variables, **more}
    return await client.post(f"{BASE}/items/{item}/order_now", json=body)


async def test_what_there_is_to_order(client: httpx.AsyncClient) -> None:
    assert [c["title"] for c in await got(client, f"{BASE}/catalogs")] == ["Service Catalog"]
    assert (await got(client, f"{BASE}/categories/{HARDWARE}"))["count"] == 1
    assert [i["name"] for i in await got(client, f"{BASE}/items")] == ["Laptop", "VPN access"]
    assert [i["name"] for i in await got(client, f"{BASE}/items", sysparm_text="remote vpn")] == ["VPN access"]
    assert [i["name"] for i in await got(client, f"{BASE}/items", sysparm_category=HARDWARE)] == ["Laptop"]
    assert [i["name"] for i in await got(client, f"{BASE}/items", sysparm_limit="1", sysparm_offset="1")] == [
        "VPN access"
    ]


async def test_an_item_tells_its_variables(client: httpx.AsyncClient) -> None:
    item = await got(client, f"{BASE}/items/{LAPTOP}")
    assert (item["price"], item["category"]["title"]) == ("$1,499.00", "Hardware")
    model, reason, fixed = item["variables"]
    assert (model["friendly_type"], model["mandatory"]) == ("select_box", True)
    assert [(c["label"], c["value"]) for c in model["choices"]] == [("Strong", "pro"), ("Light", "air")]
    assert (reason["friendly_type"], fixed["read_only"]) == ("multi_line_text", True)
    scale = (await got(client, f"{BASE}/items/{VPN}"))["variables"][2]
    assert [c["value"] for c in scale["choices"]] == ["1", "2", "3"]
    for missing in (GONE, "f" * 32):
        assert (await client.get(f"{BASE}/items/{missing}")).status_code == 400


async def test_an_order_that_costs_waits_for_the_manager(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    answer = await order(client, LAPTOP, {"model": "pro", "fixed": "mine"}, sysparm_requested_for=KIM)
    made = answer.json()["result"]
    request = mock.store.get("sc_request", made["sys_id"])
    assert request is not None
    assert (made["number"], made["table"]) == (request["number"], "sc_request")
    assert (request["approval"], request["request_state"], request["requested_for"]) == ("requested", "requested", KIM)
    (line,) = mock.store.where("sc_req_item", "request", made["sys_id"])
    assert (line["cat_item"], line["quantity"], line["stage"]) == (LAPTOP, "1", "waiting_for_approval")
    (approval,) = mock.store.where("sysapproval_approver", "sysapproval", made["sys_id"])
    assert (approval["approver"], approval["state"]) == (BOSS, "requested")
    kept = {row["value"] for row in mock.store.rows("sc_item_option")}
    assert kept == {"pro", "", "house rules"}
    assert not list(mock.store.rows("sc_task"))


async def test_a_free_order_is_under_way_at_once(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    made = (await order(client, VPN, {"terms": True, "nonsense": "x"})).json()["result"]
    request = mock.store.get("sc_request", made["sys_id"])
    assert request is not None
    assert (request["approval"], request["request_state"]) == ("approved", "in_process")
    assert len(list(mock.store.where("sc_task", "request", made["sys_id"]))) == 1


async def test_orders_are_refused_in_the_apis_words(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    cases = [
        (await order(client, LAPTOP, {}), "Mandatory Variables are required"),
        (await order(client, VPN, {"terms": False}), "Mandatory Variables are required"),
        (await order(client, LAPTOP, {"model": "pro"}, sysparm_quantity="0"), "Invalid quantity value"),
        (await order(client, GONE, {}), "Security constraints prevent ordering of Item"),
    ]
    for answer, message in cases:
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)
    assert (await order(client, VPN, {"terms": True, "token": "abc"})).status_code == 200
    mock.switches.change(catalog_checks=True, request_for_others=False)
    wrong = await order(client, VPN, {"terms": True, "token": "abc", "level": "9"})
    assert wrong.json()["error"]["detail"] == "token, level"
    others = await order(client, VPN, {"terms": True}, sysparm_requested_for=KIM)
    assert others.status_code == 400
    assert len(list(mock.store.rows("sc_request"))) == 1


async def test_a_cart_is_the_callers_own(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{BASE}/cart/submit_order", json={})).status_code == 400
    body = {"sysparm_quantity": "2", "variables": {"model": "air"}}
    cart = (await client.post(f"{BASE}/items/{LAPTOP}/add_to_cart", json=body)).json()["result"]
    (line,) = cart["none"]["items"]
    assert (line["quantity"], cart["subtotal_price"], line["variables"]["model"]) == ("2", "$2,998.00", "air")
    changed = await client.put(f"{BASE}/cart/{line['cart_item_id']}", json={"sysparm_quantity": "1"})
    assert changed.json()["result"]["subtotal_price"] == "$1,499.00"
    other = await client.delete(f"{BASE}/cart/{line['cart_item_id']}", auth=("integration", "integration"))
    assert other.status_code == 400
    mock.switches.change(two_step_checkout=True)
    assert "cart_id" in (await client.post(f"{BASE}/cart/checkout", json={})).json()["result"]
    made = (await client.post(f"{BASE}/cart/submit_order", json={})).json()["result"]
    assert made["number"].startswith("REQ")
    assert "none" not in await got(client, f"{BASE}/cart")


async def test_articles_are_found_and_shown(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    base = "/api/sn_km_api/knowledge/articles"
    found = await got(client, base, query="printer", fields="short_description")
    assert [a["number"] for a in found["articles"]] == ["KB0000001", "KB0000004"]
    assert found["meta"]["count"] == 2
    assert found["articles"][0]["fields"]["short_description"]["value"] == "Printer offline"
    assert (await got(client, base, query="printer", language="all"))["meta"]["count"] == 3
    assert (await got(client, base, filter="numberENDSWITH4"))["meta"]["count"] == 1
    assert (await got(client, f"{base}/most_viewed"))["articles"][0]["number"] == "KB0000004"
    shown = await got(client, f"{base}/KB0000001", update_view="")
    assert shown["content"].startswith("<p>Turn")
    assert mock.store.get("kb_knowledge", shown["sys_id"])["sys_view_count"] == "1"  # type: ignore[index]
    assert (await client.get(f"{base}/KB0000002")).status_code == 404

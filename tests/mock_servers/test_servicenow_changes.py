"""The change API of the mock instance and the rules of changes and problems, over sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from mock_servers.servicenow import MockServiceNow, Store, Switches

CHANGE = "/api/sn_chg_rest/v1/change"
BOSS, GROUP, CI = "b" * 32, "a" * 32, "c" * 32


@asynccontextmanager
async def instance(**switches: Any) -> AsyncIterator[httpx.AsyncClient]:
    store = Store()
    store.load(
        {
            "sys_user": [{"sys_id": BOSS, "user_name": "boss", "name": "Bó Ss"}],
            "sys_user_group": [{"sys_id": GROUP, "name": "Servers", "manager": BOSS}],
            "cmdb_ci_linux_server": [{"sys_id": CI, "name": "web01"}],
        }
    )
    async with (
        MockServiceNow(store, switches=Switches(**switches)) as mock,
        httpx.AsyncClient(base_url=mock.url, auth=("integration", "integration")) as client,
    ):
        yield client


async def made(client: httpx.AsyncClient, kind: str = "normal", **body: Any) -> dict[str, Any]:
    told = {"short_description": "x", "requested_by": BOSS, "cmdb_ci": CI, **body}
    answer = await client.post(f"{CHANGE}/{kind}", json=told)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["result"])


async def to(client: httpx.AsyncClient, sys_id: str, state: str, **body: Any) -> httpx.Response:
    return await client.patch(f"{CHANGE}/{sys_id}", json={"state": state, **body})


async def offered(client: httpx.AsyncClient, sys_id: str) -> list[str]:
    found = (await client.get(f"{CHANGE}/{sys_id}/nextstates")).json()["result"]
    return list(found["available_states"])


async def test_fields_are_pairs_with_native_values() -> None:
    async with instance() as client:
        row = await made(client, start_date="2026-05-01 10:00:00")
        assert row["on_hold"] == {"display_value": "false", "value": False}
        assert (row["risk"]["value"], row["reassignment_count"]["value"]) == (3.0, 0.0)
        assert row["state"] == {"display_value": "New", "value": -5.0}
        assert row["start_date"]["display_value_internal"] == "2026-05-01 10:00:00"
        assert row["work_start"] == {"display_value": "", "value": "", "display_value_internal": ""}


async def test_a_normal_change_goes_its_whole_way() -> None:
    async with instance() as client:
        sys_id = (await made(client))["sys_id"]["value"]
        assert await offered(client, sys_id) == ["-4", "4"]
        for state in ("-4", "-3"):
            assert (await to(client, sys_id, state)).status_code == 200
        assert "-2" not in await offered(client, sys_id), "not approved yet"
        assert (await to(client, sys_id, "-2")).status_code == 400
        approvals = (await client.get(f"{CHANGE}/{sys_id}/approvals")).json()["result"]
        assert [each["approver"]["display_value"] for each in approvals] == ["Bó Ss"]
        await client.patch(f"{CHANGE}/{sys_id}/approvals", json={"state": "approved"})
        for state in ("-2", "-1", "0"):
            answer = await to(client, sys_id, state)
            assert answer.status_code == 200, answer.text
        bare = await to(client, sys_id, "3")
        assert bare.status_code == 403
        assert "Close code, Close notes" in bare.json()["error"]["detail"]
        row = (await to(client, sys_id, "3", close_code="successful", close_notes="fine")).json()["result"]
        assert (row["state"]["value"], row["active"]["value"]) == (3.0, False)
        assert all(row[name]["value"] for name in ("work_start", "work_end", "closed_at"))


async def test_types_skip_states_and_illegal_steps_are_refused() -> None:
    async with instance() as client:
        emergency = (await made(client, "emergency"))["sys_id"]["value"]
        assert await offered(client, emergency) == ["-3", "4"]
        standard = (await made(client, f"standard/{'d' * 32}"))["sys_id"]["value"]
        assert await offered(client, standard) == ["-2", "4"]
        answer = await to(client, standard, "0")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("Change Request record could not be updated. Operation")


async def test_waiting_needs_a_reason_and_the_type_is_fixed_after_new() -> None:
    async with instance() as client:
        sys_id = (await made(client))["sys_id"]["value"]
        assert (await client.patch(f"{CHANGE}/{sys_id}", json={"on_hold": True})).status_code == 403
        assert (await client.patch(f"{CHANGE}/{sys_id}", json={"type": "emergency"})).status_code == 200
        await to(client, sys_id, "-3")
        assert (await client.patch(f"{CHANGE}/{sys_id}", json={"type": "normal"})).status_code == 400


async def test_conflicts_are_polled() -> None:
    async with instance(conflict_polls=2) as client:
        window = {"start_date": "2026-05-01 10:00:00", "end_date": "2026-05-01 12:00:00"}
        first = (await made(client, **window))["sys_id"]["value"]
        second = await made(client, start_date="2026-05-01 11:00:00", end_date="2026-05-01 13:00:00")
        await client.post(f"{CHANGE}/{first}/conflict", json={})
        said = []
        while not said or said[-1] == "In progress":
            found = (await client.get(f"{CHANGE}/{first}/conflict")).json()["result"]
            said.append(found["status"]["value"])
        assert said == ["In progress", "In progress", "Conflict"]
        others = [each["conflicting_change"]["value"] for each in found["conflicts"]]
        assert others == [second["sys_id"]["value"]]


async def test_problems_keep_their_order() -> None:
    path = "/api/now/table/problem"
    async with instance() as client:
        sys_id = (await client.post(path, json={"short_description": "x"})).json()["result"]["sys_id"]
        assert (await client.patch(f"{path}/{sys_id}", json={"state": "104"})).status_code == 403
        done = await client.patch(f"{path}/{sys_id}", json={"state": "102"})
        assert done.json()["result"]["state"] == "102"


async def test_files_go_up_and_down() -> None:
    path = "/api/now/attachment"
    async with instance(max_attachment=100) as client:
        sys_id = (await made(client))["sys_id"]["value"]
        where = {"table_name": "change_request", "table_sys_id": sys_id}
        named, plain = {**where, "file_name": "ü.txt"}, {"content-type": "text/plain"}
        up = await client.post(f"{path}/file", params=named, content=b"h\xc3\xa9", headers=plain)
        assert up.status_code == 201
        about = up.json()["result"]
        assert (about["size_bytes"], about["content_type"]) == ("3", "text/plain")
        file = ("b.bin", b"\x00\x01\r\n\xff", "application/x-b")
        form = await client.post(f"{path}/upload", data=where, files={"uploadFile": file})
        assert form.status_code == 201, form.text
        query = f"table_sys_id={sys_id}^ORDERBYsys_id"
        listed = (await client.get(path, params={"sysparm_query": query})).json()["result"]
        assert {each["file_name"] for each in listed} == {"ü.txt", "b.bin"}
        got = await client.get(f"{path}/{form.json()['result']['sys_id']}/file")
        assert (got.content, got.headers["content-type"]) == (b"\x00\x01\r\n\xff", "application/x-b")
        assert (await client.post(f"{path}/file", params=named, content=b"x" * 101)).status_code == 413
        assert (await client.delete(f"{path}/{about['sys_id']}")).status_code == 204
        assert (await client.get(f"{path}/{about['sys_id']}")).status_code == 404
        reader = await client.delete(f"{path}/{form.json()['result']['sys_id']}", auth=("reader", "reader"))
        assert reader.status_code == 403

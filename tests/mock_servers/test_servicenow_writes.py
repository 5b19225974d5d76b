"""Writes through the API: business rules, state model, data policies, journals, system columns."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from mock_servers.servicenow import MockServiceNow, Store, User

INC = "/api/now/table/incident"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # http only: no time spent on loading authorities
NOW = 1_772_356_500.0  # 2026-03-01 09:15:00
DESK, NET, KIM = "2" * 32, "3" * 32, "1" * 32
USERS = (
    User("admin", "admin", frozenset({"admin", "itil"})),
    User("integration", "integration"),
    User("tokyo", "tokyo", time_zone="Asia/Tokyo"),
)

Row = dict[str, Any]


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    store = Store()
    store.load(
        {
            "sys_user_group": [{"sys_id": DESK, "name": "Service Desk"}, {"sys_id": NET, "name": "Network"}],
            "sys_user": [{"sys_id": KIM, "user_name": "kim", "name": "Kim Roe"}],
            "incident": [
                {"sys_id": "7" * 32, "number": "INC0000500", "state": "6", "priority": "1", "impact": "3"},
            ],
            "cmdb_ci_server": [{"sys_id": "8" * 32, "name": "a"}, {"sys_id": "9" * 32, "name": "b"}],
            "cmdb_rel_ci": [{"sys_id": "a" * 32, "parent": "8" * 32, "child": "9" * 32}],
        }
    )
    async with MockServiceNow(store, users=USERS) as running:
        running.clock.set(NOW, frozen=True)
        yield running


@pytest.fixture
async def client(mock: MockServiceNow) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url, auth=("integration", "integration")) as session:
        yield session


Post = Callable[..., Awaitable[Row]]


@pytest.fixture
def create(client: httpx.AsyncClient) -> Post:
    async def post(**payload: Any) -> Row:
        answer = await client.post(INC, json=payload, params={"sysparm_exclude_reference_link": "true"})
        assert answer.status_code == 201, answer.text
        row: Row = answer.json()["result"]
        return row

    return post


@pytest.fixture
def change(client: httpx.AsyncClient) -> Post:
    async def patch(row: Row, **payload: Any) -> Row:
        path = f"{INC}/{row['sys_id']}"
        answer = await client.patch(path, json=payload, params={"sysparm_exclude_reference_link": "true"})
        assert answer.status_code == 200, answer.text
        changed: Row = answer.json()["result"]
        return changed

    return patch


async def refused(client: httpx.AsyncClient, row: Row, **payload: Any) -> str:
    answer = await client.patch(f"{INC}/{row['sys_id']}", json=payload)
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["message"] == "Operation Failed"
    return str(answer.json()["error"]["detail"])


async def test_create_echoes_the_record_after_the_rules(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        INC, json={"short_description": "x" * 200, "impact": 1, "urgency": "1", "priority": "5", "bunk_field": "1"}
    )
    row = answer.json()["result"]
    assert answer.headers["Location"] == f"{str(client.base_url).rstrip('/')}{INC}/{row['sys_id']}"
    assert row["number"] == "INC0000501"
    assert (row["priority"], row["state"], row["incident_state"], row["active"]) == ("1", "1", "1", "true")
    assert row["short_description"] == "x" * 160
    assert "bunk_field" not in row
    assert row["opened_by"]["value"]
    created = [row[f"sys_{name}"] for name in ("created_on", "updated_on", "created_by", "updated_by", "mod_count")]
    assert created == ["2026-03-01 09:15:00", "2026-03-01 09:15:00", "integration", "integration", "0"]


async def test_only_the_first_of_several_records_is_made(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    await client.post(INC, json=[{"correlation_id": "one"}, {"correlation_id": "two"}])
    found = (await client.get(INC, params={"sysparm_query": "correlation_idISNOTEMPTY"})).json()["result"]
    assert [row["correlation_id"] for row in found] == ["one"]


async def test_numbers_and_given_ids(create: Post, client: httpx.AsyncClient) -> None:
    first, second = await create(), await create(sys_id="ABC", number="INC9990000")
    assert (first["number"], second["number"], second["sys_id"]) == ("INC0000501", "INC9990000", "ABC")
    again = await client.post(INC, json={"sys_id": "ABC"})
    assert "Unique Key violation" in again.json()["error"]["detail"]


async def test_versions_move_only_when_something_changes(mock: MockServiceNow, create: Post, change: Post) -> None:
    row = await create(short_description="a", impact="2", urgency="2")
    mock.clock.advance(60)
    same = await change(row, short_description="a", priority="1", sys_mod_count="99", no_such="x")
    assert (same["sys_mod_count"], same["sys_updated_on"]) == ("0", "2026-03-01 09:15:00")
    moved = await change(row, short_description="b")
    assert (moved["sys_mod_count"], moved["sys_updated_on"]) == ("1", "2026-03-01 09:16:00")
    assert (await change(row, urgency="1"))["priority"] == "2"
    cleared = await change(row, short_description=None)
    assert cleared["short_description"] == ""


async def test_priority_follows_the_instances_matrix(mock: MockServiceNow, create: Post) -> None:
    mock.switches.change(priority_matrix={"1,1": "2"})
    assert (await create(impact="1", urgency="1", priority="4"))["priority"] == "2"
    mock.switches.change(priority_matrix={})
    assert (await create(impact="1", urgency="1", priority="4"))["priority"] == "4"


async def test_another_group_clears_the_assignee(create: Post, change: Post) -> None:
    row = await create(assignment_group=DESK, assigned_to=KIM)
    assert row["assigned_to"] == KIM
    moved = await change(row, assignment_group=NET)
    assert (moved["assigned_to"], moved["reassignment_count"]) == ("", "1")
    both = await change(row, assignment_group=DESK, assigned_to=KIM)
    assert (both["assigned_to"], both["reassignment_count"]) == (KIM, "2")


async def test_closing_demands_code_and_notes(
    mock: MockServiceNow, client: httpx.AsyncClient, create: Post, change: Post
) -> None:
    row = await create()
    wording = "Data Policy Exception: The following fields are mandatory: "
    assert await refused(client, row, state="6") == wording + "Resolution code, Resolution notes"
    assert await refused(client, row, state="7", close_code="User error") == wording + "Resolution notes"
    mock.clock.advance(3600)
    resolved = await change(row, state="6", close_code="User error", close_notes="told them")
    assert (resolved["resolved_at"], resolved["active"], resolved["incident_state"]) == (
        "2026-03-01 10:15:00",
        "true",
        "6",
    )
    assert (resolved["calendar_stc"], bool(resolved["resolved_by"])) == ("3600", True)
    closed = await change(row, state="7")
    assert (closed["active"], closed["closed_at"]) == ("false", "2026-03-01 10:15:00")
    assert "aborted by Business Rule 'Incident State Model^" in await refused(client, row, state="2")
    mock.switches.change(data_policy=False)
    assert (await change(await create(), state="6"))["state"] == "6"


async def test_a_column_the_instance_lacks_is_not_demanded(mock: MockServiceNow, create: Post, change: Post) -> None:
    mock.store.load({}, omit={"incident": {"close_notes"}})
    assert (await change(await create(), state="6", close_code="User error"))["state"] == "6"


async def test_a_column_the_instance_lacked_is_shown_once_it_is_written(
    mock: MockServiceNow, create: Post, change: Post
) -> None:
    mock.store.load({}, omit={"incident": {"description", "correlation_id"}})
    row = await create(correlation_id="k")
    assert row["correlation_id"] == "k"
    assert "description" not in row
    assert (await change(row, description="now known"))["description"] == "now known"


async def test_a_record_loaded_as_it_is_may_still_get_notes(mock: MockServiceNow, change: Post) -> None:
    loaded = mock.store.get("incident", "7" * 32)
    assert loaded is not None
    assert loaded["priority"] == "1"  # no rule ran on loading
    assert (await change({"sys_id": "7" * 32}, work_notes="seen"))["sys_mod_count"] == "1"


async def test_reopening(create: Post, change: Post) -> None:
    row = await create()
    await change(row, state="6", close_code="User error", close_notes="n")
    again = await change(row, incident_state="2")
    assert (again["state"], again["reopen_count"], again["resolved_at"]) == ("2", "1", "")
    assert again["reopened_time"] == "2026-03-01 09:15:00"


async def test_an_instances_own_state_codes_follow_the_same_rules(
    mock: MockServiceNow, client: httpx.AsyncClient, create: Post, change: Post
) -> None:
    mock.switches.change(incident_states={"4": "3", "9": "8"}, unknown_choice="allow")
    row = await create(short_description="x")
    assert "On hold reason" in await refused(client, row, state="4")
    assert (await change(row, state="4", hold_reason="4"))["state"] == "4"
    assert (await change(row, state="9"))["active"] == "false"
    assert "aborted by Business Rule" in await refused(client, row, state="2")


async def test_on_hold(client: httpx.AsyncClient, create: Post, change: Post) -> None:
    row = await create()
    assert "On hold reason" in await refused(client, row, state="3")
    assert "Additional comments" in await refused(client, row, state="3", hold_reason="1")
    held = await change(row, state="3", hold_reason="1", comments="please answer")
    assert held["hold_reason"] == "1"
    assert (await change(row, state="2"))["hold_reason"] == ""


async def test_a_reply_of_the_caller_ends_the_wait(create: Post, change: Post) -> None:
    row = await create()
    row = await change(row, caller_id=row["opened_by"], state="3", hold_reason="1", comments="?")
    assert (await change(row, comments="here it is"))["state"] == "2"


async def test_choices_outside_the_list(
    mock: MockServiceNow, client: httpx.AsyncClient, create: Post, change: Post
) -> None:
    row = await create(category="network", subcategory="vpn")
    ignored = await change(row, state="42", subcategory="cpu")
    assert (ignored["state"], ignored["subcategory"], ignored["sys_mod_count"]) == ("1", "vpn", "0")
    assert (await change(row, category="hardware", subcategory="cpu"))["subcategory"] == "cpu"
    mock.switches.change(unknown_choice="reject")
    assert "Invalid choice value" in await refused(client, row, category="zebra")
    mock.switches.change(unknown_choice="allow")
    assert (await change(row, category="zebra"))["category"] == "zebra"


async def test_journal_fields_are_input_only(
    mock: MockServiceNow, client: httpx.AsyncClient, create: Post, change: Post
) -> None:
    row = await create(work_notes="first")
    assert row["work_notes"] == ""
    changed = await change(row, work_notes="second", comments="hello")
    assert (changed["work_notes"], changed["sys_mod_count"]) == ("", "1")
    await change(row, work_notes="second")  # a note written twice stands twice
    entries = mock.store.where("sys_journal_field", "element_id", row["sys_id"])
    assert [(e["element"], e["value"]) for e in entries] == [
        ("work_notes", "first"),
        ("work_notes", "second"),
        ("comments", "hello"),
        ("work_notes", "second"),
    ]
    entry = await client.post("/api/now/table/sys_journal_field", json={"value": "forged"})
    assert entry.status_code == 403


async def test_display_values_on_the_way_in_and_zones(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    answer = await client.post(
        INC,
        params={"sysparm_input_display_value": "true", "sysparm_display_value": "all"},
        json={"assignment_group": "service desk", "impact": "1 - High", "due_date": "2026-03-02 09:00:00"},
        auth=("tokyo", "tokyo"),
    )
    row = answer.json()["result"]
    assert row["assignment_group"]["value"] == DESK
    assert row["impact"] == {"display_value": "1 - High", "value": "1"}
    assert row["due_date"] == {"display_value": "2026-03-02 09:00:00", "value": "2026-03-02 00:00:00"}
    assert row["opened_at"] == {"display_value": "2026-03-01 18:15:00", "value": "2026-03-01 09:15:00"}


async def test_values_of_the_wrong_type_are_ignored(create: Post) -> None:
    row = await create(due_date="tomorrow", reassignment_count="many", knowledge=True)
    assert (row["due_date"], row["reassignment_count"], row["knowledge"]) == ("", "0", "true")


async def test_delete_cascades_and_leaves_an_audit(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    path = f"/api/now/table/cmdb_ci/{'8' * 32}"
    assert (await client.delete(path)).status_code == 403
    gone = await client.delete(path, auth=("admin", "admin"))
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.delete(path, auth=("admin", "admin"))).status_code == 404
    assert not list(mock.store.rows("cmdb_rel_ci"))
    (audit,) = mock.store.rows("sys_audit_delete")
    assert (audit["tablename"], audit["documentkey"]) == ("cmdb_ci_server", "8" * 32)


async def test_put_is_a_partial_update_and_methods_may_be_overridden(client: httpx.AsyncClient, create: Post) -> None:
    row = await create(short_description="a", description="b")
    path = f"{INC}/{row['sys_id']}"
    put = await client.put(path, json={"short_description": "c"})
    assert put.json()["result"]["description"] == "b"
    posted = await client.post(path, json={"description": "d"}, headers={"X-HTTP-Method-Override": "PATCH"})
    assert posted.json()["result"]["description"] == "d"


async def test_changes_follow_the_change_model(client: httpx.AsyncClient) -> None:
    path = "/api/now/table/change_request"
    row = (await client.post(path, json={"state": "-5", "short_description": "x"})).json()["result"]
    assert row["number"].startswith("CHG")
    skipped = await client.patch(f"{path}/{row['sys_id']}", json={"state": "3"})
    assert "aborted by Business Rule" in skipped.json()["error"]["detail"]
    assert (await client.patch(f"{path}/{row['sys_id']}", json={"state": "-4"})).status_code == 200

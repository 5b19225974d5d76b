"""From a configuration to working sources: real mappings and adapters against the mock over a socket."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mock_servers.servicenow import MockServiceNow, Store

from interlock.clock import SystemClock
from interlock.config import ConfigError, read_config
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.opening import Sources, open_sources
from interlock.telemetry import Telemetry, silent_telemetry

KIM, DESK, SRV = "1" * 32, "2" * 32, "3" * 32
TABLES: dict[str, list[dict[str, str]]] = {
    "sys_user": [{"sys_id": KIM, "user_name": "kim", "name": "Kim Roe", "active": "true"}],
    "sys_user_group": [{"sys_id": DESK, "name": "Service Desk"}],
    "cmdb_ci": [{"sys_id": SRV, "name": "srv-01", "sys_class_name": "cmdb_ci_linux_server"}],
    "incident": [
        {
            "sys_id": f"{n:032x}",
            "number": f"INC{n:07d}",
            "state": "2",
            "impact": "2",
            "urgency": "2",
            "priority": "3",
            "short_description": f"Incident {n}",
            "opened_at": "2026-03-01 09:15:00",
            "caller_id": KIM,
            "assigned_to": KIM if n % 2 else "",
            "cmdb_ci": SRV,
            "sys_updated_on": "2026-03-01 09:15:00",
            "sys_mod_count": "1",
        }
        for n in range(1, 41)
    ],
}


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    store = Store()
    store.load({name: [dict(row) for row in rows] for name, rows in TABLES.items()})
    async with MockServiceNow(store) as running:
        yield running


def data(url: str, **more: Any) -> dict[str, Any]:
    return {
        "sources": {
            "snow": {
                "adapter": "servicenow",
                "environment": "test",
                "base_url": url,
                "auth": {"basic": {"username": "integration", "password": "integration"}},
                **more,
            }
        }
    }


@pytest.fixture
def telemetry() -> Telemetry:
    return silent_telemetry(SystemClock())


@pytest.fixture
async def sources(mock: MockServiceNow, telemetry: Telemetry) -> AsyncIterator[Sources]:
    config = read_config(data(mock.url), Path())
    opened = await open_sources(config, SystemClock(), telemetry)
    yield opened
    await opened.close()


async def test_read_by_key_then_by_handle_then_from_memory(sources: Sources) -> None:
    snow = sources["snow"]
    assert (snow.product, snow.environment) == ("servicenow", "test")
    first = await snow.get("incident", "INC0000007")
    assert first.record["ref"] == "snow:incident:INC0000007"
    assert (await snow.get("incident", f"~{first.handle}")).record == first.record
    again = await snow.get("incident", "INC0000007", max_age_s=30)
    assert (again.origin, again.record) == ("cache", first.record)
    with pytest.raises(Problem) as found:
        await snow.get("incident", "INC9999999")
    assert found.value.slug is Slug.NOT_FOUND


async def test_search_to_the_end(sources: Sources) -> None:
    query = Query((Condition("state", "eq", "in_progress"),), sort=(Sort("opened_at"),), limit=15)
    refs: list[str] = []
    cursor = None
    for _ in range(10):
        page = await sources["snow"].search("incident", query, cursor=cursor)
        refs += [record["ref"] for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert len(refs) == len(set(refs)) == 40


async def test_writes_are_found_by_their_probes(sources: Sources) -> None:
    snow = sources["snow"]
    soon = time.time() + 10
    create = Effect("incident", "create", None, {"title": "Printer on fire", "impact": "low"}, "interlock:01")
    assert await snow.probe(create) == []
    handle = await snow.send(create, not_after=soon)
    assert handle is not None
    assert await snow.probe(create) == [handle]
    assert (await snow.get("incident", f"~{handle}")).record["title"] == "Printer on fire"

    link = {"ref": f"snow:person:~{KIM}"}
    update = Effect("incident", "update", "INC0000002", {"title": "New", "assignee": link}, "interlock:02")
    assert await snow.probe(update) == []
    await snow.send(update, not_after=soon)
    assert await snow.probe(update) == ["2".rjust(32, "0")]

    marker = "[interlock 03]"
    note = Effect("incident", "note", "INC0000002", {}, "interlock:03", marker, f"Hello\n{marker}", "internal")
    assert await snow.probe(note) == []
    await snow.send(note, not_after=soon)
    assert await snow.probe(note) == ["2".rjust(32, "0")]
    seen = await snow.journal("incident", "INC0000002", visibility=frozenset({"internal"}))
    assert seen.entries[0]["text"] == f"Hello\n{marker}"
    assert (await snow.journal("incident", "INC0000002", visibility=frozenset({"public"}))).entries == []


async def test_what_the_source_demands_and_what_would_be_sent(sources: Sources) -> None:
    snow = sources["snow"]
    assert snow.missing("incident", {"state": "resolved"}) == ["close_code", "close_notes"]
    effect = Effect("incident", "update", "INC0000001", {"state": "in_progress"}, "c")
    assert snow.preview(effect)["payload"] == {"state": "2"}
    assert "title" in snow.writable("incident")
    assert "version" in snow.fields("incident")
    assert snow.settle_s == 120


async def test_a_source_that_is_down_does_not_keep_the_gateway_from_starting(telemetry: Telemetry) -> None:
    config = read_config(data("http://127.0.0.1:9", settle_s=5), Path())
    sources = await open_sources(config, SystemClock(), telemetry)
    with pytest.raises(Problem) as found:
        await sources["snow"].get("incident", "INC0000001")
    assert (found.value.slug, found.value.source) == (Slug.SOURCE_UNAVAILABLE, "snow")
    assert sources["snow"].settle_s == 5
    assert sources.health()[0]["last_error"]["slug"] == "source-unavailable"
    await sources.close()


async def test_a_wrong_password_is_told_without_it(mock: MockServiceNow, telemetry: Telemetry) -> None:
    auth = {"basic": {"username": "integration", "password": "wrong-hunter2"}}
    sources = await open_sources(read_config(data(mock.url, auth=auth), Path()), SystemClock(), telemetry)
    with pytest.raises(Problem) as found:
        await sources["snow"].get("incident", "INC0000001")
    assert found.value.slug is Slug.SOURCE_DENIED
    assert "hunter2" not in str(found.value.body()) + str(sources.health())
    assert telemetry.log.scrubber.clean("it was wrong-hunter2") == "it was ***"
    await sources.close()


async def test_an_auth_the_adapter_does_not_take(telemetry: Telemetry) -> None:
    export = {"sources": {"x": {"adapter": "export", "environment": "test", "auth": {"bearer": {"token": "t0ken"}}}}}
    with pytest.raises(ConfigError, match=r"sources\.x\.auth\.bearer"):
        await open_sources(read_config(export, Path()), SystemClock(), telemetry)


async def test_a_wrong_overlay_names_the_nearest_field(telemetry: Telemetry) -> None:
    config = read_config(data("http://127.0.0.1:9", mapping={"incident": {"fields": {"titel": "u_t"}}}), Path())
    with pytest.raises(Problem, match="titel"):
        await open_sources(config, SystemClock(), telemetry)


async def test_an_overlay_changes_where_a_field_is(mock: MockServiceNow, telemetry: Telemetry) -> None:
    mapping = {"incident": {"fields": {"category": "u_kind"}}}
    sources = await open_sources(read_config(data(mock.url, mapping=mapping), Path()), SystemClock(), telemetry)
    effect = Effect("incident", "update", "INC0000001", {"category": "network"}, "c")
    assert sources["snow"].preview(effect)["payload"] == {"u_kind": "network"}
    await sources.close()

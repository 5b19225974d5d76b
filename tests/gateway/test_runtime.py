"""The whole gateway over the mock ServiceNow: opened, called, settled, closed, opened again."""

from __future__ import annotations

import asyncio
import copy
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from mock_servers.faults import Rule
from tests.gateway.gateway_bench import agent, person
from tests.gateway.gateway_house import House

from interlock.clock import SystemClock
from interlock.config.load import read_config
from interlock.gateway import runtime as module
from interlock.gateway import taxonomies
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.governance.ledger import Entry, Ledger, Payload, verify
from interlock.governance.ledger.read import export
from interlock.principals.models import Agent
from interlock.records.problems import Problem
from interlock.state.errors import StateError
from interlock.telemetry import silent_telemetry


def added(runtime: Runtime, **changes: Any) -> Agent:
    found = agent(**changes)
    runtime.store.add_agent(found, by="test")
    return found


async def test_the_story_of_a_ticket(runtime: Runtime, house: House) -> None:
    bot = added(runtime)
    call = runtime.pipeline.handle
    found = await call(
        bot,
        "incident_search",
        {"filter": [{"field": "priority", "value": "p1"}, {"field": "state", "value": "in_progress"}]},
    )
    ref = f"snow:incident:{house.numbers['p1_caution']}"
    assert ref in [row["ref"] for row in found.body["data"]]
    one = (await call(bot, "incident_get", {"ref": ref})).body
    assert one["provenance"]["origin"] == "live"
    ci = (await call(bot, "ci_get", {"ref": one["data"]["ci"]["ref"]})).body
    assert ci["quality"]["standing"] == "caution"
    related = (await call(bot, "ci_related", {"ref": ci["data"]["ref"]})).body
    assert related["data"]
    assert all(entry["ci"]["ref"] != ci["data"]["ref"] for entry in related["data"])
    groups = (await call(bot, "directory_find", {"kind": "group", "text": "Service Desk"})).body["data"]
    assert "snow:group:Service Desk EMEA" in [row["ref"] for row in groups]
    notes = (await call(bot, "journal_list", {"ref": ref, "visibility": "public"})).body["data"]
    assert {note["visibility"] for note in notes} == {"public"}


async def test_dry_run_touches_nothing_and_held_is_performed_once_after_approval(
    runtime: Runtime, house: House
) -> None:
    bot = added(runtime)
    ref = f"snow:incident:{house.numbers['p2_stale_ci']}"
    asked = {"ref": ref, "changes": {"urgency": "low"}}
    before = house.writes()
    for tool, raw in (
        ("incident_update", asked),
        ("incident_create", {"title": "x"}),
        ("incident_add_note", {"ref": ref, "text": "x", "visibility": "internal"}),
    ):
        reply = await runtime.pipeline.handle(bot, tool, {**raw, "dry_run": True})
        assert (reply.status, reply.body["preview"]["verdict"]) == (
            200,
            "allow" if tool == "incident_create" else "hold",
        )
        assert reply.body["preview"]["native"]
    assert (house.writes(), await runtime.journal.counts()) == (before, {})
    held = await runtime.pipeline.handle(bot, "incident_update", asked)
    id = held.body["receipt"]["approval"]["ref"]  # noqa: A001
    assert house.writes() == before
    row = await runtime.journal.get(id)
    assert row is not None
    await runtime.approvals.decide(person(), id, row.digest, True, "ok")
    for _ in range(200):
        row = await runtime.journal.get(id)
        if row is not None and row.ended:
            break
        await asyncio.sleep(0.02)
    assert row is not None
    assert (row.state, row.receipt and row.receipt["verified"]) == ("applied", True)
    assert house.writes() == before + 1  # one version step of one ticket


async def test_a_create_that_commits_and_drops_is_found_by_its_key(runtime: Runtime, house: House) -> None:
    bot = added(runtime)
    house.mock.faults.set([Rule("drop_after", methods=("POST",), count=1)])
    try:
        reply = await runtime.pipeline.handle(bot, "incident_create", {"title": "dropped"})
    finally:
        house.mock.faults.reset()
    receipt = reply.body["receipt"]
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")
    assert sum(row.get("short_description") == "dropped" for row in house.mock.store.rows("incident")) == 1


async def test_administrative_acts_are_in_the_ledger_and_it_verifies_after_a_restart(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr(module, "_ACTS_S", 0.01)
    config = house.config(tmp_path)
    for turn in range(2):
        async with open_runtime(config, silent_telemetry(SystemClock()), settle=False) as runtime:
            added(runtime, id=f"bot{turn}")
            for _ in range(200):
                if not runtime.store.unrecorded():
                    break
                await asyncio.sleep(0.01)
    report = verify(config.state)
    assert report.ok
    with sqlite3.connect(config.state / "ledger.sqlite") as db:
        rows = db.execute(
            "SELECT json_extract(body, '$.kind'), json_extract(body, '$.call') FROM chain "
            "WHERE json_extract(body, '$.kind') != 'call'"
        ).fetchall()
    assert [kind for kind, _ in rows] == ["start", "admin", "stop"] * 2
    assert [call for kind, call in rows if kind == "admin"] == ["act:1", "act:2"]


async def test_one_folder_one_gateway(house: House, tmp_path: Path) -> None:
    config = house.config(tmp_path)
    async with open_runtime(config, silent_telemetry(SystemClock())):
        with pytest.raises(StateError, match=r"\d+"):
            async with open_runtime(config, silent_telemetry(SystemClock())):
                pass


async def test_cursors_live_on_after_a_restart_and_a_cut_key_is_made_anew(house: House, tmp_path: Path) -> None:
    config = house.config(tmp_path)
    async with open_runtime(config, silent_telemetry(SystemClock()), settle=False) as runtime:
        bot = added(runtime)
        cursor = (await runtime.pipeline.handle(bot, "incident_search", {"limit": 1})).body["page"]["cursor"]
    async with open_runtime(config, silent_telemetry(SystemClock()), settle=False) as runtime:
        again = await runtime.pipeline.handle(bot, "incident_search", {"limit": 1, "cursor": cursor})
        assert again.status == 200
    (config.state / "cursor.key").write_bytes(b"")
    async with open_runtime(config, silent_telemetry(SystemClock()), settle=False) as runtime:
        refused = await runtime.pipeline.handle(bot, "incident_search", {"limit": 1, "cursor": cursor})
        assert refused.body["field"] == "cursor"
    assert len((config.state / "cursor.key").read_bytes()) == 32


class TestTaxonomies:
    """Categories come from the source: at start when it is there, else when it comes back."""

    def _odd(self, house: House) -> str:
        """A ticket with a category that the choice list has not."""
        row = next(row for row in house.mock.store.rows("incident") if row["number"] == house.numbers["resolvable"])
        return str(row["number"])

    async def test_a_source_that_hangs_does_not_hold_up_the_start_and_is_heard_later(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(taxonomies, "START_S", 0.3)
        monkeypatch.setattr(taxonomies, "AGAIN_S", 0.2)
        monkeypatch.setattr("interlock.sources.choices.AGAIN_S", 0.1)
        house = House(house.mock, house.numbers, house.as_of, copy.deepcopy(house.profile))
        house.profile["incident"]["sources"]["snow"].pop("categories", None)
        house.mock.faults.set([Rule("timeout_before")])
        try:
            began = time.monotonic()
            async with open_runtime(house.config(tmp_path), silent_telemetry(SystemClock())) as runtime:
                assert time.monotonic() - began < 2.5
                before = runtime.quality.version
                house.mock.faults.reset()
                for _ in range(200):
                    if runtime.quality.version != before:
                        break
                    await asyncio.sleep(0.02)
                assert runtime.quality.version != before
                bot = added(runtime)
                ref = f"snow:incident:{self._odd(house)}"
                assert (await runtime.pipeline.handle(bot, "incident_get", {"ref": ref})).status == 200
                await runtime.ledger.flush()
                import json
                import sqlite3

                with sqlite3.connect(runtime.config.state / "ledger.sqlite") as db:
                    (body,) = db.execute("SELECT body FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
                assert json.loads(body)["versions"]["profile"] == runtime.quality.version
                sources = runtime.quality.profile.incident.sources["snow"]
                assert "network" in (sources.categories or ())
        finally:
            house.mock.faults.reset()

    async def test_a_source_that_is_not_there_is_no_error(self, house: House, tmp_path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        began = time.monotonic()
        async with open_runtime(house.config(tmp_path, base_url=url), silent_telemetry(SystemClock())) as runtime:
            assert time.monotonic() - began < 5
            bot = added(runtime)
            reply = await runtime.pipeline.handle(bot, "incident_get", {"ref": "snow:incident:INC1"})
            assert (reply.status, reply.body["slug"]) == (503, "source-unavailable")

    @pytest.mark.parametrize(
        ("profile", "word"),
        [
            ({"matrix": {"CI-STALE": {"incident_updat": "hold"}}}, "incident_update"),
            ({"incident": {"sources": {"snwo": {}}}}, "snow"),
            ({"matrix": {"CI-STAL": "hold"}}, "CI-STALE"),
        ],
    )
    async def test_a_profile_that_names_what_is_not_there_stops_the_start(
        self, house: House, tmp_path: Path, profile: dict[str, Any], word: str
    ) -> None:
        other = House(house.mock, house.numbers, house.as_of, profile)
        with pytest.raises(Problem) as caught:
            async with open_runtime(other.config(tmp_path), silent_telemetry(SystemClock())):
                pass
        assert word in f"{caught.value.detail} {caught.value.next_step}"


async def test_hosts_that_are_ours(tmp_path: Path) -> None:
    body = {"state": str(tmp_path / "state"), "listen": {"host": "10.0.0.5", "hosts": ["gw.example.com"]}}
    config = read_config(body, tmp_path, environ={}, name="test")
    async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
        assert all(map(runtime.knows_host, ["localhost:80", "127.0.0.1", "10.0.0.5:8080", "gw.example.com"]))
        assert not any(map(runtime.knows_host, ["evil.example", "localhost.evil", "gw.example.com.evil:80"]))


async def test_payloads_past_their_time_are_erased_and_younger_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SystemClock()
    ledger = Ledger(tmp_path / "state", clock)
    for days in (40, 20):
        entry = Entry("call", f"c{days}", clock.now() - days * 86_400, "bot", "incident_get")
        await ledger.append(entry, Payload({"ref": f"snow:incident:{days}"}))
    await ledger.close()
    monkeypatch.setattr(module, "_ERASE_FIRST_S", 0.0)
    config = read_config({"state": "state", "storage": {"payloads_days": 30}}, tmp_path)
    async with open_runtime(config, silent_telemetry(clock)) as runtime:
        before = runtime.ledger.counts.entries
        while runtime.ledger.counts.entries == before:  # noqa: ASYNC110 - a thread counts them
            await asyncio.sleep(0.005)
    payloads = {entry["call"]: entry["arguments"] for entry in export(tmp_path / "state", payloads=True)}
    assert (payloads["c40"], payloads["c20"]) == (None, {"ref": "snow:incident:20"})
    assert verify(tmp_path / "state").erased == 1

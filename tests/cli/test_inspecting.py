"""A customised instance, from what it tells of itself to reading and writing it: over real sockets."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mock_servers.servicenow import MockServiceNow, Store, Switches
from mock_servers.servicenow.customised import customise
from tests.cli.commands import Shell

from interlock.clock import SystemClock
from interlock.config import load_config
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.opening import open_sources
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

FINAL = Path(__file__).parent / "customised"
MOST_EDITS = 20  # lines that a person may have to change in what is proposed


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServiceNow]:
    store, switches = Store(), Switches()
    customise(store, switches)
    with MockServiceNow(store, switches=switches).in_thread() as served:
        yield served


def configured(shell: Shell, mock: MockServiceNow, overlays: Path | None = None) -> None:
    named = f", overlays: '{overlays}'" if overlays else ""
    account = "auth: {basic: {username: integration, password: integration}}"
    source = f"{{adapter: servicenow, environment: test, base_url: '{mock.url}', {account}{named}}}"
    shell.write("interlock.yaml", f"state: state\nlisten: {{port: 0}}\nsources:\n  snow: {source}\n")


def proposed(shell: Shell, mock: MockServiceNow) -> str:
    configured(shell, mock)
    shell.ok("sources", "inspect", "snow", "--write", "proposed")
    return (shell.folder / "proposed" / "incident.yaml").read_text("utf-8")


def test_little_is_left_for_a_person_to_change(shell: Shell, mock: MockServiceNow) -> None:
    final = (FINAL / "incident.yaml").read_text("utf-8")
    lines = difflib.unified_diff(proposed(shell, mock).splitlines(), final.splitlines(), lineterm="", n=0)
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert 0 < len(changed) <= MOST_EDITS, "\n".join(changed)


def test_what_is_proposed_compiles_as_it_is_and_is_not_overwritten(shell: Shell, mock: MockServiceNow) -> None:
    text = proposed(shell, mock)
    assert "entity: u_ticket  # u_ticket extends incident and holds" in text
    assert '# codes.state: 5 "Warten auf Ersatzteil" / "Awaiting Spare Part" has no word: add 5 to one' in text
    configured(shell, mock, shell.folder / "proposed")
    assert "proposed/incident.yaml line" in shell.ok("sources", "mapping", "snow", "--kind", "incident")
    again = shell.run("sources", "inspect", "snow", "--write", "proposed")
    assert (again.code, "is there already" in again.err) == (1, True)
    assert (shell.folder / "proposed" / "incident.yaml").read_text("utf-8") == text


def test_an_account_that_may_not_look_is_told_so(shell: Shell) -> None:
    with MockServiceNow(switches=Switches(denied_tables=["sys_dictionary"])).in_thread() as closed:
        configured(shell, closed)
        done = shell.run("sources", "inspect", "snow", "--write", "proposed")
    assert (done.code, "Let our account read sys_dictionary" in done.err) == (1, True), done.err
    assert not (shell.folder / "proposed").exists()


def test_a_dictionary_whose_rows_are_hidden_removes_nothing(shell: Shell) -> None:
    with MockServiceNow(switches=Switches(row_acl={"sys_dictionary": "sys_idISEMPTY"})).in_thread() as closed:
        configured(shell, closed)
        told = shell.ok("sources", "inspect", "snow")
    assert "# incident: the instance tells no columns; may our account read its dictionary?" in told
    assert not [line for line in told.splitlines() if line.startswith(("fields:", "codes:", "ext:"))]


def test_a_column_that_is_switched_off_is_missing(shell: Shell) -> None:
    with MockServiceNow().in_thread() as closed:
        (row,) = (r for r in closed.store.rows("sys_dictionary") if (r["name"], r["element"]) == ("incident", "rfc"))
        closed.store.put("sys_dictionary", row | {"active": "false"})
        configured(shell, closed)
        told = shell.ok("sources", "inspect", "snow")
    assert "  change: null  # incident has no rfc" in told.splitlines()


def test_a_product_that_does_not_offer_it_says_so(shell: Shell) -> None:
    account = "auth: {api_key: {header: Authorization, prefix: 'Token ', key: k}}"
    source = f"{{adapter: nautobot, environment: test, base_url: 'http://127.0.0.1:9', {account}}}"
    shell.write("interlock.yaml", f"state: state\nlisten: {{port: 0}}\nsources:\n  naut: {source}\n")
    done = shell.run("sources", "inspect", "naut")
    assert (done.code, "naut does not offer inspection" in done.err) == (1, True), done.err


def test_with_what_was_corrected_nothing_is_missing(shell: Shell, mock: MockServiceNow) -> None:
    configured(shell, mock, FINAL)
    told = shell.ok("sources", "inspect", "snow")
    incident = told.partition("# incident.yaml")[2].partition("# request.yaml")[0]
    entries = [line for line in incident.splitlines() if line and not line.startswith("#")]
    assert entries == ["extends: servicenow/incident", "ext:", *(e for e in entries if e.startswith("  u_report:"))]


def test_a_source_reads_filters_notes_and_resolves(shell: Shell, mock: MockServiceNow) -> None:
    configured(shell, mock, FINAL)
    asyncio.run(_worked(shell.folder / "interlock.yaml", mock))


async def _worked(config: Path, mock: MockServiceNow) -> None:
    clock = SystemClock()
    sources = await open_sources(load_config(config), clock, silent_telemetry(clock))
    source = sources["snow"]
    until = clock.now() + 10
    try:
        record = (await source.get("incident", "TKT0000002")).record
        assert (record["state"], record["impact"], record["priority"]) == ("in_progress", "high", "p1")
        assert (record["category"], record["ext"]["u_phase"]) == ("Netz", "analyse")
        assert (record["ext"]["u_affected_users"], record["ext"]["u_major"]) == (120, True)
        assert record["ext"]["u_promised_at"] == "2026-03-02T12:00:00Z"
        assert record["ext"]["u_team"]["name"] == "Netzwerk"

        assert await found(source, Condition("state", "eq", "on_hold")) == ["TKT0000003"]
        assert await found(source, Condition("impact", "eq", "high")) == ["TKT0000002", "TKT0000003"]
        assert await found(source, Condition("ext.u_phase", "eq", "analyse")) == ["TKT0000002", "TKT0000003"]
        assert await found(source, Condition("category", "eq", "Drucker")) == ["TKT0000001"]
        assert await found(source, Condition("ext.u_major", "eq", True)) == ["TKT0000002"]

        note = Effect("incident", "note", "TKT0000002", {}, "c-1", "[il-1]", "Leitung geprüft [il-1]", "internal")
        await source.send(note, not_after=until)
        assert await source.probe(note) != []

        changes = {"state": "on_hold", "hold_reason": "vendor"}
        await source.send(Effect("incident", "update", "TKT0000001", changes, "c-0"), not_after=until)
        assert (mock.store.get("u_ticket", "bb000000000000000000000000000001") or {})["state"] == "4"

        changes = {"state": "resolved", "close_code": "fixed", "close_notes": "Switch getauscht"}
        await source.send(Effect("incident", "update", "TKT0000002", changes, "c-2"), not_after=until)
        row = mock.store.get("u_ticket", "bb000000000000000000000000000002") or {}
        assert (row["state"], row["incident_state"], row["close_code"]) == ("6", "6", "behoben")
        record = (await source.get("incident", "TKT0000002")).record
        assert (record["state"], record["close_code"], record["resolved_at"] is not None) == ("resolved", "fixed", True)

        changes = {"state": "resolved", "close_code": "known_error", "close_notes": "x"}
        with pytest.raises(Problem) as refused:  # a word that is no choice here has no value to send
            await source.send(Effect("incident", "update", "TKT0000001", changes, "c-3"), not_after=until)
        assert (refused.value.slug, refused.value.reached) == (Slug.UNMAPPED_VALUE, "no")

        told: dict[str, Any] = {"title": "Neu", "impact": "high", "urgency": "low", "category": "Netz"}
        handle = await source.send(Effect("incident", "create", None, told, "il-new"), not_after=until)
        record = (await source.get("incident", f"~{handle}")).record
        assert record["number"].startswith("TKT")
        assert (record["state"], record["priority"], record["category"]) == ("new", "p4", "Netz")
    finally:
        await sources.close()


async def found(source: Source, condition: Condition) -> list[str]:
    answer = await source.search("incident", Query(filter=(condition,), limit=10))
    return sorted(record["number"] for record in answer.records)

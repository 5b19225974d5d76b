"""A customised Remedy, from the WSDLs of its services to reading and writing it: over real sockets."""

from __future__ import annotations

import asyncio
import difflib
import time
from pathlib import Path

import pytest
from mock_servers.remedy.services import customised_services
from mock_servers.remedy.wsdl import render
from tests.adapters.remedy_bench import ADAPTER, NUMBER, remedy
from tests.cli.commands import Shell

from interlock.records.filters import Condition, Query
from interlock.sources.answers import Effect

FINAL = Path(__file__).parent / "customised" / "remedy"
MOST_EDITS = 20  # lines that a person may have to change in all files together


@pytest.fixture
def wsdls(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    for name, service in customised_services().items():
        (folder / f"{name}.wsdl").write_bytes(render(service, "http://10.1.2.3:8080/arsys/services/ARService"))
    return folder


def configured(shell: Shell, wsdls: Path, more: str = "") -> None:
    account = "auth: {basic: {username: u, password: p}}"
    settings = f"settings: {{server: ar, wsdl_folder: '{wsdls}'}}"
    source = f"{{adapter: remedy, environment: test, base_url: 'http://127.0.0.1:9', {account}, {settings}{more}}}"
    shell.write("interlock.yaml", f"state: state\nlisten: {{port: 0}}\nsources:\n  helix: {source}\n")


def changed(proposed: str, final: str) -> list[str]:
    lines = difflib.unified_diff(proposed.splitlines(), final.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_renamed_services_are_proposed_corrected_and_worked_with(shell: Shell, wsdls: Path) -> None:
    configured(shell, wsdls)
    told = shell.ok("sources", "inspect", "helix", "--write", "proposed")  # nothing answers at the address
    assert "# please decide: no service in" in told
    assert "serves change" in told
    proposed = {path.name: path.read_text("utf-8") for path in (shell.folder / "proposed").iterdir()}
    final = {path.name: path.read_text("utf-8") for path in FINAL.iterdir()}
    assert proposed.keys() == final.keys()  # what is published as shipped needs no overlay
    edits = [line for name, text in proposed.items() for line in changed(text, final[name])]
    assert 0 < len(edits) <= MOST_EDITS, "\n".join(edits)
    assert "please decide: TicketAnlegen takes no" in proposed["incident.yaml"]
    asyncio.run(_worked(wsdls, shell.folder / "compiled"))
    asyncio.run(_opened(wsdls, shell.folder / "compiled", shell.folder / "proposed"))  # and it fits uncorrected


async def _opened(wsdls: Path, cache: Path, overlays: Path) -> None:
    site = {"services": customised_services(), "settings": {"wsdl_folder": str(wsdls)}, "overlays": overlays}
    async with remedy(cache, **site, mapping={"change": None}) as (source, _):
        assert (await source.get("incident", NUMBER)).record["number"] == NUMBER


async def _worked(wsdls: Path, cache: Path) -> None:
    site = {"services": customised_services(), "settings": {"wsdl_folder": str(wsdls)}, "overlays": FINAL}
    async with remedy(cache, **site, mapping={"change": None}) as (source, mock):
        record = (await source.get("incident", NUMBER)).record
        assert (record["number"], record["state"], record["assignee"] is not None) == (NUMBER, "in_progress", True)
        people = await source.search("person", Query(limit=3))
        assert len(people.records) == 3
        wanted = (Condition("state", "eq", "in_progress"), Condition("impact", "eq", record["impact"]))
        numbers = {
            each["number"] for each in (await source.search("incident", Query(filter=wanted, limit=100))).records
        }
        assert NUMBER in numbers
        for number in numbers:
            each = (await source.get("incident", str(number))).record
            assert (each["state"], each["impact"]) == ("in_progress", record["impact"])
        none = (Condition("number", "eq", NUMBER), Condition("state", "eq", "closed"))
        assert not (await source.search("incident", Query(filter=none, limit=10))).records

        before = dict(mock.store.get("HPD:Help Desk", NUMBER) or {})
        note = Effect("incident", "note", NUMBER, {}, "c", "[interlock c]", "Notiz [interlock c]", "public")
        await source.send(note, not_after=time.time() + 30)
        assert await source.probe(note) == [NUMBER]
        changes = {"state": "resolved", "close_code": "fixed", "close_notes": "Neu installiert."}
        await source.send(Effect("incident", "update", NUMBER, changes, "c1"), not_after=time.time() + 30)
        after = dict(mock.store.get("HPD:Help Desk", NUMBER) or {})
        assert after["Resolution"] == "Neu installiert."
        assert {name for name in before if name not in after} == set()  # a full overwrite emptied nothing
        record = (await source.get("incident", NUMBER)).record
        assert (record["state"], record["close_code"]) == ("resolved", "fixed")


def test_values_that_no_code_table_knows_are_matched_by_words_or_asked_about(shell: Shell, wsdls: Path) -> None:
    shipped = (ADAPTER / "wsdl" / "HPD_IncidentInterface_WS.wsdl").read_text("utf-8")
    for path in (ADAPTER / "wsdl").iterdir():
        (wsdls / path.name).write_bytes(path.read_bytes())
    text = shipped.replace('value="In Progress"', 'value="In Bearbeitung"').replace('value="Pending"', 'value="Ruht"')
    (wsdls / "HPD_IncidentInterface_WS.wsdl").write_text(text, "utf-8")
    configured(shell, wsdls)
    told = shell.ok("sources", "inspect", "helix")
    (line,) = (each for each in told.splitlines() if each.startswith("    in_progress:"))
    assert line.startswith("    in_progress: [In Bearbeitung, In Progress]  # proposed: ")
    assert '# please decide: codes.state: Ruht "Ruht" has no word: add Ruht to one' in told


def test_services_as_shipped_need_no_overlay(shell: Shell) -> None:
    configured(shell, ADAPTER / "wsdl")
    assert shell.ok("sources", "inspect", "helix") == "helix has what its mapping says.\n"


def test_without_a_folder_of_wsdls_there_is_nothing_to_inspect(shell: Shell) -> None:
    account = "auth: {basic: {username: u, password: p}}"
    source = f"{{adapter: remedy, environment: test, base_url: 'http://127.0.0.1:9', {account}}}"
    shell.write("interlock.yaml", f"state: state\nlisten: {{port: 0}}\nsources:\n  helix: {source}\n")
    assert "settings.wsdl_folder" in shell.fails("sources", "inspect", "helix")

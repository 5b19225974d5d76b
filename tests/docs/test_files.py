"""Files that the documents show are read by the real readers, and programs are run."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from tests.docs.pages import PAGES, blocks, files, tables, words
from typer.testing import CliRunner

from interlock.cli.declarations import declared
from interlock.cli.main import app
from interlock.clock import ManualClock, SystemClock
from interlock.config import Config, load_config, read_config
from interlock.governance.ledger import Entry, Ledger, Payload, verify
from interlock.quality.profile import Profile
from interlock.records.filters import Query, read_filter
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem
from interlock.sources.opening import open_sources
from interlock.telemetry import silent_telemetry
from interlock.tools.catalogue import BY_NAME

SECRETS = dict.fromkeys(("SNOW_PASSWORD", "TICKETEER_TOKEN", "NAUTOBOT_TOKEN", "REMEDY_PASSWORD"), "something")


def _configured(text: str, folder: Path) -> Config:
    path = folder / "interlock.yaml"
    path.write_text(text)
    return load_config(path, environ=SECRETS)


def test_the_readmes_configuration(tmp_path: Path) -> None:
    config = _configured(files("README.md")["interlock.yaml"], tmp_path)
    assert config.sources["snow"].adapter == "servicenow"
    asyncio.run(_opened(config))


async def _opened(config: Config) -> None:
    """Adapter, overlay and log-in fit; nothing has to answer."""
    clock = SystemClock()
    sources = await open_sources(config, clock, silent_telemetry(clock))
    await sources.close()


@pytest.mark.parametrize("page", ["README.md", "docs/operators.md"])
def test_declarations(page: str) -> None:
    agent = declared(files(page)["triage.yaml"])
    assert agent.stage == "reviewed"
    assert {"incident_get", "incident_resolve"} <= agent.tools
    assert "incident_create" not in agent.tools


def test_the_quality_profile_and_its_sources(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(files("docs/operators.md")["profile.yaml"])
    found = Profile.load(tmp_path / "profile.yaml")
    found.verify_tools(BY_NAME)
    found.verify_sources(["snow"])
    assert found.ci.max_age["server"] == 14 * 86_400


SHOWN = [
    (block.page, block.body)
    for page in PAGES
    for block in blocks(page, "yaml")
    if not block.name and yaml.safe_load(block.body).keys() & {"sources", "listen"}
]


@pytest.mark.parametrize(("page", "body"), SHOWN, ids=[str(page) for page, _ in SHOWN])
def test_configurations_in_passing(page: Path, body: str) -> None:
    config = read_config(yaml.safe_load(body), Path(), environ=SECRETS, name=str(page))
    if str(page) != "adapters/export/README.md":  # its files are not there
        asyncio.run(_opened(config))


def test_json_that_is_shown_is_json() -> None:
    shown = [block for page in PAGES for block in blocks(page, "json")]
    assert shown
    for block in shown:
        orjson.loads(block.body)


class TestTicketeer:
    """The integrators' example: an adapter that exists nowhere but on that page."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name, body in files("docs/integrators.md").items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_the_pages_commands_say_what_it_says(self, folder: Path) -> None:
        lines = [shlex.split(line)[1:] for line in next(blocks("docs/integrators.md", "sh")).body.splitlines()]
        listed = CliRunner().invoke(app, lines[0])
        assert "ticketeer" in listed.output
        shown = [orjson.loads(CliRunner().invoke(app, [*line, "--json"]).output) for line in lines[1:]]
        assert shown[0]["decode"] == {
            "ref": "try:incident:T-100",
            "number": "T-100",
            "title": "Printer on fire",
            "state": "in_progress",
            "impact": "medium",
            "urgency": "high",
            "caller": {"ref": "try:person:u7", "name": "Ada"},
            "group": {"ref": "try:group:service-desk", "name": None},
            "updated_at": "2026-03-01T07:00:00Z",
            "version": "4",
            "url": "https://example.invalid/t/T-100",
        }
        assert shown[1]["encode"]["native"] == {"status": "solved", "solution": "Water"}
        assert shown[2]["query"]["native"] == {"status": ["working", "active"]}
        assert "title contains" in shown[2]["query"]["checked_afterwards"][-1]

    def test_a_mistake_is_told_as_the_page_tells_it(self, folder: Path) -> None:
        path = folder / "adapters/ticketeer/mapping/incident.yaml"
        path.write_text(path.read_text().replace("  title:", "  titel:"))
        wrong = CliRunner().invoke(app, ["adapter", "try", "ticketeer", "--folder", "adapters"])
        assert isinstance(wrong.exception, Problem)
        told = f"error: {wrong.exception.detail}\n  {wrong.exception.next_step}\n"
        assert told in [block.body for block in blocks("docs/integrators.md", "text")]

    async def test_it_reads_searches_and_writes_over_a_socket(self, folder: Path) -> None:
        tickets: dict[str, dict[str, Any]] = {
            "T-1": {"id": "T-1", "subject": "Fire", "status": "working", "revision": 1},
            "T-2": {"id": "T-2", "subject": "Water", "status": "open", "revision": 1},
        }
        async with _ticketeer(tickets) as url:
            body = yaml.safe_load(files("docs/integrators.md")["interlock.yaml"])
            body["sources"]["desk"]["base_url"] = url
            clock = SystemClock()
            sources = await open_sources(read_config(body, folder, environ=SECRETS), clock, silent_telemetry(clock))
            desk = sources["desk"]
            assert (await desk.get("incident", "T-1")).record["title"] == "Fire"
            asked = read_filter([{"field": "state", "value": "in_progress"}], FIELDS["incident"])
            found = await desk.search("incident", Query(asked, limit=10))
            assert [record["ref"] for record in found.records] == ["desk:incident:T-1"]
            from interlock.sources.answers import Effect

            effect = Effect("incident", "create", None, {"title": "Smoke", "impact": "low"}, "interlock:1")
            handle = await desk.send(effect, not_after=clock.now() + 10)
            assert await desk.probe(effect) == [handle]
            assert tickets[str(handle)] == {"id": "T-3", "subject": "Smoke", "impact": 3, "external_ref": "interlock:1"}
            await sources.close()


class _ticketeer:  # noqa: N801 - reads as a function
    """Ticketeer as the page describes it."""

    def __init__(self, tickets: dict[str, dict[str, Any]]) -> None:
        self._tickets = tickets

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from urllib.parse import parse_qs, urlsplit

        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        sent = orjson.loads(await reader.readexactly(length)) if length else {}
        asked = parse_qs(urlsplit(target).query)
        name = urlsplit(target).path.removeprefix("/api/tickets").strip("/")
        assert "authorization: bearer something" in head.lower()
        found: Any
        if method == "POST":
            key = f"T-{len(self._tickets) + 1}"
            found = self._tickets[key] = {"id": key, **sent}
        elif name:
            found = self._tickets[name]
        else:
            paging = {"page", "per_page"}
            rows = [
                t for t in self._tickets.values() if all(t.get(k) in v for k, v in asked.items() if k not in paging)
            ]
            found = {"items": rows, "total": len(rows)}
        body = orjson.dumps(found)
        answer = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{answer}connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def test_auditors_and_erasers_need_no_more_than_the_page_shows(tmp_path: Path) -> None:
    state, clock = tmp_path / "state", ManualClock(1_700_000_000.0)
    ledger = Ledger(state, clock)
    await ledger.append(Entry("call", "c1", clock.now(), "bot", "incident_get"), Payload({"ref": "snow:incident:1"}))
    await ledger.close()
    scripts = files("docs/operators.md")
    for name in ("verify.py", "erase.py"):
        (tmp_path / name).write_text(scripts[name])

    def run(name: str, folder: Path, *arguments: str) -> str:
        command = [sys.executable, str(tmp_path / name), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=dict(os.environ))
        return done.stdout

    assert run("verify.py", state).startswith("1 entries")
    run("erase.py", tmp_path, str(state), "30")
    report = verify(state)
    assert (report.ok, report.entries, report.erased) == (True, 2, 1)
    assert run("verify.py", state).startswith("2 entries")
    last = orjson.loads((state / "anchors.jsonl").read_bytes().splitlines()[-1])
    assert last["hash"] in run("verify.py", state)
    documented = {name for row in tables("docs/operators.md")["The state folder"][1:] for name in words(row[0])}
    assert {"ledger.sqlite", "ledger.key", "ledger.pub", "anchors.jsonl"} <= documented

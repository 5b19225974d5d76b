"""The README, done: its commands in their order against a served gateway, and what the demo prints."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables as native
from mock_servers.estate.stories import SCOPE_GROUPS, stories
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store
from tests.docs.pages import blocks, files, tables, words
from typer.testing import CliRunner

from interlock.cli.main import app

INTERLOCK = [sys.executable, "-c", "from interlock.cli import main; main()"]


@contextmanager
def _instance() -> Iterator[tuple[str, dict[str, str]]]:
    """A mock ServiceNow: its address, and the numbers of the estate's stories."""
    estate = generate(7, 200, DEFAULT_AS_OF)
    store = Store()
    store.load(native(estate))
    up, down = threading.Event(), threading.Event()
    url = ""

    async def serve() -> None:
        nonlocal url
        async with MockServiceNow(store) as mock:
            mock.clock.set(estate.as_of)
            url = mock.url
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()], daemon=True)
    thread.start()
    assert up.wait(30)
    try:
        yield url, stories(estate)
    finally:
        down.set()
        thread.join(30)


def _run(line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
    assert done.exit_code == 0, f"{line}: {done.exception} {done.output}"
    return done.stdout.strip()


def test_the_commands_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNOW_PASSWORD", "admin")
    shown = files("README.md")
    with _instance() as (address, numbers):
        config = shown["interlock.yaml"].replace("https://example.service-now.com", address)
        Path("interlock.yaml").write_text(config.replace("svc-interlock", "admin") + "listen: {port: 0}\n")
        assert config != shown["interlock.yaml"]
        declaration = shown["triage.yaml"].replace("snow:group:Service Desk", f"snow:group:{SCOPE_GROUPS[0]}")
        Path("triage.yaml").write_text(declaration)
        block = next(block.body for block in blocks("README.md", "sh") if "interlock serve" in block.body)
        gateway: subprocess.Popen[str] | None = None
        said = {}
        try:
            for line in block.splitlines():
                parts = shlex.split(line, comments=True)
                if parts[0] != "interlock":
                    continue
                if parts[1] == "serve":
                    gateway = subprocess.Popen([*INTERLOCK, *parts[1:]], stderr=subprocess.PIPE, text=True)
                    assert gateway.stderr is not None
                    ready = next(found for line in gateway.stderr if (found := orjson.loads(line))["event"] == "ready")
                    monkeypatch.setenv("INTERLOCK_URL", ready["url"])
                    continue
                said[" ".join(parts[1:3])] = answer = _run(line)
                if parts[1:3] == ["agents", "token"]:
                    monkeypatch.setenv("INTERLOCK_KEY", answer)
                if parts[1:3] == ["people", "token"]:
                    monkeypatch.setenv("INTERLOCK_TOKEN", answer)
            assert orjson.loads(said["call incident_search"])["page"]["truncated"] is False
            assert said["ledger verify"].startswith("the ledger is whole")
            assert "INTERLOCK_KEY" in said["connect claude"]
            assert os.environ["INTERLOCK_KEY"] not in said["agents add"]
            _a_person_decides(numbers)
            for client in ("openai", "cursor"):
                assert os.environ["INTERLOCK_URL"] in _run(f"interlock connect {client}")
            assert _run("interlock sources list --json")
            gateway_files = {path.name for path in Path(".interlock").iterdir() if not path.name.endswith(".lock")}
        finally:
            assert gateway is not None
            gateway.send_signal(signal.SIGTERM)
            assert gateway.wait(20) == 0
        documented = {name for row in tables("docs/operators.md")["The state folder"][1:] for name in words(row[0])}
        assert {name for name in gateway_files if not name.endswith(("-wal", "-shm"))} == documented
        # Stopped, it left nothing open: the last head says where the ledger ends.
        assert not list(Path(".interlock").glob("*-wal"))
        whole = orjson.loads(_run("interlock ledger verify --json"))
        last = orjson.loads(Path(".interlock/anchors.jsonl").read_bytes().splitlines()[-1])
        assert (whole["ok"], whole["entries"]) == (True, last["seq"])


def _a_person_decides(numbers: dict[str, str]) -> None:
    """In stage reviewed a note waits for Maria; then it is there."""
    ref = f"snow:incident:{numbers['resolvable']}"
    call = f"interlock call incident_add_note ref={ref} visibility=internal 'text=The driver was reinstalled.'"
    receipt = orjson.loads(_run(call))["receipt"]
    held = receipt["approval"]["ref"]
    assert (receipt["outcome"], receipt["approval"]["deciders"]) == ("held", ["approver"])
    assert held in _run("interlock approvals list")
    assert orjson.loads(_run(f"interlock approvals show {held}"))["digest"]
    assert f"{held}: released" in _run(f"interlock approvals approve {held} --comment 'Seen.'")
    for _ in range(100):
        again = orjson.loads(_run(call))["receipt"]
        if again["outcome"] == "applied":
            break
        threading.Event().wait(0.05)
    assert again["outcome"] == "applied"
    assert again["replayed"] is True


def test_the_transcript_is_what_the_demo_prints() -> None:
    shown = next(block.body for block in blocks("README.md") if block.mark == "transcript")
    printed = _run("interlock demo --size 200")
    assert _shape(printed) == _shape(shown)


def _shape(printed: str) -> list[str]:
    """Lines without ids, ports, counts and times."""
    masked = re.sub(r"w_[0-9a-f]{20}", "w_", printed)
    masked = re.sub(r"127\.0\.0\.1:\d+", "host", masked)
    return [re.sub(r"\d[\d,]*", "#", line).rstrip() for line in masked.strip().splitlines()]

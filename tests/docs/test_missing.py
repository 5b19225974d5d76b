"""When something is missing: what docs/missing.md says and no other test proves."""

from __future__ import annotations

from pathlib import Path

import pytest
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store
from typer.testing import CliRunner

from interlock.cli.declarations import declared
from interlock.cli.demo_gateway import config_for
from interlock.cli.main import app
from interlock.clock import SystemClock
from interlock.gateway.runtime import open_runtime
from interlock.gateway.scopes import admits
from interlock.principals.store import PrincipalStore
from interlock.records.problems import Problem
from interlock.telemetry import silent_telemetry

DECLARATION = """
id: reader
owner: desk
purpose: Reads
tools: [triage-read]
read: {incident: {}, group: {}}
"""


def test_a_declaration_with_a_mistake_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").write_text("state: state\n")
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(DECLARATION)
    bad.write_text(DECLARATION.replace("triage-read", "triage-reed"))
    run = CliRunner().invoke
    config = ["--config", str(tmp_path / "interlock.yaml")]
    assert run(app, ["agents", "add", str(good), *config]).exit_code == 0
    wrong = run(app, ["agents", "add", str(bad), *config])
    assert isinstance(wrong.exception, Problem)
    assert "triage-read" in str(wrong.exception.next_step)
    store = PrincipalStore(tmp_path / "state", SystemClock())
    kept = store.get("reader")
    store.close()
    assert kept.tools == declared(DECLARATION).tools  # type: ignore[union-attr]


@pytest.mark.parametrize("op", ["eq", "in", "ne", "not_in", "empty"])
def test_a_record_whose_scope_field_cannot_be_read_is_outside(op: str) -> None:
    value = (
        "" if op == "empty" else ', value: ["snow:group:Desk"]' if op.endswith("in") else ', value: "snow:group:Desk"'
    )
    agent = declared(
        f"{DECLARATION}\n".replace("incident: {}", f"incident: {{filter: [{{field: group, op: {op}{value}}}]}}")
    )
    scope = agent.scopes["incident"]
    assert not admits(scope, {"ref": "snow:incident:INC1", "state": "new"})
    assert admits(scope, {"ref": "snow:incident:INC1", "group": {"ref": "snow:group:Desk", "name": "Desk"}}) == (
        op in ("eq", "in")
    )


async def test_one_broken_source_never_breaks_the_others(tmp_path: Path) -> None:
    store = Store()
    store.load(tables(generate(7, 200, DEFAULT_AS_OF)))
    async with MockServiceNow(store) as mock:
        source = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
        }
        config = config_for({"snow": source, "gone": {**source, "base_url": "http://127.0.0.1:9"}}, tmp_path / "state")
        async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
            agent = declared(DECLARATION)
            handle = runtime.pipeline.handle
            broken = await handle(agent, "incident_search", {"source": "gone", "limit": 3})
            assert (broken.body["slug"], broken.body["retryable"]) == ("source-unavailable", True)
            fine = await handle(agent, "incident_search", {"source": "snow", "limit": 3})
            assert (fine.status, len(fine.body["data"])) == (200, 3)
            listed = (await handle(agent, "source_list", {})).body["data"]
            assert {entry["name"] for entry in listed} == {"snow", "gone"}

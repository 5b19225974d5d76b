"""One agent's script, unchanged on ServiceNow and on Remedy: what the ledgers say of it is the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, label, profile
from mock_servers.estate.model import Estate
from mock_servers.estate.servicenow import tables
from mock_servers.estate.stories import SCOPE_GROUPS
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store as Forms
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store as Tables
from tests.gateway.agent_script import NEXT, over_mcp, over_rest, triage
from tests.gateway.ledger_mask import RULES, Mask
from typer.testing import CliRunner

from interlock.cli.demo_gateway import Desk, config_for, opened
from interlock.cli.ledger import app
from interlock.governance.ledger import verify
from interlock.records import times

AGENT = """
id: {name}
owner: service-desk-lead
purpose: First look at incidents of the EMEA service desk
tools: [triage, ci_impact]
stage: autonomous
read:
  incident: {{filter: [{{field: group, op: in, value: [{groups}]}}]}}
  ci: {{}}
  relationship: {{}}
  group: {{}}
  person: {{hide: [email, location]}}
"""


@cache
def estate() -> Estate:
    return generate(1, Size.of(300), DEFAULT_AS_OF)


@asynccontextmanager
async def snow() -> AsyncIterator[dict[str, Any]]:
    store = Tables()
    store.load(tables(estate()))
    async with MockServiceNow(store) as mock:
        mock.clock.set(estate().as_of)
        yield {"adapter": "servicenow", "base_url": mock.url, **account("admin")}


@asynccontextmanager
async def remedy() -> AsyncIterator[dict[str, Any]]:
    store = Forms()
    store.load(entries(estate()))
    async with MockRemedy(store) as mock:
        mock.clock.set(estate().as_of)
        yield {
            "adapter": "remedy", "base_url": mock.url, "settings": {"server": "arserver"}, **account("integration")
        }  # fmt: skip


def account(name: str) -> dict[str, Any]:
    return {"environment": "test", "auth": {"basic": {"username": name, "password": name}}}


SOURCES = {"snow": snow, "rem": remedy}
STORED: dict[str, Callable[[str], str]] = {"snow": str, "rem": label}


def groups(*sources: str) -> str:
    return ", ".join(f'"{source}:group:{name}"' for source in sources for name in (*SCOPE_GROUPS, NEXT))


@asynccontextmanager
async def gateway(state: Path, *names: str) -> AsyncIterator[Desk]:
    """A gateway over these sources, each with the whole estate."""
    async with AsyncExitStack() as stack:
        sources = {name: await stack.enter_async_context(SOURCES[name]()) for name in names}
        judged = profile(names[0], STORED[names[0]])
        for name in names[1:]:
            judged["incident"]["sources"] |= profile(name, STORED[name])["incident"]["sources"]
        config = config_for(sources, state, times.to_text(estate().as_of), judged)
        yield await stack.enter_async_context(opened(config))


def exported(state: Path) -> list[dict[str, Any]]:
    """What ``interlock ledger export`` prints."""
    assert verify(state).ok
    done = CliRunner().invoke(app, ["export", "--state", str(state), "--payloads"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


async def worked(state: Path, source: str, over: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The script's receipts, and the ledger of its gateway."""
    async with gateway(state, source) as desk:
        key = desk.agent(AGENT.format(name="triage-bot", groups=groups(source)))
        async with httpx.AsyncClient(base_url=desk.url, timeout=60, trust_env=False) as client:
            receipts = await triage(over(client, key))
    return receipts, exported(state)


@pytest.mark.parametrize("over", [over_rest, over_mcp], ids=["rest", "mcp"])
async def test_the_ledgers_are_equal_but_for_the_mask(over: Any, tmp_path: Path) -> None:
    (one, ours), (two, theirs) = [await worked(tmp_path / name, name, over) for name in SOURCES]
    assert [each["outcome"] for each in one] == [each["outcome"] for each in two]
    first, second = Mask().entries(ours), Mask().entries(theirs)
    assert len(first) > 15
    assert {entry["verdict"] for entry in first} >= {"allow", "hold"}
    assert first == second


async def test_what_the_mask_leaves_tells_a_difference(tmp_path: Path) -> None:
    _, found = await worked(tmp_path / "snow", "snow", over_rest)
    kept = Mask().entries(found)
    text = json.dumps(kept)
    assert "INC000" not in text
    for member, other in (
        ("verdict", "refuse"), ("reasons", ["X"]), ("tool", "ci_get"), ("outcome", "partial"), ("refs", []),
        ("answer", {}), ("arguments", {}), ("principal", "other"), ("kind", "settle"),
    ):  # fmt: skip
        changed = [dict(entry) for entry in found]
        at = next(n for n, entry in enumerate(changed) if entry["kind"] == "call" and entry["outcome"] == "applied")
        changed[at][member] = other
        assert Mask().entries(changed) != kept, member
    assert Mask().entries(reversed(found)) != kept
    assert all(rule["why"] for rule in RULES["mask"])


async def test_both_sources_beside_each_other_in_one_gateway(tmp_path: Path) -> None:
    async with gateway(tmp_path / "state", *SOURCES) as desk:
        receipts = {}
        for source in SOURCES:
            key = desk.agent(AGENT.format(name=f"bot-{source}", groups=groups(source)))
            async with httpx.AsyncClient(base_url=desk.url, timeout=60, trust_env=False) as client:
                receipts[source] = await triage(at_one(over_rest(client, key), source))
    assert [each["outcome"] for each in receipts["snow"]] == [each["outcome"] for each in receipts["rem"]]
    assert all(each["ref"].startswith(f"{source}:") for source, told in receipts.items() for each in told)
    found = exported(tmp_path / "state")
    by_agent = [Mask().entries(e for e in found if e["principal"] == f"bot-{source}") for source in SOURCES]
    told = [[(e["kind"], e["tool"], e["verdict"], e["reasons"], e["outcome"]) for e in each] for each in by_agent]
    assert told[0] == told[1]


Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def at_one(ask: Ask, source: str) -> Ask:
    """The same tools, with every search asked of one source."""

    async def narrowed(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        searches = tool in ("incident_search", "directory_find")
        return await ask(tool, {**arguments, "source": source} if searches else arguments)

    return narrowed

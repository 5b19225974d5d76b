"""An agent's tool list: at most 18, the same by every MCP way, small, and what it leaves out can still be called."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import httpx
import orjson
import pytest
from tests.faces.faces_house import House

from interlock.gateway.describe import MAX_LISTED, listing, usable
from interlock.principals.models import Agent
from interlock.tools.catalogue import BY_NAME, GENERAL, TOOL_SETS
from interlock.tools.contracts import listed

MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
DECLARATION = """
id: {id}
owner: somebody
purpose: Has more tools than a list shows
stage: autonomous
read: {{incident: {{}}, ci: {{}}}}
tools: {tools}
listed: {listed}
"""
MANY = ["cmdb-steward", "change", "incident_get", "triage"]


def _list(house: House, url: str, key: str, version: str) -> Any:
    modern = version == MODERN
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META} if modern else {}}
    headers = {
        "authorization": f"Bearer {key}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        **({"mcp-method": "tools/list"} if modern else {}),
    }
    answer: httpx.Response = house.client.post(f"{url}/mcp", json=message, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize(
    ("tools", "chosen", "first"),
    [
        (MANY, [], (*TOOL_SETS["cmdb-steward"], *TOOL_SETS["change"])),
        (MANY, ["incident_get", "change-read"], ("incident_get", *TOOL_SETS["change-read"])),
        (["triage"], [], TOOL_SETS["triage"]),
        ([], [], ()),
    ],
)
def test_the_list_is_that_of_the_declaration_by_every_way(
    house: House, version: str, tools: list[str], chosen: list[str], first: tuple[str, ...]
) -> None:
    key = house.agent(DECLARATION.format(id=house.fresh(), tools=tools, listed=chosen))
    answers = [_list(house, url, key, version) for url in (house.thin, house.full, house.lean)]
    assert answers[0] == answers[1] == answers[2]
    names = [tool["name"] for tool in answers[0]["result"]["tools"]]
    assert names == list(dict.fromkeys((*GENERAL, *first)))[:MAX_LISTED]


def test_what_the_list_leaves_out_is_named_described_and_called(house: House) -> None:
    key = house.agent(DECLARATION.format(id=house.fresh(), tools=MANY, listed=["change-read"]))
    names = {tool["name"] for tool in _list(house, house.thin, key, MODERN)["result"]["tools"]}
    me = house.call("whoami", {}, key).json()["data"]
    assert set(me["unlisted"]) == set(me["tools"]) - names
    assert "incident_search" in me["unlisted"]
    assert house.call("tool_describe", {"name": "incident_search"}, key).json()["data"]["name"] == "incident_search"
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "incident_search", "arguments": {"limit": 1}, "_meta": META},
    }
    headers = {
        "authorization": f"Bearer {key}",
        "accept": "application/json",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": "incident_search",
    }
    for url in (house.thin, house.full):
        result = house.client.post(f"{url}/mcp", json=message, headers=headers).json()["result"]
        assert len(result["structuredContent"]["data"]) == 1, result
    in_rest = house.client.get(f"{house.thin}/v1/tools", headers={"authorization": f"Bearer {key}"}).json()["tools"]
    assert {tool["name"] for tool in in_rest} == set(me["tools"])


def test_a_narrowed_key_lists_what_it_may_use() -> None:
    agent = Agent("a", "o", "p", frozenset({"ci_get"}), listed=("incident_get", "ci_get"))
    assert listing(agent) == (*GENERAL, "ci_get")
    declared_before_there_were_lists = Agent("a", "o", "p", frozenset(BY_NAME))
    assert set(listing(declared_before_there_were_lists)) <= set(usable(declared_before_there_were_lists))
    assert len(listing(declared_before_there_were_lists)) == MAX_LISTED


@pytest.mark.parametrize("name", sorted(TOOL_SETS))
def test_a_set_fits_a_list_and_an_agents_context(name: str) -> None:
    assert len(TOOL_SETS[name]) <= MAX_LISTED - len(GENERAL)
    tools = [listed(BY_NAME[tool]) for tool in dict.fromkeys((*GENERAL, *TOOL_SETS[name]))]
    assert len(orjson.dumps({"tools": tools})) <= 14_000


def test_two_sets_together_stay_small() -> None:
    for one, other in permutations(TOOL_SETS, 2):
        agent = Agent("a", "o", "p", frozenset(BY_NAME), listed=tuple(TOOL_SETS[one] + TOOL_SETS[other]))
        assert len(orjson.dumps({"tools": [listed(BY_NAME[name]) for name in listing(agent)]})) <= 17_000, (one, other)

"""One agent's work on incidents, as an agent's author would write it: nothing in it knows which product answers.

It finds its tickets by their titles, looks at the CI behind them and at what depends on it, adds a note, hands
one over to a group that it looks up, and resolves it. It also does what it should not get away with: it acts on
a ticket whose CI is stale, reads outside its scope, and resolves what is resolved. Run it against a gateway::

    INTERLOCK_KEY=... python -m tests.gateway.agent_script http://127.0.0.1:8080
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Calls a tool: the body of the answer, of a problem too."""

OPEN = {"field": "state", "op": "in", "value": ["new", "in_progress", "on_hold"]}
LOOK = "VPN bricht alle paar Minuten ab"
SERVICE = "Order Management: "
STALE = "antwortet nicht mehr"
ELSEWHERE = "Folha de pagamento"
NEXT = "Network Operations EMEA"


def over_rest(client: httpx.AsyncClient, key: str) -> Ask:
    """Tools by ``POST /v1/tools/...``."""

    async def ask(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.post(f"/v1/tools/{tool}", json=arguments, headers=headers)
        return dict(answer.json())

    return ask


def over_mcp(client: httpx.AsyncClient, key: str) -> Ask:
    """Tools by ``tools/call`` of MCP over streamable HTTP, stateless: one message a call."""

    async def ask(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        body = {**message, "params": {"name": tool, "arguments": arguments}}
        answer = await client.post("/mcp", json=body, headers=headers)
        result = answer.json()["result"]
        return dict(result.get("structuredContent") or json.loads(result["content"][0]["text"]))  # problems are text

    return ask


async def triage(ask: Ask) -> list[dict[str, Any]]:
    """The whole work; the receipts it got, in order. Raises AssertionError where the gateway did otherwise."""
    receipts: list[dict[str, Any]] = []

    async def write(tool: str, **arguments: Any) -> dict[str, Any]:
        body = await ask(tool, arguments)
        assert "receipt" in body, body
        receipts.append(body["receipt"])
        return receipts[-1]

    # Triage: which tickets are there, and what is known of this one?
    (row,) = await found(ask, LOOK)
    incident = (await ask("incident_get", {"ref": row["ref"]}))["data"]
    notes = (await ask("journal_list", {"ref": row["ref"]}))["data"]
    assert len(notes) == 3, notes

    # The thing behind it: may it be trusted, and who depends on it?
    ci = await ask("ci_get", {"ref": incident["ci"]["ref"]})
    assert ci["quality"]["standing"] in ("trusted", "caution"), ci["quality"]
    related = await ask("ci_related", {"ref": incident["ci"]["ref"]})
    assert "data" in related, related
    service = (await found(ask, SERVICE))[0]["ci"]["ref"]
    for ref in (incident["ci"]["ref"], service):
        impact = await ask("ci_impact", {"ref": ref, "depth": 3})
        assert "data" in impact, impact

    # Note, assign, resolve.
    noted = await write("incident_add_note", ref=row["ref"], text="Log of the client read.", visibility="internal")
    assert noted["outcome"] == "applied", noted
    groups = (await ask("directory_find", {"kind": "group", "text": NEXT}))["data"]
    group = next(each["ref"] for each in groups if each["name"] == NEXT)
    lead = (await ask("record_get", {"ref": group}))["data"]["manager"]["ref"]
    given = await write("incident_assign", ref=row["ref"], group=group, assignee=lead)
    assert given["outcome"] == "applied", (group, lead, given)
    solution = {"close_code": "fixed", "close_notes": "Client 5.1.4 installed; no break for two hours."}
    solved = await write("incident_resolve", ref=row["ref"], **solution)
    assert solved["outcome"] == "applied", solved

    # Once is enough: the state forbids it a second time.
    assert "receipt" not in await ask("incident_resolve", {"ref": row["ref"], **solution, "close_code": "workaround"})

    # A ticket on a server that nobody has seen for 200 days: a person is asked.
    (stale,) = await found(ask, STALE)
    held = await write("incident_update", ref=stale["ref"], changes={"urgency": "low"})
    assert held["outcome"] == "held", held
    tried = await ask("incident_update", {"ref": stale["ref"], "changes": {"urgency": "low"}, "dry_run": True})
    assert "receipt" not in tried or tried["receipt"]["outcome"] == "held", tried

    # Outside its scope there is nothing.
    assert await found(ask, ELSEWHERE) == []
    after = (await ask("incident_get", {"ref": row["ref"]}))["data"]
    assert (after["state"], after["group"]["ref"], after["close_code"]) == ("resolved", group, "fixed")
    return receipts


async def found(ask: Ask, words: str) -> list[dict[str, Any]]:
    """Open tickets with these words in the title."""
    asked = [OPEN, {"field": "title", "op": "contains", "value": words}]
    body = await ask("incident_search", {"filter": asked, "limit": 5})
    assert "data" in body, body
    return list(body["data"])


async def _main(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        for receipt in await triage(over_rest(client, os.environ["INTERLOCK_KEY"])):
            print(receipt["outcome"], receipt.get("ref", ""))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))

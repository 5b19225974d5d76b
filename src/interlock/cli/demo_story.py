"""The demo's story: one agent triages in a synthetic enterprise, a person decides, the ledger proves it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from interlock.cli import demo_telling as tell
from interlock.cli.demo_gateway import Desk, config_for, folder, opened
from interlock.governance.ledger import verify
from interlock.records import times

AGENT = """
id: triage-bot
owner: service-desk-lead
purpose: First look at incidents of the EMEA service desk
tools: [triage-read, incident_add_note, incident_resolve, incident_update]
stage: autonomous
read:
  incident:
    filter:
      - {field: group, op: in, value: [GROUPS]}
  ci: {}
  relationship: {}
  group: {}
  person: {hide: [email, location]}
"""


async def run_story(size: int, seed: int, state: Path | None, keep: bool) -> bool:
    """Play it; True when everything came out as it should."""
    from mock_servers.estate import generate
    from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
    from mock_servers.estate.servicenow import tables
    from mock_servers.estate.stories import SCOPE_GROUPS, stories
    from mock_servers.servicenow.server import MockServiceNow
    from mock_servers.servicenow.store import Store

    tell.say("[bold]Interlock demo[/]: one enterprise, one ServiceNow, one gateway, one agent, one approver")
    estate = generate(seed, size, DEFAULT_AS_OF)
    store = Store()
    store.load(tables(estate))
    numbers = stories(estate)
    as_of = times.to_text(estate.as_of)
    tell.say(f"  estate: {len(estate.cis):,} CIs, {len(estate.incidents):,} incidents, as of {as_of}")
    async with MockServiceNow(store) as mock, folder(state) as place:
        mock.clock.set(estate.as_of)
        source = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
        }
        config = config_for({"snow": source}, place, as_of, profile("snow"))
        async with opened(config) as desk:
            tell.say(f"  ServiceNow (mock): {mock.url}    gateway: {desk.url}  (REST /v1/tools, MCP /mcp)")
            groups = ", ".join(f'"snow:group:{name}"' for name in SCOPE_GROUPS)
            key = desk.agent(AGENT.replace("GROUPS", groups))
            token = desk.people("maria.approver", "Maria Approver", ("approver",))
            ok = await _play(desk, key, token, numbers)
            if keep:
                tell.say(f"\n  serving on {desk.url}; agent key {key}; approver token {token}; Ctrl+C ends")
                await asyncio.Event().wait()
        report = verify(place)
        tell.mark(report.ok, f"the ledger verifies: {report.entries} entries, {report.heads} signed heads")
        return ok and report.ok


async def _play(desk: Desk, key: str, token: str, numbers: dict[str, str]) -> bool:
    done: list[bool] = []

    def check(good: bool, text: str) -> None:
        done.append(good)
        tell.mark(good, text)

    tell.step("1", "The agent looks for open P1 incidents")
    status, body = await desk.call(
        key,
        "incident_search",
        filter=[
            {"field": "priority", "value": "p1"},
            {"field": "state", "op": "in", "value": ["new", "in_progress", "on_hold"]},
        ],
        limit=5,
    )
    for row in body.get("data", []):
        tell.row(row)
    wanted = f"snow:incident:{numbers['p1_caution']}"
    check(status == 200 and any(row["ref"] == wanted for row in body["data"]), f"found {numbers['p1_caution']}")

    tell.step("2", "It reads the incident and the CI behind it, with their quality")
    status, incident = await desk.call(key, "incident_get", ref=wanted)
    ci_ref = incident["data"]["ci"]["ref"]
    status, ci = await desk.call(key, "ci_get", ref=ci_ref)
    tell.say(f"     {ci['data']['name']}: standing [bold]{ci['quality']['standing']}[/]")
    for flag in ci["quality"]["flags"]:
        tell.flag(flag)
    check(status == 200 and ci["quality"]["standing"] == "caution", "a flag that informs: work goes on, with care")

    tell.step("3", "It wants to lower the urgency of an incident whose server nobody has seen for 200 days")
    stale = f"snow:incident:{numbers['p2_stale_ci']}"
    status, held = await desk.call(key, "incident_update", ref=stale, changes={"urgency": "low"})
    receipt = held.get("receipt", {})
    for reason in receipt.get("reasons", []):
        tell.reason(reason)
    check(
        status == 202 and receipt.get("outcome") == "held",
        f"held for a person: {receipt.get('approval', {}).get('ref')}",
    )

    tell.step("4", "It tries to read outside its scope, and to use a tool it was not given")
    status, body = await desk.call(key, "incident_get", ref=f"snow:incident:{numbers['out_of_scope']}")
    check(status == 404, f"{numbers['out_of_scope']} (payroll): {body['detail']}")
    status, body = await desk.call(key, "incident_assign", ref=wanted, group="snow:group:Service Desk EMEA")
    check(status == 403, f"incident_assign: {body['detail']}")

    tell.step("5", "It notes and resolves another incident")
    target = f"snow:incident:{numbers['resolvable']}"
    status, noted = await desk.call(
        key,
        "incident_add_note",
        ref=target,
        text="Printer driver reinstalled, test page printed.",
        visibility="internal",
    )
    check(status == 200 and noted["receipt"]["outcome"] == "applied", tell.receipt(noted))
    status, solved = await desk.call(
        key, "incident_resolve", ref=target, close_code="fixed", close_notes="Reinstalled the driver; user confirmed."
    )
    check(status == 200 and solved["receipt"]["outcome"] == "applied", tell.receipt(solved))
    status, again = await desk.call(
        key, "incident_resolve", ref=target, close_code="fixed", close_notes="Reinstalled the driver; user confirmed."
    )
    check(again.get("receipt", {}).get("replayed") is True, "the same call again: the same receipt, nothing sent twice")

    tell.step("6", "A person looks at the held call and approves it")
    id = receipt.get("approval", {}).get("ref", "")  # noqa: A001
    status, seen = await desk.person(token, "GET", f"/v1/approvals/{id}")
    asked = seen["arguments"]["changes"]
    tell.say(f"     {seen['agent']} asks {seen['tool']} on {seen['ref']}: {asked} (was {seen['before']})")
    decision = {"digest": seen["digest"], "approve": True, "comment": "Called the site: the server is in use."}
    status, _ = await desk.person(token, "POST", f"/v1/approvals/{id}/decision", decision)
    check(status == 200, "approved by maria.approver")
    final = await _settled(desk, key, id)
    check(final["outcome"] == "applied", f"performed once and read back: {tell.fields(final)}")
    return all(done)


async def _settled(desk: Desk, key: str, id: str) -> dict[str, Any]:  # noqa: A002
    for _ in range(200):
        _, receipt = await desk.person(key, "GET", f"/v1/receipts/{id}")
        if receipt.get("outcome") not in ("unknown", "held", "released"):
            return receipt
        await asyncio.sleep(0.05)
    return receipt

"""The demonstration's triage on a Remedy: over REST, the pipeline, a source and SOAP, against the mock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, label, profile
from mock_servers.estate.stories import SCOPE_GROUPS, stories
from mock_servers.remedy.from_estate import entries, incident_number
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store

from interlock.cli.demo_gateway import Desk, config_for, opened
from interlock.governance.ledger import verify
from interlock.records import times

AGENT = """
id: triage-bot
owner: service-desk-lead
purpose: First look at incidents of the EMEA service desk
tools: [triage-read, incident_create, incident_add_note, incident_resolve, incident_update]
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


async def test_triage_story(tmp_path: Path) -> None:
    estate = generate(1, Size.of(300), DEFAULT_AS_OF)
    store = Store()
    store.load(entries(estate))
    numbers = {name: f"rem:incident:{incident_number(number)}" for name, number in stories(estate).items()}
    async with MockRemedy(store) as mock:
        mock.clock.set(estate.as_of)
        source = {
            "adapter": "remedy",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "integration", "password": "integration"}},
            "settings": {"server": "arserver"},
        }
        config = config_for({"rem": source}, tmp_path / "state", times.to_text(estate.as_of), profile("rem", label))
        async with opened(config) as desk:
            groups = ", ".join(f'"rem:group:{name}"' for name in SCOPE_GROUPS)
            await _play(desk, desk.agent(AGENT.replace("GROUPS", groups)), numbers, mock)
    report = verify(tmp_path / "state")
    assert report.ok


async def _play(desk: Desk, key: str, numbers: dict[str, str], mock: MockRemedy) -> None:
    async def call(tool: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
        return await desk.call(key, tool, **arguments)

    status, found = await call(
        "incident_search",
        filter=[
            {"field": "priority", "value": "p1"},
            {"field": "state", "op": "in", "value": ["new", "in_progress", "on_hold"]},
        ],
        limit=5,
    )
    assert status == 200, found
    assert numbers["p1_caution"] in [row["ref"] for row in found["data"]]

    status, incident = await call("incident_get", ref=numbers["p1_caution"])
    assert status == 200
    status, ci = await call("ci_get", ref=incident["data"]["ci"]["ref"])
    assert status == 200
    assert ci["data"]["name"] == "Order Management"
    assert ci["data"]["cls"] == "service"

    status, hidden = await call("incident_get", ref=numbers["out_of_scope"])
    assert status == 404, hidden

    target = numbers["resolvable"]
    status, noted = await call(
        "incident_add_note", ref=target, text="Driver reinstalled <ok & done>.", visibility="public"
    )
    assert (status, noted["receipt"]["outcome"]) == (200, "applied"), noted

    before = mock.store.get("HPD:Help Desk", target.rpartition(":")[2])
    assert before is not None
    untouched = {name: value for name, value in before.items() if name not in CHANGED}
    status, updated = await call("incident_update", ref=target, changes={"urgency": "medium"})
    assert (status, updated["receipt"]["outcome"]) == (200, "applied"), updated
    status, solved = await call(
        "incident_resolve", ref=target, close_code="fixed", close_notes="Reinstalled the driver; user confirmed."
    )
    assert (status, solved["receipt"]["outcome"]) == (200, "applied"), solved
    status, again = await call(
        "incident_resolve", ref=target, close_code="fixed", close_notes="Reinstalled the driver; user confirmed."
    )
    assert again["receipt"]["replayed"] is True

    after = mock.store.get("HPD:Help Desk", target.rpartition(":")[2])
    assert after is not None
    assert {name: value for name, value in after.items() if name not in CHANGED} == untouched
    assert after["Resolution"] == "Reinstalled the driver; user confirmed."
    notes = [e for e in mock.store.rows("HPD:WorkLog") if e["Incident Number"] == after["Incident Number"]]
    written = [e for e in notes if "Driver reinstalled <ok & done>." in str(e["Detailed Description"])]
    assert len(written) == 1


CHANGED = {
    "Urgency", "Priority", "Priority Weight", "Status", "Status_Reason", "Resolution", "Last Modified Date",
    "Last Modified By", "Last Resolved Date", "Responded Date",
}  # fmt: skip

"""Receipts over REST: an agent's own, as its scope stands now."""

from __future__ import annotations

from typing import Any

from tests.faces.faces_house import House

from interlock.cli.declarations import declared

AGENT = """
id: {id}
owner: desk
purpose: Reads its receipts later
tools: [incident_update]
stage: autonomous
read: {read}
"""


def test_a_receipt_shows_what_the_agent_may_see_now(house: House) -> None:
    id = house.fresh("receipts")  # noqa: A001
    key = house.agent(AGENT.format(id=id, read="{incident: {}, ci: {}}"))
    ref = f"snow:incident:{house.numbers['resolvable']}"
    receipt = house.call("incident_update", {"ref": ref, "changes": {"title": "Changed"}}, key).json()["receipt"]
    url = f"{house.thin}/v1/receipts/{receipt['id']}"

    def seen(read: str | None = None) -> Any:
        if read is not None:
            house.store(lambda store: store.update(declared(AGENT.format(id=id, read=read)), by="test"))
        return house.client.get(url, headers={"Authorization": f"Bearer {key}"})

    assert [field["field"] for field in seen().json()["fields"]] == ["title"]
    assert seen("{incident: {hide: [title]}}").json()["fields"] == []
    assert seen("{ci: {}}").json()["slug"] == "refused"
    other = house.agent(AGENT.format(id=house.fresh("receipts"), read="{incident: {}}"))
    assert house.client.get(url, headers={"Authorization": f"Bearer {other}"}).json()["slug"] == "not-found"

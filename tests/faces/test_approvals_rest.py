"""Held calls through REST: who may look, who may decide, once, having seen what is held."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.faces.faces_house import EVERYTHING, House


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, str]:
    return {role: house.person(f"the-{role}", role) for role in ("viewer", "steward", "approver", "administrator")} | {
        "nobody": house.person("the-nobody"),
        "owner": house.person("somebody-else", "approver"),  # owns the agents of EVERYTHING
    }


@pytest.fixture
def held(house: House) -> dict[str, Any]:
    """The receipt of a held call, a new one each time."""
    ref = f"snow:incident:{house.numbers['p2_stale_ci']}"
    title = f"Server antwortet nicht {house.fresh('nr')}"
    answer = house.call("incident_update", {"ref": ref, "changes": {"title": title}})
    assert answer.status_code == 202, answer.text
    receipt: dict[str, Any] = answer.json()["receipt"]
    assert receipt["outcome"] == "held"
    return receipt


def ask(house: House, token: str | None, method: str, path: str, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return house.client.request(method, f"{house.thin}{path}", json=body, headers=headers)


def decide(house: House, token: str | None, receipt: dict[str, Any], approve: bool = True, **more: Any) -> Any:
    id, digest = receipt["approval"]["ref"], more.pop("digest", None)  # noqa: A001
    if digest is None:
        digest = house.inside(lambda: house.runtime.journal.get(id)).digest
    return ask(house, token, "POST", f"/v1/approvals/{id}/decision", {"digest": digest, "approve": approve, **more})


def settled(house: House, id: str) -> dict[str, Any]:  # noqa: A002
    for _ in range(100):
        receipt: dict[str, Any] = ask(house, house.key, "GET", f"/v1/receipts/{id}").json()
        if receipt["outcome"] not in ("unknown", "held", "released"):
            return receipt
        time.sleep(0.05)
    raise AssertionError(receipt)


def test_who_may_look(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    path = f"/v1/approvals/{held['approval']['ref']}"
    for who in ("viewer", "steward", "approver", "administrator"):
        assert ask(house, people[who], "GET", "/v1/approvals").status_code == 200
        seen = ask(house, people[who], "GET", path)
        assert seen.status_code == 200
        assert seen.json()["arguments"]["changes"]["title"]
    for token, status in ((people["nobody"], 403), (house.key, 403), (None, 401), ("x", 401)):
        assert ask(house, token, "GET", "/v1/approvals").status_code == status
        assert ask(house, token, "GET", path).status_code == status


def test_only_an_approver_decides_and_never_the_owner(
    house: House, people: dict[str, str], held: dict[str, Any]
) -> None:
    for who, status in (("viewer", 403), ("steward", 403), ("administrator", 403), ("nobody", 403), ("owner", 403)):
        answer = decide(house, people[who], held)
        assert answer.status_code == status, who
        assert answer.json()["slug"] == "refused"
    assert decide(house, house.key, held).status_code == 403
    assert decide(house, None, held).status_code == 401
    assert ask(house, people["viewer"], "GET", f"/v1/approvals/{held['id']}").json()["state"] == "held"


def test_approved_it_is_performed_once(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    answer = decide(house, people["approver"], held, comment="Seen.")
    assert answer.status_code == 200, answer.text
    assert answer.json()["decision"]["by"] == "the-approver"
    receipt = settled(house, held["id"])
    assert receipt["outcome"] == "applied"
    assert receipt["verified"] is True
    again = decide(house, people["approver"], held)
    assert (again.status_code, again.json()["slug"]) == (409, "version-conflict")


def test_denied_it_is_refused_and_stays_so(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    before = house.call("incident_get", {"ref": held["ref"]}).json()["data"]["title"]
    assert decide(house, people["approver"], held, approve=False).status_code == 200
    assert settled(house, held["id"])["outcome"] == "refused"
    assert decide(house, people["approver"], held).status_code == 409
    assert house.call("incident_get", {"ref": held["ref"]}).json()["data"]["title"] == before


def test_another_digest_is_not_what_was_seen(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    answer = decide(house, people["approver"], held, digest="0" * 64)
    assert (answer.status_code, answer.json()["slug"], answer.json()["field"]) == (409, "version-conflict", "digest")
    assert ask(house, people["viewer"], "GET", f"/v1/approvals/{held['id']}").json()["state"] == "held"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"digest": "0" * 64},
        {"digest": "0" * 63, "approve": True},
        {"digest": "0" * 64, "approve": "yes"},
        {"digest": "0" * 64, "approve": 1},
        {"digest": "0" * 64, "approve": True, "by": "maria"},
        [],
    ],
)
def test_a_decision_of_another_shape_is_none(
    house: House, people: dict[str, str], held: dict[str, Any], body: Any
) -> None:
    answer = ask(house, people["approver"], "POST", f"/v1/approvals/{held['id']}/decision", body)
    assert (answer.status_code, answer.json()["slug"]) == (422, "invalid-argument")


def test_a_get_decides_nothing(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    assert ask(house, people["approver"], "GET", f"/v1/approvals/{held['id']}/decision").status_code == 405
    assert ask(house, people["viewer"], "GET", f"/v1/approvals/{held['id']}").json()["state"] == "held"


def test_a_receipt_is_for_its_agent_and_for_people(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    path = f"/v1/receipts/{held['id']}"
    other = house.agent(EVERYTHING.format(id=house.fresh()))
    assert ask(house, house.key, "GET", path).json()["outcome"] == "held"
    assert ask(house, other, "GET", path).status_code == 404
    assert ask(house, None, "GET", path).status_code == 401
    assert ask(house, people["viewer"], "GET", path).status_code == 200
    assert ask(house, house.key, "GET", "/v1/receipts/w_00000000000000000000").status_code == 404


def test_lists_by_state_and_bounds(house: House, people: dict[str, str], held: dict[str, Any]) -> None:
    listed = ask(house, people["viewer"], "GET", "/v1/approvals?state=held&limit=500").json()["data"]
    assert held["id"] in [row["id"] for row in listed]
    assert len(ask(house, people["viewer"], "GET", "/v1/approvals?limit=1").json()["data"]) == 1
    for query in ("state=open", "limit=0", "limit=501", "limit=x"):
        assert ask(house, people["viewer"], "GET", f"/v1/approvals?{query}").status_code == 422

"""Changes, problems, clocks and files of the mock instance, through a whole gateway over sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.gateway.gateway_house import House

from interlock.gateway.runtime import Runtime
from interlock.principals.models import Agent, Scope
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem
from interlock.sources.answers import Effect
from interlock.tools.catalogue import BY_NAME

BOT = Agent("bot", "olga", "Tests.", frozenset(BY_NAME), {kind: Scope() for kind in FIELDS}, stage="autonomous")
SCHEDULED, OVERLAPPING, STALE = (f"snow:change:CHG000900{n}" for n in (1, 2, 3))


@pytest.fixture
def untouched(house: House) -> Iterator[None]:
    """Switches as they were."""
    yield
    house.mock.switches.change(conflict_polls=1)


async def answered(runtime: Runtime, tool: str, **arguments: Any) -> dict[str, Any]:
    return (await runtime.pipeline.handle(BOT, tool, arguments)).body


async def test_a_change_is_found_and_tells_where_it_may_go(runtime: Runtime) -> None:
    found = await answered(
        runtime,
        "change_search",
        filter=[{"field": "state", "value": "scheduled"}, {"field": "type", "value": "normal"}],
    )
    assert SCHEDULED in [row["ref"] for row in found["data"]]
    change = (await answered(runtime, "change_get", ref=SCHEDULED))["data"]
    assert (change["state"], change["risk"], change["approval"]) == ("scheduled", "moderate", "approved")
    assert change["next_states"] == ["implement", "cancelled"]
    assert [each["state"] for each in change["approvals"]] == ["approved"]
    assert change["approvals"][0]["at"] is not None


async def test_a_change_goes_through_its_model_and_no_other_way(runtime: Runtime) -> None:
    made = await answered(runtime, "change_create", type="emergency", title="Patch now", impact="low")
    assert made["receipt"]["outcome"] == "applied", made
    ref = made["receipt"]["ref"]
    assert (made["data"]["state"], made["data"]["type"]) == ("new", "emergency")
    refused = await answered(runtime, "change_transition", ref=ref, to="implement")
    assert (refused["slug"], refused["next_step"]) == ("wrong-state", "It may go to: authorize, cancelled.")
    moved = await answered(runtime, "change_transition", ref=ref, to="authorize")
    assert moved["receipt"]["outcome"] == "applied", moved
    waiting = (await answered(runtime, "change_get", ref=ref))["data"]
    # Nobody has approved it: the instance lets it go back or away, never on.
    assert (waiting["approval"], waiting["next_states"]) == ("requested", ["new", "cancelled"])
    changed = await answered(runtime, "change_update", ref=ref, changes={"on_hold": True})
    assert (changed["slug"], changed["field"]) == ("invalid-argument", "on_hold_reason")
    closed = await answered(runtime, "change_transition", ref=ref, to="cancelled")
    assert closed["receipt"]["outcome"] == "applied"


async def test_what_the_instance_itself_forbids_is_told_in_its_words(runtime: Runtime) -> None:
    source = runtime.sources["snow"]
    fetched = await source.get("change", "CHG0009001")
    effect = Effect("change", "update", f"~{fetched.handle}", {"state": "closed"}, "interlock:x")
    with pytest.raises(Problem) as told:
        await source.send(effect, not_after=runtime.clock.now() + 10)
    assert told.value.slug == "source-rejected"
    assert "Change Model: Check State Transition" in str(told.value.native_message)


@pytest.mark.usefixtures("untouched")
async def test_conflicts_are_found_by_the_instance_and_told_once(house: House, runtime: Runtime) -> None:
    house.mock.switches.change(conflict_polls=2)
    found = (await answered(runtime, "change_check_conflicts", ref=SCHEDULED))["data"]
    assert found["native_status"] == "Conflict"
    assert [(each["kind"], each["change"]["ref"], each["found_by"]) for each in found["conflicts"]] == [
        ("same_ci", OVERLAPPING, "source")
    ]
    alone = (await answered(runtime, "change_check_conflicts", ref=STALE))["data"]
    assert (alone["native_status"], alone["conflicts"]) == ("No Conflict", [])


async def test_a_change_of_a_stale_ci_is_held(runtime: Runtime) -> None:
    held = await answered(runtime, "change_update", ref=STALE, changes={"backout_plan": "None."})
    assert held["receipt"]["outcome"] == "held"
    assert "CI-STALE" in {reason.get("code") for reason in held["receipt"]["reasons"]}


async def test_a_known_error_is_found_read_and_linked(house: House, runtime: Runtime) -> None:
    known = [{"field": "known_error", "value": True}]
    rows = (await answered(runtime, "record_search", kind="problem", filter=known))["data"]
    assert "snow:problem:PRB0009001" in [row["ref"] for row in rows]
    incident = f"snow:incident:{house.numbers['p1_caution']}"
    read = (await answered(runtime, "incident_get", ref=incident))["data"]
    assert read["problem"]["ref"] == "snow:problem:PRB0009001"
    other = f"snow:incident:{house.numbers['resolvable']}"
    linked = await answered(runtime, "link", ref=other, to="snow:problem:PRB0009001")
    assert linked["receipt"]["outcome"] == "applied", linked
    assert linked["data"]["problem"]["ref"] == "snow:problem:PRB0009001"


async def test_clocks_and_files_of_the_p1(house: House, runtime: Runtime) -> None:
    incident = f"snow:incident:{house.numbers['p1_caution']}"
    (sla,) = (await answered(runtime, "sla_list", ref=incident))["data"]
    assert (sla["stage"], sla["breached"], sla["percentage"]) == ("in_progress", True, 150.0)
    files = {each["name"]: each for each in (await answered(runtime, "attachment_list", ref=incident))["data"]}
    assert set(files) == {"application.log", "screen.png", "heap.bin"}
    log = await answered(runtime, "attachment_get", ref=incident, id=files["application.log"]["id"])
    assert log["data"]["text"].startswith("2026-10-31 23:50:01 ERROR pool exhausted: Bestellung für Zürich")
    picture = await answered(runtime, "attachment_get", ref=incident, id=files["screen.png"]["id"], form="base64")
    assert picture["data"]["base64"].startswith("iVBORw0KGgo")
    large = await answered(runtime, "attachment_get", ref=incident, id=files["heap.bin"]["id"], form="base64")
    assert (large["slug"], large["field"]) == ("too-large", "id")


async def test_an_incident_tells_the_change_that_will_help(runtime: Runtime) -> None:
    wanted = ["change", "problem"]
    told = (await answered(runtime, "incident_get", ref="snow:incident:INC0009002", fields=wanted))["data"]
    assert told["change"]["ref"] == STALE
    assert told["problem"] is None

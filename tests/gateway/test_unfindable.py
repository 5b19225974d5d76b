"""Writes that no probe can find: never sent twice, whatever happens; a person sees what became of them."""

from __future__ import annotations

import pytest
from tests.gateway.gateway_bench import Bench, Step, offline, swallow, vanish

ASKED = {"title": "new"}


@pytest.mark.parametrize("step", [swallow, vanish])
async def test_it_is_for_a_person_and_never_sent_again(bench: Bench, step: Step) -> None:
    bench.source.finds_creates = False
    bench.source.script = [step]
    receipt = await bench.write("incident_create", **ASKED)
    assert (receipt["outcome"], receipt["needs_person"]) == ("unknown", True)
    assert "could be found again" in receipt["detail"]
    for _ in range(30):
        await bench.settle(3600)
    row = await bench.row(receipt["id"])
    assert (row.state, row.needs_person, row.attempts) == ("unknown", 1, 1)
    assert (len(bench.source.sent), bench.source.probes) == (1, 0)


async def test_an_equal_call_gets_its_receipt_as_long_as_nobody_knows(bench: Bench) -> None:
    bench.source.finds_creates = False
    bench.source.script = [swallow]
    receipt = await bench.write("incident_create", **ASKED)
    for _ in range(10):
        await bench.settle(86_400)
    again = await bench.write("incident_create", **ASKED)
    assert (again["id"], again["replayed"], again["outcome"]) == (receipt["id"], True, "unknown")
    assert len(bench.source.sent) == 1


async def test_a_write_that_was_settled_answers_no_longer_than_any_other(bench: Bench) -> None:
    bench.source.script = [vanish]
    receipt = await bench.write("incident_create", **ASKED)
    bench.source.apply(bench.source.sent[0])
    assert (await bench.settle_until(receipt["id"])).state == "applied"
    bench.clock.advance(601)
    other = await bench.write("incident_create", **ASKED)
    assert other["id"] != receipt["id"]


async def test_the_source_said_yes_and_cannot_be_read_yet(bench: Bench) -> None:
    bench.source.finds_creates = False
    bench.source.script = [swallow]
    receipt = await bench.write("incident_create", **ASKED)
    row = await bench.row(receipt["id"])
    handle = next(h for h, key in bench.source.links.items() if key == row.call["effect"]["correlation"])
    row.call["taken"] = handle  # as if the process had died between the answer and the reading back
    assert await bench.journal.move(row, "unknown", bench.clock.now(), due_at=bench.clock.now(), call=row.call)
    settled = await bench.settle_until(receipt["id"])
    assert (settled.state, settled.receipt and settled.receipt["found_by"]) == ("applied", "answer")


async def test_a_worker_that_died_while_sending(bench: Bench) -> None:
    bench.source.finds_creates = False
    bench.source.script = [swallow]
    receipt = await bench.write("incident_create", **ASKED)
    row = await bench.row(receipt["id"])
    assert await bench.journal.move(row, "performing", bench.clock.now(), due_at=bench.clock.now())
    await bench.settle(3600)
    await bench.settle(3600)
    row = await bench.row(receipt["id"])
    assert (row.state, row.needs_person) == ("unknown", 1)
    assert len(bench.source.sent) == 1


async def test_one_that_surely_never_left_after_approval_is_not_applied(bench: Bench) -> None:
    bench.source.finds_creates = False
    held = await bench.call("incident_create", **ASKED, ci="snow:ci:old01")
    assert held.status == 202, held.body
    bench.source.script = [offline]
    id = held.body["receipt"]["id"]  # noqa: A001
    await bench.approve(id)
    row = await bench.settle_until(id)
    assert (row.state, len(bench.source.sent)) == ("not_applied", 1)


async def test_why_the_source_holds_something_else_is_told(bench: Bench) -> None:
    async def halve(source: object, effect: object) -> str:
        return "hINC1"

    bench.source.skips = "The source keeps this to others."
    bench.source.script = [halve]  # type: ignore[list-item]
    receipt = await bench.write("incident_update", ref="snow:incident:INC1", changes=ASKED)
    assert (receipt["outcome"], receipt["detail"]) == ("not_applied", "The source keeps this to others.")

"""Changes, requests, CIs, clocks, files and links over a source in memory: what is sent, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway_bench import INC, START, Bench, agent, bench_in
from tests.gateway.offering_source import OfferingSource

from interlock.clock import ManualClock
from interlock.principals.models import Scope
from interlock.records.filters import Condition

CHG = "snow:change:CHG1"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock(START)
    async with bench_in(tmp_path / "state", clock=clock, source=OfferingSource(clock)) as found:
        yield found


async def data(bench: Bench, tool: str, **arguments: Any) -> Any:
    reply = await bench.call(tool, **arguments)
    assert not reply.problem, reply.body
    return reply.body["data"]


async def problem(bench: Bench, tool: str, **arguments: Any) -> dict[str, Any]:
    reply = await bench.call(tool, **arguments)
    assert reply.problem, reply.body
    return reply.body


class TestChanges:
    async def test_a_change_tells_where_it_may_go_and_who_approved(self, bench: Bench) -> None:
        found = await data(bench, "change_get", ref=CHG)
        assert found["next_states"] == ["implement", "cancelled"]
        assert [(each["approver"], each["state"]) for each in found["approvals"]] == [("Olga", "approved")]

    async def test_what_is_hidden_or_not_asked_for_is_not_told(self, bench: Bench) -> None:
        scopes = {"change": Scope((), frozenset({"approval"}))}
        reply = await bench.call("change_get", agent(scopes=scopes), ref=CHG)
        assert "approvals" not in reply.body["data"]
        assert "next_states" in reply.body["data"]
        narrow = await data(bench, "change_get", ref=CHG, fields=["title"])
        assert narrow.keys() == {"ref", "title"}

    async def test_a_source_that_cannot_tell_now_costs_only_what_it_was_asked_for(self, bench: Bench) -> None:
        async def broken(kind: str, handle: str) -> list[str]:
            raise RuntimeError

        from interlock.records.problems import Problem, Slug

        async def away(kind: str, handle: str) -> list[str]:
            raise Problem(Slug.SOURCE_UNAVAILABLE, "no answer")

        bench.source.next_states = away  # type: ignore[attr-defined]
        reply = await bench.call("change_get", ref=CHG)
        assert "next_states" not in reply.body["data"]
        assert any("no answer" in warning for warning in reply.body["warnings"])

    async def test_a_transition_that_the_source_allows_is_written(self, bench: Bench) -> None:
        receipt = await bench.write("change_transition", ref=CHG, to="implement")
        assert (receipt["outcome"], bench.source.sent[-1].changes) == ("applied", {"state": "implement"})

    async def test_one_it_does_not_allow_names_those_that_it_does(self, bench: Bench) -> None:
        said = await problem(bench, "change_transition", ref=CHG, to="closed", close_code="successful", close_notes="x")
        assert (said["slug"], said["field"], said["value"]) == ("wrong-state", "to", "closed")
        assert said["next_step"] == "It may go to: implement, cancelled."
        assert bench.source.sent == []

    async def test_conflicts_of_the_source_and_of_the_gateway_are_told_once(self, bench: Bench) -> None:
        found = await data(bench, "change_check_conflicts", ref=CHG)
        assert found["native_status"] == "Conflict"
        told = [(each["kind"], (each["change"] or {}).get("ref"), each["found_by"]) for each in found["conflicts"]]
        assert told == [("same_ci", "snow:change:CHG2", "source"), ("blackout", None, "source")]

    async def test_an_overlap_that_the_source_does_not_tell_is_found(self, bench: Bench) -> None:
        found = await data(bench, "change_check_conflicts", ref="snow:change:CHG2")
        told = [(each["kind"], each["change"]["ref"], each["found_by"]) for each in found["conflicts"]]
        assert told == [("same_ci", CHG, "gateway")]  # neither the closed one nor the later one

    async def test_a_change_outside_the_scope_is_not_named_in_a_conflict(self, bench: Bench) -> None:
        scopes = {"change": Scope((Condition("state", "eq", "scheduled"),)), "ci": Scope()}
        reply = await bench.call("change_check_conflicts", agent(scopes=scopes), ref=CHG)
        assert [each["change"] for each in reply.body["data"]["conflicts"]] == [None, None]
        assert "CHG2" not in str(reply.body)

    async def test_a_change_is_created_with_its_window(self, bench: Bench) -> None:
        receipt = await bench.write(
            "change_create",
            type="emergency",
            title="Patch",
            ci="snow:ci:web01",
            planned_start_at="2026-12-01T10:00:00+01:00",
        )
        assert receipt["outcome"] == "applied"
        assert bench.source.sent[-1].changes["planned_start_at"] == "2026-12-01T09:00:00Z"

    async def test_a_change_on_a_stale_ci_is_held(self, bench: Bench) -> None:
        receipt = await bench.write("change_create", type="normal", title="Patch", ci="snow:ci:old01")
        assert receipt["outcome"] == "held"
        assert "CI-STALE" in {reason.get("code") for reason in receipt["reasons"]}


class TestLinks:
    @pytest.mark.parametrize(
        ("to", "relation", "field"),
        [
            ("snow:problem:PRB1", None, "problem"),
            (CHG, None, "change"),
            (CHG, "caused_by", "caused_by"),
            ("snow:incident:INC2", "child_of", "parent"),
            ("snow:ci:web01", None, "ci"),
        ],
    )
    async def test_a_link_is_the_field_that_joins_the_two(
        self, bench: Bench, to: str, relation: str | None, field: str
    ) -> None:
        more = {} if relation is None else {"relation": relation}
        receipt = await bench.write("link", ref=INC, to=to, **more)
        assert receipt["outcome"] == "applied"
        assert list(bench.source.sent[-1].changes) == [field]
        assert bench.source.rows["hINC1"][field]["ref"] == to

    async def test_two_that_no_field_joins_are_refused(self, bench: Bench) -> None:
        said = await problem(bench, "link", ref=CHG, to=INC)
        assert (said["slug"], said["field"]) == ("invalid-argument", "to")
        assert said["next_step"] == "Pass a ref of: ci."
        said = await problem(bench, "link", ref=INC, to="snow:problem:PRB1", relation="caused_by")
        assert (said["field"], said["next_step"]) == ("relation", "Use: explained_by.")
        assert bench.source.sent == []

    async def test_what_the_agent_may_not_read_cannot_be_linked(self, bench: Bench) -> None:
        scopes = {"incident": Scope()}
        reply = await bench.call("link", agent(scopes=scopes), ref=INC, to=CHG)
        assert reply.body["slug"] == "refused"


class TestConfigurationItems:
    async def test_a_change_of_a_sound_ci_is_written(self, bench: Bench) -> None:
        receipt = await bench.write("ci_update", ref="snow:ci:web01", changes={"os_version": "12"})
        assert receipt["outcome"] == "applied"

    async def test_a_stale_ci_is_held(self, bench: Bench) -> None:
        receipt = await bench.write("ci_update", ref="snow:ci:old01", changes={"os_version": "12"})
        assert receipt["outcome"] == "held"

    async def test_an_attestation_is_always_a_persons(self, bench: Bench) -> None:
        held = await bench.write("ci_attest", ref="snow:ci:web01", comment="seen in the rack")
        assert held["outcome"] == "held"
        assert "a person's word" in str(held["reasons"])
        await bench.approve(held["id"])
        row = await bench.settle_until(held["id"])
        assert row.state == "applied"
        assert bench.source.rows["c1"]["attested_at"]

    async def test_both_ends_of_a_relation_are_looked_at(self, bench: Bench) -> None:
        receipt = await bench.write("ci_relate", subject="snow:ci:web01", type="runs_on", object="snow:ci:old01")
        assert receipt["outcome"] == "held"
        assert [reason.get("ref") for reason in receipt["reasons"]] == ["snow:ci:old01"]

    async def test_a_relation_to_itself_or_to_another_source_is_refused(self, bench: Bench) -> None:
        said = await problem(bench, "ci_relate", subject="snow:ci:web01", type="uses", object="desk:ci:x")
        assert (said["slug"], said["field"]) == ("invalid-argument", "object")

    async def test_a_ci_is_created_in_the_only_source(self, bench: Bench) -> None:
        receipt = await bench.write("ci_create", cls="server", name="web02", serial="S9")
        assert (receipt["outcome"], receipt["ref"].split(":")[1]) == ("applied", "ci")


class TestOrders:
    async def test_an_item_tells_what_it_asks(self, bench: Bench) -> None:
        (row,) = await data(bench, "catalog_search", text="lap")
        assert (row["item"], len(row["description"].encode())) == ("snow/lap", 300)
        item = await data(bench, "catalog_item", item=row["item"])
        assert item["variables"]["required"] == ["model"]
        assert len(item["description"]) == 1000

    async def test_an_order_sends_item_variables_and_for_whom(self, bench: Bench) -> None:
        receipt = await bench.write(
            "request_order",
            item="snow/lap",
            variables={"model": "large"},
            quantity=2,
            requested_for="snow:person:kim",
        )
        effect = bench.source.sent[-1]
        assert effect.order == {"item": "lap", "variables": {"model": "large"}, "quantity": 2}
        assert effect.changes == {"requested_for": {"ref": "snow:person:~p1"}}
        assert (receipt["outcome"], receipt["ref"].split(":")[1]) == ("applied", "request")

    @pytest.mark.parametrize(
        ("variables", "field"),
        [
            ({}, "variables.model"),
            ({"model": "huge"}, "variables.model"),
            ({"model": "small", "colour": "red"}, "variables.colour"),
            ({"model": "small", "when": "tomorrow"}, "variables.when"),
            ({"model": "small", "reason": "x" * 21}, "variables.reason"),
            ('{"model": "huge"}', "variables.model"),
        ],
    )
    async def test_variables_are_checked_before_anything_is_sent(
        self, bench: Bench, variables: Any, field: str
    ) -> None:
        said = await problem(bench, "request_order", item="snow/lap", variables=variables)
        assert (said["slug"], said["field"]) == ("invalid-argument", field)
        assert bench.source.sent == []

    async def test_an_item_that_is_not_there(self, bench: Bench) -> None:
        for tool in ("catalog_item", "request_order"):
            said = await problem(bench, tool, item="snow/none")
            assert (said["slug"], said["field"]) == ("not-found", "item")

    async def test_where_an_order_stands(self, bench: Bench) -> None:
        receipt = await bench.write("request_order", item="snow/lap", variables={"model": "small"})
        found = await data(bench, "request_status", ref=receipt["ref"])
        assert [item["number"] for item in found["items"]] == ["RITM1"]
        assert found["approvals"][0]["state"] == "approved"


class TestClocksAndFiles:
    async def test_clocks(self, bench: Bench) -> None:
        (sla,) = await data(bench, "sla_list", ref=INC)
        assert (sla["name"], sla["breached"], sla["percentage"]) == ("P1 resolution", True, 200.0)

    async def test_a_text_is_given_as_text_and_cut_at_a_whole_character(self, bench: Bench) -> None:
        whole = await data(bench, "attachment_get", ref=INC, id="f1")
        assert (whole["text"], whole["truncated"]) == ("Zürich up\n", False)
        cut = await data(bench, "attachment_get", ref=INC, id="f1", limit=2)
        assert (cut["text"], cut["truncated"]) == ("Z", True)

    async def test_bytes_only_when_asked_for(self, bench: Bench) -> None:
        said = await problem(bench, "attachment_get", ref=INC, id="f2")
        assert (said["slug"], said["field"]) == ("invalid-argument", "form")
        found = await data(bench, "attachment_get", ref=INC, id="f2", form="base64")
        assert found["base64"] == "iVBORwABAgM="

    async def test_a_large_file_is_never_asked_for(self, bench: Bench) -> None:
        said = await problem(bench, "attachment_get", ref=INC, id="f3", form="base64")
        assert (said["slug"], said["field"]) == ("too-large", "id")

    async def test_a_file_of_another_record_is_not_there(self, bench: Bench) -> None:
        said = await problem(bench, "attachment_get", ref="snow:incident:INC2", id="f1")
        assert (said["slug"], said["field"]) == ("not-found", "id")

    async def test_orders_to_a_model_in_a_file_are_told(self, bench: Bench) -> None:
        reply = await bench.call("attachment_get", ref=INC, id="f4")
        assert any("data only" in warning for warning in reply.body["warnings"])

    async def test_a_source_without_them_says_so(self, tmp_path: Path) -> None:
        async with bench_in(tmp_path / "plain") as plain:
            for tool in ("sla_list", "attachment_list"):
                said = await problem(plain, tool, ref=INC)
                assert said["slug"] == "unsupported"

"""A held call from hold to receipt: decided by a person, decided anew at release, performed once or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.gateway.gateway_bench import INC, STALE, Bench, agent, lost, offline, person, swallow, vanish

from interlock.governance.authority import DeclaredTools, Request
from interlock.governance.decide import Authority
from interlock.principals.models import Scope
from interlock.records import times
from interlock.records.problems import Problem, Slug

CHANGES = {"ref": STALE, "changes": {"urgency": "medium", "impact": "medium"}}


async def held(bench: Bench) -> str:
    reply = await bench.call("incident_update", **CHANGES)
    assert (reply.status, reply.body["receipt"]["outcome"], reply.problem) == (202, "held", False)
    return str(reply.body["receipt"]["id"])


async def test_a_hold_is_a_row_with_what_lifts_it_and_nothing_is_sent(bench: Bench) -> None:
    reply = await bench.call("incident_update", **CHANGES)
    receipt = reply.body["receipt"]
    (reason,) = receipt["reasons"]
    assert (reason["code"], reason["effect"], reason["ref"]) == ("CI-STALE", "hold", "snow:ci:old01")
    assert "last_seen_at 2026-" in reason["evidence"]
    assert reason["lifts"]
    assert receipt["approval"]["deciders"] == ["approver"]
    assert receipt["approval"]["expires_at"] == times.to_text(bench.clock.now() + 14_400)
    assert bench.source.sent == []
    again = await bench.call("incident_update", **CHANGES)
    assert (again.status, again.body["receipt"]) == (202, {**receipt, "replayed": True})
    assert [e["outcome"] for e in bench.entries() if e["kind"] == "call"] == ["held", "replayed:held"]


async def test_approved_it_is_performed_once(bench: Bench) -> None:
    id = await held(bench)  # noqa: A001
    seen = await bench.approvals.get(person(), id)
    assert (seen["state"], seen["arguments"], seen["before"]["urgency"]) == ("held", CHANGES, "low")
    assert (await bench.approve(id))["state"] == "released"
    await asyncio.gather(bench.settle(), bench.settle(), bench.settle())
    row = await bench.row(id)
    assert (row.state, row.attempts, len(bench.source.sent)) == ("applied", 1, 1)
    assert row.receipt is not None
    assert row.receipt["verified"]
    with pytest.raises(Problem) as caught:
        await bench.approve(id)
    assert caught.value.slug is Slug.VERSION_CONFLICT
    kinds = [(e["kind"], e["principal"], e["outcome"]) for e in bench.entries() if e["kind"] in ("decision", "settle")]
    assert kinds == [("decision", "maria", None), ("settle", "bot", "applied")]


async def test_denied_it_is_refused_for_good_and_says_by_whom(bench: Bench) -> None:
    id = await held(bench)  # noqa: A001
    after = await bench.approve(id, yes=False)
    assert (after["state"], after["receipt"]["outcome"]) == ("refused", "refused")
    assert "maria" in after["receipt"]["detail"]
    await bench.settle(20_000)
    assert bench.source.sent == []
    assert (await bench.call("incident_update", **CHANGES)).status == 202  # a new call, held anew


async def test_nobody_decides_expires_as_refused_never_as_allowed(bench: Bench) -> None:
    id = await held(bench)  # noqa: A001
    bench.clock.advance(14_399)
    await bench.settle()
    assert (await bench.row(id)).state == "held"
    bench.clock.advance(1)
    with pytest.raises(Problem, match="expired"):
        await bench.approve(id)
    await bench.settle()
    row = await bench.row(id)
    assert (row.state, row.receipt["outcome"], bench.source.sent) == ("expired", "expired", [])  # type: ignore[index]


class TestWho:
    async def test_four_eyes(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        with pytest.raises(Problem, match="four eyes"):
            await bench.approve(id, who=person("olga"))
        assert (await bench.row(id)).state == "held"

    @pytest.mark.parametrize("role", ["viewer", "steward", "administrator"])
    async def test_other_roles_may_look_and_not_decide(self, bench: Bench, role: str) -> None:
        id = await held(bench)  # noqa: A001
        assert len(await bench.approvals.listed(person("ben", role))) == 1
        with pytest.raises(Problem) as caught:
            await bench.approve(id, who=person("ben", role))
        assert caught.value.slug is Slug.REFUSED

    async def test_only_whoever_the_policy_names(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        row = await bench.row(id)
        row.call["deciders"] = ["network-leads"]
        bench.approvals._journal = _Fixed(bench.approvals._journal, row)  # type: ignore[assignment]
        with pytest.raises(Problem, match="network-leads"):
            await bench.approve(id)

    async def test_the_digest_is_what_was_seen(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        with pytest.raises(Problem) as caught:
            await bench.approvals.decide(person(), id, "0" * 64, True, "")
        assert (caught.value.slug, caught.value.field) == (Slug.VERSION_CONFLICT, "digest")

    async def test_a_call_that_is_not_there(self, bench: Bench) -> None:
        with pytest.raises(Problem) as caught:
            await bench.approvals.get(person(), "w_nope")
        assert caught.value.slug is Slug.NOT_FOUND


class _Fixed:
    """A journal that shows one row; all else is the real one's."""

    def __init__(self, journal: Any, row: Any) -> None:
        self._journal, self._row = journal, row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def get(self, id: str) -> Any:  # noqa: A002
        return self._row


class TestMoved:
    async def _release(self, bench: Bench, id: str) -> Any:  # noqa: A002
        await bench.approve(id)
        await bench.settle()
        return await bench.row(id)

    def _moved(self, row: Any, *words: str) -> None:
        assert row.state == "refused"
        assert {reason["kind"] for reason in row.receipt["reasons"]} == {"moved"}
        told = str(row.receipt["reasons"])
        assert all(word in told for word in words), told

    async def test_a_before_value(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("hINC2", urgency="high")
        self._moved(await self._release(bench, id), "urgency was 'low'", "'high' now")
        assert bench.source.sent == []

    async def test_the_ci(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("hINC2", ci={"ref": "snow:ci:web01", "name": "web01"})
        self._moved(await self._release(bench, id), "ci was 'snow:ci:old01'", "snow:ci:web01")

    async def test_the_state(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("hINC2", state="on_hold")
        self._moved(await self._release(bench, id), "state was 'in_progress'")

    async def test_a_state_that_no_longer_takes_the_tool(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("hINC2", state="closed")
        self._moved(await self._release(bench, id), "closed")

    async def test_the_evidence_of_a_flag(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("c2", last_seen_at=times.to_text(bench.clock.now() - 90 * 86_400))
        self._moved(await self._release(bench, id), "CI-STALE")

    async def test_evidence_that_the_agent_may_not_see_binds_too(self, bench: Bench) -> None:
        blind = agent(scopes={"incident": Scope()})
        reply = await bench.call("incident_update", blind, **CHANGES)
        assert "evidence" not in reply.body["receipt"]["reasons"][0]
        id = reply.body["receipt"]["id"]  # noqa: A001
        findings = (await bench.approvals.get(person(), id))["findings"]
        assert findings[0][:2] == ["CI-STALE", "snow:ci:old01"]  # the person sees them all the same
        bench.source.change("c2", last_seen_at=times.to_text(bench.clock.now() - 90 * 86_400))
        row = await self._release(bench, id)
        self._moved(row, "CI-STALE")
        assert "last_seen_at" not in str(row.receipt)

    async def test_a_new_flag(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("c2", status="retired", operational_status="operational")
        row = await self._release(bench, id)
        if row.state == "refused":
            self._moved(row, "CI-STATUS-CONTRA")
        else:
            raise AssertionError(row.receipt)

    async def test_a_hidden_state_is_not_told(self, bench: Bench) -> None:
        blind = agent(scopes={**agent().scopes, "incident": Scope(hidden=frozenset({"state", "ci"}))})
        reply = await bench.call("incident_update", blind, **CHANGES)
        bench.source.change("hINC2", state="on_hold", ci={"ref": "snow:ci:web01", "name": "web01"})
        row = await self._release(bench, reply.body["receipt"]["id"])
        self._moved(row, "may not read")
        assert "on_hold" not in str(row.receipt)
        assert "web01" not in str(row.receipt)

    async def test_changes_elsewhere_and_a_flag_that_is_gone_do_not_matter(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.source.change("hINC2", description="more words")
        bench.source.change("c2", last_seen_at=times.to_text(bench.clock.now()))
        assert (await self._release(bench, id)).state == "applied"

    async def test_the_policy(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.preparer._policy = _Other()
        self._moved(await self._release(bench, id), "policy")

    async def test_a_record_that_left_the_scope(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.agents["bot"] = agent(scopes={})
        self._moved(await self._release(bench, id), "scope")

    @pytest.mark.parametrize(
        ("changes", "word"), [({"status": "suspended"}, "suspended"), ({"stage": "shadow"}, "shadow")]
    )
    async def test_an_agent_that_was_stopped_meanwhile(self, bench: Bench, changes: Any, word: str) -> None:
        id = await held(bench)  # noqa: A001
        bench.agents["bot"] = agent(**changes)
        self._moved(await self._release(bench, id), word)
        assert bench.source.sent == []

    async def test_a_tool_that_was_taken_away_meanwhile(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.agents["bot"] = agent(tools=frozenset())
        self._moved(await self._release(bench, id), "may not use")


class _Other(DeclaredTools):
    version = "declared-2"


class TestWeather:
    """An approval is not lost to a source or ledger that is away for a while."""

    async def test_a_source_that_is_down_at_release(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        await bench.approve(id)
        bench.source.down = lost("no")
        for _ in range(3):
            await bench.settle(61)
        assert (await bench.row(id)).state == "released"
        bench.source.down = None
        await bench.settle(61)
        assert (await bench.row(id)).state == "applied"

    async def test_down_for_too_long_it_is_refused_and_says_why(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        await bench.approve(id)
        bench.source.down = lost("no")
        for _ in range(70):
            await bench.settle(61)
        row = await bench.row(id)
        assert (row.state, len(bench.source.sent)) == ("refused", 0)

    async def test_a_line_that_was_not_free_is_tried_again(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        await bench.approve(id)
        bench.source.script = [offline]
        await bench.settle()
        assert (await bench.row(id)).state == "unknown"
        row = await bench.settle_until(id)
        assert (row.state, row.attempts) == ("applied", 2)

    async def test_an_answer_lost_after_a_late_approval_has_its_own_hour(self, bench: Bench) -> None:
        id = await held(bench)  # noqa: A001
        bench.clock.advance(4000)  # longer than a write is tried
        await bench.approve(id)
        bench.source.script = [vanish, swallow]
        await bench.settle()
        row = await bench.settle_until(id)
        assert (row.state, row.attempts, len(bench.source.sent)) == ("applied", 2, 2)


async def test_a_reviewed_agent_waits_for_a_person_with_every_write(bench: Bench) -> None:
    careful = agent(stage="reviewed")
    reply = await bench.call("incident_update", careful, ref=INC, changes={"title": "x"})
    assert (reply.status, [r["kind"] for r in reply.body["receipt"]["reasons"]]) == (202, ["stage"])
    await bench.approve(reply.body["receipt"]["id"])
    await bench.settle()
    assert (await bench.row(reply.body["receipt"]["id"])).state == "applied"


async def test_a_policy_can_hold_and_name_who_decides(bench: Bench) -> None:
    class Held(DeclaredTools):
        def authorize(self, request: Request) -> Authority:
            return Authority("hold", "changes at night wait", ("night-shift",), 60.0)

    bench.preparer._policy = Held()
    reply = await bench.call("incident_update", ref=INC, changes={"title": "x"})
    approval = reply.body["receipt"]["approval"]
    assert approval["deciders"] == ["night-shift"]
    assert approval["expires_at"] == times.to_text(bench.clock.now() + 60)
    with pytest.raises(Problem, match="night-shift"):
        await bench.approve(approval["ref"])


async def test_a_write_that_only_repairs_its_flag_is_not_held_by_it(bench: Bench) -> None:
    """CI-STALE sits on the CI, so pointing the ticket at a sound CI is judged by that one."""
    reply = await bench.call("incident_update", ref=STALE, changes={"ci": "snow:ci:web01"})
    assert (reply.status, reply.body["receipt"]["outcome"]) == (200, "applied")


async def test_a_ci_that_cannot_be_read_holds_without_naming_it(bench: Bench) -> None:
    bench.source.unreadable.add("web01")
    blind = agent(scopes={**agent().scopes, "incident": Scope(hidden=frozenset({"ci"}))})
    reply = await bench.call("incident_update", blind, ref=INC, changes={"title": "x"})
    assert (reply.status, reply.body["receipt"]["reasons"][0]["code"]) == (202, "unchecked")
    assert "web01" not in str(reply.body)


async def test_a_demanded_check_that_could_not_run_holds_though_another_flag_is_harmless(bench: Bench) -> None:
    del bench.source.rows["c1"]["last_seen_at"]
    bench.source.change("c1", serial="n/a")
    reply = await bench.call("incident_update", ref=INC, changes={"title": "x"})
    assert reply.status == 202
    assert "unchecked" in {r["code"] for r in reply.body["receipt"]["reasons"]}

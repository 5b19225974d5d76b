"""Every way a write can end, with the clock moved by hand. What was sent is counted, never assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.gateway.gateway_bench import (
    INC,
    SETTLE_S,
    STALE,
    TIMEOUT_S,
    Bench,
    FakeSource,
    agent,
    bench_in,
    ignore,
    lost,
    offline,
    refuse,
    swallow,
    vanish,
)

from interlock.principals.models import Budgets, Scope
from interlock.records.filters import Condition
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect

RESOLVE = {"ref": INC, "close_code": "fixed", "close_notes": "Rebooted."}


async def test_an_applied_write_is_read_back_field_by_field(bench: Bench) -> None:
    reply = await bench.call("incident_resolve", **RESOLVE)
    receipt = reply.body["receipt"]
    assert (reply.status, receipt["outcome"], receipt["verified"], receipt["found_by"]) == (
        200,
        "applied",
        True,
        "answer",
    )
    assert {f["field"]: (f["found"], f["outcome"]) for f in receipt["fields"]} == {
        "close_code": ("fixed", "applied"),
        "close_notes": ("Rebooted.", "applied"),
        "state": ("resolved", "applied"),
    }
    assert receipt["version"] == reply.body["data"]["version"] == "2"
    assert reply.body["data"]["state"] == "resolved"
    row = await bench.row(receipt["id"])
    assert (row.state, row.due_at, row.fence, row.attempts) == ("applied", None, 1, 1)
    assert row.call["before"] == {"state": "in_progress", "close_code": None, "close_notes": None}


async def test_the_row_is_durable_before_a_byte_leaves(bench: Bench) -> None:
    seen: list[Any] = []

    async def look(source: FakeSource, effect: Effect) -> str:
        seen.append((await bench.journal.counts(), [e["kind"] for e in bench.entries()]))
        return source.apply(effect)

    bench.source.script = [look]
    await bench.write("incident_update", ref=INC, changes={"title": "new"})
    assert seen == [({"performing": 1}, ["intent"])]


async def test_the_quality_of_an_answer_is_that_of_the_record_it_shows(bench: Bench) -> None:
    reply = await bench.call("incident_update", ref=INC, changes={"urgency": "high"})
    assert reply.body["data"]["urgency"] == "high"  # the fake computes no priority, so the flag is new
    assert [flag["code"] for flag in reply.body["quality"]["flags"]] == ["TKT-PRIO"]


async def test_partial_when_the_source_changed_one_of_two(bench: Bench) -> None:
    async def half(source: FakeSource, effect: Effect) -> str:
        source.change("hINC1", title="new")
        return "hINC1"

    bench.source.script = [half]
    receipt = await bench.write("incident_update", ref=INC, changes={"title": "new", "urgency": "high"})
    assert receipt["outcome"] == "partial"
    assert {f["field"]: f["outcome"] for f in receipt["fields"]} == {"title": "applied", "urgency": "differs"}


async def test_a_field_that_cannot_be_read_back_is_never_called_applied(bench: Bench) -> None:
    async def unread(source: FakeSource, effect: Effect) -> str:
        source.apply(effect)
        del source.rows["hINC1"]["description"]
        return "hINC1"

    bench.source.script = [unread]
    receipt = await bench.write("incident_update", ref=INC, changes={"description": "x"})
    assert (receipt["outcome"], receipt["fields"][0]["outcome"]) == ("partial", "unread")


async def test_not_applied_when_the_source_says_yes_and_does_nothing(bench: Bench) -> None:
    bench.source.script = [ignore]
    receipt = await bench.write("incident_update", ref=INC, changes={"title": "new"})
    assert (receipt["outcome"], receipt["verified"]) == ("not_applied", True)


@pytest.mark.parametrize("step", [refuse, offline])
async def test_a_certain_refusal_is_a_problem_with_its_receipt(bench: Bench, step: Any) -> None:
    bench.source.script = [step]
    reply = await bench.call("incident_update", ref=INC, changes={"title": "new"})
    assert reply.problem
    assert reply.body["receipt"]["outcome"] == "not_applied"
    assert reply.body["slug"] == ("source-rejected" if step is refuse else "source-unavailable")
    assert bench.source.probes == 0
    # The call is in the ledger by what it did, and a derived key is free at once.
    assert bench.entries()[-1]["outcome"] == "not_applied"
    again = await bench.write("incident_update", ref=INC, changes={"title": "new"})
    assert again["outcome"] == "applied"
    assert "replayed" not in again


async def test_a_lost_answer_is_found_by_a_probe_at_once(bench: Bench) -> None:
    bench.source.script = [swallow]
    receipt = await bench.write("incident_update", ref=INC, changes={"title": "new"})
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")
    assert len(bench.source.sent) == 1


async def test_a_5xx_without_a_word_on_reach_counts_as_maybe(bench: Bench) -> None:
    async def fault(source: FakeSource, effect: Effect) -> str:
        raise lost(None, Slug.SOURCE_FAULT)

    bench.source.script = [fault]
    assert (await bench.write("incident_update", ref=INC, changes={"title": "n"}))["outcome"] == "unknown"


@pytest.mark.parametrize("tool", ["incident_create", "incident_add_note", "incident_update"])
async def test_a_late_commit_is_found_and_nothing_is_sent_twice(bench: Bench, tool: str) -> None:
    """The client gave up; the source commits 60 s later. Before quiet_at nobody sends again."""
    asked = {
        "incident_create": {"title": "new"},
        "incident_add_note": {"ref": INC, "text": "note", "visibility": "internal"},
        "incident_update": {"ref": INC, "changes": {"title": "new"}},
    }[tool]
    bench.source.script = [vanish]
    receipt = await bench.write(tool, **asked)
    assert receipt["outcome"] == "unknown"
    assert receipt["settles_by"]
    assert "ref" in receipt or tool == "incident_create"
    for _ in range(6):
        await bench.settle(10)
    assert (await bench.row(receipt["id"])).state == "unknown"
    bench.source.apply(bench.source.sent[0])
    row = await bench.settle_until(receipt["id"])
    assert (row.state, row.receipt["found_by"], row.attempts) == ("applied", "probe", 1)
    assert len(bench.source.sent) == 1
    assert [e["outcome"] for e in bench.entries() if e["kind"] == "settle"][-1] == "applied"


async def test_an_absent_write_is_sent_again_only_after_the_quiet_period(bench: Bench) -> None:
    bench.source.script = [vanish]
    receipt = await bench.write("incident_create", title="new")
    began = bench.clock.now()
    while len(bench.source.sent) == 1:
        await bench.settle(1)
    assert bench.clock.now() - began >= TIMEOUT_S + SETTLE_S
    row = await bench.row(receipt["id"])
    assert (row.state, row.attempts) == ("applied", 2)
    assert {e.correlation for e in bench.source.sent} == {bench.source.sent[0].correlation}
    assert sum(r["ref"].startswith("snow:incident:INC9") for r in bench.source.rows.values()) == 1


async def test_without_a_quiet_period_a_late_commit_would_be_doubled(bench: Bench) -> None:
    """The control: what settle_s is for, and that these tests would see a double."""
    bench.source.settle_s = -TIMEOUT_S
    bench.source.script = [vanish]
    await bench.write("incident_create", title="new")
    await bench.settle(2)
    bench.source.apply(bench.source.sent[0])
    assert sorted(bench.source.links.values()) == [bench.source.sent[0].correlation] * 2


async def test_several_records_with_the_key_of_one_create_are_named(bench: Bench) -> None:
    async def twice(source: FakeSource, effect: Effect) -> str:
        source.apply(effect)
        source.apply(effect)
        raise lost()

    bench.source.script = [twice]
    receipt = await bench.write("incident_create", title="new")
    assert receipt["outcome"] == "applied"
    assert "2 records carry" in receipt["detail"]


async def test_spent_attempts_end_as_not_applied(bench: Bench) -> None:
    bench.source.script = [vanish] * 9
    receipt = await bench.write("incident_create", title="new")
    row = await bench.settle_until(receipt["id"])
    assert (row.state, row.attempts, len(bench.source.sent)) == ("not_applied", 3, 3)
    assert row.key_until <= bench.clock.now()


async def test_a_probe_that_fails_backs_off_and_ends_with_a_person(bench: Bench, caplog: Any) -> None:
    bench.source.script = [vanish]
    receipt = await bench.write("incident_create", title="new")
    bench.source.down = lost("no")
    row = await bench.settle_until(receipt["id"], step_s=1)
    assert (row.state, row.needs_person, len(bench.source.sent)) == ("unknown", 1, 1)
    assert bench.source.probes < 90  # an hour, at growing intervals of up to a minute
    assert row.receipt["needs_person"]
    assert "settles_by" not in row.receipt
    assert "needs a person" in caplog.text
    bench.source.down = None
    bench.source.apply(bench.source.sent[0])  # it was there all the time
    for _ in range(1000):
        await bench.settle(1)
    assert (await bench.row(receipt["id"])).state == "applied"


async def test_a_write_whose_source_is_not_configured_any_more_goes_to_a_person(bench: Bench) -> None:
    bench.source.script = [vanish]
    receipt = await bench.write("incident_create", title="new")
    bench.sources.clear()
    await bench.settle(600)
    assert (await bench.row(receipt["id"])).needs_person == 0
    row = await bench.settle_until(receipt["id"], step_s=61)
    assert (row.state, row.needs_person) == ("unknown", 1)
    assert "not configured" in (row.receipt or {})["detail"]


async def test_what_the_source_took_is_never_sent_again_though_it_cannot_be_seen(bench: Bench) -> None:
    bench.source.script = [ignore]
    asked = {"ref": INC, "text": "note", "visibility": "public"}
    receipt = await bench.write("incident_add_note", **asked)
    assert receipt["outcome"] == "unknown"
    row = await bench.settle_until(receipt["id"])
    assert (row.state, row.needs_person, len(bench.source.sent)) == ("unknown", 1, 1)


async def test_a_create_that_was_taken_is_read_by_its_handle_when_the_read_back_failed(bench: Bench) -> None:
    async def then_down(source: FakeSource, effect: Effect) -> str:
        handle = source.apply(effect)
        source.links.clear()  # the key is not searchable there
        source.down = lost("no")
        return handle

    bench.source.script = [then_down]
    receipt = await bench.write("incident_create", title="new")
    assert receipt["outcome"] == "unknown"
    bench.source.down = None
    row = await bench.settle_until(receipt["id"])
    assert (row.state, row.receipt["found_by"], len(bench.source.sent)) == ("applied", "answer", 1)


async def test_a_note_is_found_by_its_own_marker_and_carries_it_visibly(bench: Bench) -> None:
    bench.source.script = [swallow]
    receipt = await bench.write("incident_add_note", ref=INC, text="hello", visibility="internal")
    (note,) = bench.source.journals["hINC1"]
    marker = bench.source.sent[0].marker
    assert note["text"] == f"hello\n{marker}"
    assert marker is not None
    assert marker.startswith("[interlock ")
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")


class TestOvertaken:
    """An update whose answer was lost, while others change the same fields: their work is not undone."""

    async def _unknown(self, bench: Bench, **changes: Any) -> str:
        bench.source.script = [vanish]
        return (await bench.write("incident_update", ref=INC, changes=changes))["id"]

    async def test_every_field_says_something_else_only_a_person_can_know(self, bench: Bench) -> None:
        id = await self._unknown(bench, title="ours")  # noqa: A001
        bench.source.change("hINC1", title="theirs")
        row = await bench.settle_until(id)
        assert (row.state, row.needs_person, len(bench.source.sent)) == ("unknown", 1, 1)
        assert bench.source.rows["hINC1"]["title"] == "theirs"

    async def test_one_field_still_has_its_old_value_ours_never_came(self, bench: Bench) -> None:
        id = await self._unknown(bench, title="ours", description="ours")  # noqa: A001
        bench.source.change("hINC1", title="theirs")
        row = await bench.settle_until(id)
        assert (row.state, len(bench.source.sent)) == ("not_applied", 1)

    async def test_one_field_shows_ours_it_was_there(self, bench: Bench) -> None:
        id = await self._unknown(bench, title="ours", description="ours")  # noqa: A001
        bench.source.change("hINC1", title="theirs", description="ours")
        row = await bench.settle_until(id)
        assert (row.state, len(bench.source.sent)) == ("partial", 1)
        assert {f["field"]: f["outcome"] for f in row.receipt["fields"]} == {
            "title": "differs",
            "description": "applied",
        }

    async def test_untouched_it_is_sent_again(self, bench: Bench) -> None:
        id = await self._unknown(bench, title="ours")  # noqa: A001
        bench.source.change("hINC1", category="software")
        row = await bench.settle_until(id)
        assert (row.state, row.attempts) == ("applied", 2)


class TestCrash:
    async def test_a_row_whose_worker_died_is_claimed_and_probed(self, tmp_path: Path) -> None:
        async with bench_in(tmp_path) as first:

            async def die(source: FakeSource, effect: Effect) -> str:
                source.apply(effect)
                raise KeyboardInterrupt

            first.source.script = [die]
            with pytest.raises(KeyboardInterrupt):
                await first.call("incident_create", title="new")
        async with bench_in(tmp_path, clock=first.clock, source=first.source, first_id=1000) as second:
            (row,) = await second.journal.listed(("performing",))
            assert await second.settle() == 0  # its lease is not over
            await second.settle(TIMEOUT_S + 31)
            row = await second.row(row.id)
            assert (row.state, row.fence, row.owner, row.attempts) == ("applied", 2, "me", 1)
            assert row.receipt["found_by"] == "probe"
            assert len(second.source.sent) == 1

    async def test_a_row_whose_write_never_left_is_sent_after_the_quiet_period(self, tmp_path: Path) -> None:
        async with bench_in(tmp_path) as first:

            async def die(source: FakeSource, effect: Effect) -> str:
                raise KeyboardInterrupt

            first.source.script = [die]
            with pytest.raises(KeyboardInterrupt):
                await first.call("incident_create", title="new")
        async with bench_in(tmp_path, clock=first.clock, source=first.source, first_id=1000) as second:
            (row,) = await second.journal.listed(("performing",))
            row = await second.settle_until(row.id)
            assert (row.state, row.attempts) == ("applied", 2)

    async def test_a_worker_that_lost_its_lease_changes_nothing_and_says_unknown(self, bench: Bench) -> None:
        async def pause(source: FakeSource, effect: Effect) -> str:
            handle = source.apply(effect)
            await bench.settle(TIMEOUT_S + 31)
            return handle

        bench.source.script = [pause]
        receipt = await bench.write("incident_create", title="new")
        assert receipt["outcome"] == "unknown"
        row = await bench.row(receipt["id"])
        assert (row.state, row.fence, row.receipt["found_by"]) == ("applied", 2, "probe")
        assert len(bench.source.sent) == 1

    async def test_one_failing_row_does_not_stop_the_others(self, bench: Bench, caplog: Any) -> None:
        bench.source.script = [vanish, vanish]
        one = await bench.write("incident_create", title="one")
        two = await bench.write("incident_create", title="two")
        row = await bench.row(one["id"])
        del row.call["effect"]
        await bench.journal.move(row, "unknown", bench.clock.now(), due_at=bench.clock.now(), call=row.call)
        bench.source.apply(bench.source.sent[1])
        await bench.settle(5)
        assert (await bench.row(two["id"])).state == "applied"
        assert (await bench.row(one["id"])).state == "unknown"
        assert f"settling {one['id']} failed" in caplog.text


class TestKeys:
    async def test_a_derived_key_answers_ten_minutes_and_says_so(self, bench: Bench) -> None:
        first = await bench.write("incident_create", title="new")
        reply = await bench.call("incident_create", title="new")
        assert (reply.status, reply.body["receipt"]) == (200, {**first, "replayed": True})
        assert "nothing was sent again" in reply.body["warnings"][0]
        assert bench.entries()[-1]["outcome"] == "replayed:applied"
        assert bench.entries()[-1]["verdict"] is None
        bench.clock.advance(601)
        third = await bench.write("incident_create", title="new")
        assert third["id"] != first["id"]
        assert len(bench.source.sent) == 2

    async def test_saying_a_default_is_not_another_call(self, bench: Bench) -> None:
        first = await bench.write("incident_create", title="new")
        again = await bench.write("incident_create", title="new", dry_run=False, description=None)
        assert (again["id"], again["replayed"]) == (first["id"], True)

    async def test_a_given_key_lasts_seven_days_and_is_bound_to_its_arguments(self, bench: Bench) -> None:
        first = await bench.write("incident_create", title="new", idempotency_key="key-00001")
        bench.clock.advance(6.9 * 86_400)
        assert (await bench.write("incident_create", title="new", idempotency_key="key-00001"))["id"] == first["id"]
        reply = await bench.call("incident_create", title="other", idempotency_key="key-00001")
        assert (reply.status, reply.body["slug"], reply.body["field"]) == (
            409,
            "idempotency-mismatch",
            "idempotency_key",
        )
        other = await bench.call("incident_create", agent(id="bot2"), title="other", idempotency_key="key-00001")
        assert other.body["receipt"]["outcome"] == "applied"  # keys are each agent's own
        bench.clock.advance(0.2 * 86_400)
        assert (await bench.write("incident_create", title="other", idempotency_key="key-00001"))[
            "outcome"
        ] == "applied"

    async def test_a_given_key_keeps_a_refusal_of_the_source_but_not_a_call_that_never_left(self, bench: Bench) -> None:
        asked = {"ref": INC, "changes": {"title": "n"}, "idempotency_key": "key-00001"}
        bench.source.script = [offline]
        assert (await bench.call("incident_update", **asked)).body["retryable"]
        bench.source.script = [refuse]
        assert (await bench.call("incident_update", **asked)).body["slug"] == "source-rejected"
        kept = await bench.write("incident_update", **asked)
        assert (kept["outcome"], kept["replayed"]) == ("not_applied", True)

    async def test_the_same_key_in_flight_waits_for_the_first(self, bench: Bench) -> None:
        import asyncio

        go = asyncio.Event()

        async def slow(source: FakeSource, effect: Effect) -> str:
            await go.wait()
            return source.apply(effect)

        bench.source.script = [slow]
        first = asyncio.create_task(bench.write("incident_create", title="new"))
        while not bench.source.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(bench.write("incident_create", title="new")) for _ in range(5)]
        await asyncio.sleep(0.02)
        go.set()
        receipt = await first
        assert {(r["id"], r["outcome"], r["replayed"]) for r in await asyncio.gather(*others)} == {
            (receipt["id"], "applied", True)
        }
        assert len(bench.source.sent) == 1

    async def test_many_equal_calls_at_once_are_one_write(self, bench: Bench) -> None:
        import asyncio

        done = await asyncio.gather(*(bench.write("incident_create", title="new") for _ in range(20)))
        assert len({r["id"] for r in done}) == 1
        assert sum("replayed" not in r for r in done) == 1
        assert len(bench.source.sent) == 1

    async def test_a_replay_shows_nothing_that_is_hidden_since_and_nothing_to_whom_it_was_taken(
        self, bench: Bench
    ) -> None:
        asked = {"ref": INC, "changes": {"title": "n", "urgency": "high"}}
        await bench.call("incident_update", **asked)
        blind = {**agent().scopes, "incident": Scope(hidden=frozenset({"urgency"}))}
        reply = await bench.call("incident_update", agent(scopes=blind), **asked)
        assert [f["field"] for f in reply.body["receipt"]["fields"]] == ["title"]
        without = await bench.call("incident_update", agent(scopes={}), **asked)
        assert (without.status, without.body["slug"]) == (403, "refused")
        unable = await bench.call("incident_update", agent(tools=frozenset()), **asked)
        assert (unable.status, unable.body["reasons"][0]["kind"]) == (403, "authority")

    async def test_a_held_receipt_loses_its_evidence_when_the_scope_changed(self, bench: Bench) -> None:
        asked = {"ref": STALE, "changes": {"urgency": "high"}}
        held = await bench.call("incident_update", **asked)
        assert "last_seen_at" in held.body["receipt"]["reasons"][0]["evidence"]
        blind = {**agent().scopes, "ci": Scope(hidden=frozenset({"last_seen_at"}))}
        again = await bench.call("incident_update", agent(scopes=blind), **asked)
        assert again.status == 202
        assert "last_seen_at" not in str(again.body)


class TestVersions:
    async def _read(self, bench: Bench) -> str:
        return str((await bench.call("incident_get", ref=INC)).body["data"]["version"])

    async def test_changes_elsewhere_are_merged_over_and_named(self, bench: Bench) -> None:
        version = await self._read(bench)
        bench.source.change("hINC1", description="theirs")
        receipt = await bench.write("incident_update", ref=INC, changes={"title": "ours"}, expected_version=version)
        assert (receipt["outcome"], receipt["merged_over"]) == ("applied", ["description"])

    @pytest.mark.parametrize("theirs", [{"title": "theirs"}, {"state": "on_hold"}, {"ci": None}])
    async def test_a_written_or_decisive_field_conflicts_three_ways(self, bench: Bench, theirs: dict[str, Any]) -> None:
        version = await self._read(bench)
        bench.source.change("hINC1", **theirs)
        reply = await bench.call("incident_update", ref=INC, changes={"title": "ours"}, expected_version=version)
        (name,) = theirs
        assert (reply.status, reply.body["slug"], reply.body["current_version"]) == (409, "version-conflict", "2")
        told = reply.body["difference"][name]
        assert (told["current"], told["asked"]) == (theirs[name], "ours" if name == "title" else None)
        assert told["base"] != told["current"]
        assert bench.source.sent == []

    async def test_an_unknown_base_is_a_conflict(self, bench: Bench) -> None:
        reply = await bench.call("incident_update", ref=INC, changes={"title": "ours"}, expected_version="0")
        assert reply.body["slug"] == "version-conflict"
        assert "base" not in reply.body["difference"]["title"]

    async def test_a_version_that_others_were_shown_is_no_base_outside_ones_scope(self, bench: Bench) -> None:
        bench.source.change("hINC1", group={"ref": "snow:group:Payroll", "name": "Payroll"}, title="secret")
        version = await self._read(bench)
        bench.source.change("hINC1", group={"ref": "snow:group:Desk", "name": "Desk"}, title="open")
        desk = {**agent().scopes, "incident": Scope((Condition("group", "eq", "snow:group:Desk"),))}
        reply = await bench.call(
            "incident_update", agent(scopes=desk), ref=INC, changes={"title": "x"}, expected_version=version
        )
        assert reply.body["slug"] == "version-conflict"
        assert "secret" not in str(reply.body)

    async def test_the_difference_shows_nothing_hidden(self, bench: Bench) -> None:
        version = await self._read(bench)
        bench.source.change("hINC1", state="on_hold", description="hidden words")
        blind = {**agent().scopes, "incident": Scope(hidden=frozenset({"state", "description"}))}
        reply = await bench.call(
            "incident_update", agent(scopes=blind), ref=INC, changes={"title": "x"}, expected_version=version
        )
        assert reply.body["slug"] == "version-conflict"
        assert "on_hold" not in str(reply.body)
        assert "description" not in str(reply.body)

    async def test_the_version_of_a_receipt_can_be_built_on(self, bench: Bench) -> None:
        receipt = await bench.write("incident_update", ref=INC, changes={"title": "one"})
        bench.source.change("hINC1", description="theirs")
        after = await bench.write(
            "incident_update", ref=INC, changes={"title": "two"}, expected_version=receipt["version"]
        )
        assert after["merged_over"] == ["description"]


class TestRefusals:
    async def test_authority_is_refused_before_any_source_is_asked(self, bench: Bench) -> None:
        reply = await bench.call("incident_resolve", agent(tools=frozenset({"incident_get"})), **RESOLVE)
        assert (reply.status, reply.body["slug"]) == (403, "refused")
        assert reply.body["reasons"][0]["kind"] == "authority"
        assert bench.source.gets == 0
        assert bench.entries()[-1]["verdict"] == "refuse"

    async def test_a_shadow_agent_decides_and_never_performs(self, bench: Bench) -> None:
        reply = await bench.call("incident_resolve", agent(stage="shadow"), **RESOLVE)
        assert [r["kind"] for r in reply.body["reasons"]] == ["stage"]
        assert (bench.source.sent, await bench.journal.counts()) == ([], {})

    async def test_the_budget_of_writes(self, bench: Bench) -> None:
        few = agent(budgets=Budgets(100, 2))
        done = [await bench.call("incident_create", few, title=f"t{n}") for n in range(3)]
        assert [reply.status for reply in done] == [200, 200, 403]
        assert done[2].body["reasons"][0]["kind"] == "budget"
        assert (await bench.call("incident_create", few, title="t9", dry_run=True)).body["preview"][
            "verdict"
        ] == "allow"
        bench.clock.advance(3601)
        assert (await bench.call("incident_create", few, title="t4")).status == 200

    async def test_the_budget_of_calls_says_when_to_come_back(self, bench: Bench) -> None:
        few = agent(budgets=Budgets(2, 10))
        done = [await bench.call("whoami", few) for _ in range(3)]
        assert [reply.status for reply in done] == [200, 200, 429]
        assert (done[2].body["retryable"], done[2].body["retry_after_s"]) == (True, 60.0)

    async def test_a_ticket_in_the_wrong_state(self, bench: Bench) -> None:
        reply = await bench.call("incident_reopen", ref=INC)
        assert (reply.body["field"], reply.body["slug"]) == ("ref", "wrong-state")
        assert "in_progress" in reply.body["detail"]
        blind = {**agent().scopes, "incident": Scope(hidden=frozenset({"state"}))}
        hidden = await bench.call("incident_reopen", agent(scopes=blind), ref=INC)
        assert "in_progress" not in hidden.body["detail"]

    async def test_fields_the_source_demands_are_named_before_it_is_asked(self, bench: Bench) -> None:
        bench.source.missing = lambda kind, after: ["caller"]  # type: ignore[method-assign]
        reply = await bench.call("incident_create", title="x")
        assert (reply.body["field"], bench.source.sent) == ("caller", [])

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"ci": "snow:ci:nope"}, "ci"),
            ({"caller": "snow:group:Desk"}, "caller"),
            ({"ci": "other:ci:web01"}, "ci"),
            ({"due_at": "tomorrow"}, "changes.due_at"),
            ({"state": None}, "changes.state"),
        ],
    )
    async def test_links_and_values_that_cannot_be_taken(self, bench: Bench, changes: Any, field: str) -> None:
        reply = await bench.call("incident_update", ref=INC, changes=changes)
        assert (reply.problem, reply.body["field"], bench.source.sent) == (True, field, [])
        assert reply.body["next_step"]

    async def test_a_hidden_field_cannot_be_written_nor_a_record_outside_the_scope_linked(self, bench: Bench) -> None:
        blind = {**agent().scopes, "incident": Scope(hidden=frozenset({"title"}))}
        reply = await bench.call("incident_update", agent(scopes=blind), ref=INC, changes={"title": "x"})
        assert "hidden" in reply.body["detail"]
        narrow = {**agent().scopes, "ci": Scope((Condition("name", "eq", "web01"),))}
        there = await bench.call("incident_update", agent(scopes=narrow), ref=INC, changes={"ci": "snow:ci:old01"})
        nowhere = await bench.call("incident_update", agent(scopes=narrow), ref=INC, changes={"ci": "snow:ci:none1"})
        assert {**there.body, "call_id": 0, "detail": 0, "value": 0} == {
            **nowhere.body,
            "call_id": 0,
            "detail": 0,
            "value": 0,
        }
        assert there.body["detail"].replace("old01", "none1") == nowhere.body["detail"]

    async def test_an_incident_outside_ones_own_scope_is_not_created(self, bench: Bench) -> None:
        desk = {**agent().scopes, "incident": Scope((Condition("group", "eq", "snow:group:Desk"),))}
        reply = await bench.call("incident_create", agent(scopes=desk), title="x", group="snow:group:Payroll")
        assert (reply.status, bench.source.sent) == (403, [])
        assert reply.body["reasons"][0]["kind"] == "scope"


class TestDryRun:
    @pytest.mark.parametrize(
        ("tool", "asked"),
        [
            ("incident_resolve", RESOLVE),
            ("incident_create", {"title": "x"}),
            ("incident_add_note", {"ref": INC, "text": "n", "visibility": "public"}),
            ("incident_update", {"ref": STALE, "changes": {"title": "x"}}),
        ],
    )
    async def test_nothing_is_touched(self, bench: Bench, tool: str, asked: dict[str, Any]) -> None:
        before = {handle: dict(row) for handle, row in bench.source.rows.items()}
        reply = await bench.call(tool, **asked, dry_run=True)
        assert reply.status == 200
        assert reply.body["preview"]["verdict"] == ("hold" if asked.get("ref") == STALE else "allow")
        assert (bench.source.sent, bench.source.rows, await bench.journal.counts()) == ([], before, {})
        assert bench.entries()[-1]["outcome"] == "dry_run"
        # and the real call afterwards is not a replay of it
        assert "replayed" not in (await bench.call(tool, **asked)).body["receipt"]

    async def test_it_shows_before_and_after(self, bench: Bench) -> None:
        preview = (await bench.call("incident_assign", ref=INC, group="snow:group:Payroll", dry_run=True)).body[
            "preview"
        ]
        assert preview["before"] == {"group": "snow:group:Desk"}
        assert preview["after"] == {"group": "snow:group:Payroll"}


async def test_a_ledger_that_cannot_commit_stops_writes_and_only_counts_reads(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(batch: object) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(bench.ledger, "_write", broken)
    first = await bench.call("incident_resolve", **RESOLVE)
    assert (first.body["slug"], bench.source.sent) == ("refused", [])
    second = await bench.call("incident_resolve", **RESOLVE)
    assert [r["kind"] for r in second.body["reasons"]] == ["ledger"]
    assert (bench.source.sent, await bench.journal.counts()) == ([], {})
    assert (await bench.call("incident_get", ref=INC)).status == 200
    await bench.ledger.flush()
    assert bench.ledger.counts.lost >= 1
    monkeypatch.undo()
    import asyncio

    for _ in range(300):
        if not bench.ledger.counts.failing:
            break
        await asyncio.sleep(0.01)
    assert (await bench.write("incident_resolve", **RESOLVE))["outcome"] == "applied"


async def test_the_vault_holds_what_was_asked_and_what_the_receipt_said(bench: Bench) -> None:
    import json
    import sqlite3

    receipt = await bench.write("incident_update", ref=INC, changes={"title": "x"})
    await bench.call("incident_get", ref=INC)
    await bench.ledger.flush()
    with sqlite3.connect(bench.folder / "ledger.sqlite") as db:
        rows = db.execute(
            "SELECT json_extract(chain.body, '$.kind'), json_extract(chain.body, '$.tool'), arguments, answer "
            "FROM vault JOIN chain USING (seq) ORDER BY seq"
        ).fetchall()
    told = [(kind, tool, json.loads(asked), answer and json.loads(answer)) for kind, tool, asked, answer in rows]
    asked = {"ref": INC, "changes": {"title": "x"}}
    assert told == [
        ("intent", "incident_update", asked, None),
        ("call", "incident_update", asked, receipt),
        ("call", "incident_get", {"ref": INC}, None),
    ]


async def test_a_defect_of_ours_is_a_problem_with_an_id(bench: Bench, caplog: Any) -> None:
    def broken() -> None:
        raise RuntimeError("secret internals")

    bench.source.on_read = broken
    reply = await bench.call("incident_get", ref=INC)
    assert (reply.status, reply.body["slug"]) == (500, "internal")
    assert "secret" not in str(reply.body)
    assert reply.call_id in reply.body["next_step"]


async def test_a_problem_of_the_state_is_told_not_hidden(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(row: object) -> None:
        raise Problem(Slug.INTERNAL, "state: database or disk is full")

    monkeypatch.setattr(bench.journal, "begin", full)
    reply = await bench.call("incident_create", title="x")
    assert (reply.status, bench.source.sent) == (500, [])

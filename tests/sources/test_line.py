"""The line to a source: breaker, bulkhead, pace, time-outs, and what health tells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.source_bench import Bench, outage

from interlock.clock import ManualClock
from interlock.config import Limits
from interlock.records.problems import Problem, Slug
from interlock.sources.bulkhead import Bulkhead
from interlock.sources.pacing import Pacer, Window


async def fail(bench: Bench, times: int, problem: Problem | None = None) -> None:
    def raising(operation: str) -> None:
        if operation == "read":
            raise problem or outage()

    bench.adapter.before = raising
    for _ in range(times):
        with pytest.raises(Problem):
            await bench.source.get("incident", "INC00001")
    bench.adapter.before = None


# --- breaker ---------------------------------------------------------------------------------------


async def test_breaker_opens_rests_and_closes_after_one_good_trial() -> None:
    bench = Bench()
    await fail(bench, 5)
    calls = bench.adapter.count("read")
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert (found.value.slug, found.value.reached) == (Slug.SOURCE_UNAVAILABLE, "no")
    assert found.value.retry_after_s == 5.0
    assert bench.adapter.count("read") == calls
    assert bench.source.health()["state"] == "open"
    assert bench.metric("interlock_source_up", source="snow") == 0.0
    bench.clock.advance(5)
    assert bench.source.health()["state"] == "half-open"
    assert (await bench.source.get("incident", "INC00001")).origin == "live"
    assert bench.source.health()["state"] == "closed"
    assert any(b"source left alone" in line for line in bench.lines)
    assert any(b"source answers again" in line for line in bench.lines)


async def test_half_open_lets_one_call_pass_and_a_failed_trial_doubles_the_rest() -> None:
    bench = Bench()
    await fail(bench, 5)
    bench.clock.advance(5)
    gate = asyncio.Event()

    async def wait_and_fail() -> None:
        await gate.wait()
        raise outage()

    bench.adapter.before = lambda operation: wait_and_fail() if operation == "read" else None
    before = bench.adapter.count("read")
    trial = asyncio.create_task(bench.source.get("incident", "INC00001"))
    await asyncio.sleep(0.01)
    with pytest.raises(Problem):
        await bench.source.get("incident", "INC00001")
    assert bench.adapter.count("read") == before + 1
    gate.set()
    with pytest.raises(Problem):
        await trial
    bench.clock.advance(9)
    assert bench.source.health()["state"] == "open"
    bench.clock.advance(1)
    assert bench.source.health()["state"] == "half-open"


async def test_a_trial_whose_caller_goes_away_leaves_room_for_the_next() -> None:
    bench = Bench()
    await fail(bench, 5)
    bench.clock.advance(5)
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait() if operation == "read" else None
    trial = asyncio.create_task(bench.source.get("incident", "INC00001"))
    await asyncio.sleep(0.01)
    trial.cancel()
    await asyncio.sleep(0.01)
    bench.adapter.before = None
    assert (await bench.source.get("incident", "INC00001")).origin == "live"


async def test_a_late_answer_of_before_does_not_close_an_open_breaker() -> None:
    bench = Bench()
    await bench.source.open()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait()
    early = asyncio.create_task(bench.source.get("incident", "INC00001"))
    await asyncio.sleep(0.01)
    await fail(bench, 5)
    gate.set()
    await early
    assert bench.source.health()["state"] == "open"


@pytest.mark.parametrize("slug", [Slug.NOT_FOUND, Slug.SOURCE_DENIED, Slug.SOURCE_REJECTED, Slug.SOURCE_FAULT])
async def test_answers_do_not_open_the_breaker(slug: Slug) -> None:
    bench = Bench()
    await fail(bench, 4)
    await fail(bench, 20, Problem(slug, "no", layer="source"))
    await fail(bench, 4)
    assert bench.source.health()["state"] == "closed"


# --- bulkhead --------------------------------------------------------------------------------------


async def test_never_more_at_once_than_allowed_and_all_are_served() -> None:
    bench = Bench(limits=Limits(concurrency=4, per_second=None, queue=100))
    bench.adapter.before = lambda operation: asyncio.sleep(0.001)
    await asyncio.gather(*(bench.source.get("incident", "INC00001") for _ in range(60)))
    assert bench.adapter.most_running == 3  # one of four is kept for settling
    assert (bench.source.health()["in_flight"], bench.source.health()["waiting"]) == (0, 0)


async def test_a_full_queue_says_so_at_once() -> None:
    bench = Bench(limits=Limits(concurrency=1, per_second=None, queue=2))
    await bench.source.open()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait()
    tasks = [asyncio.create_task(bench.source.get("incident", "INC00001")) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert (found.value.slug, found.value.reached) == (Slug.RATE_LIMITED, "no")
    assert bench.metric("interlock_source_refused_total", source="snow", reason="rate-limited") == 1
    gate.set()
    await asyncio.gather(*tasks)


async def test_waiting_ends_with_the_time_out() -> None:
    bench = Bench(limits=Limits(concurrency=1, per_second=None), timeout_s=0.05)
    await bench.source.open()
    gate = asyncio.Event()
    bench.adapter.before = lambda operation: gate.wait()
    first = asyncio.create_task(bench.source.get("incident", "INC00001"))
    await asyncio.sleep(0)
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert found.value.slug is Slug.RATE_LIMITED
    gate.set()
    await first
    assert bench.source.health()["waiting"] == 0


async def test_settling_has_a_reserved_place_and_goes_first() -> None:
    order: list[str] = []
    bulkhead = Bulkhead("snow", concurrency=2, queue=9)
    assert bulkhead.enter(False)
    assert not bulkhead.enter(False)
    assert bulkhead.enter(True)

    async def waiter(name: str, priority: bool) -> None:
        await bulkhead.queue_up(priority, 1)
        order.append(name)

    tasks = [asyncio.create_task(waiter(*entry)) for entry in (("a", False), ("settle", True), ("b", False))]
    await asyncio.sleep(0)
    for _ in range(3):
        bulkhead.leave()
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["settle", "a"]
    bulkhead.leave()
    await asyncio.gather(*tasks)
    bulkhead.leave()
    assert bulkhead.in_flight == 0


@given(st.lists(st.sampled_from(["enter", "settle", "cancel", "leave", "run"]), max_size=60))
async def test_slots_are_never_lost_or_doubled(steps: list[str]) -> None:
    bulkhead = Bulkhead("snow", concurrency=3, queue=5)
    held = 0
    tasks: list[asyncio.Task[None]] = []

    def collect() -> int:
        done = [t for t in tasks if t.done()]
        for t in done:
            tasks.remove(t)
        return sum(1 for t in done if not t.cancelled() and t.exception() is None)

    for step in steps:
        if step in ("enter", "settle"):
            if bulkhead.enter(step == "settle"):
                held += 1
            else:
                tasks.append(asyncio.create_task(bulkhead.queue_up(step == "settle", 5)))
        elif step == "cancel" and tasks:
            tasks[-1].cancel()
        elif step == "leave" and held:
            bulkhead.leave()
            held -= 1
        elif step == "run":
            await asyncio.sleep(0)
            held += collect()
        assert bulkhead.in_flight <= 3
    for _ in range(200):
        await asyncio.sleep(0)
        held += collect()
        if held:
            bulkhead.leave()
            held -= 1
        if not held and not tasks:
            break
    assert (bulkhead.in_flight, bulkhead.waiting, tasks) == (0, 0, [])


async def test_a_slot_given_to_someone_who_just_left_is_handed_on() -> None:
    bulkhead = Bulkhead("snow", concurrency=1, queue=9)
    assert bulkhead.enter(False)
    leaving = asyncio.create_task(bulkhead.queue_up(False, 5))
    staying = asyncio.create_task(bulkhead.queue_up(False, 5))
    await asyncio.sleep(0)
    bulkhead.leave()
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    assert bulkhead.in_flight == 1


async def test_a_cancelled_call_gives_its_place_back() -> None:
    bench = Bench(limits=Limits(concurrency=1, per_second=None))
    bench.adapter.before = lambda operation: asyncio.sleep(60) if operation == "read" else None
    tasks = [asyncio.create_task(bench.source.get("incident", "INC00001")) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    bench.adapter.before = None
    assert (await bench.source.get("incident", "INC00001")).origin == "live"
    assert bench.source.health()["in_flight"] == 0


# --- pace ------------------------------------------------------------------------------------------


@given(
    rate=st.floats(0.2, 30),
    gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=120),
)
def test_no_window_ever_holds_more_than_its_rate(rate: float, gaps: list[float]) -> None:
    window = Window(rate, 1.0)
    most = max(1, int(rate))
    period = most / rate
    now, sent = 1000.0, []
    for gap in gaps:
        now += gap
        at = window.free_at(now)
        window.take(at)
        sent.append(at)
    assert sent == sorted(sent)
    for first, after in zip(sent, sent[most:], strict=False):
        assert after - first >= period - 1e-6


async def test_calls_are_spread_over_seconds() -> None:
    bench = Bench(limits=Limits(concurrency=8, per_second=2))
    await bench.source.open()
    bench.clock.advance(10)
    began = bench.clock.now()
    for _ in range(7):
        await bench.source.get("incident", "INC00001")
    assert bench.clock.now() - began == pytest.approx(3.0)


async def test_an_hour_spent_is_told_at_once() -> None:
    bench = Bench(limits=Limits(per_second=None, per_hour=3))
    for _ in range(2):
        await bench.source.get("incident", "INC00001")  # and one log-in
    bench.clock.advance(600)
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert found.value.slug is Slug.RATE_LIMITED
    assert found.value.retry_after_s == 3000.0
    assert bench.slept == []
    assert bench.source.health()["in_flight"] == 0


def limited(retry_after_s: float | None, layer: str = "source") -> Problem:
    return Problem(
        Slug.RATE_LIMITED,
        "too many",
        layer=layer,
        retry_after_s=retry_after_s,
        reached="no",  # type: ignore[arg-type]
    )


async def test_retry_after_closes_the_gate_for_everyone_and_the_read_goes_on() -> None:
    bench = Bench(limits=Limits(per_second=None))
    answers: list[Any] = [limited(7)]

    def once(operation: str) -> None:
        if operation == "read" and answers:
            raise answers.pop()

    bench.adapter.before = once
    assert (await bench.source.get("incident", "INC00001")).origin == "live"
    assert bench.slept == [7]
    assert bench.adapter.count("read") == 2


async def test_a_long_retry_after_is_handed_to_the_caller() -> None:
    bench = Bench(limits=Limits(per_second=None), timeout_s=20)

    def always(operation: str) -> None:
        if operation == "read":
            raise limited(90)

    bench.adapter.before = always
    for _ in range(2):
        with pytest.raises(Problem) as found:
            await bench.source.get("incident", "INC00001")
        assert found.value.slug is Slug.RATE_LIMITED
        assert found.value.retry_after_s == 90
    assert bench.adapter.count("read") == 1
    assert bench.source.health()["silent_until"] is not None
    assert bench.source.health()["state"] == "closed"


async def test_without_a_retry_after_the_silence_grows() -> None:
    clock = ManualClock(1000.0)
    pacer = Pacer("snow", clock, per_second=None, per_hour=None)
    waits = []
    for _ in range(7):
        pacer.refused(None)
        waits.append(pacer.silent_until - clock.now())
        clock.advance(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 30, 30]


async def test_a_clock_set_back_does_not_block() -> None:
    clock = ManualClock(10_000.0)
    pacer = Pacer("snow", clock, per_second=1, per_hour=None)
    pacer.delay(5)
    clock.advance(-3600)
    assert pacer.delay(5) == 0


# --- time-outs and health --------------------------------------------------------------------------


async def test_an_operation_that_hangs_is_ended() -> None:
    bench = Bench(timeout_s=0.01)
    bench.adapter.before = lambda operation: asyncio.sleep(60) if operation == "read" else None
    with pytest.raises(Problem) as found:
        await bench.source.get("incident", "INC00001")
    assert (found.value.slug, found.value.reached) == (Slug.SOURCE_UNAVAILABLE, "maybe")


async def test_health_tells_and_hides() -> None:
    bench = Bench()
    await bench.source.get("incident", "INC00001")
    await fail(bench, 1, Problem(Slug.SOURCE_DENIED, "login with hunter2secret failed", layer="source"))
    health = bench.source.health()
    assert health["last_error"]["detail"] == "login with *** failed"
    assert health["last_ok"] == "2023-11-14T22:13:20Z"
    assert health["calls"] == 3
    assert health["latency_ms"]["p95"] >= health["latency_ms"]["p50"] >= 0
    assert health["limits"]["concurrency"] == 8
    bench.log.flush()
    assert not any(b"hunter2secret" in line for line in bench.lines)
    ok = bench.metric("interlock_source_calls_total", source="snow", operation="get", outcome="ok")
    denied = bench.metric("interlock_source_calls_total", source="snow", operation="get", outcome="source-denied")
    assert (ok, denied) == (1, 1)

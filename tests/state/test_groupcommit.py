"""Group commit: bounded, isolating, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from interlock.state import groupcommit
from interlock.state.errors import StateError
from interlock.state.groupcommit import GroupCommit


async def test_outcomes_reach_their_callers_in_order() -> None:
    batches: list[list[int]] = []

    def commit(items: list[int]) -> list[int | Exception]:
        batches.append(items)
        return [ValueError(str(item)) if item % 7 == 0 else item * 2 for item in items]

    group: GroupCommit[int, int] = GroupCommit("t", commit, batch=16)
    done = await asyncio.gather(*(group.submit(n) for n in range(100)), return_exceptions=True)
    for number, outcome in enumerate(done):
        assert str(outcome) == str(number) if number % 7 == 0 else outcome == number * 2
    assert [n for batch in batches for n in batch] == list(range(100))
    assert max(map(len, batches)) <= 16
    await group.close()


async def test_a_commit_that_raises_fails_its_batch_and_not_the_next() -> None:
    broken = True

    def commit(items: list[int]) -> list[int]:
        if broken:
            raise OSError("disk full")
        return items

    group: GroupCommit[int, int] = GroupCommit("t", commit)
    done = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in done)
    broken = False
    assert await group.submit(3) == 3
    await group.close()


async def test_put_waits_while_the_queue_is_full_and_gives_up_in_time() -> None:
    gate, seen = threading.Event(), []

    def commit(items: list[int]) -> list[int]:
        gate.wait(10)
        seen.extend(items)
        return items

    group: GroupCommit[int, int] = GroupCommit("t", commit, bound=4, batch=4, linger_s=0.0)
    first = asyncio.create_task(group.submit(0))
    await asyncio.sleep(0.05)  # the writer stands at the gate with it
    for number in range(1, 5):
        assert await group.put(number)
    assert not await group.put(98, wait_s=0.05)
    late = asyncio.create_task(group.put(5, wait_s=5))
    waiting = asyncio.create_task(group.submit(6))
    await asyncio.sleep(0.05)
    assert not late.done()
    gate.set()
    assert await first == 0
    assert await late
    assert await waiting == 6
    await group.flush()
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 6]
    await group.close()


async def test_what_nobody_waits_for_shares_a_commit_and_is_in_time() -> None:
    commits: list[tuple[float, list[int]]] = []
    group: GroupCommit[int, int] = GroupCommit(
        "t", lambda items: commits.append((time.monotonic(), items)) or items, linger_s=0.1
    )
    began = time.monotonic()
    for number in range(50):
        await group.put(number)
        await asyncio.sleep(0.0005)
    while sum(len(items) for _, items in commits) < 50:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert len(commits) <= 3
    assert commits[0][0] - began < 0.2
    await group.close()


async def test_one_who_waits_takes_the_others_along_at_once() -> None:
    group: GroupCommit[int, int] = GroupCommit("t", lambda items: items, linger_s=5.0)
    await group.put(1)
    async with asyncio.timeout(1):
        assert await group.submit(2) == 2
    assert len(group) == 0
    await group.close()


async def test_a_hanging_disk_frees_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groupcommit, "WATCH_S", 0.02)
    gate = threading.Event()

    def commit(items: list[int]) -> list[int]:
        gate.wait(10)
        return items

    group: GroupCommit[int, int] = GroupCommit("t", commit, stuck_s=0.1)
    calls = [asyncio.create_task(group.submit(n)) for n in range(3)]
    async with asyncio.timeout(2):
        done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, StateError) and outcome.retryable for outcome in done)
    gate.set()
    assert await group.submit(9) == 9
    await group.close()


async def test_close_commits_what_is_queued_and_ticks_stop() -> None:
    seen: list[int] = []
    ticks = 0

    def tick() -> float:
        nonlocal ticks
        ticks += 1
        return 0.01

    group: GroupCommit[int, int] = GroupCommit(
        "t", lambda items: seen.extend(items) or items, linger_s=5, tick=tick, last=lambda: seen.append(-1)
    )
    await asyncio.sleep(0.1)
    assert ticks > 3
    for number in range(5):
        await group.put(number)
    await group.close()
    assert seen == [0, 1, 2, 3, 4, -1]
    with pytest.raises(StateError, match="closed"):
        await group.put(1)

"""The flag store beside the event loop: in order, and never by two at once, whoever gives up waiting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from interlock.clock import ManualClock
from interlock.gateway.aside import Aside
from interlock.quality.flags import FlagStore
from interlock.records.problems import Problem


def test_one_that_is_not_waited_for_still_ends_before_the_next(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "state", ManualClock(1e9))
    said: list[str] = []

    def slow(_: FlagStore) -> None:
        said.append("slow begins")
        time.sleep(0.1)
        said.append("slow ends")

    async def both() -> None:
        waiting = asyncio.ensure_future(aside.run(slow))
        await asyncio.sleep(0.03)
        waiting.cancel()
        await aside.run(lambda store: said.append(f"next, {len(store.listed().flags)} flags"))

    asyncio.run(both())
    aside.close()
    assert said == ["slow begins", "slow ends", "next, 0 flags"]


def test_what_the_store_raises_comes_out(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "state", ManualClock(1e9))
    with pytest.raises(Problem, match="ever raised"):
        asyncio.run(aside.run(lambda store: store.get("a:ci:b", "CI-STALE")))
    aside.close()

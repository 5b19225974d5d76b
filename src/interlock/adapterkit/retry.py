"""Safe retries: of reads only, few, with full jitter, inside one deadline. Writes are never sent again here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from interlock.clock import Clock
from interlock.records.problems import Problem

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long; all times in seconds.

    The wait before attempt n is drawn evenly from 0 to ``base_s * 2**n`` (at most ``cap_s``). A source
    that says Retry-After is waited for exactly as long, unless that is more than ``patience_s``: then the
    caller is told, with ``retry_after_s``, instead of being kept waiting.
    """

    attempts: int = 3
    base_s: float = 0.1
    cap_s: float = 2.0
    patience_s: float = 3.0
    deadline_s: float = 20.0


async def reading(
    read: Callable[[], Awaitable[T]],
    retries: Retries,
    clock: Clock,
    chance: random.Random,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Do a read, again where its Problem is retryable. Raises the last Problem."""
    until = clock.now() + retries.deadline_s
    try:
        return await read()
    except Problem as problem:
        last = problem
    for attempt in range(1, retries.attempts):
        if not last.retryable:
            break
        wait = last.retry_after_s
        if wait is None:
            wait = chance.uniform(0.0, min(retries.cap_s, retries.base_s * 2**attempt))
        elif wait > retries.patience_s:
            break
        if clock.now() + wait >= until:
            break
        await sleep(wait)
        try:
            return await read()
        except Problem as problem:
            last = problem
    raise last

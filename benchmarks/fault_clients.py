"""Agents that write while things go wrong: what they ask for, how long they insist, what they were told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

Op = Literal["create", "update", "note", "resolve"]
MIX: Mapping[Op, float] = {"create": 0.4, "note": 0.3, "update": 0.15, "resolve": 0.15}
ENDS = frozenset({"applied", "partial", "not_applied", "refused", "expired"})
ASKS_AGAIN_S = 0.7
ANSWER_S = 30.0
DOWN_S = 0.05


@dataclass(slots=True)
class Intent:
    """One write an agent wants. ``word`` stands in what is written, and nowhere else."""

    number: int
    op: Op
    agent: int
    word: str
    target: str | None  # number of the incident that is written; None for a create
    key: str | None
    insists: bool  # asks again until it knows
    told: list[str] = field(default_factory=list)  # outcomes of the receipts it was shown
    problems: Counter[str] = field(default_factory=Counter)
    lost_answers: int = 0
    knows: bool = False  # it was told how its write ended, and that asking again is no use

    @property
    def tool(self) -> str:
        return "incident_add_note" if self.op == "note" else f"incident_{self.op}"

    @property
    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {"idempotency_key": self.key} if self.key else {}
        if self.target is not None:
            found["ref"] = f"snow:incident:{self.target}"
        match self.op:
            case "create":
                found |= {"title": self.word, "impact": "medium", "urgency": "medium", "category": "network"}
            case "note":
                found |= {"text": self.word, "visibility": "internal"}
            case "update":
                found |= {"changes": {"description": self.word}}
            case "resolve":
                found |= {"close_code": "fixed", "close_notes": self.word}
        return found


def intents(count: int, agents: int, seed: int) -> list[Intent]:
    """The writes of a run: the same for the same seed. Targets are given later."""
    chance = random.Random(seed)
    kinds = chance.choices(list(MIX), weights=list(MIX.values()), k=count)
    found = []
    for number, op in enumerate(kinds):
        word = f"fault run {seed} {op} {number:05d}."
        key = f"run-{seed}-{number:05d}" if chance.random() < 0.6 else None
        found.append(Intent(number, op, chance.randrange(agents), word, None, key, chance.random() >= 1 / 3))
    return found


class Clients:
    """Agents at work over HTTP, so many at once."""

    def __init__(self, url: str, keys: Sequence[str], at_once: int, done: Callable[[], None]) -> None:
        self._url = url
        self._keys = keys
        self._at_once = at_once
        self._done = done
        self.stop = asyncio.Event()  # set: those who insist give up

    async def run(self, work: Sequence[Intent]) -> None:
        """Submit all; returns when every agent knows, or does not ask any more."""
        waiting = iter(work)
        limits = httpx.Limits(max_connections=self._at_once, max_keepalive_connections=self._at_once)
        async with httpx.AsyncClient(base_url=self._url, timeout=ANSWER_S, limits=limits, trust_env=False) as client:
            insisting: set[asyncio.Task[None]] = set()

            async def worker() -> None:
                for intent in waiting:
                    await self._ask(client, intent)
                    self._done()
                    if intent.insists and not intent.knows:
                        insisting.add(asyncio.create_task(self._insist(client, intent)))

            await asyncio.gather(*(worker() for _ in range(self._at_once)))
            await asyncio.gather(*insisting)

    async def _insist(self, client: httpx.AsyncClient, intent: Intent) -> None:
        while not intent.knows and not self.stop.is_set():
            await asyncio.sleep(ASKS_AGAIN_S)
            await self._ask(client, intent)

    async def _ask(self, client: httpx.AsyncClient, intent: Intent) -> None:
        headers = {"authorization": f"Bearer {self._keys[intent.agent]}"}
        while not self.stop.is_set():
            try:
                answer = await client.post(f"/v1/tools/{intent.tool}", json=intent.arguments, headers=headers)
            except httpx.ConnectError:  # the gateway is down: nothing was asked yet
                await asyncio.sleep(DOWN_S)
                continue
            except httpx.TransportError:
                intent.lost_answers += 1
                return
            body = answer.json()
            receipt = body.get("receipt")
            if receipt is not None:
                intent.told.append(receipt["outcome"])
            if answer.status_code >= 400:
                intent.problems[body.get("type", "?").rpartition(":")[2]] += 1
            intent.knows = not body.get("retryable", False) and receipt is not None and receipt["outcome"] in ENDS
            return

"""Faults of a server, as a plan: which requests go wrong, how, how often. Neutral to the product.

A plan holds rules; the first rule that a request draws decides what happens to it (``latency`` rules add to
what follows). Draws come from a seeded generator, so that a run can be repeated. ``perform`` carries a
drawn fault out around a handler that commits; what an error looks like in a product, its ``Dialect`` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, get_args

FaultName = Literal[
    "latency",  # waits `seconds`, then goes on
    "rate_limit",  # 429; variant "bare": without body and Retry-After (which is `seconds`)
    "html",  # an HTML page with `status` (200); variant: hibernate, maintenance, login
    "error_before",  # `status` (500), nothing committed
    "error_after",  # commits, then `status` (500)
    "truncate",  # commits, then half the body and a closed connection; variant "clean": a whole answer, cut short
    "broken",  # commits, then a broken body; variant: what the product's dialect knows
    "timeout_before",  # never answers, nothing committed
    "timeout_after",  # commits, never answers
    "late_commit",  # never answers; commits `seconds` after the client gave up
    "drop_before",  # closes the connection, nothing committed
    "drop_after",  # commits, then closes the connection
    "session_expired",  # 401 though the credentials are good
    "dropped_202",  # 202 with an empty body, nothing done
]
FAULTS: tuple[str, ...] = get_args(FaultName)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to do what. A rule without methods, path and body draws on every request.

    ``path`` and ``body`` are regular expressions, searched in the target (path and query) and the request
    body. ``skip`` lets the first matching requests pass; ``count`` is how often the rule fires at most.
    """

    fault: FaultName
    methods: tuple[str, ...] = ()
    path: str = ""
    body: str = ""
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    seconds: float = 0.0
    status: int = 0
    variant: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Rule:
        """A rule from its JSON form. Raises ValueError for an unknown key or fault."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"no such key in a rule: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        if given.get("fault") not in FAULTS:
            raise ValueError(f"no such fault: {given.get('fault')!r}; there are {', '.join(FAULTS)}")
        return cls(**{**given, "methods": tuple(given.get("methods", ()))})

    def matches(self, method: str, target: str, body: bytes) -> bool:
        return (
            (not self.methods or method in self.methods)
            and (not self.path or re.search(self.path, target) is not None)
            and (not self.body or re.search(self.body, body.decode("utf-8", "replace")) is not None)
        )


@dataclass(slots=True)
class _Active:
    rule: Rule
    seen: int = 0
    fired: int = 0


class Faults:
    """A plan of rules with a seeded generator; ``fired`` counts what was done."""

    def __init__(self, rules: Iterable[Rule] = (), seed: int = 0) -> None:
        self.fired: Counter[str] = Counter()
        self.set(rules, seed)

    def set(self, rules: Iterable[Rule], seed: int = 0) -> None:
        """Replace the plan."""
        self._active = [_Active(rule) for rule in rules]
        self._random = random.Random(seed)  # noqa: S311 -- a repeatable plan, no secret

    def reset(self) -> None:
        """No faults from now on, and nothing counted."""
        self.set(())
        self.fired.clear()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(active.rule for active in self._active)

    def draw(self, method: str, target: str, body: bytes = b"") -> tuple[float, Rule | None]:
        """For one request: seconds of latency, and the rule that decides the rest, if any fires."""
        latency = 0.0
        if not self._active:
            return latency, None
        for active in self._active:
            rule = active.rule
            if not rule.matches(method, target, body):
                continue
            if rule.count is not None and active.fired >= rule.count:
                continue
            active.seen += 1
            if active.seen <= rule.skip:
                continue
            if rule.probability < 1.0 and self._random.random() >= rule.probability:
                continue
            active.fired += 1
            self.fired[rule.fault] += 1
            if rule.fault != "latency":
                return latency, rule
            latency += rule.seconds
        return latency, None


class Dialect(Protocol):
    """What faults look like in a product."""

    def rate_limited(self, rule: Rule) -> Answer: ...

    def html(self, rule: Rule) -> Answer: ...

    def server_error(self, rule: Rule) -> Answer: ...

    def session_expired(self) -> Answer: ...

    def broken(self, answer: Answer, rule: Rule) -> Answer: ...


class Connection(Protocol):
    """The client's end, as far as faults reach it."""

    async def gone(self) -> None:
        """Return once the client gave up or the server closes."""

    def drop(self) -> None:
        """Close the connection at once, without an answer."""


@dataclass(slots=True)
class Performer:
    """Carries drawn faults out. ``pending`` counts late commits still to come."""

    dialect: Dialect
    pending: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, rule: Rule, commit: Callable[[], Answer], connection: Connection) -> Answer | None:
        """The answer that goes out, or None: the caller keeps silent until the client is gone.

        ``commit`` runs the request once, or never.
        """
        dialect = self.dialect
        match rule.fault:
            case "rate_limit":
                return dialect.rate_limited(rule)
            case "html":
                return dialect.html(rule)
            case "session_expired":
                return dialect.session_expired()
            case "dropped_202":
                return Answer(202)
            case "error_before":
                return dialect.server_error(rule)
            case "error_after":
                commit()
                return dialect.server_error(rule)
            case "broken":
                return dialect.broken(commit(), rule)
            case "truncate":
                return self._truncated(commit(), rule, connection)
            case "drop_before" | "drop_after":
                if rule.fault == "drop_after":
                    commit()
                connection.drop()
                return None
            case "timeout_before" | "timeout_after":
                if rule.fault == "timeout_after":
                    commit()
                return None
            case "late_commit":
                await self._commit_late(rule, commit, connection)
                return None
        return commit()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the server closes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)

    def _truncated(self, answer: Answer, rule: Rule, connection: Connection) -> Answer:
        half = answer.body[: len(answer.body) // 2]
        if rule.variant == "clean":
            return Answer(answer.status, answer.headers, half)
        whole = ("Content-Length", str(len(answer.body)))
        return Answer(answer.status, (*answer.headers, whole), half)

    async def _commit_late(self, rule: Rule, commit: Callable[[], Answer], connection: Connection) -> None:
        self.pending += 1
        try:
            await connection.gone()
            await self.pause(rule.seconds)
            if not self.closing.is_set():
                commit()
        finally:
            self.pending -= 1

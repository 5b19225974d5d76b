"""What a rule of the kit is, and what comes of checking it.

A rule is one function. Its docstring is its documentation: the first paragraph says in a sentence what must hold,
the one that begins with ``To do:`` what to do where it does not. ``docs/kit.md`` is made from these.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from interlock.conformance.bench import Bench

Level = Literal["reads", "harvests", "writes", "proven"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Lowest first; each includes those before it."""

Outcome = Literal["passed", "failed", "skipped", "does_not_apply"]
Needs = Literal["folder", "source"]


class Failed(Exception):
    """The rule does not hold; the text says what was seen. ``todo`` stands instead of the rule's own."""

    def __init__(self, seen: str, todo: str | None = None) -> None:
        super().__init__(seen)
        self.todo = todo


class Skipped(Exception):
    """The rule could not be checked; the text says why. It caps the level."""


class DoesNotApply(Exception):
    """What the rule is about does not exist here; the text says what is missing. It caps nothing."""


Check = Callable[..., Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``per_kind`` rules are checked for each kind; ``offline``: also from recordings."""

    id: str
    level: Level
    needs: Needs
    per_kind: bool
    offline: bool
    about: str
    todo: str
    check: Check

    async def run(self, bench: Bench, kind: str | None) -> str | None:
        """Check it; gives what is worth telling. Raises Failed, Skipped, DoesNotApply."""
        return await (self.check(bench, kind) if self.per_kind else self.check(bench))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one rule, of one kind where the rule is checked for each."""

    rule: Rule
    kind: str | None
    outcome: Outcome
    seen: str
    todo: str
    seconds: float

    @property
    def name(self) -> str:
        """``READ-GET/incident``."""
        return self.rule.id if self.kind is None else f"{self.rule.id}/{self.kind}"


class Book:
    """Rules in the order in which they are checked."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def rule(
        self,
        id: str,  # noqa: A002
        level: Level,
        *,
        needs: Needs = "source",
        per_kind: bool = False,
        offline: bool = False,
    ) -> Callable[[Check], Check]:
        """Make a rule of a function."""

        def made(check: Check) -> Check:
            about, todo = _documented(check)
            self.add(Rule(id, level, needs, per_kind, offline or needs == "folder", about, todo, check))
            return check

        return made

    def add(self, rule: Rule) -> None:
        """Take a rule in. Raises ValueError for an id that is taken."""
        if any(known.id == rule.id for known in self.rules):
            raise ValueError(f"the rule {rule.id} is there twice")
        self.rules.append(rule)


def _documented(check: Callable[..., Any]) -> tuple[str, str]:
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(check) or "").split("\n\n")]
    todo = next((part.removeprefix("To do: ") for part in paragraphs if part.startswith("To do: ")), "")
    if not paragraphs[0] or not todo:
        raise ValueError(f"{check.__name__} needs a sentence and a paragraph 'To do: ...'")
    return paragraphs[0], todo


def level_of(results: list[Result]) -> Level | None:
    """The highest level that was reached: at it and below, every rule holds that applies, and at it some do."""
    reached: Level | None = None
    for level in LEVELS:
        mine = [result for result in results if result.rule.level == level]
        if any(result.outcome in ("failed", "skipped") for result in mine):
            break
        if not any(result.outcome == "passed" and result.rule.needs == "source" for result in mine):
            break
        reached = level
    return reached


def holding_back(results: list[Result], wanted: Level) -> list[Result]:
    """Results that keep an adapter from a level."""
    needed = LEVELS[: LEVELS.index(wanted) + 1]
    return [r for r in results if r.rule.level in needed and r.outcome in ("failed", "skipped")]

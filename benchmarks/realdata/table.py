"""Every number of a data set's ``profile.json``: what a check finds for it, or why none does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import yaml

from benchmarks.realdata.finding import Finding
from benchmarks.realdata.loading import HERE, DataSet

NUMBER_KEYS = frozenset(
    {"number", "check", "reason", "fact", "of", "source", "distinct", "take", "after", "differs", "why"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """One number that a check covers. ``why``: the reason of the difference; empty where there is none."""

    data: str
    number: str
    check: str
    what: str
    expected: int
    found: int
    why: str

    @property
    def difference(self) -> int:
        return self.found - self.expected


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Numbers that no check covers, and why."""

    data: str
    why: str
    numbers: tuple[str, ...]


@cache
def reasons() -> Mapping[str, str]:
    """The reasons by id."""
    found: dict[str, str] = yaml.safe_load((HERE / "reasons.yaml").read_text(encoding="utf-8"))
    return found


def numbers(facts: Any, at: str = "") -> Iterator[tuple[str, int | float]]:
    """Every number, by its path."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            yield from numbers(value, f"{at}/{key}" if at else str(key))
    elif isinstance(facts, list):
        for place, value in enumerate(facts):
            yield from numbers(value, f"{at}/{place}")
    elif isinstance(facts, int | float) and not isinstance(facts, bool):
        yield at, facts


def rows(data: DataSet, facts: Mapping[str, Any], found: Mapping[str, Sequence[Finding]]) -> list[Row]:
    """The covered numbers. Raises ValueError when the file names a number that is not there, or a key that is not."""
    stated, made = dict(numbers(facts)), []
    for entry in data.about["numbers"]:
        if unknown := set(entry) - NUMBER_KEYS:
            raise ValueError(f"{data.name}: {entry['number']}: {', '.join(sorted(unknown))} is not known")
        matching = [(path, match) for path in stated if (match := _pattern(entry["number"]).fullmatch(path))]
        if not matching:
            raise ValueError(f"{data.name}: profile.json has no number {entry['number']}")
        for path, match in matching:
            part = match.group(1) if match.groups() else ""
            count = _count(entry, part.removesuffix(".csv"), found[entry.get("after", "")])
            explained = count - stated[path] == entry.get("differs", 0) and count != stated[path]
            made.append(
                Row(
                    data=data.name,
                    number=path,
                    check=entry["check"],
                    what=entry.get("reason") or entry.get("fact", "").replace("{}", "n") or "",
                    expected=int(stated[path]),
                    found=count,
                    why=entry.get("why", "") if explained else "",
                )
            )
    return made


def uncovered(data: DataSet, facts: Mapping[str, Any]) -> list[Uncovered]:
    """The other numbers by reason. Raises ValueError for a number without one."""
    patterns = [_pattern(entry["number"]) for entry in data.about["numbers"]]
    left: dict[str, list[str]] = {}
    for path, _ in numbers(facts):
        if any(pattern.fullmatch(path) for pattern in patterns):
            continue
        why = next((w for w, held in data.about["uncovered"].items() if any(fnmatchcase(path, p) for p in held)), None)
        if why is None:
            raise ValueError(f"{data.name}: nothing is said of {path}")
        left.setdefault(why, []).append(path)
    return [Uncovered(data.name, why, tuple(paths)) for why, paths in left.items()]


def unexplained(made: Sequence[Row]) -> list[Row]:
    """Rows with a difference and no reason."""
    return [row for row in made if row.difference and row.why not in reasons()]


def _count(entry: Mapping[str, Any], part: str, found: Sequence[Finding]) -> int:
    """How many records the findings speak of; with ``distinct`` how many facts, with ``take`` the number told."""
    wanted, source = entry.get("of") or {}, entry.get("source", "").replace("{}", part)
    fact = _fact(entry["fact"]) if "fact" in entry else None
    told: list[str] = []
    count = 0
    for flag in found:
        if flag.code != entry["check"] or (source and flag.source != source):
            continue
        if "reason" in entry and entry["reason"] not in flag.reasons:
            continue
        if not all(_is(flag.record.get(name), value, part) for name, value in wanted.items()):
            continue
        fitting = [each for each in flag.facts if fact is None or fact.fullmatch(each)]
        count += bool(fitting)
        told += fitting
    if "take" in entry:
        return sum(int(match.group(1)) for each in told if fact and (match := fact.fullmatch(each)))
    return len(set(told)) if entry.get("distinct") else count


def _is(held: Any, value: Any, part: str) -> bool:
    return held in value if isinstance(value, list) else held == str(value).replace("{}", part)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(re.escape(piece) for piece in text.split("*")))


@cache
def _fact(text: str) -> re.Pattern[str]:
    """A fact with ``*`` for any words and ``{}`` for a number that is told."""
    pieces = [".*".join(re.escape(part) for part in piece.split("*")) for piece in text.split("{}")]
    return re.compile(r"(\d+)".join(pieces))

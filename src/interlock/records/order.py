"""One order for all sources: how records compare by the fields that a search sorts by.

Instants and days by time, words of an enum in the order of the contract, text without regard to case.
Missing values (absent, empty, unmapped) come last in either direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interlock.records.fields import UNMAPPED, Field
from interlock.records.filters import Sort, fold

Place = tuple[Any, ...]
"""Where a record stands: places compare. The empty place stands before all others."""

_MISSING = (1,)


class _Down:
    """A value in descending order."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]


def places(sort: Sequence[Sort], fields: Mapping[str, Field]) -> Callable[[Mapping[str, Any]], Place]:
    """A function that tells the place of a record in this order."""
    steps = [
        (each.field, each.descending, {word: at for at, word in enumerate(fields[each.field].values)}) for each in sort
    ]

    def place(record: Mapping[str, Any]) -> Place:
        found: list[tuple[Any, ...]] = []
        for name, descending, rank in steps:
            value = record.get(name)
            if lacks(value):
                found.append(_MISSING)
                continue
            known = rank.get(str(value), len(rank)) if rank else fold(value)
            found.append((0, _Down(known) if descending else known))
        return tuple(found)

    return place


def lacks(value: Any) -> bool:
    """Whether a value counts as missing in an order."""
    return value is None or value in ("", UNMAPPED)

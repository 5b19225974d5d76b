"""One source's part of a joined search: its rows in the asked order, page by page, from a kept position.

A run asks the source for its own order where that is the contract's. Where only the place of missing values
may differ, it asks for the rows that have a value first and for the others after them. Where the order is
another, or none, all rows that match are read within the source's bound and put in order here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from interlock.records.fields import Field
from interlock.records.filters import Condition, Query, Sort
from interlock.records.order import Place, lacks, places
from interlock.records.problems import Problem, Slug, invalid
from interlock.sources.answers import Found, Origin
from interlock.sources.source import Source

Outcome = Literal["answered", "partial", "left_out", "failed", "late"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one source gave to a joined answer."""

    source: str
    outcome: Outcome
    rows: int
    reason: str | None = None
    observed_at: float | None = None
    origin: Origin | None = None


_AGREED = frozenset({"instant", "day", "int", "duration", "enum"})
"""Types that every source orders alike; how one compares text, only that source knows."""
_STAMPED = frozenset({"created_at", "updated_at", "opened_at"})
"""What every product stamps on its records: no question for those without is needed."""

_ENDED = None
"""The packed position of a run without further rows."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a source is brought to the asked order: ``asks`` one after the other, or everything, sorted here.

    ``leads``: the field by which the source itself orders the first of them; rows without a value that we can
    read stand where the source has them. ``floor`` is the first place a row of this source can have.
    """

    asks: tuple[Query, ...]
    sorted_here: bool = False
    leads: str | None = None
    floor: Place = ()


def way(source: Source, kind: str, query: Query, fields: Mapping[str, Field]) -> Way:
    """The way for this source. Raises Problem when it cannot be asked at all."""
    plan = source.plan(kind, query)
    sort = query.sort
    if not sort or plan.empty or plan.contract_order:
        return Way((query,))
    if sort[0].field not in source.fields(kind):  # missing in all rows: the rest of the order decides
        rest = way(source, kind, replace(query, sort=sort[1:]), fields)
        return replace(rest, floor=((1,), *rest.floor))
    if plan.order == sort and all(fields[each.field].type in _AGREED for each in sort):
        if sort[0].field in _STAMPED:
            return Way((query,), leads=sort[0].field)
        split = _split(source, kind, query)
        if split is not None:
            return Way(split, leads=sort[0].field)
    return Way((replace(query, sort=()),), sorted_here=True)


def _split(source: Source, kind: str, query: Query) -> tuple[Query, Query] | None:
    """Rows with a value and rows without, where the source itself can tell them apart."""
    first = query.sort[0].field
    present, missing = Condition(first, "not_empty"), Condition(first, "empty")
    asks = (
        replace(query, filter=(*query.filter, present)),
        replace(query, filter=(*query.filter, missing), sort=query.sort[1:]),
    )
    for ask, own in zip(asks, (present, missing), strict=True):
        plan = source.plan(kind, ask)
        if own in plan.post or plan.order != ask.sort:
            return None
    return asks


class Run:
    """The rows of one source. ``rows`` are those read and not yet taken, each with its place and its age."""

    def __init__(
        self,
        source: Source,
        kind: str,
        way: Way,
        sort: tuple[Sort, ...],
        fields: Mapping[str, Field],
        size: int,
        max_age_s: float,
        packed: Any = (),
    ) -> None:
        self.source = source
        self.name = source.name
        self.rows: deque[tuple[Place, dict[str, Any], float]] = deque()
        self.given = 0
        self.warnings: list[str] = []
        self.observed_at: float | None = None  # of the oldest page read
        self.origin: Origin = "live"
        self.problem: Problem | None = None  # why it is not asked any more, or not on this page
        self.outcome: Outcome = "answered"
        self.bounded = False  # the last page met a bound: more may follow, but not for this call
        self.dropped = False
        self._kind = kind
        self._way = way
        self._place = places(sort, fields) if sort else None
        self._sort = sort
        self._wanted = size
        self._max_age_s = max_age_s
        self._last = way.floor
        self._next: Any = None  # the source's cursor behind the page in ``rows``
        self._ask, self._used, self._size, self._at = _unpacked(packed, way, size)

    @property
    def ended(self) -> bool:
        """Whether nothing follows: no row is kept, and none can be asked for."""
        return not self.rows and self._ask >= len(self._way.asks)

    @property
    def packed(self) -> Any:
        """The position as small JSON: which question, rows used of the page, its size, the source's cursor."""
        if self.ended:
            return _ENDED
        return [self._ask, self._used, self._size, self._at]

    @property
    def head(self) -> Place:
        """The place of the next row; without an order runs take turns."""
        return self.rows[0][0] if self._place is not None else (self.given,)

    def take(self) -> tuple[dict[str, Any], float]:
        """The next row and when it was observed."""
        _, record, observed = self.rows.popleft()
        self._used += 1
        if not self.rows:
            self._turn()
        return record, observed

    def drop(self, outcome: Outcome, problem: Problem) -> None:
        """Not asked any more in this search."""
        self.outcome, self.problem, self.dropped = outcome, problem, True
        self.rows.clear()

    async def read(self) -> None:
        """Read the next page. Afterwards there is a row, or the run has ended. Raises Problem."""
        while not self.rows and self._ask < len(self._way.asks):
            found = await self._page()
            self._note(found)
            past = min(self._used, len(found.records))
            self._next = found.cursor
            if past == len(found.records):
                self._used -= past
                self._turn(keep=True)
                if found.truncated and not found.records and self._ask < len(self._way.asks):
                    raise self._too_far(found)
                continue
            ordered = self._ordered(found.records)
            self.rows.extend((place, record, found.observed_at) for place, record in ordered[past:])
            self.bounded = found.truncated

    async def _page(self) -> Found:
        way = self._way
        if not way.sorted_here:
            ask = replace(way.asks[self._ask], limit=self._size)
            return await self.source.search(self._kind, ask, cursor=self._at, max_age_s=self._max_age_s)
        most = self.source.scan_limit
        found = await self.source.search(self._kind, replace(way.asks[0], limit=most), max_age_s=self._max_age_s)
        if found.cursor is not None:
            raise self._cannot_sort(most)
        return found

    def _ordered(self, records: list[dict[str, Any]]) -> list[tuple[Place, dict[str, Any]]]:
        place = self._place
        if place is None:
            return [((), record) for record in records]
        if self._way.sorted_here:
            return sorted(((place(record), record) for record in records), key=lambda row: (row[0], row[1]["ref"]))
        if self._way.leads is None:
            return [(place(record), record) for record in records]
        return [(self._standing(place(record), record), record) for record in records]

    def _standing(self, place: Place, record: Mapping[str, Any]) -> Place:
        """A row whose value does not tell its place (not readable, no word for it) stands where the source has it."""
        if (self._ask == 0 and lacks(record.get(self._way.leads or ""))) or place < self._last:
            return self._last
        self._last = place
        return place

    def _note(self, found: Found) -> None:
        self.warnings += [word for word in found.warnings if word not in self.warnings]
        if self.observed_at is None or found.observed_at < self.observed_at:
            self.observed_at, self.origin = found.observed_at, found.origin

    def _turn(self, *, keep: bool = False) -> None:
        """On to the page behind this one, or to the next question."""
        self._at = self._next
        if not keep:
            self._used = 0
        if self._at is None:
            self._ask += 1
            self._used = 0
            self._size = self._wanted
        elif self._used == 0:
            self._size = self._wanted

    def _too_far(self, found: Found) -> Problem:
        return Problem(
            Slug.UNSUPPORTED,
            f"{self.name} cannot check the whole filter itself, and none of the rows that were read for it matched "
            f"(scan_limit is {self.source.scan_limit})",
            field="filter",
            next_step=f"Narrow the filter, or name the source ({self.name}) and follow its cursor.",
            source=self.name,
        )

    def _cannot_sort(self, most: int) -> Problem:
        asked = ", ".join(f"{'-' if each.descending else ''}{each.field}" for each in self._sort)
        return Problem(
            Slug.UNSUPPORTED,
            f"sort: {self.name} cannot sort by {asked}, and at most {most} rows are read to sort them here; more match",
            field="sort",
            value=asked,
            next_step="Narrow the filter, or leave sort out.",
            source=self.name,
        )


def _unpacked(packed: Any, way: Way, size: int) -> tuple[int, int, int, Any]:
    if packed == ():
        return 0, 0, size, None
    if packed is _ENDED:
        return len(way.asks), 0, size, None
    ask, used, page, at = packed
    if not 0 <= ask < len(way.asks):
        raise invalid("cursor", None, "is not a cursor of this search", "Start the search again without cursor.")
    return ask, used, page, at

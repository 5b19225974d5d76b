"""Windows: hours of the week, or a span of days, in which nothing is to start.

``mon-fri 08:00-18:00`` comes every week and may pass midnight (its days are those on which it begins);
``2026-12-24T18:00/2026-12-27T06:00`` comes once. Both are times of one zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from interlock.jobs.cron import read_cron, wall_moment
from interlock.records.problems import Problem, Slug, invalid

_WEEKLY = re.compile(r"(?:(?P<days>\S+) +)?(?P<begin>[0-2]\d:[0-5]\d)-(?P<end>[0-2]\d:[0-5]\d)")
_WAYS = "Write `mon-fri 08:00-18:00` or `2026-12-24T18:00/2026-12-27T06:00`."
_MOST_WINDOWS = 1000
"""More windows than this without a gap between them: there is none."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A window that comes back: ``begins`` and ``lasts`` are wall-clock minutes of a day."""

    days: frozenset[int]  # 0 is Sunday
    begins: int
    lasts: int
    zone: ZoneInfo

    def ends(self, at: float) -> float | None:
        """When the window that covers ``at`` ends; None outside of it."""
        today = datetime.fromtimestamp(at, self.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for midnight in (today - timedelta(days=1), today):
            if midnight.isoweekday() % 7 in self.days:
                begin = midnight + timedelta(minutes=self.begins)
                end = wall_moment(begin + timedelta(minutes=self.lasts), self.zone)
                if wall_moment(begin, self.zone) <= at < end:
                    return end
        return None


@dataclass(frozen=True, slots=True)
class Once:
    """A window that comes once (seconds since the epoch)."""

    begin: float
    end: float

    def ends(self, at: float) -> float | None:
        """When it ends, if it covers ``at``; None outside of it."""
        return self.end if self.begin <= at < self.end else None


Window = Weekly | Once


def read_window(text: str, zone: ZoneInfo | None = None) -> Window:
    """A window, in UTC unless said otherwise. Raises Problem naming what is wrong and the way out."""
    zone = zone or ZoneInfo("UTC")
    found = _WEEKLY.fullmatch(text.strip())
    if found:
        days = read_cron(f"0 0 * * {found['days'] or '*'}").weekdays if found["days"] else frozenset(range(7))
        begin, end = _minutes(found["begin"], text), _minutes(found["end"], text)
        return Weekly(days, begin, (end - begin) % 1440 or 1440, zone)
    first, _, last = text.partition("/")
    try:
        begin_wall, end_wall = datetime.fromisoformat(first.strip()), datetime.fromisoformat(last.strip())
    except ValueError:
        raise invalid("window", text, "is neither hours of the week nor two times", _WAYS) from None
    if begin_wall.tzinfo or end_wall.tzinfo:
        raise invalid("window", text, "has a time zone of its own; times are those of schedule.time_zone", _WAYS)
    once = Once(wall_moment(begin_wall, zone), wall_moment(end_wall, zone))
    if once.end <= once.begin:
        raise invalid("window", text, "ends before it begins", _WAYS)
    return once


def first_outside(at: float, windows: Iterable[Window]) -> float:
    """The first moment from ``at`` on that no window covers. Raises Problem when there is none."""
    every = tuple(windows)
    for _ in range(_MOST_WINDOWS):
        later = max((end for window in every if (end := window.ends(at)) is not None), default=None)
        if later is None:
            return at
        at = later
    raise Problem(
        Slug.INVALID_ARGUMENT,
        "the windows leave no time at all",
        field="windows",
        next_step="Shorten one of them.",
    )


def _minutes(text: str, window: str) -> int:
    hours, minutes = map(int, text.split(":"))
    found = hours * 60 + minutes
    if found > 1440:
        raise invalid("window", window, f"{text} is not a time of day", _WAYS)
    return found

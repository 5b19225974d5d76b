"""Cron expressions: five fields, read as crontab(5) reads them, in a time zone with summer time.

A schedule that names every hour goes by real time: it fires in both of the hours that are passed twice in
autumn, and not in the one that spring leaves out. Every other schedule goes by the clock on the wall: a time
that spring leaves out fires when the gap ends, one that autumn passes twice fires the first time only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from interlock.records.problems import Problem, invalid

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: n for n, name in enumerate(_MONTH_NAMES, start=1)}
WEEKDAYS = {name: n for n, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, WEEKDAYS),
)
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_WAYS = "Write minute, hour, day of month, month and day of week, for example `30 2 * * mon-fri`."


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is to happen. Made by ``read_cron``; equal when text and zone are."""

    text: str
    zone: ZoneInfo
    minutes: tuple[int, ...] = field(compare=False, repr=False)
    hours: tuple[int, ...] = field(compare=False, repr=False)
    days: frozenset[int] = field(compare=False, repr=False)
    months: frozenset[int] = field(compare=False, repr=False)
    weekdays: frozenset[int] = field(compare=False, repr=False)
    either_day: bool = field(compare=False, repr=False)
    """Day of month and day of week are both restricted: then one of them is enough, as in crontab(5)."""

    def after(self, at: float) -> float:
        """The first firing later than ``at`` (both: seconds since the epoch)."""
        return next(self.firings(at))

    def firings(self, since: float) -> Iterator[float]:
        """All firings later than ``since``, in order, without end."""
        return self._by_real_time(since) if len(self.hours) == 24 else self._by_wall_clock(since)

    def latest(self, until: float, since: float) -> float | None:
        """The last firing that is later than ``since`` and not later than ``until``."""
        back = 3600.0
        while True:  # a firing is found within the last hours as a rule, however long ago ``since`` is
            start = max(until - back, since)
            if start >= until:
                return None
            found = None
            for firing in self.firings(start):
                if firing > until:
                    break
                found = firing
            if found is not None or start == since:
                return found
            back *= 8

    def on(self, day: date) -> bool:
        """Whether it fires on a day at all."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def _by_wall_clock(self, since: float) -> Iterator[float]:
        day, last = _local(since, self.zone).date(), since
        while True:
            if self.on(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        found = wall_moment(datetime.combine(day, time(hour, minute)), self.zone)
                        if found > last:  # several times in one gap are one firing, at its end
                            last = found
                            yield found
            day += timedelta(days=1)

    def _by_real_time(self, since: float) -> Iterator[float]:
        at = since // 60 * 60 + 60
        minutes = frozenset(self.minutes)
        while True:
            local = _local(at, self.zone)
            if not self.on(local.date()):
                tomorrow = local.date() + timedelta(days=1)
                at = max(at + 60, wall_moment(datetime.combine(tomorrow, time()), self.zone))
                continue
            if local.minute in minutes:
                yield at
            at += 60


def _local(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, zone)


def wall_moment(wall: datetime, zone: ZoneInfo) -> float:
    """When a clock in ``zone`` shows ``wall`` for the first time; in a gap: when the gap ends."""
    early = wall.replace(tzinfo=zone).timestamp()
    if _local(early, zone).replace(tzinfo=None) == wall:
        return early
    late = wall.replace(tzinfo=zone, fold=1).timestamp()  # in a gap the fold is the earlier moment
    moments = range(int(late), int(early) + 1)
    after = _offset(int(early), zone)
    return float(moments[bisect_left(moments, after, key=lambda moment: _offset(moment, zone))])


def _offset(at: int, zone: ZoneInfo) -> timedelta:
    return _local(at, zone).utcoffset() or timedelta(0)


def read_cron(text: str, zone: ZoneInfo | None = None) -> Cron:
    """A cron expression, in UTC unless said otherwise. Raises Problem naming the field and the way out."""
    words = text.lower().split()
    if len(words) != len(_FIELDS):
        raise invalid("cron", text, f"has {len(words)} fields, a cron expression has five", _WAYS)
    minutes, hours, days, months, weekdays = (
        _values(word, text, *form) for word, form in zip(words, _FIELDS, strict=True)
    )
    either_day = not words[2].startswith("*") and not words[4].startswith("*")
    if not either_day and all(min(days) > _LONGEST.get(month, 31) for month in months):
        raise invalid("cron", text, f"never fires: no such month has a day {min(days)}")
    return Cron(
        " ".join(words),
        zone or ZoneInfo("UTC"),
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        either_day,
    )


def _values(word: str, text: str, name: str, least: int, most: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step_text = part.partition("/")
        step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
        if slash and step == 0:
            raise _wrong(text, name, part, "a step is a whole number from 1 on")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = least, most
        else:
            low = _number(first, text, name, part, least, most, names)
            high = _number(last, text, name, part, least, most, names) if dash else low
            if names is WEEKDAYS and low > high == 0:
                high = 7  # sat-sun
        if slash and not dash and span != "*":
            raise _wrong(text, name, part, f"a step needs a range before it, such as */{step} or {low}-{most}/{step}")
        if low > high:
            raise _wrong(text, name, part, f"a range goes upwards; write {first}-{most},{least}-{last}")
        found.update(range(low, high + 1, step or 1))
    return frozenset(found)


def _number(word: str, text: str, name: str, part: str, least: int, most: int, names: Mapping[str, int]) -> int:
    number = names.get(word, int(word) if word.isascii() and word.isdigit() and len(word) < 4 else -1)
    if not least <= number <= most:
        also = f" or a name ({', '.join(names)})" if names else ""
        raise _wrong(text, name, part, f"must be a number from {least} to {most}{also}")
    return number


def _wrong(text: str, name: str, part: str, why: str) -> Problem:
    return invalid("cron", text, f"{name} {part!r}: {why}", _WAYS)

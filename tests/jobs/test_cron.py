"""Cron expressions against an oracle that looks at every single minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.jobs.cron import read_cron
from interlock.records.problems import Problem

DAY = 86_400
CHANGES = {  # a moment in the middle of two weeks in which clocks were changed, or a day was left out
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # half an hour
    "Pacific/Apia": ["2011-12-30T10:00"],  # 30 December was left out
    "Atlantic/Azores": ["2026-03-29T01:00", "2026-10-25T01:00"],  # at midnight, back into the day before
    "UTC": ["2024-02-29T00:00"],
}


def epoch(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shown(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")


def parts(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    spans = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(st.one_of(st.just("*"), spans), st.integers(1, most)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.one_of(
        st.just("*"), st.lists(st.one_of(number.map(str), spans, steps), min_size=1, max_size=3).map(",".join)
    )


expressions = st.tuples(parts(0, 59), parts(0, 23), parts(1, 28), parts(1, 12), parts(0, 7)).map(" ".join)


@cache
def matches(word: str, value: int, least: int, most: int) -> bool:
    """The oracle's own reading of a field: as a question about one value."""
    for part in word.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if span == "*" else span).partition("-")
        if int(low) <= value <= int(high or low) and (value - int(low)) % int(step or 1) == 0:
            return True
    return False


def fires(text: str, wall: datetime) -> bool:
    minute, hour, day, month, week = text.split()
    number = wall.isoweekday()
    in_week = matches(week, number, 0, 7) or (number == 7 and matches(week, 0, 0, 7))
    in_month = matches(day, wall.day, 1, 31)
    on = in_week and in_month if day.startswith("*") or week.startswith("*") else in_week or in_month
    return (
        on
        and matches(minute, wall.minute, 0, 59)
        and matches(hour, wall.hour, 0, 23)
        and matches(month, wall.month, 1, 12)
    )


def oracle(text: str, zone: str, since: float, until: float) -> Iterator[float]:
    every_hour = all(matches(text.split()[1], hour, 0, 23) for hour in range(24))
    info = ZoneInfo(zone)
    start = int(since) - 7200  # no change of a clock is longer ago than this and still in the way
    furthest = datetime.fromtimestamp(start, info).replace(tzinfo=None)  # the latest time the clock has shown
    for at in range(start + 60, int(until) + 1, 60):
        wall = datetime.fromtimestamp(at, info).replace(tzinfo=None)
        if every_hour:
            due = fires(text, wall)
        else:
            first = int(furthest.replace(tzinfo=UTC).timestamp()) + 60
            passed = range(first, int(wall.replace(tzinfo=UTC).timestamp()) + 1, 60)
            due = any(fires(text, datetime.fromtimestamp(n, UTC).replace(tzinfo=None)) for n in passed)
        furthest = max(furthest, wall)
        if due and at > since:
            yield float(at)


@given(expressions, st.sampled_from([(zone, moment) for zone, found in CHANGES.items() for moment in found]))
def test_fires_when_the_oracle_does(text: str, change: tuple[str, str]) -> None:
    zone, moment = change
    since, until = epoch(moment) - DAY, epoch(moment) + 1.25 * DAY
    cron = read_cron(text, ZoneInfo(zone))
    found = list(takewhile(lambda at: at <= until, cron.firings(since)))
    assert found == list(oracle(text, zone, since, until))
    assert cron.latest(until, since) == (found[-1] if found else None)


@pytest.mark.parametrize(
    ("text", "zone", "since", "expected"),
    [
        # Clocks go from 02:00 to 03:00: 02:30 comes when the gap ends, 03:30 as ever.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29 03:00 +0200", "2026-03-30 02:00 +0200"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T01:00", ["2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200"]),
        # Clocks go from 03:00 back to 02:00: a fixed time comes once, an hourly one in both hours.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T02:00", ["2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100"]),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T13:00", ["2011-12-31 00:00 +1400", "2011-12-31 12:00 +1400"]),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00", ["2104-02-29 00:00 +0000"]),
        ("0 6 * jan,Jul Sat-Sun", "UTC", "2026-01-01T00:00", ["2026-01-03 06:00 +0000", "2026-01-04 06:00 +0000"]),
        ("0 6 13 * fri", "UTC", "2026-02-12T00:00", ["2026-02-13 06:00 +0000", "2026-02-20 06:00 +0000"]),
        ("*/20 9-10 * * 7", "UTC", "2026-03-01T09:30", ["2026-03-01 09:40 +0000", "2026-03-01 10:00 +0000"]),
    ],
)
def test_known_times(text: str, zone: str, since: str, expected: list[str]) -> None:
    found = islice(read_cron(text, ZoneInfo(zone)).firings(epoch(since, zone)), len(expected))
    assert [shown(at, zone) for at in found] == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 2 * *", "4 fields"),
        ("60 2 * * *", "minute '60': must be a number from 0 to 59"),
        ("0 2 * * mont", "day of week 'mont': must be a number from 0 to 7 or a name (sun"),
        ("0 22-2 * * *", "write 22-23,0-2"),
        ("5/10 * * * *", "such as */10 or 5-59/10"),
        ("*/0 * * * *", "a step is a whole number"),
        ("0 0 31 feb,apr *", "never fires"),
        ("0 0 -1 * *", "day of month '-1'"),
        ("٣ 0 * * *", "must be a number"),
    ],
)
def test_a_mistake_is_told(text: str, told: str) -> None:
    with pytest.raises(Problem) as wrong:
        read_cron(text)
    assert told in wrong.value.detail
    assert wrong.value.value == text


def test_a_year_without_a_look_is_answered_at_once() -> None:
    cron = read_cron("* * * * *")
    assert cron.latest(epoch("2026-06-01T00:00:30"), epoch("2025-06-01T00:00")) == epoch("2026-06-01T00:00")
    yearly = read_cron("0 0 1 1 *")
    assert yearly.latest(epoch("2026-06-01T00:00"), epoch("2020-06-01T00:00")) == epoch("2026-01-01T00:00")
    assert yearly.latest(epoch("2026-06-01T00:00"), epoch("2026-05-01T00:00")) is None

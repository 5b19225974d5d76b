"""Whether a job is due: catch-up, jitter, windows, further attempts. Time is only a value here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from interlock.jobs.cron import read_cron
from interlock.jobs.job import ATTEMPTS, RETRY_S, Job, Standing, due
from interlock.jobs.windows import first_outside, read_window
from interlock.records.problems import Problem

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = 3600.0, 86_400.0


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def job(*schedule: str, jitter_s: float = 0.0, quiet: tuple[str, ...] = (), maintenance: tuple[str, ...] = ()) -> Job:
    return Job(
        "harvest:snow",
        tuple(read_cron(text, BERLIN) for text in schedule),
        ("harvest", "snow"),
        "snow",
        HOUR,
        jitter_s,
        tuple(read_window(text, BERLIN) for text in quiet),
        tuple(read_window(text, BERLIN) for text in maintenance),
    )


NIGHTLY = job("0 2 * * *")
KNOWN = Standing(at("2026-03-01T12:00"))


def test_nothing_is_due_for_the_time_before_it_was_known() -> None:
    assert due(NIGHTLY, KNOWN, at("2026-03-02T01:59")) is None
    assert due(NIGHTLY, KNOWN, at("2026-03-02T02:00")) == at("2026-03-02T02:00")


def test_a_week_off_is_one_run() -> None:
    last = Standing(KNOWN.since, at("2026-03-02T02:00"), outcome="ok", ended_at=at("2026-03-02T02:10"))
    back = at("2026-03-09T10:00")
    assert due(NIGHTLY, last, back) == at("2026-03-09T02:00")
    done = replace(last, due=at("2026-03-09T02:00"), ended_at=back)
    assert due(NIGHTLY, done, back) is None
    assert NIGHTLY.next_start(back) == at("2026-03-10T02:00")


def test_the_nights_in_which_clocks_change_have_one_run() -> None:
    """02:30 does not exist on 29 March and exists twice on 25 October."""
    nightly = job("30 2 * * *")
    for eve, morning in (("2026-03-28T12:00", "2026-03-29T12:00"), ("2026-10-24T12:00", "2026-10-25T12:00")):
        standing, runs, now = Standing(at(eve)), 0, at(eve)
        while now < at(morning):
            firing = due(nightly, standing, now)
            if firing is not None:
                runs += 1
                standing = Standing(at(eve), firing, outcome="ok", ended_at=now)
            now += 60
        assert runs == 1, eve


def test_jitter_is_the_same_everywhere_and_different_every_time() -> None:
    jittered = job("0 2 * * *", jitter_s=600)
    firings = [at(f"2026-03-{day:02}T02:00") for day in range(2, 28)]
    offsets = [jittered.jitter(firing) for firing in firings]
    assert offsets == [job("0 2 * * *", jitter_s=600).jitter(firing) for firing in firings]
    assert all(0 <= offset < 600 for offset in offsets)
    assert len(set(offsets)) == len(offsets)
    assert offsets != [replace(jittered, name="harvest:remedy").jitter(firing) for firing in firings]
    first, offset = firings[0], offsets[0]
    assert due(jittered, KNOWN, first + offset - 1) is None
    assert due(jittered, KNOWN, first + offset) == first
    assert jittered.next_start(first - 1) == first + offset


def test_a_firing_with_little_jitter_is_not_hidden_by_a_later_one_with_much() -> None:
    often = job("* * * * *", jitter_s=300)
    now = at("2026-03-02T03:00")
    expected = max(f for f in (now - 60 * n for n in range(10)) if f + often.jitter(f) <= now)
    assert due(often, KNOWN, now) == expected
    assert any(f > expected for f in (now - 60 * n for n in range(10))), "this seed does not show it"


@pytest.mark.parametrize("kind", ["quiet", "maintenance"])
def test_a_window_puts_off(kind: str) -> None:
    hourly = job("0 * * * *", **{kind: ("mon-fri 08:00-18:00",)})
    known = Standing(at("2026-03-02T07:30"))  # a Monday
    assert due(hourly, known, at("2026-03-02T08:00")) is None
    assert due(hourly, known, at("2026-03-02T17:59")) is None
    assert due(hourly, known, at("2026-03-02T18:00")) == at("2026-03-02T18:00")
    assert hourly.next_start(at("2026-03-02T08:30")) == at("2026-03-02T18:00")
    assert due(hourly, known, at("2026-03-07T08:00")) == at("2026-03-07T08:00")  # a Saturday


def test_an_attempt_that_failed_is_repeated_with_growing_pauses_and_not_for_ever() -> None:
    firing, ended = at("2026-03-02T02:00"), at("2026-03-02T02:10")
    standing = Standing(KNOWN.since, firing, 1, "failed", ended)
    assert due(NIGHTLY, standing, ended + RETRY_S - 1) is None
    assert due(NIGHTLY, standing, ended + RETRY_S) == firing
    twice = replace(standing, attempts=2, outcome="lost")
    assert due(NIGHTLY, twice, ended + 5 * RETRY_S - 1) is None
    assert due(NIGHTLY, twice, ended + 5 * RETRY_S) == firing
    thrice = replace(standing, attempts=ATTEMPTS)
    assert due(NIGHTLY, thrice, at("2026-03-03T01:59")) is None
    assert due(NIGHTLY, thrice, at("2026-03-03T02:00")) == at("2026-03-03T02:00")
    stopped = replace(standing, attempts=0, outcome="stopped")
    assert due(NIGHTLY, stopped, ended) == firing
    running = Standing(KNOWN.since, firing)
    assert due(NIGHTLY, running, at("2026-03-03T03:00")) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("22:00-06:00", ["2026-03-02T22:00", "2026-03-03T05:59"], ["2026-03-02T21:59", "2026-03-03T06:00"]),
        ("fri 22:00-06:00", ["2026-03-06T23:00", "2026-03-07T05:00"], ["2026-03-06T05:00", "2026-03-07T23:00"]),
        ("sat,sun 00:00-24:00", ["2026-03-07T00:00", "2026-03-08T23:59"], ["2026-03-06T23:59", "2026-03-09T00:00"]),
        ("2026-12-24T18:00/2026-12-27", ["2026-12-24T18:00", "2026-12-26T23:59"], ["2026-12-24T17:59", "2026-12-27"]),
        # It lasts until the clock shows 06:00, whatever was done to the clock meanwhile.
        ("22:00-06:00", ["2026-03-29T05:59", "2026-10-25T05:59"], ["2026-03-29T06:00", "2026-10-25T06:00"]),
    ],
)
def test_windows(text: str, inside: list[str], outside: list[str]) -> None:
    window = read_window(text, BERLIN)
    assert [window.ends(at(moment)) is not None for moment in (*inside, *outside)] == [True, True, False, False]


def test_windows_that_leave_no_time_are_told() -> None:
    both = [read_window("00:00-12:00", BERLIN), read_window("12:00-24:00", BERLIN)]
    with pytest.raises(Problem, match="leave no time"):
        first_outside(at("2026-03-02T10:00"), both)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("8-18", "neither hours of the week nor two times"),
        ("25:00-26:00", "25:00 is not a time of day"),
        ("mo-fr 08:00-18:00", "day of week 'mo-fr'"),
        ("2026-12-27/2026-12-24", "ends before it begins"),
        ("2026-12-24T18:00Z/2026-12-27T06:00Z", "a time zone of its own"),
    ],
)
def test_a_mistake_in_a_window_is_told(text: str, told: str) -> None:
    with pytest.raises(Problem) as wrong:
        read_window(text, BERLIN)
    assert told in wrong.value.detail

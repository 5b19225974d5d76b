"""``source_state`` and SRC-LATE: functions of the schedule, of what harvests left, and of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.quality.harvest.test_snapshots import row

from interlock.clock import ManualClock
from interlock.config import Config, read_config
from interlock.quality.flags.store import FlagStore
from interlock.quality.harvest.history import Run, add_run
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.lateness import CODE, late, rejudge
from interlock.quality.preparers.source_state import SourceState, source_states

HOUR = 3600.0
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def configured(**schedule: Any) -> Config:
    source = {"adapter": "servicenow", "base_url": "https://acme.example", "schedule": {"grace_s": 1800, **schedule}}
    body = {"sources": {"cmdb": source}, "schedule": {"time_zone": "Europe/Berlin", "jitter_s": 0}}
    return read_config(body, Path("/nowhere"), environ={})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(at("2026-03-02T02:10"))  # a Monday


@pytest.fixture
def snapshots(tmp_path: Path, clock: ManualClock) -> Snapshots:
    return Snapshots(tmp_path / "snapshots", clock)


def publish(snapshots: Snapshots, count: int, why: Sequence[str] = ()) -> None:
    draft = snapshots.begin("cmdb", "ci")
    draft.write([row(n) for n in range(count)])
    draft.publish(why=tuple(why))


def ran(snapshots: Snapshots, skew_s: float | None) -> None:
    now = snapshots.clock.now()
    add_run(snapshots, Run("cmdb", "ci", now - 60, now, "published", "full", 1, 5, 5, 2, skew_s))


def only(snapshots: Snapshots, config: Config) -> SourceState:
    (found,) = source_states(snapshots, config)
    return found


def test_the_next_harvest_is_expected_after_its_start_and_the_grace(snapshots: Snapshots) -> None:
    publish(snapshots, 5)
    nightly = only(snapshots, configured(harvest="0 2 * * *"))
    assert nightly.harvested_at == at("2026-03-02T02:10")
    assert nightly.expected_by == at("2026-03-03T02:30")
    # The earlier of both jobs counts, and none is expected within a window.
    assert only(snapshots, configured(harvest="0 2 * * *", reconcile="0 12 * * *")).expected_by == at(
        "2026-03-02T12:30"
    )
    quiet = configured(harvest="0 * * * *", quiet="mon-fri 02:00-18:00")
    assert only(snapshots, quiet).expected_by == at("2026-03-02T18:30")
    assert only(snapshots, configured()).expected_by is None


def test_summer_time_moves_what_is_expected(snapshots: Snapshots, clock: ManualClock) -> None:
    clock.advance(at("2026-03-28T03:00") - clock.now())
    publish(snapshots, 5)
    # 02:30 does not exist that night: it comes at three, an hour earlier by the sun.
    expected = only(snapshots, configured(harvest="30 2 * * *")).expected_by
    assert expected == at("2026-03-29T03:30")
    assert expected - clock.now() == 23.5 * HOUR


def test_a_kind_that_was_tried_and_never_came(snapshots: Snapshots, clock: ManualClock) -> None:
    failed = Run("cmdb", "ci", clock.now(), clock.now() + 5, "failed", "full", None, 0, 0, 1)
    add_run(snapshots, failed)
    state = only(snapshots, configured(harvest="0 2 * * *"))
    assert state == SourceState("cmdb", "ci", None, int(at("2026-03-03T02:30")), None, None, None)
    assert late([state], at("2026-03-03T03:00")) == {"cmdb:source:ci": f"never: expected_by @{state.expected_by}"}


def test_a_harvest_that_was_set_aside_is_held_against_the_current_one(snapshots: Snapshots) -> None:
    publish(snapshots, 10)
    assert only(snapshots, configured())[4:6] == (10, None)
    publish(snapshots, 9)
    assert only(snapshots, configured())[4:6] == (9, 10)
    publish(snapshots, 2, ["2 rows where there were 9"])
    assert only(snapshots, configured())[4:6] == (2, 9)
    snapshots.accept("cmdb", "ci")
    assert only(snapshots, configured())[4:6] == (2, None)


def test_the_last_skew_that_was_seen(snapshots: Snapshots) -> None:
    publish(snapshots, 5)
    for skew in (90.0, -3.6, None):
        ran(snapshots, skew)
    assert only(snapshots, configured()).skew_s == -4


def test_a_source_that_is_not_configured_any_more_is_never_late(snapshots: Snapshots) -> None:
    publish(snapshots, 5)
    assert only(snapshots, read_config({}, Path("/nowhere"), environ={})).expected_by is None


def test_a_source_becomes_late_by_the_clock_and_is_said_so_once(snapshots: Snapshots, clock: ManualClock) -> None:
    publish(snapshots, 5)
    config = configured(harvest="0 2 * * *")
    flags = FlagStore(snapshots.folder.parent, clock)
    due, before, states = at("2026-03-03T02:30"), {}, source_states(snapshots, config)
    while not (raised := flags.of("cmdb:source:ci")):
        clock.advance(60)
        before = rejudge(states, flags, clock.now(), before)
    (flag,) = raised
    assert due < clock.now() <= due + 60
    evidence = f"late: expected_by @{due:.0f}; harvested_at @{at('2026-03-02T02:10'):.0f}"
    assert (flag.code, flag.evidence, flag.status, flag.first_at) == (CODE, evidence, "open", clock.now())
    events, sequence = len(flags.events("cmdb:source:ci", CODE)), flags.sequence()
    for _ in range(3):
        clock.advance(60)
        before = rejudge(states, flags, clock.now(), before)
    rejudge(states, flags, clock.now(), {})  # another worker, or this one after a restart
    assert (len(flags.events("cmdb:source:ci", CODE)), flags.sequence()) == (events, sequence)
    publish(snapshots, 5)
    rejudge(source_states(snapshots, config), flags, clock.now(), before)
    assert flags.get("cmdb:source:ci", CODE).status == "resolved"

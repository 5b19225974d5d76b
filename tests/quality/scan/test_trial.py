"""Trying a setting before it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.quality.quality_records import DAY, NOW, ci
from tests.quality.scan.scan_bench import ScanBench

from interlock.quality.profile import Profile
from interlock.quality.scan.records import Scans
from interlock.quality.scan.trial import Call, changed, past_calls, trial, would_stop
from interlock.records.problems import Problem
from interlock.records.times import to_text


def seen(number: int, days: int) -> dict[str, object]:
    return ci(ref=f"snow:ci:{number}", serial=f"A{number}", last_seen_at=to_text(NOW - days * DAY))


def test_what_would_be_raised_and_cleared(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    bench.put("snow", "ci", [seen(1, 10), seen(2, 70), seen(3, 100), seen(4, 1)])
    longer = changed(bench.profile, "CI-STALE", ["max_age=90d"])
    found = trial(tmp_path, "CI-STALE", bench.profile, longer, NOW)
    assert (found.now, found.then, found.raised, found.cleared) == (2, 1, set(), {"snow:ci:2"})
    shorter = changed(bench.profile, "CI-STALE", ["ci.max_age.server=5d"])
    found = trial(tmp_path, "CI-STALE", bench.profile, shorter, NOW)
    assert (found.now, found.then, found.raised, found.cleared) == (2, 3, {"snow:ci:1"}, set())
    assert Scans(tmp_path).current() is None


def test_a_setting_is_read_as_a_profile_would() -> None:
    profile = changed(Profile.default(), "TKT-TIME", ["clock_skew_s=5m"])
    assert profile.incident.clock_skew_s == 300
    ages = changed(Profile.default(), "CI-STALE", ["max_age=90d", "ci.max_age.printer=1d"]).ci.max_age
    assert (ages["default"], ages["printer"], ages["service"]) == (90 * DAY, DAY, None)
    for code, setting in (("CI-STALE", "max_ages=1d"), ("CI-STALE", "max_age"), ("CI-STALED", "max_age=1d")):
        with pytest.raises(Problem):
            changed(Profile.default(), code, [setting])


def test_past_calls_that_it_would_have_stopped() -> None:
    entries = [
        {"at": at * 1_000_000, "call_id": name, "tool": tool, "refs": [ref], "verdict": verdict}
        for name, at, tool, ref, verdict in (
            ("old", NOW - 9 * DAY, "ci_update", "snow:ci:1", "allow"),
            ("one", NOW - DAY, "ci_update", "snow:ci:1", "allow"),
            ("one", NOW - DAY, "ci_update", "snow:ci:1", "allow"),
            ("read", NOW - DAY, "ci_get", "snow:ci:1", "allow"),
            ("other", NOW - DAY, "ci_update", "snow:ci:9", "allow"),
            ("held", NOW - DAY, "ci_update", "snow:ci:1", "hold"),
        )
    ]
    calls = past_calls(entries, NOW - 7 * DAY, {"ci_update": "write", "ci_get": "read"})
    assert Call("one", "ci_update", "write", ("snow:ci:1",)) in calls
    stopped = would_stop(calls, "CI-STALE", frozenset({"snow:ci:1"}), Profile.default())
    assert stopped == {"hold": ["one"], "refuse": []}

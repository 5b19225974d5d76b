"""What another setting of a check would change, and which of last week's calls would have met it."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.profile import Profile
from interlock.quality.scan.trial import Call, attempt, changed_profile
from interlock.quality.stored import stored
from interlock.records.problems import Problem

DAY = 86_400
NOW = 1_800_000_000
PROFILE = Profile.default()


def test_one_value_stands_for_every_class_that_has_an_age_and_a_bare_number_counts_days() -> None:
    changed = changed_profile(PROFILE, "CI-STALE", [("max_age", 90)])
    assert changed.ci.max_age["default"] == 90 * DAY
    assert {key for key, age in changed.ci.max_age.items() if age is None} == {
        key for key, age in PROFILE.ci.max_age.items() if age is None
    }
    single = changed_profile(PROFILE, "CI-STALE", [("ci.max_age.server", "120d")])
    assert (single.ci.max_age["server"], single.ci.max_age["default"]) == (120 * DAY, 60 * DAY)
    cell = changed_profile(PROFILE, "TKT-PRIO", [("priority.low.low", "p4")])
    assert cell.incident.priority["low"]["low"] == "p4"


@pytest.mark.parametrize(
    ("code", "name", "value", "told"),
    [
        ("CI-STALE", "max_agee", 9, "Did you mean max_age?"),
        ("CI-STAL", "max_age", 9, "Did you mean CI-STALE?"),
        ("CI-STALE", "max_age", "soon", ""),
        ("TKT-PRIO", "priority.low.low", "p9", ""),
    ],
)
def test_what_is_wrong_is_told_with_the_way_out(code: str, name: str, value: object, told: str) -> None:
    with pytest.raises(Problem) as caught:
        changed_profile(PROFILE, code, [(name, value)])
    assert told in (caught.value.next_step or "")


def test_a_shorter_age_raises_a_longer_one_clears_and_calls_are_counted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    draft = Snapshots(state / "snapshots").begin("snow", "ci")
    for n, days in enumerate((10, 40, 70, 100)):
        seen = f"{_day(NOW - days * DAY)}T00:00:00Z"
        record = {"ref": f"snow:ci:{n}", "cls": "server", "last_seen_at": seen, "attested_at": None}
        draft.write([stored("ci", record, f"h{n}", "snow", NOW)])
    draft.publish()
    draft = Snapshots(state / "snapshots").begin("snow", "incident")
    ticket = {"ref": "snow:incident:INC1", "ci": {"ref": "snow:ci:1", "name": "b"}}
    draft.write([stored("incident", ticket, "i1", "snow", NOW)])
    draft.publish()
    calls = [
        Call("w1", "incident_update", ("snow:incident:INC1",), "allow", ()),
        Call("w2", "ci_update", ("snow:ci:2",), "hold", ("CI-STALE",)),
        Call("w3", "ci_update", ("snow:ci:2",), "hold", ("CI-ORPHAN", "CI-STALE")),
        Call("w4", "ci_update", ("snow:ci:0",), "allow", ()),
    ]

    shorter = attempt(state, PROFILE, changed_profile(PROFILE, "CI-STALE", [("max_age", 30)]), "CI-STALE", calls, NOW)
    assert (shorter.raised, shorter.cleared, shorter.before, shorter.after) == (("snow:ci:1",), (), 2, 3)
    assert (shorter.held, shorter.passed, shorter.calls) == (("w1",), (), 4)

    longer = attempt(state, PROFILE, changed_profile(PROFILE, "CI-STALE", [("max_age", 90)]), "CI-STALE", calls, NOW)
    assert (longer.raised, longer.cleared) == ((), ("snow:ci:2",))
    assert (longer.held, longer.passed) == ((), ("w2",))
    assert not (state / "flags.sqlite").exists()  # nothing came into force

    with pytest.raises(Problem, match="as it was"):
        attempt(state, PROFILE, PROFILE, "CI-STALE", calls, NOW)


def _day(at: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).date().isoformat()

"""A matrix that was found is taken over into the profile, and priorities are then judged by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.quality.quality_records import NOW, incident

from interlock.quality import matrices
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.problems import Problem

FOUND = [
    ("snow:source:matrix/low/low", "differs: priority p4; matrix p5; impact low; urgency low; tickets 291 of 300"),
    ("snow:source:matrix/high/low", "differs: priority p2; matrix p3; impact high; urgency low; tickets 60 of 60"),
    ("other:source:matrix/low/low", "differs: priority p3; matrix p5; impact low; urgency low; tickets 60 of 60"),
]


def codes(profile: Profile, **changes: object) -> set[str]:
    return {flag.code for flag in Judge(profile).judge("incident", incident(**changes), NOW).flags}


def test_the_cells_of_one_source() -> None:
    assert matrices.implied("snow", FOUND) == {"low": {"low": "p4"}, "high": {"low": "p2"}}
    assert matrices.implied("sno", FOUND) == {}


def test_after_acceptance_priorities_are_judged_by_the_new_matrix(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text("# ours\nincident:\n  sources:\n    snow:\n      priority: {low: {medium: p3, low: p1}} # two\n")
    assert codes(Profile.load(file), impact="low", urgency="low", priority="p4") == {"TKT-PRIO"}
    done = matrices.accept(file, "snow", FOUND)
    assert done.before != done.after == Profile.load(file).version
    after = Profile.load(file)
    assert after.incident.sources["snow"].priority == {"low": {"medium": "p3", "low": "p4"}, "high": {"low": "p2"}}
    assert codes(after, impact="low", urgency="low", priority="p4") == set()
    assert codes(after, impact="low", urgency="low", priority="p5") == {"TKT-PRIO"}
    assert codes(after, ref="other:incident:1", impact="low", urgency="low", priority="p5") == set()
    assert file.read_text().startswith("# ours\n")
    assert file.read_text().endswith("# two\n")


def test_a_file_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    matrices.accept(tmp_path / "new.yaml", "snow", FOUND)
    assert "snow" in Profile.load(tmp_path / "new.yaml").incident.sources


@pytest.mark.parametrize(
    ("source", "text", "why"),
    [("nobody", "", "no open TKT-MATRIX"), ("snow", "ci: {max_agee: {}}\n", "max_agee"), ("snow", None, "is not set")],
)
def test_what_cannot_be_accepted_changes_nothing(tmp_path: Path, source: str, text: str | None, why: str) -> None:
    file = tmp_path / "profile.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Problem, match=why):
        matrices.accept(None if text is None else file, source, FOUND)
    assert text is None or file.read_text() == text

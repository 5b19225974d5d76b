"""Derived tables: which preparer makes which, and only those that the chosen checks read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from interlock.quality.kit import RowCheck, SetCheck
from interlock.quality.preparers import category_match, label_score, repeat_group, same_as, scc
from interlock.quality.profile import Profile

Prepare = Callable[[Any, Profile], None]

PREPARERS: Mapping[str, Prepare] = {
    "same_as": lambda con, profile: same_as.prepare(con),
    "scc": lambda con, profile: scc.prepare(con),
    "category_match": lambda con, profile: category_match.prepare(con),
    "label_score": lambda con, profile: label_score.prepare(con),
    "repeat_group": lambda con, profile: repeat_group.prepare(con, profile.incident.repeat_within),
}

UNMADE: Mapping[str, str] = {"label_score": label_score.WHY}
"""Tables that nothing fills yet, and why: a check that reads one does not run."""


def waiting(check: RowCheck | SetCheck) -> str | None:
    """Why a check cannot run; None for one that can."""
    reads = check.reads if isinstance(check, SetCheck) else ()
    return next((why for name, why in UNMADE.items() if name in reads), None)


def prepare(con: Any, profile: Profile, names: Iterable[str]) -> None:
    """Make the derived tables of these names, from the views over the snapshots and the settings."""
    for name in sorted(set(names) & PREPARERS.keys()):
        PREPARERS[name](con, profile)

"""The scan as people and jobs order it: over what is current, by what changed where that is enough."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from interlock.config import Config
from interlock.quality.gate.enforcing import put_in_force
from interlock.quality.harvest.leases import reading
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan import delta
from interlock.quality.scan import full as full_scan
from interlock.quality.scan.changes import changes_since
from interlock.quality.scan.engine import Bounds
from interlock.quality.scan.full import Progress
from interlock.quality.scan.own import read_folder
from interlock.quality.scan.records import ScanResult, Scans
from interlock.quality.scan.told import told_of
from interlock.records.problems import Problem, Slug

TRIALS = "trials"
"""Folder of the state for scans that are only looked at: of single checks, or under another profile."""


def run(
    state: Path,
    profile: Profile,
    as_of: float,
    *,
    codes: Collection[str] | None = None,
    full: bool = False,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
    config: Config | None = None,
) -> ScanResult:
    """Scan the current snapshots as of a time (epoch seconds, UTC). With ``codes`` nothing comes into force.

    ``config`` says when sources are to be harvested. What is read is not removed meanwhile.
    Raises Problem not-found when nothing was harvested, invalid-argument for an unknown code, StateError while
    another scan runs.
    """
    store = Snapshots(state / "snapshots")
    snapshots = store.all_current()
    if not snapshots:
        raise Problem(Slug.NOT_FOUND, "nothing was harvested yet", next_step="Run: interlock harvest")

    def publish(connection: Any, result: ScanResult) -> None:
        put_in_force(connection, result, state)

    config = config or Config()
    told = told_of(store, config)
    own = read_folder(config.quality.checks) if config.quality.checks else []
    with reading(snapshots):
        if codes is not None:
            trial = state / TRIALS
            return full_scan.scan(trial, snapshots, profile, as_of, codes, bounds=bounds, progress=progress, told=told)
        how: dict[str, Any] = {"bounds": bounds, "progress": progress, "publish": publish, "told": told, "own": own}
        last = None if full else Scans(state).current()
        if last is not None and _comparable(last, profile) and (changes := changes_since(store, last.read, snapshots)):
            with reading(changes.generations):
                result = delta.scan(state, last, snapshots, changes, profile, as_of, **how)
            if result is not None:
                return result
        return full_scan.scan(state, snapshots, profile, as_of, **how)


def _comparable(last: ScanResult, profile: Profile) -> bool:
    """Whether a scan ran these checks under this profile, so that what it found of unchanged records stands."""
    checks = frozenset(check.code for check in full_scan.chosen(None))
    shipped_codes = last.codes & shipped().checks.keys()
    return (last.profile, last.checks, shipped_codes) == (profile.version, shipped().hash[:16], checks)

"""Which snapshots have had their time. The current one, the one before it and those being read always stay."""

from __future__ import annotations

import shutil

from interlock.config import Kept
from interlock.quality.harvest.leases import unread
from interlock.quality.harvest.snapshots import Snapshot, Snapshots

DAY = 86_400.0


def outdated(snapshots: Snapshots, kept: Kept) -> list[Snapshot]:
    """What the policy has no place for, by source, kind and age. Readers are not asked yet."""
    before = snapshots.clock.now() - kept.days * DAY
    found = []
    for source, kind in snapshots.kinds():
        current, previous = snapshots.current(source, kind), snapshots.previous(source, kind)
        stay = {each.generation for each in (current, previous) if each is not None}
        generations = snapshots.generations(source, kind)
        older = [each for each in generations[: -kept.keep] if each.generation not in stay]
        found += [each for each in older if each.manifest.ended_at < before]
    return found


def retire(snapshots: Snapshots, kept: Kept) -> list[Snapshot]:
    """Remove what is outdated and not being read, and what a killed removal left. Returns what went."""
    for left in snapshots.folder.glob("*/*/.gone-*"):
        shutil.rmtree(left, ignore_errors=True)
    gone = []
    for snapshot in outdated(snapshots, kept):
        with unread(snapshot) as free:
            if free:
                snapshots.drop(snapshot)
                gone.append(snapshot)
    return gone

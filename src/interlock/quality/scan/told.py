"""What is told of sources beside their records: how fresh each kind is, and which fields it had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.config import Config
from interlock.quality.harvest.history import SchemaRow, schema_history
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.preparers.source_state import SourceState, source_states


@dataclass(frozen=True, slots=True)
class Told:
    """The rows of ``source_state`` and ``schema_history``."""

    states: Sequence[SourceState]
    schema: Sequence[SchemaRow] = ()


def told_of(snapshots: Snapshots, config: Config) -> Told:
    """What the schedule says and harvests left behind."""
    return Told(source_states(snapshots, config), schema_history(snapshots))


def told_by(snapshots: Iterable[Snapshot]) -> Told:
    """What single snapshots say of themselves: when they were taken, and how many rows they have."""
    taken = ((s.source, s.kind, int(s.manifest.ended_at), s.manifest.rows) for s in snapshots)
    return Told([SourceState(source, kind, at, None, rows, None, None) for source, kind, at, rows in taken])

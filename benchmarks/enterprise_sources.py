"""What is wrong with the sources themselves, planted where a scan learns of it: in what harvests left behind, and
in the schedule they should have kept."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow.parquet as pq

from benchmarks.enterprise import Planted
from interlock.config import Config
from interlock.quality.harvest.history import Run, add_run, add_schema
from interlock.quality.harvest.snapshots import Snapshots

NIGHTLY = "0 2 * * *"
LATE = "assets"
"""The source whose harvests stopped coming."""
LATE_S = 3 * 86_400
"""So long ago."""
NEVER = "archive"
"""A source that was tried and never came."""
LEFT = 10
"""Rows that were still there when a kind shrank."""


def schedule(sources: Iterable[str]) -> Config:
    """Every source is harvested each night."""
    nightly = {"adapter": "export", "schedule": {"harvest": NIGHTLY}}
    return Config.model_validate({"sources": dict.fromkeys((*sources, NEVER), nightly)})


def plant(snapshots: Snapshots, as_of: float) -> set[Planted]:
    """Spoil what was published, and say what a scan has to find because of it; LATE is late already."""
    add_run(snapshots, _run(NEVER, "ci", as_of - LATE_S, None))
    add_run(snapshots, _run("snow", "ci", as_of, 2.0))  # within what is allowed
    add_run(snapshots, _run("rem", "ci", as_of, 300.0))
    add_run(snapshots, _run("branch", "ci", as_of, -600.0))
    alerts, relations = snapshots.current("mon", "alert"), snapshots.current("rem", "relationship")
    assert alerts is not None
    assert relations is not None
    add_schema(snapshots, alerts, ["severity"])
    rest = pq.read_table(relations.files[0]).slice(0, LEFT).to_pylist()
    draft = snapshots.begin("rem", "relationship")
    draft.write([tuple(row.values()) for row in rest])
    draft.publish(why=["shrank"])
    return {
        Planted("SRC-LATE", f"{LATE}:source:asset", "late"),
        Planted("SRC-LATE", f"{NEVER}:source:ci", "never"),
        Planted("SRC-CLOCK", "rem:source:clock", "ahead"),
        Planted("SRC-CLOCK", "branch:source:clock", "behind"),
        Planted("SRC-SCHEMA", "mon:source:alert", "lost"),
        Planted("SRC-SCHEMA", "rem:source:relationship", "shrank"),
    }


def _run(source: str, kind: str, at: float, skew_s: float | None) -> Run:
    came = source != NEVER
    return Run(
        source=source,
        kind=kind,
        began_at=at - 60,
        ended_at=at,
        outcome="published" if came else "failed",
        mode="full",
        generation=1 if came else None,
        rows=0,
        read=0,
        calls=1,
        skew_s=skew_s,
    )

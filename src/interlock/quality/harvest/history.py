"""What was recorded of harvests: the fields each generation knew, and every run with its end.

JSON lines beside the snapshots, appended: ``schema.jsonl`` (``schema_history`` of the checks) and
``runs.jsonl``. A line that a kill cut short is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.records.kinds import FIELDS

SCHEMA = "schema.jsonl"
RUNS = "runs.jsonl"
Outcome = Literal["published", "suspect", "failed", "not offered"]

SchemaRow = tuple[str, str, str, str, int, bool]
"""source, kind, field, type, generation, present: the columns of ``schema_history``."""


@dataclass(frozen=True, slots=True)
class Run:
    """One harvest of one kind. Times are epoch seconds; ``skew_s`` is how far the source's clock is ahead.

    ``rows`` are in the snapshot afterwards, ``read`` came from the source. ``detail`` is not empty where
    something went wrong.
    """

    source: str
    kind: str
    began_at: float
    ended_at: float
    outcome: Outcome
    mode: str
    generation: int | None
    rows: int
    read: int
    calls: int
    skew_s: float | None = None
    resumed: bool = False
    changed: int | None = None
    gone: int | None = None
    detail: str = ""


def add_run(snapshots: Snapshots, run: Run) -> None:
    """Record a run."""
    _append(snapshots.place(run.source, run.kind) / RUNS, asdict(run))


def runs(snapshots: Snapshots, source: str, kind: str) -> list[Run]:
    """All recorded runs of a kind, oldest first."""
    return [Run(**line) for line in _lines(snapshots.place(source, kind) / RUNS)]


def add_schema(snapshots: Snapshots, taken: Snapshot, lost: Sequence[str]) -> None:
    """Record which fields a harvest knew and which it lost, also of one that was set aside."""
    known = {name: rows for name, rows in taken.manifest.known.items() if rows}
    line = {"generation": taken.generation, "rows": taken.manifest.rows, "known": known, "lost": list(lost)}
    _append(snapshots.place(taken.source, taken.kind) / SCHEMA, line)


def schema_history(snapshots: Snapshots, last: int = 2) -> list[SchemaRow]:
    """Of each kind's last generations, those set aside too: fields they knew (present) or lost (not present)."""
    found: list[SchemaRow] = []
    for source, kind in snapshots.kinds():
        for line in list(_lines(snapshots.place(source, kind) / SCHEMA))[-last:]:
            told = dict.fromkeys(line["known"], True) | dict.fromkeys(line["lost"], False)
            found += [
                (source, kind, name, FIELDS[kind][name].type, line["generation"], told[name])
                for name in sorted(told)
                if name in FIELDS[kind]
            ]
    return found


def _append(path: Path, body: Any) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"\n" * _torn(path) + orjson.dumps(body) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue

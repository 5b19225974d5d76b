"""A flag store with a clock moved by hand, and findings written as a scan writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore

Found = dict[tuple[str, str], str]
Write = Callable[[Found], Path]
SEVERITIES = {"CI-STALE": "high", "CI-ORPHAN": "medium", "TKT-PRIO": "low"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[FlagStore]:
    opened = FlagStore(tmp_path / "state", clock, severities=SEVERITIES)
    yield opened
    opened.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes findings, ``{(ref, code): evidence}``, into a new Parquet file."""
    count = iter(range(10_000))

    def make(found: Found) -> Path:
        path = tmp_path / f"findings-{next(count)}.parquet"
        rows = [(code, ref.split(":")[1], ref, evidence) for (ref, code), evidence in found.items()]
        names = ("code", "kind", "ref", "evidence")
        table = {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)}
        pq.write_table(pa.table(table), path)
        return path

    return make

"""What the suite of killed harvests looks for, it finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.fault_harvests import damage, differing

from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.stored import Stored, stored


def row(n: int, name: str = "web", at: float = 5.0) -> Stored:
    return stored("ci", {"ref": f"cmdb:ci:C{n}", "name": name}, f"h{n}", "cmdb", at)


def published(folder: Path, rows: list[Stored]) -> Snapshot:
    draft = Snapshots(folder).begin("cmdb", "ci")
    draft.write(rows)
    return draft.publish()


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([row(1), row(2)], []),
        ([row(2, at=9.0), row(1)], []),
        ([row(1), row(2, "db")], ["h2"]),
        ([row(1)], ["h2"]),
        ([row(1), row(2), row(2)], ["a row that comes twice"]),
        ([], ["h1", "h2"]),
    ],
)
def test_rows_that_differ(tmp_path: Path, rows: list[Stored], found: list[str]) -> None:
    one = published(tmp_path / "one", [row(1), row(2)])
    assert differing(one, published(tmp_path / "other", rows)) == found


def test_a_damaged_snapshot(tmp_path: Path) -> None:
    made = published(tmp_path, [row(1)])
    assert damage(made) is None
    made.files[0].write_bytes(made.files[0].read_bytes()[:-1])
    assert "is not what its manifest says" in str(damage(made))
    made.files[0].unlink()
    assert "is not what its manifest says" in str(damage(made))

"""Sizes of the state folder, their log, and the day the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlock.state.sizes import DAY, LOG, LOGGED, Size, forecast, measure, note, read_log

NOW = 1_772_366_400.0


def put(path: Path, kilobytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(kilobytes * 1024))


def test_every_file_belongs_to_a_part(tmp_path: Path) -> None:
    put(tmp_path / "ledger.sqlite", 64)
    put(tmp_path / "ledger.sqlite-wal", 16)
    put(tmp_path / "snapshots/snow/ci/3/part-0.parquet", 32)
    put(tmp_path / "snapshots/snow/incident/1/part-0.parquet", 8)
    os.link(tmp_path / "snapshots/snow/ci/3/part-0.parquet", tmp_path / "snapshots/snow/ci/3/again.parquet")
    put(tmp_path / "scans/0001/findings.parquet", 12)
    put(tmp_path / "cursor.key", 4)
    assert measure(tmp_path, NOW).parts == {
        "ledger": 80 * 1024,
        "other": 4 * 1024,
        "scans": 12 * 1024,
        "snapshots/snow/ci": 32 * 1024,
        "snapshots/snow/incident": 8 * 1024,
    }


def test_a_size_is_noted_once_a_day_and_a_torn_line_harms_nothing(tmp_path: Path) -> None:
    put(tmp_path / "ledger.sqlite", 64)
    assert note(tmp_path, NOW)
    assert not note(tmp_path, NOW + DAY / 2)
    assert note(tmp_path, NOW + DAY)
    with (tmp_path / LOG).open("ab") as file:
        file.write(b'{"at": 17')
    assert [size.at for size in read_log(tmp_path)] == [NOW, NOW + DAY]
    assert note(tmp_path, NOW + 2 * DAY)
    assert len(read_log(tmp_path)) == 3
    for day in range(3, LOGGED + 10):
        note(tmp_path, NOW + day * DAY)
    assert len(read_log(tmp_path)) == LOGGED


def sizes(*totals: float, step: float = DAY) -> list[Size]:
    first = NOW - len(totals) * step
    return [Size(first + n * step, {"ledger": int(total)}, 0) for n, total in enumerate(totals)]


def test_the_day_the_disk_is_full() -> None:
    grown = sizes(*(1e9 + day * 1e7 for day in range(20)))
    found = forecast(grown, Size(NOW, {"ledger": int(1.2e9)}, int(1e9)))
    assert found.per_day == pytest.approx(1e7)
    assert found.full_at == pytest.approx(NOW + 100 * DAY)
    # What happened before the last four weeks says nothing any more.
    long_ago = [Size(NOW - 300 * DAY, {"ledger": int(9e9)}, 0), *grown]
    assert forecast(long_ago, Size(NOW, {"ledger": int(1.2e9)}, int(1e9))) == found


@pytest.mark.parametrize(
    ("log", "free", "why"),
    [
        ([], 1e9, "0 days are known, a forecast needs 7"),
        (sizes(1e9, 2e9, 3e9), 1e9, "3 days are known, a forecast needs 7"),
        (sizes(1e9, 2e9, step=10 * DAY), 1e9, "20 days are known"),
        (sizes(*[2e9] * 20), 1e9, "it does not grow"),
        (sizes(*(1e9 + day for day in range(20))), 1e12, "not within ten years"),
    ],
)
def test_without_a_ground_there_is_no_day(log: list[Size], free: float, why: str) -> None:
    now = Size(NOW, {"ledger": int(1e9) + 20}, int(free))
    found = forecast(log, now)
    assert found.full_at is None
    assert found.why.startswith(why)

"""Which snapshots stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.quality.harvest.test_snapshots import held, row

from interlock.clock import ManualClock
from interlock.config import Kept
from interlock.quality.harvest.leases import reading, unread
from interlock.quality.harvest.retention import outdated, retire
from interlock.quality.harvest.snapshots import Snapshots
from interlock.state.errors import StateError

DAY = 86_400.0
HOLD = """
import sys
from pathlib import Path
from interlock.quality.harvest.leases import reading
from interlock.quality.harvest.snapshots import Snapshots
snapshots = Snapshots(Path(sys.argv[1]))
with reading([snapshots.generations("cmdb", "ci")[0]]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_772_366_400.0)


@pytest.fixture
def snapshots(tmp_path: Path, clock: ManualClock) -> Snapshots:
    """A generation a day, the last one just now."""
    found = Snapshots(tmp_path / "snapshots", clock)
    for _ in range(6):
        clock.advance(DAY)
        draft = found.begin("cmdb", "ci")
        draft.write([row(1)])
        draft.publish()
    return found


def kept(snapshots: Snapshots) -> list[int]:
    return [each.generation for each in snapshots.generations("cmdb", "ci")]


def test_the_newest_and_the_young_stay(snapshots: Snapshots) -> None:
    assert [each.generation for each in retire(snapshots, Kept(keep=2, days=3.5))] == [1, 2]
    assert kept(snapshots) == [3, 4, 5, 6]
    assert retire(snapshots, Kept(keep=2, days=3.5)) == []
    assert [each.generation for each in retire(snapshots, Kept(keep=3, days=0))] == [3]
    assert kept(snapshots) == [4, 5, 6]


def test_the_current_one_and_the_one_before_stay_however_old(snapshots: Snapshots, clock: ManualClock) -> None:
    clock.advance(1000 * DAY)
    retire(snapshots, Kept(keep=2, days=0))
    assert kept(snapshots) == [5, 6]
    current = snapshots.current("cmdb", "ci")
    assert current is not None
    assert held(current) == [row(1)]


def test_what_is_in_use_stays_though_newer_ones_lie_about(snapshots: Snapshots) -> None:
    """The pointer decides, not the number."""
    (snapshots.place("cmdb", "ci") / "current").write_text("2\n")
    assert [each.generation for each in outdated(snapshots, Kept(keep=2, days=0))] == [3, 4]


def test_what_is_being_read_stays_until_its_reader_ends(snapshots: Snapshots) -> None:
    command = [sys.executable, "-c", HOLD, str(snapshots.folder)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "held\n"
    retire(snapshots, Kept(keep=2, days=0))
    assert kept(snapshots) == [1, 5, 6]
    reader.kill()
    reader.wait()
    retire(snapshots, Kept(keep=2, days=0))
    assert kept(snapshots) == [5, 6]
    reader.stdout.close()
    assert reader.stdin is not None
    reader.stdin.close()


def test_what_is_being_removed_is_not_begun_to_read(snapshots: Snapshots) -> None:
    first = snapshots.generations("cmdb", "ci")[0]
    with unread(first) as free, pytest.raises(StateError, match="is being removed"), reading([first]):
        assert free
    with reading([first]), reading([first]), unread(first) as free:
        assert not free
    snapshots.drop(first)
    with pytest.raises(StateError, match="is being removed"), reading([first]):
        pass


def test_what_a_killed_removal_left_is_removed(snapshots: Snapshots) -> None:
    left = snapshots.place("cmdb", "ci") / ".gone-1"
    left.mkdir()
    (left / "part-0.parquet").write_bytes(b"x")
    retire(snapshots, Kept(keep=2, days=1000))
    assert not left.exists()
    assert kept(snapshots) == [1, 2, 3, 4, 5, 6]

"""A publication happened or it did not, whenever it is killed; and it never undoes what is newer."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.quality.flags.conftest import SEVERITIES, Write

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.records.problems import Problem

REF = "snow:ci:web1"


def test_only_differences_reach_the_store(store: FlagStore, write: Write) -> None:
    first = store.publish(write({(REF, "CI-STALE"): "old", (REF, "CI-ORPHAN"): "e"}), "s1", 1000.0)
    assert (first.opened, first.changed, first.resolved) == (2, 0, 0)
    second = store.publish(write({(REF, "CI-STALE"): "older", ("a:ci:b", "CI-STALE"): "e"}), "s2", 2000.0)
    assert (second.opened, second.changed, second.resolved) == (1, 1, 1)
    third = store.publish(write({(REF, "CI-STALE"): "older", ("a:ci:b", "CI-STALE"): "e"}), "s3", 3000.0)
    assert (third.opened, third.reopened, third.changed, third.resolved) == (0, 0, 0, 0)
    assert [(row.code, row.status, row.last_at) for row in store.of(REF)] == [
        ("CI-ORPHAN", "resolved", 1000.0),
        ("CI-STALE", "open", 3000.0),
    ]


def test_the_same_scan_again_says_the_same(store: FlagStore, write: Write) -> None:
    findings = write({(REF, "CI-STALE"): "old"})
    assert store.publish(findings, "s1", 1000.0) == store.publish(findings, "s1", 1000.0)


def test_what_was_looked_at_since_the_harvest_stays(store: FlagStore, write: Write) -> None:
    store.publish(write({(REF, "CI-STALE"): "old"}), "s1", 1000.0)
    store.replace(REF, [], ["CI-STALE"], 1500.0)
    late = store.publish(write({(REF, "CI-STALE"): "old"}), "s2", 2000.0, harvested={"snow": 1400.0})
    assert [row.status for row in store.of(REF)] == ["resolved"]
    assert store.changes_since(late.seq)[1] == [REF], "a mask of these findings must be corrected"
    store.publish(write({(REF, "CI-STALE"): "old"}), "s3", 3000.0, harvested={"snow": 2900.0})
    assert [row.status for row in store.of(REF)] == ["open"]


def test_waivers_follow_the_things_a_scan_tells(store: FlagStore, write: Write, tmp_path: Path) -> None:
    things = tmp_path / "things.parquet"
    pq.write_table(
        pa.table({"ref": [REF, "snow:ci:new"], "thing": ["serial:1", "serial:1"], "handle": ["snow:ci:~1"] * 2}), things
    )
    store.publish(write({(REF, "CI-STALE"): "old"}), "s1", 1000.0, things)
    store.act("waive", REF, "CI-STALE", "anna", "known", 2_000_000.0)
    store.publish(write({("snow:ci:new", "CI-STALE"): "old"}), "s2", 1_000_000.0, things)
    assert store.of("snow:ci:new")[0].status == "waived"


def test_lost_findings_of_last_time_are_made_good(store: FlagStore, write: Write) -> None:
    store.publish(write({(REF, "CI-STALE"): "old", (REF, "CI-ORPHAN"): "e"}), "s1", 1000.0)
    last = store.published()
    assert last is not None
    last.unlink()
    after = store.publish(write({(REF, "CI-STALE"): "old"}), "s2", 2000.0)
    assert (after.opened, after.changed, after.resolved) == (0, 0, 1)


def test_a_broken_file_changes_nothing(store: FlagStore, tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(Problem, match="cannot be published"):
        store.publish(tmp_path / "broken.parquet", "s1", 1000.0)
    assert store.published() is None


def _findings(path: Path, day: int) -> Path:
    duckdb.sql(
        f"COPY (SELECT 'CI-STALE' code, 'ci' kind, 'snow:ci:' || i AS ref, 'old: @' || (i % (7 + {day})) AS evidence "
        f"FROM range(20000) t(i) WHERE i % 11 <> {day}) TO '{path}' (FORMAT parquet)"
    )
    return path


_CHILD = """
import sys
from pathlib import Path
from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
store = FlagStore(Path(sys.argv[1]), ManualClock(9e5), severities={})
print("ready", flush=True)
store.publish(Path(sys.argv[2]), "s2", 2000.0)
"""


def test_killed_at_any_moment_it_can_be_done_again(tmp_path: Path) -> None:
    one, two = _findings(tmp_path / "1.parquet", 1), _findings(tmp_path / "2.parquet", 2)
    wanted = _publish(tmp_path / "undisturbed", one, two)
    rng = random.Random(4)
    folder = tmp_path / "killed"
    store = FlagStore(folder, ManualClock(9e5), severities=SEVERITIES)
    store.publish(one, "s1", 1000.0)
    store.close()
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(folder), str(two)],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.0, 0.6))
        child.kill()
        child.wait()
        child.stdout.close()
    assert _publish(folder, one, two) == wanted


def _publish(folder: Path, one: Path, two: Path) -> tuple[object, ...]:
    store = FlagStore(folder, ManualClock(9e5), severities={})
    store.publish(one, "s1", 1000.0)
    published = store.publish(two, "s2", 2000.0)
    refs = [f"snow:ci:{n}" for n in range(0, 20000, 7)]
    rows = [(r.ref, r.evidence, r.status, r.first_at, r.reopened) for ref in refs for r in store.of(ref)]
    events = [(e.at, e.what) for ref in refs for e in store.events(ref, "CI-STALE")]
    store.close()
    return published, rows, events

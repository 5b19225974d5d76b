"""A scan in force: when CIs go stale, what waivers follow, and that a delta leaves what a full scan leaves."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.quality.quality_records import DAY, NOW, ci, odd_cis
from tests.quality.scan.scan_bench import ScanBench
from tests.quality.scan.test_delta import PROFILE, change, estate, put

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.quality.gate.enforcing import harvested_at, put_in_force
from interlock.quality.gate.live import SUFFIX as LIVE_SUFFIX
from interlock.quality.gate.mask import NEVER, SUFFIX, Mask
from interlock.quality.gate.numbered import current
from interlock.quality.gate.quality import LIVE, MASKS, Quality
from interlock.quality.judge import Judge
from interlock.quality.scan import nightly


def in_force(folder: Path, what: str, suffix: str) -> Path:
    name = current(folder / what, suffix)
    assert name is not None
    return folder / what / name


def test_the_mask_says_to_the_second_when_a_ci_goes_stale(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    records = odd_cis(120, 5)
    for source in ("snow", "other"):
        bench.put(source, "ci", [r for r in records if r["ref"].startswith(source)])
    bench.scan(codes=["CI-STALE"], publish=lambda con, result: put_in_force(con, result, tmp_path) and None)
    mask, judge = Mask(in_force(tmp_path, MASKS, SUFFIX)), Judge(bench.profile)
    later = 0
    for record in records:
        _, stale_at = mask.find(record["ref"])
        times = (NOW, NOW + 4000 * DAY) if stale_at == NEVER else (stale_at - 1, stale_at)
        raised = [
            "CI-STALE"
            in {flag.code for flag in judge.judge("ci", dict(record), at).flags if "never" not in flag.reason}
            for at in times
        ]
        assert raised == ([False, False] if stale_at == NEVER else [stale_at == 0, True]), record
        later += stale_at not in (NEVER, 0)
    assert later > 20


def test_a_waiver_follows_the_strongest_key_that_is_the_records_own(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    shared = [ci(ref=f"snow:ci:{n}", handle=f"h{n}", serial="AB-1234", fqdn=f"n{n}.corp.example") for n in (1, 2)]
    alone = ci(ref="snow:ci:3", handle="h3", serial="SN: AB-9999", os=None)
    bare = ci(ref="snow:ci:4", handle="h4", serial=None, os=None)
    bench.put("snow", "ci", [*shared, alone, bare])
    codes = ["CI-DUP-IN", "CI-MISS-REQ"]
    bench.scan(codes=codes, publish=lambda con, result: put_in_force(con, result, tmp_path) and None)
    store = FlagStore(tmp_path, ManualClock(NOW))
    things = {row.ref: (row.thing, row.handle) for n in range(1, 5) for row in store.of(f"snow:ci:{n}")}
    store.close()
    assert things["snow:ci:3"] == ("serial:ab9999", "snow:ci:~h3")
    assert things["snow:ci:4"] == ("snow:ci:~h4", "snow:ci:~h4")
    assert things["snow:ci:1"] == ("fqdn:n1.corp.example", "snow:ci:~h1")


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("ci", "relationship"), ("asset", "ci"), ("incident",)])
def test_a_delta_leaves_the_mask_and_the_index_that_a_full_scan_makes(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    bench, rows = ScanBench(tmp_path, PROFILE), estate(random.Random(8))
    put(bench, rows)
    nightly.run(tmp_path, PROFILE, NOW)
    index = in_force(tmp_path, LIVE, LIVE_SUFFIX)
    put(bench, rows, change(random.Random(9), rows, kinds))
    assert nightly.run(tmp_path, PROFILE, NOW).mode == "delta"
    assert in_force(tmp_path, LIVE, LIVE_SUFFIX) == index  # followed, not made anew
    followed, mask = tables(index), Mask(in_force(tmp_path, MASKS, SUFFIX))
    nightly.run(tmp_path, PROFILE, NOW, full=True)
    assert followed == tables(in_force(tmp_path, LIVE, LIVE_SUFFIX))
    whole = Mask(in_force(tmp_path, MASKS, SUFFIX))
    assert mask.records == whole.records
    for (source, kind), records in rows.items():
        for key in records:
            one, other = (each.find(f"{source}:{kind}:{key}") for each in (mask, whole))
            assert (mask.named(one[0]), one[1]) == (whole.named(other[0]), other[1])


def test_what_was_touched_after_the_harvest_is_not_undone_by_its_scan(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    one, two = (ci(ref=f"snow:ci:{n}", handle=f"h{n}", serial="AB-1234") for n in (1, 2))
    bench.put("snow", "ci", [one, two])
    nightly.run(tmp_path, bench.profile, NOW)
    clock = ManualClock(NOW + 50)
    quality = Quality(Judge(bench.profile), tmp_path, clock)
    assert [flag.code for flag in quality.judge("ci", two, NOW).flags] == ["CI-DUP-IN"]
    repaired = {name: value for name, value in two.items() if name != "handle"} | {"serial": "AB-5555"}
    quality.touched("ci", repaired, "h2", "snow")
    assert quality.judge("ci", dict(one), NOW).flags == ()
    nightly.run(tmp_path, bench.profile, NOW + 60, full=True)  # of the harvest before
    quality.follow()
    assert quality.judge("ci", dict(one), NOW + 60).flags == ()
    quality.touched("ci", {name: value for name, value in one.items() if name != "handle"}, "h1", "snow")
    assert quality.judge("ci", dict(one), NOW + 60).flags == ()
    quality.close()


def tables(path: Path) -> dict[str, Any]:
    """What stands in an index, but for when."""
    with sqlite3.connect(path) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(db.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in names
            if name not in ("filled", "touched", "source_state")
        }


def test_when_a_source_was_read_is_when_its_oldest_harvest_began(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    bench.put("snow", "ci", [ci()])
    bench.clock.advance(100)
    bench.put("snow", "incident", [])
    assert harvested_at(bench.scan(codes=["CI-STALE"]), tmp_path) == {"snow": NOW}

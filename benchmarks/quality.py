"""Every check against everything that was planted. ``python -m benchmarks.quality --size 200k [--json]``

An enterprise of that many CIs is made: a ServiceNow, a second CMDB in Remedy, the ServiceNow of a company that was
bought, monitoring and purchasing. Its records go through the adapters' mappings into snapshots, as a harvest
stores them, and are scanned. What is found is compared with what the planter meant: record by record, per check.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from mock_servers.estate.assumptions import DEFAULT_AS_OF

from benchmarks.bench import say
from benchmarks.enterprise import ROLES, Enterprise, Planted
from benchmarks.enterprise_sources import LATE, LATE_S, plant, schedule
from benchmarks.estate_snapshots import harvested
from interlock.clock import AsOfClock
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.profile import Profile
from interlock.quality.scan.full import scan
from interlock.quality.scan.records import ScanResult
from interlock.quality.scan.told import told_of

SIZES = {"2k": 2_000, "20k": 20_000, "200k": 200_000, "1m": 1_000_000}
LATER = {
    "CI-DUP-MAYBE": "needs probabilistic matching: its table is empty",
    "TKT-LABEL": "needs a text model: it does not run yet",
}
"""Checks that nothing is planted for yet."""
T = TypeVar("T")
SHOWN = 10
"""Differences that are told of a check."""


@dataclass(frozen=True, slots=True)
class Score:
    """One check. ``missed`` and ``extra``: some of the records that were not found, or found for nothing, and why
    they were planted or what the check says."""

    code: str
    planted: int
    found: int
    right: int
    missed: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.planted if self.planted else 1.0

    @property
    def exact(self) -> bool:
        return self.planted == self.found == self.right


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: how much there was, what each step took, the most memory the process had, and the score of each
    check."""

    records: int
    peak_mb: int
    seconds: dict[str, float]
    cpu_s: dict[str, float]
    scores: tuple[Score, ...]

    @property
    def exact(self) -> bool:
        return all(score.exact for score in self.scores)


def run(cis: int, state: Path, *, seed: int = 7, codes: Collection[str] | None = None) -> Outcome:
    """Make, store, scan and compare in a state folder. ``codes``: only these checks."""
    timer, folder = _Timer(), state / "snapshots"
    records, profile, key = stored(cis, seed, folder, timer)
    snapshots = Snapshots(folder, AsOfClock(DEFAULT_AS_OF))
    key |= plant(snapshots, DEFAULT_AS_OF)
    told = told_of(snapshots, schedule(ROLES))
    current = snapshots.all_current()
    result = timer("scan", lambda: scan(state, current, profile, DEFAULT_AS_OF, codes, told=told))
    compared = tuple(scores(key, findings(result), result.codes))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Outcome(records, peak_kb // 1024, timer.wall, timer.cpu, compared)


def stored(cis: int, seed: int, folder: Path, timer: _Timer) -> tuple[int, Profile, set[Planted]]:
    """Make and store an enterprise, which is gone from memory afterwards: how many records, what they are to be
    judged by, and what was planted in them."""
    enterprise = timer("generate", lambda: Enterprise(cis, seed, DEFAULT_AS_OF))

    def store() -> int:
        rows = 0
        for source, each in enterprise.sources():
            clock = AsOfClock(DEFAULT_AS_OF - (LATE_S if source == LATE else 0))
            rows += sum(snapshot.manifest.rows for snapshot in harvested(each, source, folder, clock).values())
        return rows

    return timer("store", store), enterprise.profile(), enterprise.key()


class _Timer:
    """Seconds by the name of a step."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        say(f"{name} ...")
        wall, cpu = time.monotonic(), time.process_time()
        done = work()
        self.wall[name] = round(time.monotonic() - wall, 1)
        self.cpu[name] = round(time.process_time() - cpu, 1)
        return done


def findings(result: ScanResult) -> Iterable[tuple[str, str, str]]:
    """Code, ref and evidence of everything that a scan found."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(result.findings).iter_batches(columns=["code", "ref", "evidence"]):
        columns = [batch.column(n).to_pylist() for n in range(3)]
        yield from zip(*columns, strict=True)


def scores(key: Iterable[Planted], found: Iterable[tuple[str, str, str]], codes: Collection[str]) -> list[Score]:
    """What was found against what was planted, by check and record."""
    planted: dict[str, dict[str, str]] = defaultdict(dict)
    told: dict[str, dict[str, str]] = defaultdict(dict)
    for each in key:
        planted[each.code][each.ref] = each.reason
    for code, ref, evidence in found:
        told[code][ref] = evidence
    compared = []
    for code in sorted(codes):
        meant, said = planted[code], told[code]
        missed = sorted((ref, reason) for ref, reason in meant.items() if ref not in said)
        extra = sorted((ref, evidence) for ref, evidence in said.items() if ref not in meant)
        right = len(meant) - len(missed)
        compared.append(Score(code, len(meant), len(said), right, tuple(missed[:SHOWN]), tuple(extra[:SHOWN])))
    return compared


def table(outcome: Outcome) -> Iterable[str]:
    """The result for people."""
    yield f"{'check':<18} {'planted':>8} {'found':>8} {'right':>8} {'precision':>9} {'recall':>7}"
    for each in outcome.scores:
        note = "" if each.exact else "  DIFFERS"
        if not each.planted and each.code in LATER:
            note = f"  {LATER[each.code]}"
        yield (
            f"{each.code:<18} {each.planted:>8,} {each.found:>8,} {each.right:>8,} "
            f"{each.precision:>9.4f} {each.recall:>7.4f}{note}"
        )
    for each in outcome.scores:
        for ref, why in each.missed:
            yield f"{each.code} missed {ref}: planted as {why}"
        for ref, why in each.extra:
            yield f"{each.code} extra {ref}: {why}"


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """The result as a list of name, value, budget, ok: the lower of precision and recall of each check, and what
    stands behind it; then what the run took."""
    found: list[dict[str, Any]] = []
    for each in outcome.scores:
        value = round(min(each.precision, each.recall), 6)
        planted = each.planted or each.found
        told = {key: part for key, part in asdict(each).items() if key != "code"}
        ratios = {"precision": round(each.precision, 6), "recall": round(each.recall, 6)}
        budget = 1 if planted else None
        found.append({"name": each.code, "value": value, "budget": budget, "ok": each.exact, **told, **ratios})
    took = {f"{step}: CPU s": value for step, value in outcome.cpu_s.items()}
    took |= {f"{step}: s": value for step, value in outcome.seconds.items()}
    told_of: dict[str, float] = {"records": outcome.records, "peak MB": outcome.peak_mb, **took}
    return found + [{"name": name, "value": value, "budget": None, "ok": True} for name, value in told_of.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every check finds exactly what was planted, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="20k", help="CIs of the main CMDB (default 20k)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--codes", nargs="+", help="only these checks")
    parser.add_argument("--json", action="store_true", help="a list of name, value, budget, ok on stdout")
    parser.add_argument("--out", type=Path, help="also write it there")
    parser.add_argument("--keep", type=Path, help="make snapshots and scan in this state folder and leave them")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        state = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-quality-")))
        outcome = run(SIZES[given.size], state, seed=given.seed, codes=given.codes)
    result = rows(outcome)
    if given.out is not None:
        given.out.write_text(json.dumps({"size": given.size, "seed": given.seed, "rows": result}, indent=1) + "\n")
    sys.stdout.write(json.dumps(result) + "\n" if given.json else "\n".join(table(outcome)) + "\n")
    return 0 if outcome.exact else 1


if __name__ == "__main__":
    sys.exit(main())

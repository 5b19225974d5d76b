"""The full scan: all checks over the current snapshots of all sources, into one file of findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.quality.harvest.snapshots import Snapshot
from interlock.quality.kit import RowCheck, SetCheck
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan import own as own_checks
from interlock.quality.scan.compiled import compiled, shipped_checks
from interlock.quality.scan.derived import prepare, waiting
from interlock.quality.scan.engine import Bounds, Files, create, create_settings, engine, text, view_stored
from interlock.quality.scan.own import OwnCheck
from interlock.quality.scan.records import FINDINGS, ScanResult, Scans
from interlock.quality.scan.rows import judged
from interlock.quality.scan.settings import Table
from interlock.quality.scan.told import Told, told_by
from interlock.quality.tables import DERIVED
from interlock.records.problems import invalid

FOUND = "code VARCHAR, kind VARCHAR, ref VARCHAR, evidence VARCHAR"

Progress = Callable[[str, int, int], None]
"""Called with what comes next, the steps that are done and all steps."""

Publish = Callable[[Any, ScanResult], None]
"""Called with the connection, over what was read, and the scan that is in force now."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a scan: it gives ``code, kind, ref, evidence`` of some checks."""

    codes: tuple[str, ...]
    sql: str

    @property
    def label(self) -> str:
        return ", ".join(self.codes)


def chosen(codes: Collection[str] | None) -> list[RowCheck | SetCheck]:
    """The checks of these codes, or all, that can run. Raises Problem invalid-argument for a code that is none."""
    checks = shipped_checks()
    for code in codes or ():
        if code not in checks:
            raise invalid("codes", code, "is not a check", f"Checks: {', '.join(sorted(checks))}.")
    return [check for code, check in sorted(checks.items()) if (codes is None or code in codes) and not waiting(check)]


def scan(
    state: Path,
    snapshots: Sequence[Snapshot],
    profile: Profile,
    as_of: float,
    codes: Collection[str] | None = None,
    *,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
    publish: Publish | None = None,
    told: Told | None = None,
    own: Sequence[OwnCheck] = (),
) -> ScanResult:
    """Run the checks over these snapshots and put the findings in force. ``as_of``: epoch seconds, UTC.

    ``told``: what is known of the sources themselves; without it only what the snapshots say. ``own``: checks of
    one's own. Raises Problem invalid-argument for an unknown code, StateError while another scan runs.
    """
    began, scans, checks = time.monotonic(), Scans(state), chosen(codes)
    with scans.draft() as draft, engine(scans.folder, folders_of(snapshots), bounds) as con:
        view_stored(con, files_of(snapshots))
        create_sources(con, snapshots, profile, told or told_by(snapshots))
        steps = steps_of(con, checks, profile, int(as_of))
        con.execute(f"CREATE TABLE finding ({FOUND})")
        run(con, steps, progress)
        faults = own_checks.run(con, own)
        write_findings(con, draft)
        ran = [*(check.code for check in checks), *own_checks.runnable(own, faults)]
        result = result_of(scans, con, snapshots, profile, int(as_of), ran, time.monotonic() - began, faults)
        result = scans.publish(draft, result)
        if publish:
            publish(con, result)
        return result


def files_of(snapshots: Iterable[Snapshot]) -> Files:
    """The Parquet parts by kind."""
    found: dict[str, list[Path]] = {}
    for snapshot in snapshots:
        found.setdefault(snapshot.kind, []).extend(snapshot.files)
    return found


def folders_of(snapshots: Iterable[Snapshot]) -> list[Path]:
    """The folders that a scan may read."""
    return [snapshot.folder for snapshot in snapshots]


def create_sources(con: Any, snapshots: Sequence[Snapshot], profile: Profile, told: Told) -> None:
    """The settings tables, and what is told of the sources themselves."""
    create_settings(con, profile, sorted({snapshot.source for snapshot in snapshots}))
    create(con, "source_state", Table(DERIVED["source_state"], tuple(told.states)))
    create(con, "schema_history", Table(DERIVED["schema_history"], tuple(told.schema)))


def steps_of(con: Any, checks: Sequence[RowCheck | SetCheck], profile: Profile, as_of: int) -> list[Step]:
    """The statements of these checks, after the derived tables they read were made."""
    sets = [check for check in checks if isinstance(check, SetCheck)]
    prepare(con, profile, {table for check in sets for table in compiled(check.code).tables})
    steps = []
    for kind in sorted({check.on for check in checks if isinstance(check, RowCheck)}):
        of_kind = [check for check in checks if isinstance(check, RowCheck) and check.on == kind]
        steps.append(Step(tuple(c.code for c in of_kind), judged(con, kind, of_kind, as_of)))
    return steps + [Step((check.code,), set_sql(check, compiled(check.code).sql(as_of))) for check in sets]


def set_sql(check: SetCheck, found: str) -> str:
    """SQL of a set check's findings in the columns of findings."""
    kind = "split_part(record, ':', 2)" if check.also_on else text(check.on)
    return f"SELECT {text(check.code)}, {kind}, record, evidence FROM ({found})"


def run(con: Any, steps: Sequence[Step], progress: Progress | None, into: str = "finding") -> None:
    """Run the statements, one after the other: each uses all threads, and memory is bounded by the largest."""
    for done, step in enumerate(steps):
        if progress:
            progress(step.label, done, len(steps))
        con.execute(f"INSERT INTO {into} {step.sql}")
    if progress:
        progress("", len(steps), len(steps))


def write_findings(con: Any, draft: Path) -> None:
    """The findings as the file of a scan."""
    con.execute(f"COPY finding TO {text(str(draft / FINDINGS))} (FORMAT parquet, COMPRESSION zstd)")


def result_of(
    scans: Scans,
    con: Any,
    snapshots: Sequence[Snapshot],
    profile: Profile,
    as_of: int,
    ran: Collection[str],
    seconds: float,
    faults: Mapping[str, str],
    *,
    since: str | None = None,
) -> ScanResult:
    """What is told of a scan, by the findings that are in the connection."""
    found = dict(con.execute("SELECT code, count(*) FROM finding GROUP BY code").fetchall())
    read: dict[str, dict[str, int]] = {}
    for snapshot in snapshots:
        read.setdefault(snapshot.source, {})[snapshot.kind] = snapshot.generation
    number = scans.next_id()
    return ScanResult(
        id=number,
        folder=scans.folder / number,
        as_of=as_of,
        mode="delta" if since else "full",
        since=since,
        read=read,
        profile=profile.version,
        checks=shipped().hash[:16],
        counts={code: int(found.get(code, 0)) for code in ran},
        seconds=round(seconds, 3),
        faults={check.code: why for check in shipped_checks().values() if (why := waiting(check))} | dict(faults),
    )

"""The scan by what changed: records that moved, and those about which that says something new, judged again.

All other findings stand as the last scan left them, so the result is that of a full scan. A check is run again
over everything where that cannot be told: it reads the time, it goes beyond keys, or it waits for scans.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from interlock.quality.harvest.snapshots import Snapshot
from interlock.quality.kit import RowCheck, SetCheck
from interlock.quality.preparers import same_as
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan import full
from interlock.quality.scan import own as own_checks
from interlock.quality.scan.changes import Changes, create_changes, create_near
from interlock.quality.scan.compiled import compiled, compiled_for, reads_now
from interlock.quality.scan.derived import PREPARERS
from interlock.quality.scan.engine import Bounds, engine, parquet, text, view_stored
from interlock.quality.scan.full import Progress, Publish, Step, set_sql
from interlock.quality.scan.own import OwnCheck
from interlock.quality.scan.records import ScanResult, Scans
from interlock.quality.scan.rows import judged
from interlock.quality.scan.told import Told, told_by

LARGEST = 0.25
"""Part of a kind's records; when more moved, a full scan is less work."""

BY_KEY = frozenset({"ci_key", "same_as"})
"""Relations that are made of the keys of CIs."""


@dataclass(slots=True)
class Plan:
    """How each check is brought up to date. ``again``: refs whose findings go, by code."""

    moved: list[RowCheck] = field(default_factory=list)  # on the records that moved
    akin: list[SetCheck] = field(default_factory=list)  # on the CIs that share keys with one that moved
    touched: list[SetCheck] = field(default_factory=list)  # on the records that a moved one says something of
    whole: list[RowCheck | SetCheck] = field(default_factory=list)
    again: dict[str, str] = field(default_factory=dict)


def planned(checks: Sequence[RowCheck | SetCheck], moved: frozenset[str], later: bool) -> Plan:
    """Sort the checks. ``moved``: the kinds that changed; ``later``: whether time went on since the last scan.

    A check that reads nothing that changed is in none of the lists: its findings stand.
    """
    plan = Plan()
    for check in checks:
        if isinstance(check, RowCheck):
            if later and reads_now(check.code):
                plan.whole.append(check)
            elif check.on in moved:
                plan.moved.append(check)
            continue
        used = compiled(check.code).tables
        read = {name.removeprefix("stored_") for name in used if name.startswith("stored_")}
        if "same_as" in used:
            read.add("ci")
        timely = later and reads_now(check.code)
        if check.on == "source" or timely or not (check.key_local or read):
            plan.whole.append(check)
        elif not (read & moved or (not check.key_local and moved)):
            continue
        elif check.key_local and check.kinds == ("ci",) and read == {"ci"} and _by_keys(check, used):
            plan.akin.append(check)
        elif not check.key_local or check.awaits_scan or check.members or used & PREPARERS.keys():
            plan.whole.append(check)
        elif (read & moved) <= check.touched.keys():
            plan.touched.append(check)
        else:
            plan.whole.append(check)
    return plan


def _by_keys(check: SetCheck, used: frozenset[str]) -> bool:
    """Whether the verdict on a CI depends on it and on those with which it shares a key, and on nobody else."""
    return bool(BY_KEY & {*check.reads, *used})


def scan(
    state: Path,
    last: ScanResult,
    snapshots: Sequence[Snapshot],
    changes: Changes,
    profile: Profile,
    as_of: float,
    *,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
    publish: Publish | None = None,
    told: Told | None = None,
    own: Sequence[OwnCheck] = (),
) -> ScanResult | None:
    """Bring the findings of ``last`` up to the snapshots and the time, and put them in force.

    None when too much moved for that; then nothing was done. Raises StateError while another scan runs.
    """
    shipped_codes = last.codes & shipped().checks.keys()
    began, scans, checks = time.monotonic(), Scans(state), full.chosen(shipped_codes)
    folders = [*full.folders_of(snapshots), *full.folders_of(changes.generations)]
    plan = planned(checks, frozenset(changes.files), int(as_of) != last.as_of)
    with scans.draft() as draft, engine(scans.folder, folders, bounds) as con:
        view_stored(con, full.files_of(snapshots))
        full.create_sources(con, snapshots, profile, told or told_by(snapshots))
        rows = {kind: _row_step(con, plan, kind, int(as_of)) for kind in sorted({c.on for c in plan.moved})}
        judging = {kind: step.sql for kind, step in rows.items()}
        asked = {kind: [c.touched[kind] for c in plan.touched if kind in c.touched] for kind in changes.files}
        counted = create_changes(con, changes, judging, asked)
        if any(n > LARGEST * _count(con, kind) for kind, n in counted.items()):
            return None
        steps = [*rows.values(), *_akin_steps(con, plan, int(as_of)), *_touched_steps(con, plan, counted, int(as_of))]
        steps += _whole_steps(con, plan, profile, int(as_of))
        con.execute(f"CREATE TABLE finding ({full.FOUND})")
        full.run(con, steps, progress)
        faults = own_checks.run(con, own)
        plan.again |= dict.fromkeys(last.codes - shipped_codes, "")
        _keep_the_rest(con, last, plan)
        full.write_findings(con, draft)
        ran, seconds = [*sorted(shipped_codes), *own_checks.runnable(own, faults)], time.monotonic() - began
        result = full.result_of(scans, con, snapshots, profile, int(as_of), ran, seconds, faults, since=last.id)
        result = scans.publish(draft, result)
        if publish:
            publish(con, result)
        return result


def _row_step(con: Any, plan: Plan, kind: str, as_of: int) -> Step:
    checks = [check for check in plan.moved if check.on == kind]
    plan.again |= {check.code: f"moved_{kind}" for check in checks}
    return Step(tuple(check.code for check in checks), judged(con, kind, checks, as_of, f"fresh_{kind}"))


def _akin_steps(con: Any, plan: Plan, as_of: int) -> list[Step]:
    if not plan.akin:
        return []
    create_near(con, {name for check in plan.akin for name in shipped().sets[check.code].tables["stored_ci"]})
    same_as.prepare(con, "near_ci")
    plan.again |= {check.code: "akin_ci" for check in plan.akin}
    only = "SELECT * FROM ({}) SEMI JOIN akin_ci ON akin_ci.ref = record"
    found = [(check, _over(compiled(check.code).sql(as_of), "near_ci")) for check in plan.akin]
    return [Step((check.code,), set_sql(check, only.format(sql))) for check, sql in found]


def _touched_steps(con: Any, plan: Plan, counted: dict[str, int], as_of: int) -> list[Step]:
    steps = []
    for check in plan.touched:
        name = f"again_{check.code.replace('-', '_').lower()}"
        keys = " UNION ".join(_keys_of(check.touched[kind], kind) for kind in sorted(counted.keys() & check.touched))
        con.execute(f"CREATE TABLE {name} AS SELECT DISTINCT ref FROM ({keys}) AS _(ref) WHERE ref IS NOT NULL")
        plan.again[check.code] = name
        steps.append(Step((check.code,), set_sql(check, compiled_for(check.code, name).sql(as_of))))
    return steps


def _whole_steps(con: Any, plan: Plan, profile: Profile, as_of: int) -> list[Step]:
    plan.again |= {check.code: "" for check in plan.whole}
    return full.steps_of(con, plan.whole, profile, as_of)


def _keys_of(touched: str, kind: str) -> str:
    """What a check says is touched by one changed row, asked of all images at once; some more may be named."""
    image = f"image_{kind}"
    tree = sqlglot.parse_one(touched, read="sqlite")
    for node in list(tree.find_all(exp.In)):
        if node.expressions and all(isinstance(each, exp.Placeholder) for each in node.expressions):
            parts = " UNION ALL ".join(_asked(each.name, image, node.this) for each in node.expressions)
            node.replace(sqlglot.parse_one(f"x IN ({parts})", read="duckdb").transform(_left(node.this)))
    for node in list(tree.find_all(exp.EQ)):
        if isinstance(node.expression, exp.Placeholder):
            asked = f"x IN ({_asked(node.expression.name, image, node.this)})"
            node.replace(sqlglot.parse_one(asked, read="duckdb").transform(_left(node.this)))
    for select in tree.find_all(exp.Select):
        if any(isinstance(each, exp.Placeholder) for each in select.expressions):
            select.set("expressions", [exp.column(each.name) for each in select.expressions])
            select.set("from_", exp.From(this=exp.to_table(image)))
    return str(tree.sql("duckdb"))


def _asked(name: str, image: str, column: exp.Expression) -> str:
    """The values of one parameter. Where no link names a handle, nothing is sought and the records are not read."""
    handles = f" WHERE contains({name}, ':~')" if column.name == "handle_ref" else ""
    return f"SELECT {name} FROM {image}{handles}"


def _left(column: exp.Expression) -> Any:
    return lambda node: column.copy() if isinstance(node, exp.Column) and node.name == "x" else node


def _over(sql: str, cis: str) -> str:
    return re.sub(r'"?\bstored_ci\b"?', cis, sql)


def _keep_the_rest(con: Any, last: ScanResult, plan: Plan) -> None:
    """The last findings but for those that were looked for again."""
    whole = ", ".join(text(code) for code, table in plan.again.items() if not table) or "''"
    old = f"(SELECT * FROM {parquet([last.findings])} WHERE code NOT IN ({whole}))"
    by_table: dict[str, list[str]] = {}
    for code, table in plan.again.items():
        if table:
            by_table.setdefault(table, []).append(text(code))
    for table, codes in by_table.items():
        old = f"(SELECT * FROM {old} WHERE code NOT IN ({', '.join(codes)}) OR ref NOT IN (SELECT ref FROM {table}))"
    con.execute(f"INSERT INTO finding FROM {old}")


def _count(con: Any, kind: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM stored_{kind}").fetchall()[0][0])

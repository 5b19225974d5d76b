"""A CMDB of any size as snapshots, made by DuckDB's hash functions: the same on every machine, no random state.

Of N CIs, 60 % are the source ``snow``, 40 % ``legacy``; half of legacy's are copies of CIs of snow, with other
values here and there. About 1 % of snow's are duplicates, 1.2 % of serial numbers are junk, 6 % are missing, 10 %
of the CIs were last seen too long ago, 4 % have no relation; 0.5 % of 1.84 N relations point into nothing. The
second generation differs from the first in 1 % of all three tables: changed, new and gone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interlock.quality.harvest.snapshots import Manifest, Snapshot
from interlock.quality.matching import WORDED
from interlock.quality.profile import Profile
from interlock.quality.scan.engine import SQL_TYPES
from interlock.quality.stored import TABLES
from interlock.records.kinds import FIELDS

AS_OF = 1_763_000_000
PART = 1_000_000  # rows of a file
MADE = 7  # raise when the rows change: what was kept on the disk is made anew
CLASSES = ("server", "virtual_machine", "computer", "network_device", "database", "application", "service", "storage")
CATEGORIES = {
    "network": ("network_device", "server"),
    "hardware": ("server", "computer", "storage", "network_device"),
    "database": ("database", "server", "virtual_machine"),
}
SYSTEMS = ("Linux Red Hat 9", "Windows Server 2022", "Windows Server 2019", "AIX 7.3", "Ubuntu 24.04")


def profile() -> Profile:
    """What the benchmark judges by: the default, and classes for categories of tickets."""
    classes = {category: list(found) for category, found in CATEGORIES.items()}
    return Profile.default().merge({"incident": {"classes": classes}})


def snapshots(con: Any, folder: Path, cis: int, tickets: int, generation: int = 1) -> list[Snapshot]:
    """The snapshots of a generation (1 or 2), made unless they lie in ``folder`` already."""
    wanted = {"ci": cis, "relationship": int(cis * 1.84), "incident": tickets}
    parts = [
        ("snow", "ci"),
        ("legacy", "ci"),
        ("snow", "relationship"),
        ("legacy", "relationship"),
        ("snow", "incident"),
    ]
    return [_snapshot(con, folder, source, kind, wanted[kind], cis, generation) for source, kind in parts]


def _snapshot(con: Any, folder: Path, source: str, kind: str, rows: int, cis: int, generation: int) -> Snapshot:
    place = folder / source / kind / str(generation)
    told = place / "made.json"
    wanted = [MADE, rows, cis, generation]
    if not (told.exists() and json.loads(told.read_text())["wanted"] == wanted):
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.parquet"):
            old.unlink()
        parts, counted = [], 0
        end = rows + (rows // 2000 if generation == 2 else 0)
        for number, start in enumerate(range(0, end, PART)):
            file = place / f"part-{number:05}.parquet"
            sql = _rows(source, kind, start, min(end, start + PART), cis, rows, generation)
            (n,) = con.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)").fetchall()[0]
            parts.append({"name": file.name, "rows": n, "bytes": file.stat().st_size, "digest": ""})
            counted += n
        told.write_text(json.dumps({"wanted": wanted, "parts": parts, "rows": counted}))
    made = json.loads(told.read_text())
    when = float(AS_OF - 3600 + generation)
    manifest = Manifest(made["rows"], when, when, "full", None, when, {}, tuple(made["parts"]), "")
    return Snapshot(source, kind, generation, place, manifest)


def _rows(source: str, kind: str, start: int, end: int, cis: int, rows: int, generation: int) -> str:
    """Stored rows of indexes [start, end), of which only the source's own are there."""
    told = {"ci": _ci, "relationship": _relationship, "incident": _incident}[kind](source, cis)
    mine = "i % 10 < 6" if source == "snow" else "i % 10 >= 6"
    if kind == "incident":
        mine = "true"
    there = f"i < {rows}"
    drift = "0"
    if generation == 2:
        drift = "CASE WHEN hash(i, 'drift') % 100 = 0 THEN 1 ELSE 0 END"
        there = f"hash(i, 'gone') % 2000 <> 0 OR i >= {rows}"
    known = "|" + "|".join(FIELDS[kind]) + "|"
    # what the words mean, as stored rows say it
    for name in WORDED if kind == "ci" else ():
        told[f"{name}_meant"] = f"lower({told.get(f'{name}_name', told.get(name, 'NULL'))})"
    fixed = {"source": f"'{source}'", "known": f"'{known}'", "observed_at": str(AS_OF - 3600), "handle": "md5(ref)"}
    chosen = ", ".join(
        f"({(fixed | told).get(column.name, 'NULL')})::{SQL_TYPES[column.type]} AS {column.name}"
        for column in TABLES[kind]
    )
    base = f"SELECT i, {drift} AS v, {told['ref']} AS ref FROM range({start}, {end}) r(i) WHERE ({mine}) AND ({there})"
    return f"SELECT {chosen} FROM ({base})"


def _ci(source: str, cis: int) -> dict[str, str]:
    copy = "(i % 10 IN (6, 7))"
    # what the row is about: legacy's copies are about a CI of snow in the same ten
    entity = f"CASE WHEN {copy} THEN i - i % 10 + (hash(i, 'e') % 6)::BIGINT ELSE i END"
    twin = f"CASE WHEN i % 10 < 6 AND i >= 10 AND hash(i, 'twin') % 100 = 0 THEN i - 10 ELSE {entity} END"
    kind = f"hash({entity}, 'cls') % 100"
    upto = {
        "server": 25,
        "virtual_machine": 45,
        "computer": 65,
        "network_device": 75,
        "database": 85,
        "application": 93,
    }
    whens = " ".join(f"WHEN {kind} < {end} THEN '{name}'" for name, end in (upto | {"service": 97}).items())
    cls = f"CASE {whens} ELSE 'storage' END"
    chance = "hash(i, v, 'serial') % 1000"
    serial = f"""CASE WHEN {chance} < 60 THEN NULL WHEN {chance} < 66 THEN 'To be filled by O.E.M.'
        WHEN {chance} < 72 THEN '123456789' ELSE 'CZ' || lpad(({twin})::VARCHAR, 9, '0') END"""
    key = f"""CASE WHEN {chance} < 66 THEN NULL WHEN {chance} < 72 THEN '123456789'
        ELSE 'cz' || lpad(({twin})::VARCHAR, 9, '0') END"""
    shown = f"CASE WHEN {copy} AND hash(i, v, '$') % 100 < {{}} THEN i + 1 ELSE {entity} END"
    person = f"(hash({shown.format(10).replace('$', 'owner')}, 'owner') % 5000)"
    system = f"(hash({shown.format(8).replace('$', 'os')}, 'os') % {len(SYSTEMS)})"
    place = f"(hash({shown.format(6).replace('$', 'place')}, 'place') % 40)"
    systems = ", ".join(f"'{name}'" for name in SYSTEMS)
    mac = f"CASE WHEN hash(i, 'mac') % 100 < 45 THEN '0050' || lpad(lower(hex({entity})), 8, '0') END"
    fqdn = f"CASE WHEN hash(i, 'fqdn') % 100 < 60 THEN 'host' || ({entity}) || '.corp.example' END"
    age = "hash(i, v, 'seen') % 100"
    return {
        "ref": f"'{source}:ci:CI' || lpad(i::VARCHAR, 9, '0')",
        "name": f"'host' || ({entity})",
        "cls": cls,
        "native_class": f"'cmdb_ci_' || ({cls})",
        "status": f"CASE WHEN hash({entity}, 'status') % 100 < 90 THEN 'live' ELSE 'retired' END",
        "operational_status": f"CASE WHEN hash({entity}, 'status') % 100 < 91 THEN 'operational' ELSE 'retired' END",
        "environment": f"['test', 'development', 'production', 'production'][1 + (hash({entity}, 'env') % 4)::BIGINT]",
        "serial": serial,
        "serial_key": key,
        "fqdn": fqdn,
        "fqdn_key": fqdn,
        "mac": mac,
        "mac_key": mac,
        "ip": f"concat_ws('.', '10', ({entity}) // 65536 % 256, ({entity}) // 256 % 256, ({entity}) % 256)",
        "os": f"CASE WHEN hash(i, v, 'noos') % 100 >= 4 THEN [{systems}][1 + {system}::BIGINT] END",
        "vendor": f"'Vendor ' || (hash({entity}, 'vendor') % 20)",
        "model": f"'Model ' || (hash({entity}, 'vendor') % 20) || '-' || (hash({entity}, 'model') % 30)",
        "location": f"CASE WHEN hash(i, 'noplace') % 100 >= 12 THEN 'Site ' || {place} END",
        "owner": f"CASE WHEN hash(i, 'noowner') % 100 >= 15 THEN '{source}:person:P' || {person} END",
        "owner_name": f"CASE WHEN hash(i, 'noowner') % 100 >= 15 THEN 'Person ' || {person} END",
        "support_group": f"'{source}:group:G' || (hash({entity}, 'group') % 60)",
        "support_group_name": f"'Group ' || (hash({entity}, 'group') % 60)",
        "last_seen_at": f"""CASE WHEN {age} < 1 THEN NULL
            WHEN {age} < 11 THEN {AS_OF} - 5270400 - (hash(i, v, 'old') % 20000000)::BIGINT
            ELSE {AS_OF} - (hash(i, v, 'new') % 4320000)::BIGINT END""",
        "created_at": f"{AS_OF} - 90000000 - (hash(i, 'made') % 90000000)::BIGINT",
        "updated_at": f"{AS_OF} - (hash(i, v, 'upd') % 9000000)::BIGINT + v * 1000",
    }


def _relationship(source: str, cis: int) -> dict[str, str]:
    def end(side: str) -> str:
        # a CI of the same source; 4 % are never one: their number is moved to the next ten
        digit = f"(hash(i, '{side}d') % {6 if source == 'snow' else 4})::BIGINT + {0 if source == 'snow' else 6}"
        ten = f"(hash(i, v, '{side}') % {cis // 10})::BIGINT * 10"
        number = f"({ten} + {digit})"
        lonely = f"hash({number}, 'lonely') % 25 = 0"
        return f"CASE WHEN {lonely} THEN NULL ELSE '{source}:ci:CI' || lpad({number}::VARCHAR, 9, '0') END"

    def named(side: str) -> str:
        gone = f"hash(i, v, 'gone{side}') % 400 = 0"
        spare = f"'{source}:ci:CI' || lpad((({cis} - 10) // 10 * 10 + {1 if source == 'snow' else 7})::VARCHAR, 9, '0')"
        nothing = f"'{source}:ci:CI9' || lpad(i::VARCHAR, 9, '0')"
        return f"CASE WHEN {gone} THEN {nothing} ELSE coalesce({end(side)}, {spare}) END"

    return {
        "ref": f"'{source}:relationship:' || i",
        "type": "CASE hash(i, 'type') % 3 WHEN 0 THEN 'runs_on' WHEN 1 THEN 'depends_on' ELSE 'connects_to' END",
        "subject": named("a"),
        "object": named("b"),
        "updated_at": f"{AS_OF} - (hash(i, v, 'upd') % 9000000)::BIGINT",
    }


def _incident(source: str, cis: int) -> dict[str, str]:
    level = "CASE hash(i, '{0}') % 3 WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'low' END"
    number = f"(hash(i, 'ci') % {cis // 10})::BIGINT * 10 + (hash(i, 'cid') % 6)::BIGINT"
    score = "((hash(i, 'impact') % 3)::BIGINT + (hash(i, 'urgency') % 3)::BIGINT + 1)"
    word = "CASE WHEN hash(i, v, 'cat') % 100 < 12 THEN 1 ELSE 4 END"
    words = ", ".join(f"'{each}'" for each in (*CATEGORIES, "software", "inquiry"))
    return {
        "ref": "'snow:incident:INC' || lpad(i::VARCHAR, 9, '0')",
        "number": "'INC' || lpad(i::VARCHAR, 9, '0')",
        "title": "'Something is broken ' || (hash(i, 'title') % 100000)",
        "state": "CASE hash(i, 'state') % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'in_progress' ELSE 'closed' END",
        "impact": level.format("impact"),
        "urgency": level.format("urgency"),
        "priority": f"'p' || CASE WHEN hash(i, v, 'prio') % 100 < 8 THEN hash(i, v, 'p') % 5 + 1 ELSE {score} END",
        "category": f"[{words}][{word} + (hash(i, v, 'word') % 2)::BIGINT]",
        "ci": f"CASE WHEN hash(i, 'noci') % 10 > 0 THEN 'snow:ci:CI' || lpad(({number})::VARCHAR, 9, '0') END",
        "caller": "'snow:person:P' || (hash(i, 'caller') % 5000)",
        "opened_at": f"{AS_OF} - 100000 - (hash(i, 'open') % 30000000)::BIGINT",
        "updated_at": f"{AS_OF} - (hash(i, v, 'upd') % 100000)::BIGINT",
    }

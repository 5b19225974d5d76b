"""Puts a scan in force: its findings become the flags, the mask and the live index that serving looks into.

Runs at the end of a scan, in its process and with its connection, over what was read. Each of the three is
replaced whole; serving follows within a second. After a kill in between it can be done again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from interlock.quality.flags import FlagStore, Published
from interlock.quality.gate.filling import fill
from interlock.quality.gate.following import follow_up
from interlock.quality.gate.live import SUFFIX
from interlock.quality.gate.numbered import current
from interlock.quality.gate.publish import publish
from interlock.quality.gate.quality import LIVE, MASKS
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.matching import KEYS
from interlock.quality.preparers import same_as
from interlock.quality.relations import Relations
from interlock.quality.scan.engine import parquet, text

if TYPE_CHECKING:
    from interlock.quality.scan.records import ScanResult

THINGS = "things.parquet"

_STALE = (
    "CREATE OR REPLACE TEMP VIEW gate_stale AS"
    " SELECT c.ref, greatest(c.last_seen_at, c.attested_at) + s.max_age + 1 AS stale_at FROM stored_ci c"
    " JOIN ci_setting s ON s.source = c.source AND s.cls = coalesce(c.cls, '')"
    " AND s.environment = coalesce(c.environment, '') WHERE s.max_age IS NOT NULL"
    " AND contains(c.known, '|cls|') AND contains(c.known, '|last_seen_at|')"
)
"""From when CI-STALE is raised on a CI; a test holds it to the check."""

_STANDING = "CREATE OR REPLACE TEMP VIEW gate_flag AS SELECT ref, code FROM {found}"
_KINDS = "SELECT DISTINCT kind FROM {found} WHERE kind <> 'source' ORDER BY kind"
_FLAGGED = "SELECT DISTINCT ref FROM {found} WHERE kind = '{kind}'"
_HANDLES = (
    "SELECT ref, NULL::VARCHAR AS thing, source || ':{kind}:~' || handle AS handle FROM stored_{kind}"
    " SEMI JOIN ({flagged}) USING (ref)"
)
_OWN_KEYS = (
    "WITH own AS (SELECT ref, field, key FROM ({keys}) QUALIFY count(*) OVER (PARTITION BY source, field, key) = 1)"
    " SELECT ref, arg_min(field || ':' || key, list_position({order}, field)) AS thing FROM own"
    " SEMI JOIN ({flagged}) USING (ref) GROUP BY ref"
)
_NOTHING = "SELECT NULL::VARCHAR AS ref, NULL::VARCHAR AS thing, NULL::VARCHAR AS handle WHERE false"
_WRITE = (
    "COPY (SELECT h.ref, t.thing, h.handle FROM ({handles}) h LEFT JOIN ({things}) t USING (ref))"
    " TO {path} (FORMAT parquet)"
)


def put_in_force(connection: Any, result: ScanResult, state: Path) -> Published:
    """Publish a scan's findings, write the mask and fill the live index.

    ``connection``: what the scan read, as ``stored_<kind>``, settings and derived tables. Raises
    StateError when a file of the state folder cannot be written.
    """
    harvested = harvested_at(result, state)
    things = state / "scans" / THINGS
    write_things(connection, result, things)
    store = FlagStore(state)
    try:
        published = store.publish(
            result.findings, result.id, result.as_of, things, codes=result.codes, harvested=harvested
        )
        stands = store.published() or result.findings
    finally:
        store.close()
        things.unlink(missing_ok=True)
    connection.execute(_STANDING.format(found=parquet([stands])))
    connection.execute(_STALE)
    publish(
        connection,
        state / MASKS,
        flags="gate_flag",
        stale="gate_stale",
        as_of=result.as_of,
        scan=result.id,
        seq=published.seq,
        ran=result.codes,
        harvested=harvested,
    )
    if result.mode == "delta" and current(state / LIVE, SUFFIX) is not None:
        follow_up(connection, state / LIVE, harvested)
    else:
        if result.mode == "delta":
            same_as.prepare(connection)  # of all CIs: the scan made it of those near a change
        fill(connection, state / LIVE, harvested)
    return published


def harvested_at(result: ScanResult, state: Path) -> dict[str, float]:
    """When each source was read for a scan: the begin of its oldest harvest (epoch seconds)."""
    found: dict[str, float] = {}
    snapshots = Snapshots(state / "snapshots")
    for source, kinds in result.read.items():
        for kind, generation in kinds.items():
            for snapshot in snapshots.generations(source, kind):
                if snapshot.generation == generation:
                    found[source] = min(snapshot.manifest.began_at, found.get(source, snapshot.manifest.began_at))
    return found


def write_things(connection: Any, result: ScanResult, path: Path) -> None:
    """What a waiver of each flagged record follows: of a CI its strongest key that no other of its source has."""
    found = parquet([result.findings])
    told = connection.execute(_KINDS.format(found=found)).fetchall()
    kinds = {kind: _FLAGGED.format(found=found, kind=kind) for (kind,) in told}
    parts = [_HANDLES.format(kind=kind, flagged=flagged) for kind, flagged in kinds.items()]
    handles = " UNION ALL ".join([_NOTHING, *parts])
    things = _NOTHING
    if "ci" in kinds:
        keys = str(ibis.to_sql(Relations(ibis.literal(result.as_of)).ci_key, dialect="duckdb"))
        things = _OWN_KEYS.format(keys=keys, order=list(KEYS), flagged=kinds["ci"])
    connection.execute(_WRITE.format(handles=handles, things=things, path=text(str(path))))

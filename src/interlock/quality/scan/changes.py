"""What changed between the snapshots of the last scan and those of now, as tables beside the views."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.quality.harvest.delta import delta_between
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.matching import KEYS
from interlock.quality.scan.engine import SQL_TYPES, Files, parquet, view_stored
from interlock.quality.tables import STORED

OLD = "_before"
"""Suffix of the views over the snapshots of the last scan."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Per kind the files that name the refs that are new, different or gone; ``generations``: what was read then."""

    files: Mapping[str, Sequence[Path]]
    generations: Sequence[Snapshot]

    @property
    def before(self) -> Files:
        """The Parquet parts of then, by kind, of what changed."""
        found: dict[str, list[Path]] = {}
        for snapshot in self.generations:
            found.setdefault(snapshot.kind, []).extend(snapshot.files)
        return found


def changes_since(
    store: Snapshots, read: Mapping[str, Mapping[str, int]], snapshots: Sequence[Snapshot]
) -> Changes | None:
    """The changes since generations were read (by source, then kind); None when that can no longer be told."""
    if {(s.source, s.kind) for s in snapshots} != {(source, kind) for source in read for kind in read[source]}:
        return None
    files: dict[str, list[Path]] = {}
    before: list[Snapshot] = []
    for new in snapshots:
        then = read[new.source][new.kind]
        if then == new.generation:
            continue
        old = next((each for each in store.generations(new.source, new.kind) if each.generation == then), None)
        if old is None:
            return None
        # between these two, whatever a harvest has published since the snapshots were taken
        files.setdefault(new.kind, []).append(delta_between(old, new).file)
        before.append(old)
    return Changes(files, before)


def create_changes(
    con: Any, changes: Changes, judging: Mapping[str, str], asked: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """For every kind that changed ``moved_<kind>`` (``ref``), ``fresh_<kind>`` (the rows that are there now) and
    ``image_<kind>`` (those and what they were).

    Every column costs a pass over all records, so ``fresh`` has those that the statement ``judging`` the kind names
    and ``image`` those that the statements in ``asked`` have for parameters. Returns how many refs moved, by kind.
    """
    view_stored(con, changes.before, suffix=OLD)
    counted = {}
    for kind, files in changes.files.items():
        con.execute(f"CREATE TABLE moved_{kind} AS SELECT DISTINCT ref FROM {parquet(files)}")
        imaged = _named(kind, {"ref"} | _keys_in(kind) | set(re.findall(r":(\w+)", " ".join(asked.get(kind, ())))))
        fresh = _named(kind, {*imaged, *re.findall(r"\w+", judging.get(kind, ""))})
        for name, view, kept in (("fresh", f"stored_{kind}", fresh), ("past", f"stored_{kind}{OLD}", imaged)):
            rows = f"SELECT {', '.join(kept)} FROM {view} SEMI JOIN moved_{kind} USING (ref)"
            con.execute(f"CREATE TABLE {name}_{kind} AS {rows}")
        images = (f"SELECT {', '.join(imaged)} FROM {name}_{kind}" for name in ("fresh", "past"))
        con.execute(f"CREATE VIEW image_{kind} AS {' UNION ALL '.join(images)}")
        counted[kind] = int(con.execute(f"SELECT count(*) FROM moved_{kind}").fetchall()[0][0])
    return counted


def create_near(con: Any, columns: Iterable[str]) -> None:
    """``akin_ci``: CIs that moved or share a key with one that did, before or now; ``near_ci``: the rows of these
    and of all that share a key with them, with these columns and nulls in the others. Whatever is said of one of
    ``akin_ci`` by its keys is said by ``near_ci``.
    """
    keys = ", ".join(sorted(_keys_in("ci")))
    con.execute(f"CREATE TABLE moved_key AS {_keys('image_ci')}")
    con.execute(f"CREATE TABLE akin_row AS SELECT ref, {keys} FROM stored_ci WHERE {_among('moved_ci', 'moved_key')}")
    con.execute("CREATE TABLE akin_ci AS FROM moved_ci UNION SELECT ref FROM akin_row")
    con.execute(f"CREATE TABLE akin_key AS {_keys('akin_row')}")
    own = {"ref", "source", "cls", "environment"}
    kept = _named("ci", own | _keys_in("ci") | set(columns))
    chosen = ", ".join(kept)
    con.execute(f"CREATE TABLE near_row AS SELECT {chosen} FROM stored_ci WHERE {_among('akin_ci', 'akin_key')}")
    whole = ", ".join(
        column.name if column.name in kept else f"NULL::{SQL_TYPES[column.type]} AS {column.name}"
        for column in STORED["stored_ci"]
    )
    con.execute(f"CREATE VIEW near_ci AS SELECT {whole} FROM near_row")


def _named(kind: str, words: Collection[str]) -> list[str]:
    """The columns of a kind that are among the words."""
    return [column.name for column in STORED[f"stored_{kind}"] if column.name in words]


def _keys_in(kind: str) -> set[str]:
    """The columns that a record is known by."""
    return {f"{name}_key" for name in KEYS} if kind == "ci" else set()


def _keys(rows: str) -> str:
    """The keys of CIs, but for those that are junk: they stand on very many and say nothing."""
    parts = (f"SELECT '{name}' AS field, {name}_key AS key FROM {rows} WHERE {name}_key IS NOT NULL" for name in KEYS)
    return f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE key NOT IN (SELECT key FROM junk_key)"


def _among(refs: str, keys: str) -> str:
    """Whether a CI is one of these, or has one of these keys."""
    sharing = (f"{name}_key IN (SELECT key FROM {keys} WHERE field = '{name}')" for name in KEYS)
    return " OR ".join([f"ref IN (FROM {refs})", *sharing])

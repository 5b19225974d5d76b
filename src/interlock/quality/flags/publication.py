"""Publication: the findings of a scan become the flags that stand.

The findings are compared with those published last, in DuckDB; only the differences reach SQLite, through a file
of their own and one transaction. That transaction also names the findings to compare with next time, so a
publication happened or it did not, and the same one can be done again after a kill at any moment.

What was looked at live (a write, a webhook, a probe) since the source was harvested is newer than the scan and is
left as it is; what was looked at before is compared with what stands, not with the findings of last time.
"""

# ruff: noqa: S608 - table names and texts are our own, values are bound or quoted

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.quality.flags.rows import INDEXES, SEVERITIES, Published
from interlock.quality.flags.transitions import STAGE, STAGE_INTO, step
from interlock.records.problems import Problem, Slug
from interlock.state.errors import state_error
from interlock.state.files import WriterLock, private_folder

if TYPE_CHECKING:
    import duckdb

Things = Path | None
"""A Parquet file with ``ref``, ``thing`` and ``handle``: what a waiver of the record's flags follows."""

BATCH = 50_000
REBUILD = 200_000
"""With so many differences, and more than there are flags, indexes are rebuilt rather than kept up."""
_MEMORY = "1GB"
_SAME = "hash(ref, code) AS a, hash(code, ref) AS b, hash(evidence) AS said"
"""Millions of findings are compared by numbers: 128 bits say which flag, 64 more whether its evidence is the same."""


def publish(
    db: sqlite3.Connection,
    folder: Path,
    severities: Mapping[str, str],
    findings: Path,
    scan: str,
    as_of: float,
    things: Things,
    codes: Collection[str] | None,
    harvested: Mapping[str, float] | None,
) -> Published:
    """Publish ``findings`` (Parquet: code, kind, ref, evidence) as of ``as_of``. ``codes``: the checks that ran
    (None: all there are); ``harvested``: when each source was read (default: ``as_of``).

    A scan that is published already changes nothing and says again what it changed. Raises Problem when the file
    is none, or another process is publishing.
    """
    scans = private_folder(folder / "scans")
    lock = WriterLock(scans / "publish")
    try:
        rows = db.execute(
            "SELECT opened, reopened, changed, resolved, seq, scan = ? FROM publication "
            "WHERE scan = ? OR number = (SELECT max(number) FROM publication) ORDER BY scan = ? DESC",
            (scan, scan, scan),
        ).fetchall()
        if rows and rows[0][5]:
            return Published(*rows[0][:5])
        return _Publication(db, scans, severities, findings, scan, as_of, things, codes, harvested or {}).run()
    except sqlite3.Error as error:
        raise state_error(error) from error
    finally:
        lock.release()


class _Publication:
    def __init__(
        self,
        db: sqlite3.Connection,
        scans: Path,
        severities: Mapping[str, str],
        findings: Path,
        scan: str,
        as_of: float,
        things: Path | None,
        codes: Collection[str] | None,
        harvested: Mapping[str, float],
    ) -> None:
        self._db = db
        self._scans = scans
        self._severities = severities
        self._findings = findings
        self._scan = scan
        self._as_of = as_of
        self._things = things
        self._codes = None if codes is None else sorted(codes)
        self._harvested = harvested

    def run(self) -> Published:
        import duckdb

        last = self._db.execute("SELECT number, file, seq FROM publication ORDER BY number DESC LIMIT 1").fetchone()
        number, before_seq = (last[0] + 1, last[2]) if last else (1, 0)
        base = self._scans / last[1] if last else None
        staging = self._scans / "staging.sqlite"
        file = self._scans / f"published-{number}.parquet"
        con = duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": str(self._scans / "spill")})
        try:
            kept = self._load(con, base)
            count = self._stage(con, staging)
            self._next(con, base, file)
        except duckdb.Error as error:
            raise Problem(
                Slug.INTERNAL,
                f"the findings of scan {self._scan} cannot be published: {str(error).splitlines()[0]}",
                next_step="Run the scan again.",
            ) from error
        finally:
            con.close()
        published = self._commit(staging, count, number, file, kept, before_seq)
        for old in self._scans.glob("published-*.parquet"):
            if old != file:
                old.unlink(missing_ok=True)
        _remove(staging)
        return published

    def _load(self, con: duckdb.DuckDBPyConnection, base: Path | None) -> list[tuple[str, str]]:
        """Views ``found`` and ``base``; returns the pairs (record, code) that are newer than this scan."""
        con.execute("CREATE TABLE live (ref VARCHAR, code VARCHAR, newer BOOLEAN)")
        con.execute("CREATE TABLE stands (code VARCHAR, kind VARCHAR, ref VARCHAR, evidence VARCHAR)")
        marks = self._db.execute("SELECT ref, codes, at FROM live").fetchall()
        newest: dict[tuple[str, str], float] = {}
        for ref, codes, at in marks:
            for code in codes.strip("|").split("|"):
                newest[ref, code] = max(at, newest.get((ref, code), at))
        looked = [(ref, code, at > self._since(ref)) for (ref, code), at in newest.items()]
        for at in range(0, len(looked), BATCH):
            _insert(con, "live", looked[at : at + BATCH])
        kept = [(ref, code) for ref, code, newer in looked if newer]
        con.execute(f"CREATE VIEW new AS SELECT * FROM read_parquet({_quoted(self._findings)})")
        missing = base is None or not base.exists()
        refs = sorted({ref for ref, _ in newest})
        for batch in self._standing(None if missing else refs):
            _insert(con, "stands", batch)
        old = "SELECT code, kind, ref, evidence FROM stands"
        if base is not None and not missing:
            con.execute(f"CREATE VIEW old AS SELECT * FROM read_parquet({_quoted(base)})")
            old = (
                "SELECT code, kind, ref, evidence FROM old ANTI JOIN live USING (ref, code) "
                "UNION ALL SELECT code, kind, ref, evidence FROM stands SEMI JOIN live USING (ref, code)"
            )
        con.execute(f"CREATE VIEW before AS SELECT * FROM ({old}) WHERE {self._mine()}")
        con.execute(f"CREATE VIEW found AS SELECT code, kind, ref, evidence FROM new WHERE {self._mine()}")
        return kept

    def _since(self, ref: str) -> float:
        return self._harvested.get(ref.partition(":")[0], self._as_of)

    def _mine(self) -> str:
        if self._codes is None:
            return "true"
        return f"code IN ({', '.join(_quoted(code) for code in self._codes)})" if self._codes else "false"

    def _standing(self, refs: list[str] | None) -> Any:
        """Open flags from SQLite: of these records, or all of them when the last findings are not there."""
        columns = "SELECT code, kind, ref, evidence FROM flag WHERE state = 'open'"
        if refs is None:
            cursor = self._db.execute(columns)
            while batch := cursor.fetchmany(BATCH):
                yield batch
            return
        for at in range(0, len(refs), 500):
            some = refs[at : at + 500]
            batch = self._db.execute(f"{columns} AND ref IN ({', '.join('?' * len(some))})", some).fetchall()
            if batch:
                yield batch

    def _stage(self, con: duckdb.DuckDBPyConnection, staging: Path) -> int:
        """Write the differences into a file of their own; returns how many there are."""
        _remove(staging)
        out = sqlite3.connect(staging, isolation_level=None)
        try:
            staging.chmod(0o600)
            out.execute("PRAGMA journal_mode=OFF")
            out.execute("PRAGMA synchronous=OFF")
            out.execute(STAGE.format(temp="", name="stage"))
            out.execute("BEGIN")
            cursor = con.execute(self._differences())
            count = 0
            while batch := cursor.fetchmany(BATCH):
                out.executemany(STAGE_INTO.format(name="stage"), batch)
                count += len(batch)
            out.execute("COMMIT")
        finally:
            out.close()
        return count

    def _differences(self) -> str:
        if self._things is None:
            things = "(SELECT NULL::VARCHAR ref, NULL::VARCHAR thing, NULL::VARCHAR handle WHERE false)"
        else:
            things = f"read_parquet({_quoted(self._things)})"
        places = " ".join(
            f"WHEN {_quoted(code)} THEN {SEVERITIES.index(word)}" for code, word in self._severities.items()
        )
        severity = f"CASE n.code {places} ELSE 1 END" if places else "1"
        return (
            f"WITH now AS (SELECT code, kind, ref, evidence, {_SAME} FROM found), "
            f"was AS (SELECT code, ref, {_SAME} FROM before), "
            "moved AS (SELECT code, kind, ref, evidence FROM now ANTI JOIN was USING (a, b, said)) "
            "SELECT n.ref, n.code, n.kind, split_part(n.ref, ':', 1), coalesce(t.thing, t.handle, n.ref), "
            f"coalesce(t.handle, n.ref), n.evidence, {severity}, 0 FROM moved n "
            f"LEFT JOIN (SELECT ref, any_value(thing) thing, any_value(handle) handle FROM {things} "
            "SEMI JOIN moved USING (ref) GROUP BY ref) t USING (ref) "
            "ANTI JOIN (SELECT * FROM live WHERE newer) k USING (ref, code) "
            "UNION ALL SELECT ref, code, NULL, NULL, NULL, NULL, NULL, NULL, 1 FROM was "
            "ANTI JOIN now USING (a, b) ANTI JOIN (SELECT * FROM live WHERE newer) k USING (ref, code) "
            "ORDER BY 1, 2"
        )

    def _next(self, con: duckdb.DuckDBPyConnection, base: Path | None, file: Path) -> None:
        """What the next publication compares with: the findings, and of checks that did not run those of before."""
        file.unlink(missing_ok=True)
        if self._codes is None:
            try:
                os.link(self._findings, file)
            except OSError:
                shutil.copyfile(self._findings, file)
        else:
            others = "old" if base is not None and base.exists() else "stands"
            con.execute(
                f"COPY (SELECT code, kind, ref, evidence FROM found UNION ALL SELECT code, kind, ref, evidence "
                f"FROM {others} WHERE NOT ({self._mine()})) TO {_quoted(file)} (FORMAT parquet, COMPRESSION zstd)"
            )
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _commit(
        self, staging: Path, count: int, number: int, file: Path, kept: list[tuple[str, str]], before_seq: int
    ) -> Published:
        db = self._db
        db.execute("ATTACH ? AS staging", (str(staging),))
        try:
            db.execute("BEGIN IMMEDIATE")
            (flags,) = db.execute(f"SELECT count(*) FROM (SELECT 1 FROM flag LIMIT {REBUILD})").fetchone()
            rebuild = count >= REBUILD and flags < REBUILD
            for name in INDEXES if rebuild else ():
                db.execute(f"DROP INDEX {name}")
            self._leave_newer(kept)
            moved = step(db, "staging.stage", self._as_of, "scan", self._scan)
            for sql in INDEXES.values() if rebuild else ():
                db.execute(sql)
            seq = self._marks(before_seq)
            db.execute(
                "INSERT INTO publication VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, self._scan, self._as_of, file.name, *astuple(moved), seq),
            )
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.execute("DETACH staging")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return Published(moved.opened, moved.reopened, moved.changed, moved.resolved, seq)

    def _leave_newer(self, kept: list[tuple[str, str]]) -> None:
        """Also what was looked at live while this publication was being prepared is newer than the scan."""
        known = set(kept)
        for ref, codes, at in self._db.execute("SELECT ref, codes, at FROM live").fetchall():
            if at > self._since(ref):
                new = [(ref, code) for code in codes.strip("|").split("|") if (ref, code) not in known]
                self._db.executemany("DELETE FROM staging.stage WHERE ref = ? AND code = ?", new)

    def _marks(self, before_seq: int) -> int:
        """Changes up to here are in the findings; what is newer is said again behind them. Returns the number."""
        db = self._db
        seq = int(db.execute("INSERT INTO change (ref) VALUES ('') RETURNING seq").fetchone()[0])
        db.execute("DELETE FROM change WHERE ref = ''")
        newer = []
        for ref, codes, at in db.execute("SELECT ref, codes, at FROM live").fetchall():
            if at > self._since(ref):
                newer.append(ref)
            elif self._codes is None or set(codes.strip("|").split("|")) <= set(self._codes):
                db.execute("DELETE FROM live WHERE ref = ? AND codes = ?", (ref, codes))
        db.executemany("INSERT INTO change (ref) VALUES (?)", [(ref,) for ref in dict.fromkeys(newer)])
        db.execute("DELETE FROM change WHERE seq <= ?", (before_seq,))
        return seq


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Rows into a table by columns: a statement with a list a column, not one statement a row."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    con.execute(f"INSERT INTO {table} SELECT {', '.join('unnest(?)' for _ in columns)}", columns)


def _quoted(value: Path | str) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _remove(staging: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            staging.with_name(staging.name + suffix).unlink()

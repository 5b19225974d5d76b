"""What changed between two generations of a snapshot: one small file, made once and kept with the newer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interlock.quality.harvest.engine import engine, parquet, text
from interlock.quality.harvest.snapshots import Snapshot
from interlock.quality.stored import TABLES


@dataclass(frozen=True, slots=True)
class Delta:
    """``file`` is Parquet with ``ref`` and ``gone`` (true: the older one had it, the newer has not).

    A row that was only read again counts as unchanged: ``observed_at`` is not compared.
    """

    source: str
    kind: str
    since: int
    until: int
    file: Path

    def refs(self, *, gone: bool) -> list[str]:
        """Refs that are new or different (or gone), sorted."""
        with engine(self.file.parent) as con:
            sql = f"SELECT ref FROM {parquet([self.file])} WHERE gone = ? ORDER BY ref"
            return [ref for (ref,) in con.execute(sql, [gone]).fetchall()]


def delta_between(old: Snapshot, new: Snapshot) -> Delta:
    """The delta of two snapshots of one kind."""
    file = new.folder / f"delta-{old.generation}.parquet"
    if not file.exists():
        beside = file.with_name(f".{file.name}.new")
        with engine(new.folder) as con:
            con.execute(f"COPY ({_changes(old, new)}) TO {text(str(beside))} (FORMAT parquet, COMPRESSION zstd)")
        beside.replace(file)
    return Delta(new.source, new.kind, old.generation, new.generation, file)


def _changes(old: Snapshot, new: Snapshot) -> str:
    # Hashes are joined, not texts: a third of the memory. Two of 64 bits each have to agree for a change to be missed.
    compared = ", ".join(f'"{column.name}"' for column in TABLES[new.kind] if column.name != "observed_at")
    row = f"ref, hash(handle) AS h, hash({compared}) AS r"
    nothing = "SELECT NULL::VARCHAR AS ref, NULL::UBIGINT AS h, NULL::UBIGINT AS r WHERE false"
    before = f"SELECT {row} FROM {parquet(old.files)}" if old.files else nothing
    after = f"SELECT {row} FROM {parquet(new.files)}" if new.files else nothing
    return f"""
        WITH before AS ({before}), after AS ({after}),
             refs AS (SELECT md5_number(ref) AS m FROM after)
        SELECT ref, false AS gone FROM after ANTI JOIN before USING (h, r)
        UNION ALL
        SELECT ref, true FROM (SELECT ref, md5_number(ref) AS m FROM before) ANTI JOIN refs USING (m)
    """

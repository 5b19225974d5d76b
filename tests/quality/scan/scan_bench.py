"""Snapshots of records given by hand, and scans over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
from tests.quality.quality_records import NOW

from interlock.clock import ManualClock
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.profile import Profile
from interlock.quality.scan.full import scan
from interlock.quality.scan.records import ScanResult
from interlock.quality.stored import stored

Finding = tuple[str, str, str, str]


class ScanBench:
    """A state folder. ``put`` publishes all records of a source's kind, ``scan`` runs over what is current."""

    def __init__(self, folder: Path, profile: Profile | None = None) -> None:
        self.state = folder
        self.profile = profile or Profile.default()
        self.clock = ManualClock(NOW)
        self.snapshots = Snapshots(folder / "snapshots", self.clock)

    def put(self, source: str, kind: str, records: Iterable[Mapping[str, Any]]) -> Snapshot:
        """Records with ``handle`` beside their fields; without one the key of the ref is it."""
        rows = []
        for record in records:
            fields = {name: value for name, value in record.items() if name != "handle"}
            handle = record.get("handle") or str(record["ref"]).split(":", 2)[2]
            rows.append(stored(kind, fields, handle, source, self.clock.now()))
        draft = self.snapshots.begin(source, kind)
        draft.write(rows)
        return draft.publish()

    def scan(self, as_of: float = NOW, **how: Any) -> ScanResult:
        return scan(self.state, self.snapshots.all_current(), self.profile, as_of, **how)


def findings(result: ScanResult) -> set[Finding]:
    """Code, kind, ref and evidence; one that came twice fails."""
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(result.findings)]).fetchall()
    assert len(set(rows)) == len(rows)
    return set(rows)

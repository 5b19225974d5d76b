"""What scans leave behind: a folder a scan with its findings, whole or not there, and which one is in force.

``<state>/scans/<id>/findings.parquet`` holds ``code, kind, ref, evidence``, one row a check and record;
``scan.json`` beside it says what was read, when and how. Reading needs no data engine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from interlock.quality.harvest.durable import read_json, replace_json, replace_text, sync
from interlock.state.files import WriterLock, private_folder

FINDINGS = "findings.parquet"
SCAN = "scan.json"
CURRENT = "current"
KEPT = 3
"""Scans that are kept; whoever just read the pointer still finds what it named."""

SPILL = ".duckdb"
"""What did not fit in memory, while a scan runs."""

_DRAFT = ".draft"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One scan. ``as_of`` is epoch seconds (UTC). ``read`` is the generation by source, then kind.

    ``counts``: findings a check that ran, also none. ``faults``: checks that did not run and why, by code
    or, of users' own, by name.
    """

    id: str
    folder: Path
    as_of: int
    mode: Literal["full", "delta"]
    read: Mapping[str, Mapping[str, int]]
    profile: str
    checks: str
    counts: Mapping[str, int]
    seconds: float
    since: str | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def findings(self) -> Path:
        """The Parquet file of all findings."""
        return self.folder / FINDINGS

    @property
    def codes(self) -> frozenset[str]:
        """The checks that ran."""
        return frozenset(self.counts)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "folder"}


class Scans:
    """The scans of a gateway, in ``<state>/scans``."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "scans"

    def current(self) -> ScanResult | None:
        """The scan in force; None before the first."""
        try:
            return self.at((self.folder / CURRENT).read_text("ascii").strip())
        except FileNotFoundError:
            return None

    def at(self, name: str) -> ScanResult | None:
        """A scan that is kept."""
        told = read_json(self.folder / name / SCAN)
        return None if told is None else ScanResult(folder=self.folder / name, **told)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A folder to work in, gone afterwards. One scan at a time: raises StateError while another runs.

        What a killed scan left here is removed first.
        """
        private_folder(self.folder)
        lock = WriterLock(self.folder / "scan")
        place = self.folder / _DRAFT
        try:
            for left in (place, self.folder / SPILL):
                shutil.rmtree(left, ignore_errors=True)
            place.mkdir(mode=0o700)
            yield place
        finally:
            for left in (place, self.folder / SPILL):
                shutil.rmtree(left, ignore_errors=True)
            lock.release()

    def next_id(self) -> str:
        """One more than every scan there is."""
        return str(max(self._numbers(), default=0) + 1)

    def publish(self, draft: Path, result: ScanResult) -> ScanResult:
        """Put a draft that holds the findings in force: from here on it is the scan, or it never was."""
        replace_json(draft / SCAN, result.as_json())
        sync(draft / FINDINGS)
        os.rename(draft, result.folder)
        sync(self.folder)
        replace_text(self.folder / CURRENT, f"{result.id}\n".encode())
        for number in sorted(self._numbers())[:-KEPT]:
            shutil.rmtree(self.folder / str(number), ignore_errors=True)
        return result

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self.folder.glob("*") if path.name.isdecimal()]

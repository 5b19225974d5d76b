"""A CMDB in memory that can be harvested: rows by handle, a switchboard of faults, and its snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from interlock.adapterkit.native import Native, Page, Plan
from interlock.clock import ManualClock
from interlock.config import Harvest, Limits, SourceConfig
from interlock.quality.harvest.history import Run
from interlock.quality.harvest.run import harvest_source
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.records import times
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Facts, Source
from interlock.telemetry import silent_telemetry

START = 1_700_000_000.0


class Use(NamedTuple):
    readable: bool = True
    operators: tuple[str, ...] = ()


class CmdbMapping:
    """Native ``{"id", "name", "serial", "updated"}`` to canonical CIs."""

    ext: dict[str, Any] = {}

    def __init__(self, asks: bool) -> None:
        self.fields = {"name": Use(), "serial": Use(), "updated_at": Use(True, ("ge",) if asks else ())}

    def columns(self, fields: Iterable[str] | None = None) -> tuple[str, ...]:
        return ("id", "name", "serial", "updated") if fields is None else ("id",)

    def decode(self, native: Native) -> dict[str, Any]:
        told = {"name": native["name"], "updated_at": times.to_text(native["updated"])}
        serial = {"serial": native["serial"]} if "serial" in native else {}
        return {"ref": f"cmdb:ci:~{native['id']}", **told, **serial}

    def handle(self, native: Native) -> str | None:
        return str(native["id"])

    def plan(self, query: Query) -> Plan:
        since = [times.parse(str(c.value), "") for c in query.filter if isinstance(c, Condition)]
        return Plan(since[0] if since else None, self.columns(query.fields))


class Cmdb:
    """The adapter: keyset pages by id. ``before`` runs in front of every page."""

    def __init__(self, rows: int) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        for number in range(rows):
            self.put(f"h{number:05}", updated=START - 86_400 + number)
        self.asked: list[tuple[Any, Any, tuple[str, ...]]] = []
        self.before: Callable[[int], None] = lambda call: None
        self.tells_total = True
        self.shuffled = False

    def put(self, handle: str, *, name: str | None = None, updated: float = START) -> None:
        self.rows[handle] = {"id": handle, "name": name or f"host {handle}", "serial": f"S{handle}", "updated": updated}

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def read(self, kind: str, key: str, columns: Any, *, by_handle: bool) -> Native:
        if key not in self.rows:
            raise Problem(Slug.NOT_FOUND, f"{key} is not there", layer="source")
        return dict(self.rows[key])

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        self.asked.append((plan.pushed, cursor, plan.columns))
        self.before(len(self.asked))
        found = [row for row in self.rows.values() if plan.pushed is None or row["updated"] >= plan.pushed]
        found.sort(key=lambda row: row["name"] if self.shuffled else row["id"])
        start = 0 if cursor is None else int(cursor)
        total = len(found) if self.tells_total and cursor is None else None
        end = start + limit
        return Page([dict(row) for row in found[start:end]], end if end < len(found) else None, total=total)


class HarvestBench:
    """A source over it, and where its harvests go. Time passes only when something sleeps."""

    def __init__(
        self, folder: Path, rows: int = 25, *, asks: bool = True, limits: Limits | None = None, **own: Any
    ) -> None:
        self.clock = ManualClock(START + 1000)
        self.cmdb = Cmdb(rows)
        self.config = SourceConfig(
            adapter="servicenow", limits=limits or Limits(per_second=None), harvest=Harvest(page=10, **own)
        )
        self.slept: list[float] = []
        self.source = Source(
            Facts("cmdb", "servicenow", "test", 30.0, 40.0),
            self.config,
            self.cmdb,  # type: ignore[arg-type]
            {"ci": CmdbMapping(asks)},  # type: ignore[dict-item]
            self.clock,
            silent_telemetry(self.clock),
            sleep=self.sleep,
        )
        self.snapshots = Snapshots(folder, self.clock)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def harvest(self, **how: Any) -> Run:
        [run] = await harvest_source(self.source, self.config, self.snapshots, sleep=self.sleep, **how)
        return run

    @property
    def current(self) -> Snapshot:
        found = self.snapshots.current("cmdb", "ci")
        assert found is not None
        return found

    def names(self) -> dict[str, str]:
        """Handle and name of every row of the current snapshot; a row that came twice fails."""
        return names_in(self.current)


def names_in(snapshot: Snapshot) -> dict[str, str]:
    files = [str(path) for path in snapshot.files]
    rows = duckdb.connect().execute("SELECT handle, name FROM read_parquet(?)", [files]).fetchall() if files else []
    assert len(rows) == len(dict(rows)) == snapshot.manifest.rows
    return dict(rows)

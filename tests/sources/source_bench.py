"""A product in memory: rows by handle, journals, a switchboard of faults. Mapping and adapter are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from prometheus_client import CollectorRegistry

from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.clock import ManualClock
from interlock.config import Cache, Limits, SourceConfig
from interlock.records.filters import Query
from interlock.records.problems import Problem, Slug
from interlock.records.taxonomy import Choice
from interlock.sources.source import Facts, Source
from interlock.telemetry import Log, Metrics, Scrubber, Telemetry


class Use(NamedTuple):
    readable: bool
    writable: bool
    creatable: bool


class FakeMapping:
    """Native ``{"id", "number", "title", ...}`` to canonical; pushes nothing down unless told."""

    fields: ClassVar = {
        "title": Use(True, True, True),
        "state": Use(True, True, True),
        "assignee": Use(True, True, True),
        "external_id": Use(True, False, True),
        "opened_at": Use(True, False, False),
    }

    def __init__(self, *, push: bool = False, empty: bool = False) -> None:
        self.push, self.empty = push, empty

    def columns(self, fields: Sequence[str] | None) -> tuple[str, ...]:
        return ("id", "number", "title", "state", "assignee")

    def decode(self, native: Native) -> dict[str, Any]:
        record = {k: v for k, v in native.items() if k not in ("id", "number")}
        if "assignee" in record and record["assignee"] is not None:
            record["assignee"] = {"ref": record["assignee"], "name": None}
        return {"ref": f"snow:incident:{native['number']}", **record}

    def handle(self, native: Native) -> str | None:
        return native["id"]

    def encode(self, changes: dict[str, Any], op: str, *, key: str | None = None) -> dict[str, Any]:
        if "colour" in changes:
            raise Problem(Slug.UNMAPPED_VALUE, "no such colour", field="colour")
        return dict(changes)

    def encode_note(self, visibility: str, text: str) -> dict[str, Any]:
        return {visibility: text}

    ext: dict[str, Any] = {}

    def holds_text(self, text: str, record: dict[str, Any]) -> bool:
        return text in record["title"]

    def norm(self, changes: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
        out = {k: v[:10] if k == "title" else v for k, v in changes.items()}
        if "assignee" in out:
            out["assignee"] = {"ref": out["assignee"]}
        return out

    def require(self, after: dict[str, Any]) -> list[str]:
        return [] if after.get("title") else ["title"]

    def plan(self, query: Query) -> Plan:
        post = () if self.push else query.filter
        why = () if self.push else tuple("not offered by the source" for _ in query.filter)
        return Plan(query.filter, self.columns(None), post, why, self.empty, text=query.text)


class FakeAdapter:
    """Rows in memory. ``before`` runs in front of every call: it may wait, raise, or change the rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {row["id"]: row for row in rows}
        self.journals: dict[str, list[NativeNote]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.before: Callable[[str], Any] | None = None
        self.running = self.most_running = 0
        self.opened = 0

    async def _arrive(self, *call: Any) -> None:
        self.calls.append(call)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.before is not None:
                waiting = self.before(call[0])
                if waiting is not None:
                    await waiting
        finally:
            self.running -= 1

    def count(self, operation: str) -> int:
        return sum(call[0] == operation for call in self.calls)

    async def open(self) -> None:
        await self._arrive("open")
        self.opened += 1

    async def close(self) -> None:
        self.calls.append(("close",))

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        await self._arrive("read", key, by_handle)
        for row in self.rows.values():
            if row["id" if by_handle else "number"] == key:
                return dict(row)
        raise Problem(Slug.NOT_FOUND, f"{key} is not there", layer="source", reached="yes")

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        await self._arrive("page", cursor, limit)
        rows = sorted(self.rows.values(), key=lambda row: row["id"])
        rows = [row for row in rows if cursor is None or row["id"] > cursor]
        part = [dict(row) for row in rows[:limit]]
        more = part[-1]["id"] if len(rows) > limit else None
        return Page(part, more, len(part))

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        await self._arrive("notes", handle, cursor, limit)
        start = cursor or 0
        notes = self.journals.get(handle, [])
        return notes[start : start + limit], (start + limit if start + limit < len(notes) else None)

    async def write(self, write: NativeWrite) -> Written:
        await self._arrive("write", write)
        if write.op == "create":
            handle = f"h{len(self.rows) + 1}"
            row = {"id": handle, "number": f"INC{len(self.rows) + 1}", **write.payload}
            row["external_id"] = write.correlation
            self.rows[handle] = row
            return Written(handle, dict(row))
        assert write.handle is not None
        self.rows[write.handle].update(write.payload)
        return Written(write.handle, None)

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        await self._arrive("find_written", correlation)
        return [row for row in self.rows.values() if row.get("external_id") == correlation]

    async def choices(self, kind: str, field: str) -> list[Choice]:
        await self._arrive("choices", field)
        return [Choice("1", "One")]


def incidents(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"h{n:05}", "number": f"INC{n:05}", "title": f"t{n}", "state": "new" if n % 10 else "closed"}
        for n in range(1, count + 1)
    ]


class Bench:
    """A source over a fake product, its clock, and what it logged."""

    def __init__(
        self,
        rows: int = 3,
        *,
        mapping: FakeMapping | None = None,
        limits: Limits | None = None,
        cache: Cache | None = None,
        **config: Any,
    ) -> None:
        self.clock = ManualClock(1_700_000_000.0)
        self.adapter = FakeAdapter(incidents(rows))
        self.mapping = mapping or FakeMapping()
        self.lines: list[bytes] = []
        self.registry = CollectorRegistry()
        self.log = Log(self.lines.append, self.clock, scrubber=Scrubber(["hunter2secret"]))
        self.telemetry = Telemetry(self.log, Metrics(self.registry))
        self.slept: list[float] = []
        self.source = Source(
            Facts("snow", "servicenow", "test", 30.0, 40.0, "external_id", {"version": "field"}),
            SourceConfig(
                adapter="servicenow",
                limits=limits or Limits(per_second=None),
                cache=cache or Cache(),
                **config,
            ),
            self.adapter,  # type: ignore[arg-type]
            {"incident": self.mapping},  # type: ignore[dict-item]
            self.clock,
            self.telemetry,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def outage(reached: str = "maybe") -> Problem:
    return Problem(Slug.SOURCE_UNAVAILABLE, "no answer", layer="transport", reached=reached)  # type: ignore[arg-type]

"""Files of an export as a read-only source.

The rows of all files are read once and kept, in the form the mapping decodes; they are read again when a
file's size or time of change differs. A query is answered from the decoded rows, by the same filter that
checks the answers of every other source, so what a query means never depends on the file.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.adapterkit.tabular_tables import ID, Cells, FolderPlan, folder_plan, read_tables
from interlock.records import times
from interlock.records.filters import matches
from interlock.records.kinds import FIELDS
from interlock.records.order import places
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.taxonomy import Choice

LOAD_TIMEOUT_S = 300.0
RECHECK_S = 1.0
"""How long the files are taken to be unchanged before they are looked at again."""

KEPT_ANSWERS = 32
"""Queries whose rows are kept, so that the next page is not searched for again."""

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of record: its rows in file order, by handle, and by the key people use."""

    rows: list[Cells]
    by_handle: dict[str, Cells]
    by_key: dict[str, list[Cells]]
    exported_at: float
    records: list[dict[str, Any]] = field(default_factory=list)  # decoded, once a query needs them
    answers: dict[str, list[Cells]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything read from the folder at one time."""

    stamp: Stamp
    kinds: dict[str, Held]
    warnings: tuple[str, ...]

    @property
    def mark(self) -> str:
        """The stamp in a few characters, the same in every process."""
        return hashlib.blake2b(repr(self.stamp).encode(), digest_size=6).hexdigest()


class ExportAdapter:
    """One folder of exported files. ``settings``: folder, files, kinds, ids, choices (see README.md).

    ``product`` is the compiled mapping; what it names as a kind's key is the key rows are found by.
    """

    def __init__(self, settings: Mapping[str, Any], source: str = "export", product: Any = None) -> None:
        folder = settings.get("folder")
        if not isinstance(folder, str | Path) or not str(folder):
            raise invalid("folder", folder, "is missing", "Name the folder that the export is written to.")
        files = settings.get("files")
        if not isinstance(files, Mapping) or not files:
            raise invalid("files", files, "is missing", "Declare at least one: files: {incident: tickets.csv}.")
        self._folder = Path(folder).expanduser()
        zone = {"zone": settings["time_zone"]} if settings.get("time_zone") else {}
        declared = {
            table: {**zone, **about} if isinstance(about, Mapping) else {**zone, "file": about}
            for table, about in files.items()
        }
        self._plan: FolderPlan = folder_plan(declared, str(settings.get("ids") or source))
        self._kinds: dict[str, str] = dict(settings.get("kinds") or {name: name for name in self._plan.tables()})
        self._mappings: Mapping[str, Any] = product.mappings if product is not None else {}
        self._keys = {kind: str(mapping.spec.key.column) for kind, mapping in self._mappings.items()}
        self._choices: Mapping[str, Any] = settings.get("choices") or {}
        self._snapshot: Snapshot | None = None
        self._checked_at = 0.0
        self._lock = asyncio.Lock()
        self._selecting = threading.Lock()

    async def open(self) -> None:
        """Read the files if that has not been done. Raises Problem."""
        await self._current()

    async def close(self) -> None:
        """Let the rows go."""
        self._snapshot = None

    async def exported_at(self, kind: str) -> float:
        """When the file of a kind was written, epoch seconds: how old its rows are at least."""
        return (await self._held(kind)).exported_at

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        """One row by key or handle. Raises not-found, ambiguous-ref."""
        held = await self._held(kind)
        found = [held.by_handle[key]] if by_handle and key in held.by_handle else []
        if not by_handle:
            found = held.by_key.get(key, [])
        if not found:
            raise Problem(
                Slug.NOT_FOUND,
                f"no {kind} {key!r} in the export",
                field="ref",
                value=key,
                next_step=f"Search for it; the export was written {times.to_text(held.exported_at)}.",
                layer="source",
                reached="no",
            )
        if len(found) > 1:
            handles = ", ".join(f"~{row[ID]}" for row in found[:10])
            raise Problem(
                Slug.AMBIGUOUS_REF,
                f"{len(found)} rows of {kind} have the key {key!r}",
                field="ref",
                value=key,
                next_step=f"Name one by its handle: {handles}.",
                layer="source",
                reached="no",
            )
        return found[0]

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """The next rows that satisfy the plan, in its order, else in the order of the file."""
        snapshot = await self._current()
        held = self._of(snapshot, kind)
        stamp = snapshot.mark
        start = 0
        if cursor is not None:
            begun, start = str(cursor[0]), int(cursor[1])
            if begun != stamp:
                raise Problem(
                    Slug.INVALID_ARGUMENT,
                    "cursor: the export was written anew since the search began",
                    field="cursor",
                    next_step="Start the search again without a cursor.",
                    layer="source",
                    reached="no",
                )
        rows = held.rows
        if kind in self._mappings and (plan.post or plan.order or plan.text):
            rows = await asyncio.to_thread(self._selected, kind, held, plan)
        chosen = rows[start : start + limit]
        end = start + len(chosen)
        return Page(
            rows=list(chosen),
            cursor=[stamp, end] if end < len(rows) else None,
            seen=len(chosen),
            warnings=snapshot.warnings if start == 0 else (),
        )

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        """Exports hold no journal here. Raises unsupported."""
        self._unsupported("has no journal")

    async def write(self, write: NativeWrite) -> Written:
        """Raises unsupported: an export can only be read."""
        self._unsupported("can only be read")

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        """Raises unsupported: nothing is ever written."""
        self._unsupported("can only be read")

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """The values that the settings declare. Raises unsupported where they declare none."""
        declared = (self._choices.get(kind) or {}).get(field)
        if declared is None:
            self._unsupported(f"does not say which values {field} may have")
        if isinstance(declared, Mapping):  # by the value of the field it depends on
            return [
                Choice(str(value), str(value), depends_on=str(parent))
                for parent, values in declared.items()
                for value in values
            ]
        return [Choice(str(value), str(value)) for value in declared]

    def _unsupported(self, why: str) -> NoReturn:
        raise Problem(
            Slug.UNSUPPORTED,
            f"an export {why}",
            next_step="Use a source with a live interface for this.",
            layer="source",
            reached="no",
        )

    def _selected(self, kind: str, held: Held, plan: Plan) -> list[Cells]:
        """The rows of a query, searched in all of the kind's records; runs in threads, one at a time."""
        with self._selecting:
            return self._select(self._mappings[kind], kind, held, plan)

    def _select(self, mapping: Any, kind: str, held: Held, plan: Plan) -> list[Cells]:
        asked = repr((plan.post, plan.order, plan.text))
        kept = held.answers.get(asked)
        if kept is not None:
            return kept
        if not held.records:
            held.records.extend([mapping.decode(row) for row in held.rows])
        found = [
            (record, row)
            for record, row in zip(held.records, held.rows, strict=True)
            if matches(plan.post, record) and (not plan.text or mapping.holds_text(plan.text, record))
        ]
        if plan.order:
            place = places(plan.order, FIELDS[kind])
            found.sort(key=lambda entry: place(entry[0]))
        rows = [row for _, row in found]
        while len(held.answers) >= KEPT_ANSWERS:
            held.answers.pop(next(iter(held.answers)), None)
        held.answers[asked] = rows
        return rows

    async def _held(self, kind: str) -> Held:
        return self._of(await self._current(), kind)

    def _of(self, snapshot: Snapshot, kind: str) -> Held:
        held = snapshot.kinds.get(kind)
        if held is None:
            raise Problem(
                Slug.UNSUPPORTED,
                f"the export holds no {kind}",
                field="kind",
                value=kind,
                next_step=f"It holds: {', '.join(self._kinds)}.",
                layer="source",
                reached="no",
            )
        return held

    async def _current(self) -> Snapshot:
        """The rows of the files as they are now; one reader at a time, in a thread."""
        now = asyncio.get_running_loop().time()
        snapshot = self._snapshot
        if snapshot is not None and now - self._checked_at < RECHECK_S:
            return snapshot
        async with self._lock:
            if self._snapshot is snapshot or self._snapshot is None:
                try:
                    async with asyncio.timeout(LOAD_TIMEOUT_S):
                        self._snapshot = await asyncio.to_thread(self._refreshed, snapshot)
                except TimeoutError:
                    raise Problem(
                        Slug.SOURCE_UNAVAILABLE,
                        f"reading {self._folder} took longer than {LOAD_TIMEOUT_S:.0f} s",
                        field="folder",
                        value=str(self._folder),
                        next_step="Check the file system the export lies on.",
                        layer="source",
                        reached="no",
                    ) from None
                self._checked_at = asyncio.get_running_loop().time()
            assert self._snapshot is not None
            return self._snapshot

    def _refreshed(self, before: Snapshot | None) -> Snapshot:
        stamp = self._stamp()
        if before is not None and before.stamp == stamp:
            return before
        tables = read_tables(self._folder, self._plan)
        kinds: dict[str, Held] = {}
        for kind, table in self._kinds.items():
            rows = tables.rows.get(table)
            if rows is None:
                raise invalid(
                    f"kinds.{kind}", table, "is not a table of the files", f"Tables: {', '.join(tables.rows)}."
                )
            file = self._plan.files.get(table)
            path = tables.files.get(table)
            newest = path.stat().st_mtime if path else max(p.stat().st_mtime for p in tables.files.values())
            key = self._keys.get(kind) or (file.key if file else "name") or ID
            if table in tables.columns and key not in (ID, *tables.columns[table]):
                raise invalid(
                    f"mapping.{kind}.key",
                    key,
                    f"is not a column of {tables.files[table].name}",
                    f"Say in the overlay which it is, for example key: {tables.columns[table][0]}.",
                )
            kinds[kind] = _held(rows, key, newest)
        return Snapshot(stamp, kinds, tables.warnings)

    def _stamp(self) -> Stamp:
        found = []
        for file in self._plan.files.values():
            path = file.find(self._folder)
            if path is not None:
                about = path.stat()
                found.append((str(path), about.st_mtime_ns, about.st_size))
        return tuple(found)


def _held(rows: list[Cells], key: str, exported_at: float) -> Held:
    by_key: dict[str, list[Cells]] = {}
    for row in rows:
        value = row.get(key)
        if isinstance(value, str):
            by_key.setdefault(value, []).append(row)
    return Held(rows, {row[ID]: row for row in rows}, by_key, exported_at)

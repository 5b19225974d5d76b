"""A snapshot while it is being written, on the disk piece by piece, so that a killed harvest goes on.

The parts lie in ``draft/``; ``draft.json`` beside it is the checkpoint: which parts count, and where the
source is to be asked next. A part counts only once it is on the disk and in the checkpoint; what a kill left
besides is removed. The checkpoint is written only when every row before its cursor is in a part.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interlock.quality.harvest.durable import read_json, replace_json, replace_text, sync
from interlock.quality.harvest.parts import Part, batch_of, known_in, write_part
from interlock.quality.harvest.snapshots import CURRENT, MANIFEST, SUSPECT, Manifest, Mode, Snapshot
from interlock.quality.stored import TABLES, Stored
from interlock.state.files import WriterLock

if TYPE_CHECKING:
    from interlock.quality.harvest.snapshots import Snapshots

PART_ROWS = 122_880
"""Rows of a part: a row group of DuckDB."""
CHECKPOINT_S = 30.0
"""A checkpoint is at most so many seconds behind."""
GOES_ON_S = 24 * 3600.0
"""A draft that was begun longer ago is not gone on with: its first rows are too old."""


class Draft:
    """Made by ``Snapshots.begin``; ends by ``publish`` or ``abandon``. Used by one thread."""

    def __init__(self, snapshots: Snapshots, source: str, kind: str, lock: WriterLock) -> None:
        self.source = source
        self.kind = kind
        self.snapshots = snapshots
        self.place = snapshots.place(source, kind)
        self.folder = self.place / "draft"
        self._checkpoint = self.place / "draft.json"
        self._lock = lock
        self.purpose: Mapping[str, Any] | None = None
        self.began_at = snapshots.clock.now()
        self.cursor: Any = None
        self.state: dict[str, Any] = {}
        self.parts: list[Part] = []
        self.known: Counter[str] = Counter()
        self.resumed = False
        self.checkpoint_s = CHECKPOINT_S
        self.read = 0  # rows taken from the source, this time and before a kill
        self._batches: list[Any] = []
        self._waiting = 0
        self._counted = 0  # parts in the checkpoint
        self._at = self.began_at

    @classmethod
    def open(cls, snapshots: Snapshots, source: str, kind: str, purpose: Mapping[str, Any] | None) -> Draft:
        """See ``Snapshots.begin``."""
        place = snapshots.place(source, kind)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = cls(snapshots, source, kind, WriterLock(place / "draft"))
        draft.purpose = None if purpose is None else {**purpose, "columns": [c.name for c in TABLES[kind]]}
        try:
            draft._take_up(read_json(draft._checkpoint))
        except BaseException:
            draft._lock.release()
            raise
        return draft

    @property
    def rows(self) -> int:
        """Rows written so far, counted or not."""
        return sum(part.rows for part in self.parts) + self._waiting

    def write(self, rows: Sequence[Stored]) -> None:
        """Take rows, in the columns of ``TABLES``."""
        for start in range(0, len(rows), PART_ROWS):
            some = rows[start : start + PART_ROWS]
            self.take(batch_of(self.kind, some), len(some), known_in(some))

    def take(self, batch: Any, rows: int, known: Mapping[str, int]) -> None:
        """The same for a record batch, with in how many of its rows each field is known."""
        self.known.update(known)
        self._batches.append(batch)
        self._waiting += rows
        self.read += rows
        if self._waiting >= PART_ROWS:
            self.flush()

    def mark(self, cursor: Any, **state: Any) -> bool:
        """Everything before ``cursor`` was written. Gives True when that is now on the disk, too."""
        self.cursor = cursor
        self.state = state
        due = len(self.parts) > self._counted or self.snapshots.clock.now() - self._at >= self.checkpoint_s
        if due and self.purpose is not None:
            self.save()
        return due

    def save(self) -> None:
        """Write the checkpoint now."""
        self.flush()
        self._at = self.snapshots.clock.now()
        self._counted = len(self.parts)
        replace_json(self._checkpoint, self._told())

    def replace_parts(self, parts: Sequence[Part], known: Mapping[str, int]) -> None:
        """Have these parts instead, which lie in the draft's folder already; the others go when it ends."""
        self._batches, self._waiting = [], 0
        self.parts = list(parts)
        self.known = Counter(known)

    def publish(
        self,
        *,
        mode: Mode = "full",
        watermark: int | None = None,
        swept_at: float | None = None,
        calls: int = 0,
        since_sweep: int = 0,
        hidden: int = 0,
        why: Sequence[str] = (),
    ) -> Snapshot:
        """Make it the current snapshot, whole and at once; see ``Manifest``. Raises OSError.

        With ``why`` it is set aside as suspect instead, and the current one stays. An older suspect goes either
        way: it is answered, by a good harvest or by a newer doubt.
        """
        self.flush()
        now = self.snapshots.clock.now()
        digest = hashlib.blake2b("".join(part.digest for part in self.parts).encode(), digest_size=16).hexdigest()
        manifest = Manifest(
            rows=sum(part.rows for part in self.parts),
            began_at=self.began_at,
            ended_at=now,
            mode=mode,
            watermark=watermark,
            swept_at=now if swept_at is None else swept_at,
            known=dict(sorted(self.known.items())),
            parts=tuple(part.as_json() for part in self.parts),
            digest=digest,
            calls=calls,
            since_sweep=since_sweep,
            hidden=hidden,
            why=tuple(why),
        )
        return self._end(manifest)

    def abandon(self) -> None:
        """Remove everything that was written."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._checkpoint.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """End without publishing; what the checkpoint counts stays for the next."""
        self._lock.release()

    # --- inside ------------------------------------------------------------------------------------

    def _told(self, ends: str | None = None) -> dict[str, Any]:
        return {
            "purpose": self.purpose,
            "began_at": self.began_at,
            "cursor": self.cursor,
            "state": self.state,
            "parts": [part.as_json() for part in self.parts],
            "known": dict(self.known),
            "ends": ends,
        }

    def _take_up(self, told: Any) -> None:
        if told is not None and told["ends"] is not None:  # killed between the renames of its end
            self._settle(str(told["ends"]))
            told = None
        fits = told is not None and self.purpose is not None and told["purpose"] == self.purpose
        parts = [Part(**part) for part in told["parts"]] if fits else []
        there = all((at := self.folder / part.name).exists() and at.stat().st_size == part.bytes for part in parts)
        if fits and there and self.began_at - told["began_at"] < GOES_ON_S:
            self.began_at = told["began_at"]
            self.cursor, self.state, self.parts = told["cursor"], told["state"], parts
            self.read = sum(part.rows for part in parts)
            self.known, self._counted, self.resumed = Counter(told["known"]), len(parts), True
            counted = {part.name for part in parts}
            for path in self.folder.glob("*"):
                if path.name not in counted:
                    path.unlink()
            return
        self._checkpoint.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        sync(self.place)

    def flush(self) -> None:
        """Have everything that was taken in parts on the disk, not counted yet."""
        if not self._batches:
            return
        path = self.folder / f"part-{len(self.parts):05}.parquet"
        self.parts.append(write_part(path, self.kind, self._batches))
        sync(self.folder)
        self._batches, self._waiting = [], 0

    def _end(self, manifest: Manifest) -> Snapshot:
        kept = {part.name for part in self.parts}
        for path in self.folder.glob("part-*"):
            if path.name not in kept:
                path.unlink()
        replace_json(self.folder / MANIFEST, manifest.as_json())
        number = self.snapshots.next_generation(self.source, self.kind)
        name = f"{SUSPECT}{number}" if manifest.why else str(number)
        older = self.snapshots.suspect(self.source, self.kind)
        replace_json(self._checkpoint, self._told(ends=name))
        self.folder.rename(self.place / name)
        self._settle(name)
        if older is not None:
            self.snapshots.drop(older)
        self.leave()
        return Snapshot(self.source, self.kind, number, self.place / name, manifest, bool(manifest.why))

    def _settle(self, name: str) -> None:
        """The last steps of an end, also when a kill came between them."""
        if self.folder.exists() and not (self.place / name).exists():
            self.folder.rename(self.place / name)
        sync(self.place)
        if not name.startswith(SUSPECT):
            replace_text(self.place / CURRENT, f"{name}\n".encode())
        self._checkpoint.unlink(missing_ok=True)

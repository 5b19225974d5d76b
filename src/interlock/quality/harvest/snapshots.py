"""Snapshots: what a source held, one folder a kind and harvest, published whole or not at all.

``<folder>/<source>/<kind>/<generation>/part-*.parquet`` with ``manifest.json`` beside the parts; the file
``current`` names the generation in use. Whatever is read lies still: a new harvest is another folder, and
the pointer moves by one rename. Reading what snapshots there are needs no data engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from interlock.clock import Clock, SystemClock
from interlock.quality.harvest.durable import read_json, replace_text
from interlock.quality.stored import TABLES
from interlock.records.problems import invalid

if TYPE_CHECKING:
    from interlock.quality.harvest.delta import Delta
    from interlock.quality.harvest.draft import Draft

MANIFEST = "manifest.json"
CURRENT = "current"
SUSPECT = "suspect-"
Mode = Literal["full", "incremental"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is. Times are epoch seconds; ``known`` is in how many rows each field was known.

    ``watermark`` is the latest ``updated_at`` among the rows; ``swept_at`` when the last sweep of all rows or
    ids ended, after which nothing deleted is left in it. ``why`` is not empty for a harvest that was set aside.
    """

    rows: int
    began_at: float
    ended_at: float
    mode: Mode
    watermark: int | None
    swept_at: float
    known: Mapping[str, int]
    parts: tuple[Mapping[str, Any], ...]
    digest: str
    calls: int = 0
    since_sweep: int = 0  # incremental harvests since the last sweep
    hidden: int = 0  # rows that the source counted at the last sweep and did not show us
    why: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def size(self) -> int:
        """Size of the parts."""
        return sum(int(part["bytes"]) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published harvest of a kind, or (``suspect``) one that was set aside."""

    source: str
    kind: str
    generation: int
    folder: Path
    manifest: Manifest
    suspect: bool = field(default=False)

    @property
    def files(self) -> list[Path]:
        """The Parquet parts, in the order of the harvest."""
        return [self.folder / str(part["name"]) for part in self.manifest.parts]


class Snapshots:
    """All snapshots of a gateway, in ``<state>/snapshots``."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or SystemClock()

    def current(self, source: str, kind: str) -> Snapshot | None:
        """The snapshot in use, None before the first harvest."""
        number = self._pointer(source, kind)
        return None if number is None else self._at(source, kind, str(number))

    def previous(self, source: str, kind: str) -> Snapshot | None:
        """The generation before the current one, while it is kept."""
        now = self._pointer(source, kind)
        older = [each for each in self.generations(source, kind) if now is not None and each.generation < now]
        return older[-1] if older else None

    def generations(self, source: str, kind: str) -> list[Snapshot]:
        """Every published snapshot that is kept, oldest first."""
        names = sorted((p.name for p in self.place(source, kind).glob("*") if p.name.isdecimal()), key=int)
        return [found for name in names if (found := self._at(source, kind, name)) is not None]

    def suspect(self, source: str, kind: str) -> Snapshot | None:
        """The newest harvest that was set aside and not taken since."""
        names = sorted((p.name for p in self.place(source, kind).glob(f"{SUSPECT}*")), key=_number)
        return self._at(source, kind, names[-1]) if names else None

    def kinds(self) -> list[tuple[str, str]]:
        """Source and kind of everything that has a folder here."""
        return sorted((at.parent.name, at.name) for at in self.folder.glob("*/*") if at.is_dir() and at.name in TABLES)

    def all_current(self) -> list[Snapshot]:
        """The snapshots in use, by source and kind."""
        return [found for source, kind in self.kinds() if (found := self.current(source, kind)) is not None]

    def begin(self, source: str, kind: str, *, purpose: Mapping[str, Any] | None = None) -> Draft:
        """A draft to write a new generation to; nobody else can have one of this kind meanwhile.

        A draft that a killed process left goes on where it was last counted, if it was begun for the same
        ``purpose``. Without a purpose it always starts anew. Raises StateError when another process has it.
        """
        from interlock.quality.harvest.draft import Draft

        return Draft.open(self, source, kind, purpose)

    def unfinished(self, source: str, kind: str) -> Mapping[str, Any] | None:
        """The purpose of a draft that was not ended, None when there is none."""
        told = read_json(self.place(source, kind) / "draft.json")
        return None if told is None or told["ends"] is not None else told["purpose"]

    def delta(self, source: str, kind: str, since_generation: int) -> Delta | None:
        """Which refs changed and which are gone since a generation; None when that is not kept any more."""
        from interlock.quality.harvest.delta import delta_between

        old, new = self._at(source, kind, str(since_generation)), self.current(source, kind)
        return None if old is None or new is None else delta_between(old, new)

    def accept(self, source: str, kind: str) -> Snapshot:
        """Take the harvest that was set aside as the current one. Raises Problem when there is none."""
        found = self.suspect(source, kind)
        if found is None:
            raise invalid("kind", f"{source} {kind}", "has no harvest that was set aside", "Harvest it.")
        at = self.place(source, kind)
        found.folder.rename(at / str(found.generation))
        replace_text(at / CURRENT, f"{found.generation}\n".encode())
        taken = self._at(source, kind, str(found.generation))
        assert taken is not None
        return taken

    def drop(self, snapshot: Snapshot) -> None:
        """Remove one that is not in use. Raises Problem for the current one."""
        if not snapshot.suspect and snapshot.generation == self._pointer(snapshot.source, snapshot.kind):
            raise invalid("generation", snapshot.generation, "is in use", "Harvest again first.")
        gone = snapshot.folder.with_name(f".gone-{snapshot.folder.name}")
        snapshot.folder.rename(gone)  # first out of sight, so that no reader finds half of it
        shutil.rmtree(gone)

    def place(self, source: str, kind: str) -> Path:
        """The folder of a source's kind."""
        if kind not in TABLES:
            raise invalid("kind", kind, "is not a kind", f"Kinds: {', '.join(TABLES)}.")
        return self.folder / source / kind

    def next_generation(self, source: str, kind: str) -> int:
        """One more than every generation there is or was set aside."""
        names = [path.name for path in self.place(source, kind).glob("*")]
        taken = [_number(name) for name in names if name.isdecimal() or name.startswith(SUSPECT)]
        return max([*taken, self._pointer(source, kind) or 0]) + 1

    def _pointer(self, source: str, kind: str) -> int | None:
        try:
            return int((self.place(source, kind) / CURRENT).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _at(self, source: str, kind: str, name: str) -> Snapshot | None:
        folder = self.place(source, kind) / name
        told = read_json(folder / MANIFEST)
        if told is None:
            return None
        manifest = Manifest(**{**told, "parts": tuple(told["parts"]), "why": tuple(told["why"])})
        return Snapshot(source, kind, _number(name), folder, manifest, name.startswith(SUSPECT))


def _number(name: str) -> int:
    return int(name.removeprefix(SUSPECT))

"""The state folder: everything a gateway remembers lies in one folder that only it may enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock.state.db import SqliteDb
from interlock.state.files import WriterLock, private_folder
from interlock.state.migrations import STEPS
from interlock.state.schema import Step


@dataclass(frozen=True, slots=True)
class State:
    """An open state folder. Its lock says which process writes; the ledger and principals lie beside."""

    folder: Path
    db: SqliteDb

    @property
    def lock(self) -> WriterLock:
        return self.db.lock

    async def close(self) -> None:
        await self.db.close()


def open_state(folder: Path, *, synchronous: str = "FULL", steps: Sequence[Step] = STEPS) -> State:
    """Open or make a state folder for writing.

    Raises StateError when another process has it (its id is named), when other users may enter it,
    or when it was written by a newer Interlock.
    """
    private_folder(folder)
    return State(folder, SqliteDb(folder / "state.sqlite", steps, synchronous))

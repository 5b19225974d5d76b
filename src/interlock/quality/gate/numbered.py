"""Files that are replaced whole: ``<number>.<suffix>``, and ``current``, which names the one in force.

A new one is written beside, linked under the next number and then pointed at, so that readers in other
processes see the old one or the new one, never half of either. One of before is kept for whoever just read
the pointer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from interlock.records.problems import Problem, Slug
from interlock.state.files import private_folder

CURRENT: Final = "current"
_KEPT = 2


def current(folder: Path, suffix: str) -> str | None:
    """The name of the file in force; None when none was ever made. Raises Problem internal."""
    try:
        name = (folder / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(folder / CURRENT, str(error)) from error
    if _number(Path(name)) == 0 or not name.endswith(suffix) or os.sep in name:
        raise unusable(folder / CURRENT, f"it names no {suffix} file")
    return name


def replace(folder: Path, suffix: str, write: Callable[[Path], None]) -> Path:
    """Let ``write`` make a file at the path it is given, and put it in force."""
    private_folder(folder)
    draft = folder / f"draft-{os.getpid()}"
    draft.unlink(missing_ok=True)
    try:
        write(draft)
        draft.chmod(0o600)
        _synced(draft)
        path = _link(draft, folder, suffix)
    finally:
        draft.unlink(missing_ok=True)
    beside = folder / f"{CURRENT}-{os.getpid()}"
    beside.write_text(f"{path.name}\n", encoding="ascii")
    _synced(beside)
    beside.replace(folder / CURRENT)
    _synced(folder)
    for old in sorted(folder.glob(f"*{suffix}"), key=_number)[:-_KEPT]:
        for part in folder.glob(f"{old.name}*"):  # SQLite's side files too
            part.unlink(missing_ok=True)
    return path


def unusable(path: Path, why: str) -> Problem:
    return Problem(Slug.INTERNAL, f"{path} cannot be used: {why}", next_step="Run interlock scan: it writes a new one.")


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _link(draft: Path, folder: Path, suffix: str) -> Path:
    """Give the draft the next number; whoever took that one meanwhile keeps it."""
    number = max(map(_number, folder.glob(f"*{suffix}")), default=0)
    while True:
        number += 1
        try:
            os.link(draft, path := folder / f"{number}{suffix}")
        except FileExistsError:
            continue
        return path


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

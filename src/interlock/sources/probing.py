"""Finding a note again: its marker, as a whole word, in the newest entries of the journal."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from interlock.adapterkit.native import NativeNote
from interlock.records.problems import Problem, Slug

PAGE = 50
MOST = 500
"""So many of the newest entries are looked through."""

ReadNotes = Callable[[Any, int], Awaitable[tuple[list[NativeNote], Any]]]


async def has_marker(marker: str | None, read: ReadNotes) -> bool:
    """Whether a journal holds the marker. ``read`` gives the entries at a cursor, newest first."""
    if not marker:
        raise Problem(Slug.INTERNAL, "a note without a marker cannot be probed")
    pattern = _whole(marker)
    cursor: Any = None
    seen = 0
    while seen < MOST:
        notes, following = await read(cursor, PAGE)
        if any(pattern.search(note.text) for note in notes):
            return True
        if following is None or following == cursor:
            return False
        cursor = following
        seen += max(len(notes), 1)
    return False


def _whole(marker: str) -> re.Pattern[str]:
    # One marker may be the beginning of another. Brackets are a border by themselves, and sources that join
    # lines may leave a letter beside them.
    before = r"(?<!\w)" if marker[0].isalnum() else ""
    after = r"(?!\w)" if marker[-1].isalnum() else ""
    return re.compile(before + re.escape(marker) + after)

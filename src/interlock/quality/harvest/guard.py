"""Whether a harvest may replace the last one: a source that suddenly holds less has rather lost its rights.

Pure: what the last snapshot was, what was read now, and the source's settings.
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.config import Harvest
from interlock.quality.harvest.snapshots import Manifest

FEW = 5
"""A field is missed when at least so many of the rows read should have known it."""


def doubts(last: Manifest | None, rows: int, read: int, known: Mapping[str, int], settings: Harvest) -> tuple[str, ...]:
    """What speaks against taking a harvest: of ``rows`` in all, ``read`` just now with these fields known."""
    if last is None:
        return ()
    return (*_shrunk(last, rows, settings), *_lost(last, read, known))


def lost_fields(last: Manifest, read: int, known: Mapping[str, int]) -> list[str]:
    """Fields that the last snapshot knew and no row of these knows, though some should."""
    if not last.rows:
        return []
    return [
        name
        for name, before in last.known.items()
        if read and not known.get(name) and (before * read >= FEW * last.rows or before == last.rows)
    ]


def _shrunk(last: Manifest, rows: int, settings: Harvest) -> tuple[str, ...]:
    fewer = last.rows - rows
    if fewer <= settings.shrink_rows or fewer * 100 <= settings.shrink_percent * last.rows:
        return ()
    return (f"{rows} rows where there were {last.rows}",)


def _lost(last: Manifest, read: int, known: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{name} is missing in all {read} rows read; {last.known[name]} of {last.rows} had it"
        for name in lost_fields(last, read, known)
    )

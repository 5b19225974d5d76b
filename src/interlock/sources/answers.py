"""What a source gives and takes: records, pages, notes, and one write in canonical terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Origin = Literal["live", "cache", "snapshot"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One record with all mapped fields. It is shared with the cache: read it, never change it.

    ``observed_at`` (epoch seconds) is when the read was sent, so that an age is never understated.
    """

    record: dict[str, Any]
    handle: str
    observed_at: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Found:
    """Records of a search; shared like ``Fetched.record``.

    ``cursor`` is JSON-able and None at the end. ``truncated``: the bound of rows or time was met before
    enough matches were found; more may follow behind ``cursor``.
    """

    records: list[dict[str, Any]]
    cursor: Any | None
    observed_at: float
    origin: Origin
    truncated: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notes:
    """Journal entries in the shape of ``records.journal.JournalEntry``, newest first."""

    entries: list[dict[str, Any]]
    cursor: Any | None
    observed_at: float


@dataclass(frozen=True, slots=True)
class Effect:
    """One write in canonical terms: everything needed to perform it, to probe for it and to read it back.

    ``key`` is a ref's key (readable, or ``~handle``); None for a create. ``correlation`` names this write
    at the source; ``marker`` is the word in a note's text by which the note is found again. ``order``: what is
    ordered, when the create is an order from the catalogue: item (native id), variables, quantity.
    """

    kind: str
    op: Literal["create", "update", "note"]
    key: str | None
    changes: dict[str, Any]
    correlation: str
    marker: str | None = None
    note_text: str | None = None
    visibility: str | None = None
    order: dict[str, Any] | None = None

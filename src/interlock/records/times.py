"""Instants: RFC 3339 text in UTC on every border, epoch seconds where they are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from interlock.records.problems import invalid

FIRST_YEAR, LAST_YEAR = 1900, 2099


def to_text(epoch: float) -> str:
    """``2026-03-14T08:12:44Z`` for epoch seconds; fractions are cut."""
    return _second(int(epoch))


@lru_cache(maxsize=1024)  # most of what is written down happened just now
def _second(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_epoch(text: str) -> int:
    """Epoch seconds of a canonical instant (what ``to_text`` makes). Raises ValueError."""
    return int(datetime.fromisoformat(text).timestamp())


def parse(text: str, field: str) -> int:
    """Epoch seconds of an instant that an agent wrote: RFC 3339 with a zone, or a date (UTC midnight).

    Raises Problem invalid-argument, also for an instant without a zone: it would be a guess; and for one outside
    the years that sources can hold.
    """
    hint = "Write it as 2026-03-14T08:12:44Z."
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(field, text, "is not an instant", hint) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise invalid(field, text, "is out of range", f"Years are {FIRST_YEAR} to {LAST_YEAR}.")
    if found.tzinfo is None:
        if len(text) > 10:
            raise invalid(field, text, "has no time zone", hint)
        found = found.replace(tzinfo=UTC)
    try:
        return int(found.timestamp())
    except (OverflowError, OSError, ValueError):
        raise invalid(field, text, "is out of range", hint) from None

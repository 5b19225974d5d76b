"""Instants on the wire: the database holds seconds of the epoch, callers see their own time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?\Z")
_AMERICAN = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y")


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo | None:
    """A time zone by its name or as an offset (``GMT+01:00``); None for what is neither."""
    if name in ("", "GMT", "UTC", "Z"):
        return UTC if name else None
    if found := _OFFSET.match(name):
        sign, hours, minutes = found.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(span if sign == "+" else -span) if span < timedelta(hours=24) else None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def written(epoch: int, where: tzinfo) -> str:
    """``2026-03-01T10:15:00+01:00``: an xsd:dateTime as the caller's zone has it."""
    return datetime.fromtimestamp(epoch, where).isoformat()


def parsed(text: str, where: tzinfo) -> int | None:
    """Epoch seconds of an ISO time, an American one, or of epoch seconds; None if it is none of them.

    A time without a zone is one of ``where``.
    """
    text = text.strip()
    if re.fullmatch(r"-?\d{1,12}", text):
        return int(text)
    moment = _iso(text) or next((m for layout in _AMERICAN if (m := _american(text, layout))), None)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=where)
    try:
        return int(moment.timestamp())
    except (OverflowError, OSError, ValueError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _american(text: str, layout: str) -> datetime | None:
    try:
        return datetime.strptime(text, layout)  # noqa: DTZ007 -- the zone is the caller's
    except ValueError:
        return None

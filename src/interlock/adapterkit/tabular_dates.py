"""Dates in exports: a declared form and zone in, canonical instants and days out.

A form is written as people write it: ``D/M/YYYY hh:mm``, ``YYYY-MM-DD h:mm:ss``, ``DD-MM-YYYY``,
``M/D/YYYY h:mm A``. A single letter takes one or two digits, a doubled one exactly two; ``f`` takes the digits
of a fraction of a second, which are dropped. Nothing about a date is guessed: 3/4/2016 has two readings, and
only the export's owner knows which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from interlock.records.problems import invalid

_TOKENS: dict[str, tuple[str, str]] = {
    "YYYY": ("year", r"\d{4}"),
    "MM": ("month", r"\d{2}"),
    "M": ("month", r"\d{1,2}"),
    "DD": ("day", r"\d{2}"),
    "D": ("day", r"\d{1,2}"),
    "hh": ("hour", r"\d{2}"),
    "h": ("hour", r"\d{1,2}"),
    "mm": ("minute", r"\d{2}"),
    "ss": ("second", r"\d{2}"),
    "f": ("fraction", r"\d{1,9}"),
    "A": ("half", r"[AaPp][Mm]"),
}
_TOKEN = re.compile("|".join(_TOKENS))
_KEEP = 200_000
EXAMPLE = "for example D/M/YYYY hh:mm, YYYY-MM-DD hh:mm:ss or DD-MM-YYYY"

Reader = Callable[[str], "str | None"]
"""Native text to a canonical instant or day; None when the text does not have the form."""


def zone(name: str, field: str) -> tzinfo:
    """The named time zone. Raises Problem invalid-argument."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(
            field, name, "is not a known time zone", "Write an IANA name such as Europe/Berlin, or UTC."
        ) from None


def date_reader(forms: Sequence[str], in_zone: tzinfo, field: str) -> Reader:
    """Compile date forms into one reader; the first form that fits wins.

    A form with hours yields an instant (``2016-02-29T01:16:00Z``), one without a day (``2016-02-29``).
    Raises Problem invalid-argument for a form that is not one.
    """
    compiled = [_compile(form, field) for form in forms]
    known: dict[str, str | None] = {}

    def read(text: str) -> str | None:
        if text in known:
            return known[text]
        found = None
        for pattern, timed in compiled:
            match = pattern.fullmatch(text.strip())
            if match:
                found = _canonical(match.groupdict(), timed, in_zone)
                if found is not None:
                    break
        if len(known) < _KEEP:
            known[text] = found
        return found

    return read


def from_datetime(moment: datetime, in_zone: tzinfo) -> str:
    """The canonical instant of a date cell that is typed already (Excel, Parquet); naive means in_zone."""
    return _utc(moment if moment.tzinfo else moment.replace(tzinfo=in_zone))


def _compile(form: str, field: str) -> tuple[re.Pattern[str], bool]:
    names: list[str] = []
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(form):
        name, digits = _TOKENS[token.group()]
        names.append(name)
        pieces += [re.escape(form[end : token.start()]), f"(?P<{name}>{digits})"]
        end = token.end()
    pieces.append(re.escape(form[end:]))
    if len(set(names)) != len(names) or not {"year", "month", "day"} <= set(names):
        raise invalid(
            field, form, "is not a date form: it needs year, month and day, each once", f"Write it {EXAMPLE}."
        )
    if ("minute" in names or "second" in names or "half" in names) and "hour" not in names:
        raise invalid(field, form, "has minutes or seconds but no hours", f"Write it {EXAMPLE}.")
    return re.compile("".join(pieces)), "hour" in names


def _canonical(parts: dict[str, str], timed: bool, in_zone: tzinfo) -> str | None:
    hour = int(parts.get("hour", 0))
    half = parts.get("half", "").upper()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "PM" else 0)
    try:
        moment = datetime(
            int(parts["year"]),
            int(parts["month"]),
            int(parts["day"]),
            hour,
            int(parts.get("minute", 0)),
            int(parts.get("second", 0)),
            tzinfo=in_zone,
        )
        return _utc(moment) if timed else moment.strftime("%Y-%m-%d")
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"

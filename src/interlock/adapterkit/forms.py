"""Native forms of values: how instants and days are written, read back, and bounded in a query."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from interlock.records import times

_TOKENS: dict[str, tuple[str, str]] = {
    "YYYY": (r"(?P<Y>\d{4})", "{0.year:04d}"),
    "MM": (r"(?P<M>\d\d)", "{0.month:02d}"),
    "DD": (r"(?P<D>\d\d)", "{0.day:02d}"),
    "hh": (r"(?P<h>\d\d)", "{0.hour:02d}"),
    "mm": (r"(?P<m>\d\d)", "{0.minute:02d}"),
    "ss": (r"(?P<s>\d\d)", "{0.second:02d}"),
    "M": (r"(?P<M>\d{1,2})", "{0.month}"),
    "D": (r"(?P<D>\d{1,2})", "{0.day}"),
    "h": (r"(?P<h>\d{1,2})", "{0.hour}"),
}
_TOKEN = re.compile("YYYY|MM|DD|hh|mm|ss|M|D|h")
SPACED = "YYYY-MM-DD hh:mm:ss"
_from_iso = datetime.fromisoformat


@dataclass(frozen=True, slots=True)
class InstantForm:
    """Instants of one source. ``read`` and ``write`` raise ValueError for what is no instant.

    ``bound(text, up)`` writes a canonical instant for a comparison: where the form is coarser than a
    second (or a local hour happens twice), upper bounds are rounded up and lower ones down, and the
    comparison is not ``exact``.
    """

    read: Callable[[str], str]
    write: Callable[[str], str]
    bound: Callable[[str, bool], str]
    exact: bool


def instant_form(form: str, zone: str) -> InstantForm:
    """``iso``, ``epoch`` or a pattern, in an IANA zone. Raises ValueError with the reason.

    ``iso-fraction``: the source keeps parts of a second, which the contract drops; upper bounds include them.
    """
    if form == "epoch":
        return InstantForm(_read_epoch, _write_epoch, lambda text, up: _write_epoch(text), True)
    try:
        tz: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{zone!r} is not a time zone of the IANA database") from None
    if form == "iso-fraction":
        return InstantForm(_iso_reader(tz), str, lambda text, up: f"{text[:-1]}.999999Z" if up else text, False)
    if form == "iso":
        return InstantForm(_iso_reader(tz), str, lambda text, up: text, True)
    pattern, template, unit = _pattern(form)
    local = zone != "UTC"

    def read(text: str) -> str:
        found = pattern.fullmatch(text)
        if found is None:
            raise ValueError("does not have the declared form")
        part = found.groupdict()
        moment = datetime(
            int(part["Y"]), int(part["M"]), int(part["D"]),
            int(part.get("h") or 0), int(part.get("m") or 0), int(part.get("s") or 0), tzinfo=tz,
        )  # fmt: skip
        return times.to_text(moment.timestamp())

    def write(text: str) -> str:
        return template.format(datetime.fromtimestamp(times.to_epoch(text), tz))

    def bound(text: str, up: bool) -> str:
        epoch = times.to_epoch(text)
        if unit > 1:
            wall = datetime.fromtimestamp(epoch, tz)
            rest = (epoch + int((wall.utcoffset() or timedelta()).total_seconds())) % unit
            if rest:
                epoch += unit - rest if up else -rest
        if local:
            epoch += 3600 if up else -3600
        return template.format(datetime.fromtimestamp(epoch, tz))

    return InstantForm(
        read_spaced if form == SPACED and not local else read,
        _write_spaced if form == SPACED and not local else write,
        bound,
        exact=unit == 1 and not local,
    )


def read_spaced(text: str) -> str:
    """A UTC instant written ``YYYY-MM-DD hh:mm:ss``. Raises ValueError."""
    _from_iso(text)  # the calendar is checked here, the form below
    if len(text) != 19 or text[4:17:3] != "-- ::":
        raise ValueError("is not YYYY-MM-DD hh:mm:ss")
    return f"{text[:10]}T{text[11:]}Z"


def _write_spaced(text: str) -> str:
    return f"{text[:10]} {text[11:19]}"


def _read_epoch(text: str) -> str:
    seconds = float(text)
    if not math.isfinite(seconds) or not 0 <= seconds < 253_402_300_800:
        raise ValueError("is out of range")
    return times.to_text(seconds)


def _write_epoch(text: str) -> str:
    return str(times.to_epoch(text))


def _iso_reader(tz: tzinfo) -> Callable[[str], str]:
    def read(text: str) -> str:
        moment = _from_iso(text)
        if len(text) == 25 and text[19:] == "+00:00" and text[10] == "T":
            return f"{text[:19]}Z"
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=tz)
        return times.to_text(moment.timestamp())

    return read


def _pattern(form: str) -> tuple[re.Pattern[str], str, int]:
    expression, template, names = [], [], []
    at = 0
    for token in _TOKEN.finditer(form):
        between = form[at : token.start()]
        expression.append(re.escape(between))
        template.append(between.replace("{", "{{").replace("}", "}}"))
        expression.append(_TOKENS[token.group()][0])
        template.append(_TOKENS[token.group()][1])
        names.append(token.group()[0])
        at = token.end()
    expression.append(re.escape(form[at:]))
    template.append(form[at:].replace("{", "{{").replace("}", "}}"))
    if len(set(names)) != len(names) or not {"Y", "M", "D"} <= set(names):
        raise ValueError(f"{form!r} is not a form of instants; write iso, epoch, or a pattern like {SPACED}")
    unit = 1 if "s" in names else 60 if "m" in names else 3600 if "h" in names else 86_400
    return re.compile("".join(expression), re.ASCII), "".join(template), unit


def read_whole(text: str) -> int:
    """A whole number as sources write it. Raises ValueError."""
    if len(text) <= 18 and (text.isdecimal() or (text[:1] == "-" and text[1:].isdecimal())):
        return int(text)
    number = float(text)
    if not number.is_integer() or abs(number) > 2**53:
        raise ValueError("is not a whole number")
    return int(number)

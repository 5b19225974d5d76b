"""The script expressions that stand in stored queries: ``javascript:gs.daysAgoStart(7)`` and the like.

Only the date and user functions of stored filters are known; anything else evaporates, as it does in the
product's sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

FORMAT = "%Y-%m-%d %H:%M:%S"

_CALL = re.compile(r"\s*(?:javascript:)?\s*gs\.(\w+)\(([^)]*)\)\s*;?\s*", re.DOTALL)

UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "dayofweek": timedelta(days=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
}


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _week(moment: datetime) -> datetime:
    return _day(moment) - timedelta(days=moment.weekday())


def _month(moment: datetime, ahead: int = 0) -> datetime:
    months = moment.year * 12 + moment.month - 1 + ahead
    return _day(moment).replace(year=months // 12, month=months % 12 + 1, day=1)


def _quarter(moment: datetime, ahead: int = 0) -> datetime:
    start = _month(moment).replace(month=(moment.month - 1) // 3 * 3 + 1)
    return _month(start, 3 * ahead)


def _year(moment: datetime, ahead: int = 0) -> datetime:
    return _day(moment).replace(year=moment.year + ahead, month=1, day=1)


_SECOND = timedelta(seconds=1)

_PERIODS: dict[str, tuple[Callable[[datetime], datetime], Callable[[datetime], datetime]]] = {
    "Today": (_day, lambda m: _day(m) + timedelta(days=1) - _SECOND),
    "Yesterday": (lambda m: _day(m) - timedelta(days=1), lambda m: _day(m) - _SECOND),
    "Tomorrow": (lambda m: _day(m) + timedelta(days=1), lambda m: _day(m) + timedelta(days=2) - _SECOND),
    "ThisWeek": (_week, lambda m: _week(m) + timedelta(weeks=1) - _SECOND),
    "LastWeek": (lambda m: _week(m) - timedelta(weeks=1), lambda m: _week(m) - _SECOND),
    "ThisMonth": (_month, lambda m: _month(m, 1) - _SECOND),
    "LastMonth": (lambda m: _month(m, -1), lambda m: _month(m) - _SECOND),
    "ThisQuarter": (_quarter, lambda m: _quarter(m, 1) - _SECOND),
    "LastQuarter": (lambda m: _quarter(m, -1), lambda m: _quarter(m) - _SECOND),
    "ThisYear": (_year, lambda m: _year(m, 1) - _SECOND),
    "LastYear": (lambda m: _year(m, -1), lambda m: _year(m) - _SECOND),
}

_AGO: dict[str, tuple[timedelta, Callable[[datetime], datetime]]] = {
    "minutes": (UNITS["minute"], _minute),
    "hours": (UNITS["hour"], _hour),
    "days": (UNITS["day"], _day),
}


def evaluate(expression: str, now: datetime, user_id: str, user_name: str) -> str | None:
    """The value of an expression as query text, or None when the sandbox would not run it."""
    found = _CALL.fullmatch(expression)
    if found is None:
        return None
    name, arguments = found[1], [a.strip().strip("\"'") for a in found[2].split(",") if a.strip()]
    if name == "getUserID":
        return user_id
    if name == "getUserName":
        return user_name
    try:
        moment = _moment(name, arguments, now)
    except (OverflowError, ValueError):
        return None
    return moment.strftime(FORMAT) if moment is not None else None


def _moment(name: str, arguments: list[str], now: datetime) -> datetime | None:
    if name in {"now", "nowDateTime", "nowNoTZ"}:
        return now
    if name == "dateGenerate" and arguments:
        return read(" ".join(arguments))
    for edge, place in (("beginningOf", 0), ("endOf", 1)):
        if name.startswith(edge) and name[len(edge) :] in _PERIODS:
            return _PERIODS[name[len(edge) :]][place](now)
    ago = re.fullmatch(r"(minutes|hours|days|months)Ago(Start|End)?", name)
    if ago is None or len(arguments) != 1 or not re.fullmatch(r"-?\d{1,6}", arguments[0]):
        return None
    count = int(arguments[0])
    if ago[1] == "months":
        start = _month(now, -count)
        return _month(now, 1 - count) - _SECOND if ago[2] == "End" else start
    unit, floor = _AGO[ago[1]]
    moment = now - count * unit
    if ago[2] == "Start":
        return floor(moment)
    return floor(moment) + unit - _SECOND if ago[2] == "End" else moment


def read(text: str) -> datetime | None:
    """A stored date or date-time; None for anything else."""
    for form in (FORMAT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 -- stored times are UTC without a zone
        except ValueError:
            continue
    return None


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PART = re.compile(r".*gs\.datePart\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"].*", re.DOTALL)


def date_part(value: str) -> Callable[[datetime], bool] | None:
    """The test of a DATEPART value such as ``Monday@javascript:gs.datePart('dayofweek','monday','EE')``."""
    found = _PART.fullmatch(value)
    if found is None:
        return None
    part, wanted = found[1].lower(), found[2].lower()
    if part in {"dayofweek", "day"} and wanted in _DAYS:
        return lambda moment: _DAYS[moment.weekday()] == wanted
    if part == "month" and wanted[:3] in {m[:3] for m in _MONTHS}:
        return lambda moment: _MONTHS[moment.month - 1][:3] == wanted[:3]
    if part in {"hour", "year", "quarter", "week"} and wanted.isascii() and wanted.isdigit():
        return _numbered(part, int(wanted))
    return None


def _numbered(part: str, wanted: int) -> Callable[[datetime], bool]:
    readers: dict[str, Callable[[datetime], int]] = {
        "hour": lambda m: m.hour,
        "year": lambda m: m.year,
        "quarter": lambda m: (m.month + 2) // 3,
        "week": lambda m: m.isocalendar().week,
    }
    read_part = readers[part]
    return lambda moment: read_part(moment) == wanted

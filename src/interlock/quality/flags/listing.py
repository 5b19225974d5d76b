"""Pages of flags, by keyset: what stopped the most agent calls, then the gravest, then the oldest."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson

from interlock.quality.flags.rows import FLAG_COLUMNS, SEVERITIES, STATUSES, FlagRow
from interlock.quality.flags.statuses import STATUS_SQL, flag_of_row
from interlock.records.problems import invalid

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Filters:
    """What is wanted; several words of one filter are alternatives. Without a status: all that are not resolved."""

    code: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    ref: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Sequence[str]]) -> Filters:
        """From named lists. Raises Problem invalid-argument for a status or severity that does not exist."""
        for name, words in (("status", STATUSES), ("severity", SEVERITIES)):
            for word in given.get(name, ()):
                if word not in words:
                    raise invalid(name, word, f"is none of {', '.join(words)}")
        return cls(**{field.name: tuple(given.get(field.name) or ()) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Page:
    """Flags in order; ``cursor`` continues behind the last one, None at the end."""

    flags: list[FlagRow]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Order:
    """A total order by columns, each with its direction; ``key`` reads them of a row of FLAG_COLUMNS."""

    columns: tuple[tuple[str, str], ...]

    @property
    def by(self) -> str:
        return ", ".join(f"{name} {direction}" for name, direction in self.columns)

    def behind(self) -> str:
        """The condition for rows behind a key, written out: the directions differ, so no row value will do."""
        cases = []
        for at, (name, direction) in enumerate(self.columns):
            same = [f"{before} = :k{i}" for i, (before, _) in enumerate(self.columns[:at])]
            cases.append(" AND ".join([*same, f"{name} {'<' if direction == 'DESC' else '>'} :k{at}"]))
        first, direction = self.columns[0]
        bound = f"{first} {'<=' if direction == 'DESC' else '>='} :k0"  # what an index can begin with
        return f"{bound} AND (({') OR ('.join(cases)}))"


ORDERS = {
    "stops": _Order((("stops", "DESC"), ("severity", "ASC"), ("first_at", "ASC"), ("ref", "ASC"), ("code", "ASC"))),
    "ref": _Order((("ref", "ASC"), ("code", "ASC"))),
}
_PLACES = {name: at for at, name in enumerate(FLAG_COLUMNS.split(", "))}


def listed(
    db: sqlite3.Connection, filters: Filters, order: str, limit: int, cursor: str | None, now: float, scanned: float
) -> Page:
    """One page. Raises Problem invalid-argument for an order, limit or cursor that cannot be."""
    if order not in ORDERS:
        raise invalid("order", order, f"is none of {', '.join(ORDERS)}")
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid("limit", limit, f"must be from 1 to {MAX_LIMIT}")
    by = ORDERS[order]
    sql, values = _query(filters, by, now, None if cursor is None else key_of(cursor, order))
    rows = db.execute(f"{sql} LIMIT {limit + 1}", values).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        [flag_of_row(row, now, scanned) for row in rows],
        cursor_of(order, [rows[-1][_PLACES[name]] for name, _ in by.columns]) if more else None,
    )


def _query(filters: Filters, by: _Order, now: float, key: Sequence[Any] | None) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"now": now}
    wanted: list[str] = []
    if filters.status != ("resolved",) and "resolved" not in filters.status:
        wanted.append("state = 'open'")
    for field in fields(filters):
        words = getattr(filters, field.name)
        if not words:
            continue
        if field.name == "severity":
            words = tuple(SEVERITIES.index(word) for word in words)
        names = [f"{field.name}{at}" for at in range(len(words))]
        values.update(zip(names, words, strict=True))
        column = STATUS_SQL if field.name == "status" else field.name
        wanted.append(f"({column}) IN ({', '.join(f':{name}' for name in names)})")
    if key is not None:
        values.update({f"k{at}": part for at, part in enumerate(key)})
        wanted.append(by.behind())
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    return f"SELECT {FLAG_COLUMNS} FROM flag{where} ORDER BY {by.by}", values  # noqa: S608 - names are ours, values bound


def cursor_of(order: str, key: Sequence[Any]) -> str:
    """The cursor behind a key."""
    return base64.urlsafe_b64encode(orjson.dumps([order, *key])).decode().rstrip("=")


def key_of(cursor: str, order: str) -> list[Any]:
    """The key that a cursor stands behind. Raises Problem invalid-argument."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        found = None
    columns = ORDERS[order].columns
    if not isinstance(found, list) or len(found) != len(columns) + 1 or found[0] != order:
        raise invalid("cursor", cursor, "does not belong to this listing", "Begin again without a cursor.")
    for (name, _), part in zip(columns, found[1:], strict=True):
        fits = isinstance(part, str) if name in ("ref", "code") else type(part) in (int, float) and abs(part) < 2**53
        if not fits:
            raise invalid("cursor", cursor, "does not belong to this listing", "Begin again without a cursor.")
    return found[1:]

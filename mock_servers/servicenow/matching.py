"""What encoded queries find: rows of a table, in order.

A clause that is invalid (unknown column, unreadable column, unknown operator) is the most dangerous thing of
the product: ``Reading.invalid`` says what it does.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

from mock_servers.servicenow.clauses import (
    Compare,
    InvalidClauseError,
    Predicate,
    Reading,
    compile_condition,
    display_of,
    listed,
    number,
    path_to,
)
from mock_servers.servicenow.encoded_query import AnyOf, Clause, Condition, Filter, Join, Query, Related, parse
from mock_servers.servicenow.schema import NUMBER_TYPES
from mock_servers.servicenow.store import Row

_COMPARISONS: dict[str, Compare] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}


class ForbiddenQueryError(Exception):
    """The query names a column that may not be queried, and the instance answers 403 to that."""


def select(query: Query, table: str, reading: Reading) -> list[Row]:
    """All rows of a table that a query finds, ordered as it says, else as stored.

    Raises ForbiddenQueryError for an invalid clause when the mode is ``403``.
    """
    found: dict[str, Row] = {}
    for groups in query.filters:
        predicates = _predicates(groups, table, reading)
        if predicates is None:
            continue
        rows = list(_candidates(groups, table, reading))
        for predicate in predicates:
            rows = [row for row in rows if predicate(row)]
        if len(query.filters) == 1:
            break
        found.update((row["sys_id"], row) for row in rows)
    else:
        rows = list(found.values())
    for name, descending in reversed(query.order):
        _sort(rows, name, descending, table, reading)
    return rows


def matcher(text: str, table: str, reading: Reading) -> Predicate:
    """One predicate for a whole encoded query; its order means nothing here."""
    query = parse(text)
    compiled = [_predicates(groups, table, reading) for groups in query.filters]
    alternatives = [predicates for predicates in compiled if predicates is not None]
    return lambda row: any(all(p(row) for p in predicates) for predicates in alternatives)


def _predicates(groups: Filter, table: str, reading: Reading) -> list[Predicate] | None:
    """The AND-ed predicates of one filter; None when no row can match."""
    compiled: list[Predicate] = []
    for group in groups:
        parts: list[Predicate] = []
        for clause in group:
            try:
                parts.append(_compile(clause, table, reading))
            except InvalidClauseError:
                if reading.invalid == "403":
                    raise ForbiddenQueryError from None
                if reading.invalid == "empty":
                    return None
        if len(parts) == 1:
            compiled.append(parts[0])
        elif parts:
            compiled.append(_any_of(parts))
    return compiled


def _any_of(parts: list[Predicate]) -> Predicate:
    return lambda row: any(part(row) for part in parts)


def _candidates(groups: Filter, table: str, reading: Reading) -> Iterable[Row]:
    """The rows worth testing: by an index where one clause alone narrows them, else all."""
    store = reading.store
    columns = store.schema.columns(table)
    for group in groups:
        clause = _single(group)
        if clause is None or clause.field not in columns or clause.value.startswith("javascript:"):
            continue
        if clause.operator == "=" and clause.value and columns[clause.field].type != "boolean":
            return store.where(table, clause.field, clause.value)
        if clause.operator == "IN" and clause.value.count(",") < 1000:
            values = dict.fromkeys(listed(clause.value))
            return (row for value in values for row in store.where(table, clause.field, value))
    for group in groups:
        clause = _single(group)
        if clause is not None and (clause.field, clause.operator) == ("sys_id", ">"):
            family = store.family(table)
            return family[0].after(clause.value) if len(family) == 1 else store.rows(table)
    return store.rows(table)


def _single(group: AnyOf) -> Condition | None:
    return group[0] if len(group) == 1 and isinstance(group[0], Condition) else None


def _compile(clause: Clause, table: str, reading: Reading) -> Predicate:
    if isinstance(clause, Related):
        return _related(clause, reading)
    if isinstance(clause, Join):
        return _join(clause, table, reading)
    return compile_condition(clause, table, reading)


def _related(clause: Related, reading: Reading) -> Predicate:
    rows = _other_rows(clause.table, clause.column, clause.where, reading)
    counts: dict[str, int] = {}
    for row in rows:
        pointed = row.get(clause.column, "")
        counts[pointed] = counts.get(pointed, 0) + 1
    compare = _COMPARISONS[clause.comparison]
    return lambda row: compare(counts.get(row["sys_id"], 0), clause.count)


def _join(clause: Join, table: str, reading: Reading) -> Predicate:
    mine = path_to(clause.column, table, reading).get
    named = {r.get(clause.other, "") for r in _other_rows(clause.table, clause.other, clause.where, reading)}
    return lambda row: mine(row) in named


def _other_rows(table: str, column: str, where: str, reading: Reading) -> list[Row]:
    if table not in reading.store.schema.tables:
        raise InvalidClauseError
    path_to(column, table, reading)
    return select(parse(where), table, reading)


def _sort(rows: list[Row], name: str, descending: bool, table: str, reading: Reading) -> None:
    """Order rows by a column; empty values first, references by what they show. Unknown: no order."""
    try:
        path = path_to(name, table, reading)
    except InvalidClauseError:
        if reading.invalid == "403":
            raise ForbiddenQueryError from None
        return
    get = display_of(path, reading)
    if path.column.type in NUMBER_TYPES:
        rows.sort(key=lambda row: -1e308 if (n := number(get(row))) is None else n, reverse=descending)
    elif path.column.is_exact and not path.column.is_reference:
        rows.sort(key=get, reverse=descending)
    else:
        rows.sort(key=lambda row: get(row).lower(), reverse=descending)

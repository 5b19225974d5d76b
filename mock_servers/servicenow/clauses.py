"""One condition of an encoded query as a predicate over rows.

Strings match without regard to case, as on typical instances; references compare their sys_id with ``=`` and
their display value with LIKE and STARTSWITH; dotted names walk references.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mock_servers.servicenow import gs_dates
from mock_servers.servicenow.encoded_query import TEXT_SEARCH, Condition
from mock_servers.servicenow.schema import NUMBER_TYPES, Column
from mock_servers.servicenow.store import Row, Store

Predicate = Callable[[Row], bool]
Getter = Callable[[Row], str]
Compare = Callable[[Any, Any], bool]
InvalidMode = Literal["ignore", "empty", "403"]

# Dynamic filters that every instance ships: "me" and "one of my groups".
DYNAMIC_ME = "90d1921e5f510100a9ad2572f2b477fe"
DYNAMIC_MY_GROUPS = "d6435e965f510100a9ad2572f2b477fe"


class InvalidClauseError(Exception):
    """A clause that the instance cannot run."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who queries, when, and how the instance treats what it cannot run."""

    store: Store
    now: datetime
    user_id: str = ""
    user_name: str = ""
    invalid: InvalidMode = "ignore"
    run_javascript: bool = True
    not_equal_matches_empty: bool = True
    unreadable: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Path:
    """A column, dot-walked or not: how to read its value, and what it is."""

    get: Getter
    column: Column


# -- columns ----------------------------------------------------------------------------------------


def path_to(name: str, table: str, reading: Reading) -> Path:
    """Resolve ``a.b.c`` from a table. Raises InvalidClauseError for what does not exist or may not be read."""
    store = reading.store
    head, _, rest = name.partition(".")
    column = store.schema.columns(table).get(head)
    if column is None or unreadable(head, table, reading):
        raise InvalidClauseError
    if not rest:
        return Path(lambda row: row.get(head, ""), column)
    target = column.reference
    if not column.is_reference or target not in store.schema.tables:
        raise InvalidClauseError
    inner = path_to(rest, target, reading)

    def walk(row: Row) -> str:
        found = store.get(target, row.get(head, ""))
        return inner.get(found) if found is not None else ""

    return Path(walk, inner.column)


def unreadable(element: str, table: str, reading: Reading) -> bool:
    if reading.invalid != "403":
        return False  # only instances with query ACLs refuse to filter by what may not be read
    chain = reading.store.schema.chain(table)
    return any(element in reading.unreadable.get(name, ()) for name in chain)


def display_of(path: Path, reading: Reading) -> Getter:
    """What LIKE and its kin compare: the display value of a reference, else the value."""
    if not path.column.is_reference:
        return path.get
    store, target = reading.store, path.column.reference
    return lambda row: store.display(target, path.get(row))


# -- conditions -------------------------------------------------------------------------------------


def compile_condition(clause: Condition, table: str, reading: Reading) -> Predicate:
    """The predicate of one condition. Raises InvalidClauseError for what the instance cannot run."""
    if clause.field == TEXT_SEARCH:
        return _text_search(clause.value)
    if not clause.operator:
        raise InvalidClauseError
    path = path_to(clause.field, table, reading)
    value = clause.value
    if clause.operator not in _WITH_PARTS and value.startswith("javascript:"):
        value = _script(value, reading)
    elif path.column.type == "boolean":
        value = {"1": "true", "0": "false"}.get(value, value).lower()
    build = _BUILDERS.get(clause.operator)
    if build is None:
        raise InvalidClauseError
    return build(path, value, table, reading)


def _script(expression: str, reading: Reading) -> str:
    found = None
    if reading.run_javascript:
        found = gs_dates.evaluate(expression, reading.now, reading.user_id, reading.user_name)
    if found is None:
        raise InvalidClauseError
    return found


def _folded(path: Path) -> Getter:
    get = path.get
    return get if path.column.is_exact else lambda row: get(row).lower()


def _fold(path: Path, value: str) -> str:
    return value if path.column.is_exact else value.lower()


def _equals(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = _folded(path), _fold(path, value)
    return lambda row: get(row) == wanted


def _not_equals(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = _folded(path), _fold(path, value)
    if reading.not_equal_matches_empty or path.column.type == "boolean":
        return lambda row: get(row) != wanted
    return lambda row: (found := get(row)) != "" and found != wanted


def _in(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = _folded(path), frozenset(_fold(path, v) for v in listed(value))
    return lambda row: get(row) in wanted


def _not_in(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = _folded(path), frozenset(_fold(path, v) for v in listed(value))
    empties = reading.not_equal_matches_empty
    return lambda row: (found := get(row)) not in wanted and (empties or found != "")


def _like(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = display_of(path, reading), value.lower()
    return lambda row: wanted in get(row).lower()


def _not_like(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = display_of(path, reading), value.lower()
    return lambda row: wanted not in get(row).lower()


def _starts(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = display_of(path, reading), value.lower()
    return lambda row: get(row).lower().startswith(wanted)


def _ends(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get, wanted = display_of(path, reading), value.lower()
    return lambda row: get(row).lower().endswith(wanted)


def _is_empty(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get = path.get
    return lambda row: get(row) == ""


def _is_not_empty(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    get = path.get
    return lambda row: get(row) != ""


def _anything(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    return lambda row: True


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ordering(compare: Compare) -> _Builder:
    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        get = _folded(path)
        if path.column.type in NUMBER_TYPES:
            limit = number(value)
            if limit is None:
                raise InvalidClauseError
            return lambda row: (n := number(get(row))) is not None and compare(n, limit)
        wanted = _fold(path, value)
        return lambda row: (found := get(row)) != "" and compare(found, wanted)

    return build


def _between(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    low, found, high = value.partition("@")
    if not found:
        raise InvalidClauseError
    ends = [_script(v, reading) if v.startswith("javascript:") else v for v in (low, high)]
    at_least = _ordering(operator.ge)(path, ends[0], table, reading)
    at_most = _ordering(operator.le)(path, ends[1], table, reading)
    return lambda row: at_least(row) and at_most(row)


def _same(negated: bool) -> _Builder:
    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        mine, other = _folded(path), _folded(path_to(value, table, reading))
        return lambda row: (mine(row) == other(row)) is not negated

    return build


def _versus_field(compare: Compare) -> _Builder:
    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        other = path_to(value, table, reading)
        if path.column.type in NUMBER_TYPES:
            mine, yours = path.get, other.get
            return lambda row: (
                (a := number(mine(row))) is not None and (b := number(yours(row))) is not None and compare(a, b)
            )
        left, right = _folded(path), _folded(other)
        return lambda row: (a := left(row)) != "" and (b := right(row)) != "" and compare(a, b)

    return build


def _on(negated: bool) -> _Builder:
    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        parts = value.split("@")
        if len(parts) == 3:
            low, high = (_script(v, reading) if v.startswith("javascript:") else v for v in parts[1:])
        elif gs_dates.read(value) is not None:
            low, high = f"{value[:10]} 00:00:00", f"{value[:10]} 23:59:59"
        else:
            raise InvalidClauseError
        get = path.get
        if negated:
            return lambda row: (found := get(row)) != "" and not low <= found <= high
        return lambda row: low <= get(row) <= high

    return build


def _relative(compare: Compare) -> _Builder:
    """``RELATIVEGT@hour@ago@2``: against now, so many units ago or ahead."""

    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        parts = value.strip("@").split("@")
        if len(parts) != 3 or parts[0] not in gs_dates.UNITS or not re.fullmatch(r"\d{1,5}", parts[2]):
            raise InvalidClauseError
        distance = int(parts[2]) * gs_dates.UNITS[parts[0]]
        try:
            moment = reading.now - distance if parts[1] == "ago" else reading.now + distance
        except OverflowError:
            raise InvalidClauseError from None
        get, limit = path.get, moment.strftime(gs_dates.FORMAT)
        return lambda row: (found := get(row)) != "" and compare(found, limit)

    return build


def _relative_on(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    at_least = _relative(operator.ge)(path, value, table, reading)
    parts = value.strip("@").split("@")
    unit = gs_dates.UNITS[parts[0]]
    distance = int(parts[2]) * unit
    end = (reading.now - distance if parts[1] == "ago" else reading.now + distance) + unit
    get, limit = path.get, end.strftime(gs_dates.FORMAT)
    return lambda row: at_least(row) and get(row) < limit


def _apart(compare: Compare) -> _Builder:
    """``aMORETHANb@hour@after@3``: two columns, more or less than so many units before or after."""

    def build(path: Path, value: str, table: str, reading: Reading) -> Predicate:
        parts = value.split("@")
        if len(parts) != 4 or parts[1] not in gs_dates.UNITS or not re.fullmatch(r"\d{1,5}", parts[3]):
            raise InvalidClauseError
        other = path_to(parts[0], table, reading)
        sign = 1 if parts[2] == "after" else -1
        limit = (int(parts[3]) * gs_dates.UNITS[parts[1]]).total_seconds()

        def test(row: Row) -> bool:
            mine, yours = gs_dates.read(path.get(row)), gs_dates.read(other.get(row))
            if mine is None or yours is None:
                return False
            gap = sign * (mine - yours).total_seconds()
            return gap >= 0 and compare(gap, limit)

        return test

    return build


def _date_part(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    test = gs_dates.date_part(value)
    if test is None:
        raise InvalidClauseError
    return lambda row: (moment := gs_dates.read(path.get(row))) is not None and test(moment)


def _dynamic(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    if value == DYNAMIC_ME:
        return _equals(path, reading.user_id, table, reading)
    if value != DYNAMIC_MY_GROUPS:
        raise InvalidClauseError
    mine = {m.get("group", "") for m in reading.store.where("sys_user_grmember", "user", reading.user_id)}
    return lambda row: path.get(row) in mine


def _in_hierarchy(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    store, target = reading.store, path.column.reference
    if target not in store.schema.tables:
        raise InvalidClauseError

    def test(row: Row) -> bool:
        seen: set[str] = set()
        at = path.get(row)
        while at and at not in seen:
            if at == value:
                return True
            seen.add(at)
            at = (store.get(target, at) or {}).get("parent", "")
        return False

    return test


def _instance_of(path: Path, value: str, table: str, reading: Reading) -> Predicate:
    schema = reading.store.schema
    if value not in schema.tables:
        raise InvalidClauseError
    line = frozenset(schema.line(value))
    return lambda row: path.get(row) in line


def _text_search(terms: str) -> Predicate:
    wanted = terms.lower().split()

    def test(row: Row) -> bool:
        text = " ".join(row.values()).lower()
        return all(term in text for term in wanted)

    return test


def listed(value: str) -> Iterator[str]:
    return (part.strip() for part in value.split(","))


_Builder = Callable[[Path, str, str, Reading], Predicate]

# Their values hold expressions among other parts, or column names: they read them themselves.
_WITH_PARTS = frozenset({"BETWEEN", "ON", "NOTON", "DATEPART"})

_BUILDERS: dict[str, _Builder] = {
    "=": _equals,
    "!=": _not_equals,
    "IN": _in,
    "NOT IN": _not_in,
    "LIKE": _like,
    "NOT LIKE": _not_like,
    "STARTSWITH": _starts,
    "ENDSWITH": _ends,
    "ISEMPTY": _is_empty,
    "EMPTYSTRING": _is_empty,
    "ISNOTEMPTY": _is_not_empty,
    "ANYTHING": _anything,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "BETWEEN": _between,
    "SAMEAS": _same(negated=False),
    "NSAMEAS": _same(negated=True),
    "GT_FIELD": _versus_field(operator.gt),
    "LT_FIELD": _versus_field(operator.lt),
    "GT_OR_EQUALS_FIELD": _versus_field(operator.ge),
    "LT_OR_EQUALS_FIELD": _versus_field(operator.le),
    "ON": _on(negated=False),
    "NOTON": _on(negated=True),
    "RELATIVEGT": _relative(operator.gt),
    "RELATIVELT": _relative(operator.lt),
    "RELATIVEGE": _relative(operator.ge),
    "RELATIVELE": _relative(operator.le),
    "RELATIVEEE": _relative_on,
    "MORETHAN": _apart(operator.gt),
    "LESSTHAN": _apart(operator.lt),
    "DATEPART": _date_part,
    "DYNAMIC": _dynamic,
    "IN_HIERARCHY": _in_hierarchy,
    "INSTANCEOF": _instance_of,
}

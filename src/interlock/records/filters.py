"""One structured filter for every source: conditions that all hold, some of them any-of groups.

The same filter is pushed down to a source by its mapping, checked again on every decoded record, and
used as an agent's read scope. Logic is three-valued: a condition on an absent (unknown) field is
neither true nor false, and only records for which the whole filter is true match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from interlock.records import times
from interlock.records.fields import ABSENT, UNMAPPED, Field, said
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.refs import Ref

MAX_CONDITIONS = 32
MAX_ANY = 8
MAX_VALUES = 100
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Condition:
    """``field op value``. Values are canonical: str, int, bool, or a tuple of them for in and not_in."""

    field: str
    op: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition holds."""

    conditions: tuple[Condition, ...]


Clause = Condition | AnyOf
Filter = tuple[Clause, ...]
"""All clauses hold; the empty filter matches everything."""


@dataclass(frozen=True, slots=True)
class Sort:
    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What to find: a validated filter, free text, an order, and which canonical fields to bring."""

    filter: Filter = ()
    text: str | None = None
    sort: tuple[Sort, ...] = ()
    fields: tuple[str, ...] | None = None
    limit: int = 20


def read_filter(clauses: Sequence[Mapping[str, Any]], fields: Mapping[str, Field], at: str = "filter") -> Filter:
    """Check an agent's filter against the fields of a kind. Raises Problem invalid-argument."""
    found: list[Clause] = []
    if len(clauses) > MAX_CONDITIONS:
        raise invalid(at, len(clauses), f"has more than {MAX_CONDITIONS} conditions", "Use in instead of many eq.")
    for index, clause in enumerate(clauses):
        place = f"{at}[{index}]"
        if "any" in clause:
            entries = clause["any"]
            if len(clause) != 1 or not isinstance(entries, list | tuple) or not entries:
                raise invalid(place, str(clause), "an any-of group holds one list of conditions under 'any'")
            if len(entries) > MAX_ANY:
                raise invalid(f"{place}.any", len(entries), f"has more than {MAX_ANY} conditions", "Use in.")
            group = tuple(_condition(e, fields, f"{place}.any[{n}]") for n, e in enumerate(entries))
            found.append(AnyOf(group))
        else:
            found.append(_condition(clause, fields, place))
    return tuple(found)


def read_sort(names: Sequence[str], fields: Mapping[str, Field], at: str = "sort") -> tuple[Sort, ...]:
    """Read ``["-priority", "updated_at"]``. Raises Problem invalid-argument."""
    order = []
    for index, name in enumerate(names):
        bare = name.removeprefix("-")
        known = known_field(bare, fields, f"{at}[{index}]")
        if not known.sortable:
            can = ", ".join(sorted(f.name for f in fields.values() if f.sortable))
            raise invalid(f"{at}[{index}]", name, "cannot be sorted by", f"Sortable: {can}.")
        order.append(Sort(bare, name.startswith("-")))
    return tuple(order)


def known_field(name: object, fields: Mapping[str, Field], at: str) -> Field:
    """The field of that name, or a Problem that names the nearest one."""
    if isinstance(name, str) and name in fields:
        return fields[name]
    near = get_close_matches(str(name), fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Fields are: {', '.join(sorted(fields))}."
    raise invalid(at, name, "is not a field of this kind", hint)


def _condition(entry: Mapping[str, Any], fields: Mapping[str, Field], at: str) -> Condition:
    if not isinstance(entry, Mapping):
        raise invalid(at, str(entry), "is not a condition", "Write {field, op, value}.")
    unknown = set(entry) - {"field", "op", "value"}
    if unknown:
        raise invalid(
            f"{at}.{min(unknown)}",
            entry[min(unknown)],
            "is not part of a condition",
            "Write {field, op, value}.",
        )
    field = known_field(entry.get("field"), fields, f"{at}.field")
    op = entry.get("op", "eq")
    if op not in field.operators:
        can = ", ".join(field.operators) or "none: this field cannot be filtered"
        raise invalid(f"{at}.op", op, f"does not apply to {field.name} ({field.type})", f"Operators: {can}.")
    value = entry.get("value")
    if op in ("empty", "not_empty"):
        if value is not None:
            raise invalid(f"{at}.value", value, f"{op} takes no value", "Leave value out.")
        return Condition(field.name, op)
    if op in ("in", "not_in"):
        if not isinstance(value, list | tuple) or not value:
            raise invalid(f"{at}.value", value, f"{op} takes a list of values")
        if len(value) > MAX_VALUES:
            raise invalid(f"{at}.value", len(value), f"has more than {MAX_VALUES} values")
        return Condition(field.name, op, tuple(_value(v, field, f"{at}.value[{n}]") for n, v in enumerate(value)))
    return Condition(field.name, op, _value(value, field, f"{at}.value"))


def _value(value: Any, field: Field, at: str) -> Any:
    kind = field.type
    if kind == "bool":
        if not isinstance(value, bool):
            raise invalid(at, value, "must be true or false")
        return value
    if kind in ("int", "duration"):
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON knows no other difference between 3 and 3.0
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
            raise invalid(at, value, "must be a whole number")
        return value
    if not isinstance(value, str):
        raise invalid(at, value, "must be a string")
    if len(value) > MAX_TEXT:
        raise invalid(at, value, f"is longer than {MAX_TEXT} characters")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise invalid(at, value, "holds half of a surrogate pair")
    if kind == "enum":
        if value not in field.values and value != UNMAPPED:
            near = get_close_matches(value, field.values, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise invalid(at, value, f"is not a value of {field.name}", f"{hint}Values: {', '.join(field.values)}.")
    elif kind in ("ref", "refs"):
        ref = Ref.parse(value, at)
        if field.refers and ref.kind not in field.refers:
            raise invalid(at, value, f"{field.name} refers to {' or '.join(field.refers)}, not to {ref.kind}")
    elif kind in ("instant", "day"):
        epoch = times.parse(value, at)
        return times.to_text(epoch) if kind == "instant" else times.to_text(epoch)[:10]
    return value


def matches(filter: Filter, record: Mapping[str, Any]) -> bool:  # noqa: A002
    """Whether a canonical record satisfies the whole filter; unknown does not."""
    return all(_clause(clause, record) is True for clause in filter)


def excludes(filter: Filter, record: Mapping[str, Any]) -> bool:  # noqa: A002
    """Whether what is known of a record already shows that it cannot match."""
    return any(_clause(clause, record) is False for clause in filter)


def _clause(clause: Clause, record: Mapping[str, Any]) -> bool | None:
    if isinstance(clause, Condition):
        return holds(clause, record)
    results = [holds(c, record) for c in clause.conditions]
    if True in results:
        return True
    return None if None in results else False


_FOLDED = ("contains", "starts")


def holds(condition: Condition, record: Mapping[str, Any]) -> bool | None:
    """True, false, or None when the field is absent. Text compares without regard to case."""
    value = said(record, condition.field)
    if value is ABSENT:
        return None
    op, wanted = condition.op, condition.value
    blank = value is None or value in ("", [])
    if op == "empty":
        return blank
    if op == "not_empty":
        return not blank
    if op == "contains" and isinstance(value, list):
        return any(fold(_plain(v)) == fold(wanted) for v in value)
    if blank:
        return op in ("ne", "not_in")
    value = _plain(value)
    if op in ("eq", "ne"):
        return (fold(value) == fold(wanted)) is (op == "eq")
    if op in ("in", "not_in"):
        return (fold(value) in {fold(w) for w in wanted}) is (op == "in")
    if op == "contains":
        return str(fold(wanted)) in str(fold(value))
    if op == "starts":
        return str(fold(value)).startswith(str(fold(wanted)))
    if op == "gt":
        return bool(value > wanted)
    if op == "ge":
        return bool(value >= wanted)
    if op == "lt":
        return bool(value < wanted)
    if op == "le":
        return bool(value <= wanted)
    raise Problem(Slug.INTERNAL, f"operator {op} is not known")


def _plain(value: Any) -> Any:
    return value["ref"] if isinstance(value, Mapping) and "ref" in value else value


def fold(value: Any) -> Any:
    """How values compare: text without regard to case, all else as it is."""
    return value.casefold() if isinstance(value, str) else value

"""Which entries a qualification finds: the tree, bound to a form's fields, as a predicate.

A comparison with $NULL$ holds for ``=`` and ``!=`` alone; any other comparison with an empty field is false,
as in the databases below. An empty text is $NULL$. Text compares with case.
"""

from __future__ import annotations

import operator
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.qualification import (
    All,
    Any,
    Compare,
    FieldName,
    Keyword,
    Node,
    Not,
    Number,
    Operand,
    Text,
)
from mock_servers.remedy.schema import Field, Form, Value
from mock_servers.remedy.store import Entry, Store
from mock_servers.remedy.times import parsed

Predicate = Callable[[Entry], bool]
_ORDER: Mapping[str, Callable[[typing.Any, typing.Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, when, from which time zone."""

    user: str
    now: int
    where: tzinfo


def select(node: Node, form: Form, store: Store, asker: Asker) -> Iterator[Entry]:
    """The entries found, in the order of their creation. Raises ArError for what does not fit the form, at once."""
    holds = predicate(node, form, asker)
    key = _key(node, form)
    if key is None:
        return filter(holds, store.rows(form.name))
    entry = store.get(form.name, key)
    return filter(holds, [entry] if entry is not None else [])


def predicate(node: Node, form: Form, asker: Asker) -> Predicate:
    """The tree as a function. Raises ArError: an unknown field, a value that does not suit its field."""
    match node:
        case Compare():
            return _comparison(node, form, asker)
        case Not(part):
            inner = predicate(part, form, asker)
            return lambda entry: not inner(entry)
        case All(parts):
            every = [predicate(part, form, asker) for part in parts]
            return lambda entry: all(holds(entry) for holds in every)
        case Any(parts):
            some = [predicate(part, form, asker) for part in parts]
            return lambda entry: any(holds(entry) for holds in some)


def _key(node: Node, form: Form) -> str | None:
    """The key that the tree asks for, when it does: no need to look at every entry."""
    parts: Iterable[Node] = node.parts if isinstance(node, All) else (node,)
    for part in parts:
        match part:
            case Compare(FieldName(name), "=", Text(value)) if (found := form.find(name)) and found.label == form.key:
                return value
    return None


def _comparison(node: Compare, form: Form, asker: Asker) -> Predicate:
    left, sign, right = node.left, node.operator, node.right
    if not isinstance(left, FieldName) and isinstance(right, FieldName):
        if sign == "LIKE":
            raise ArError("bad_type", "LIKE")
        left, sign, right = right, _MIRROR.get(sign, sign), left  # type: ignore[assignment]
    if not isinstance(left, FieldName):
        return _constant(left, sign, right, asker)
    field = _field(form, left.name)
    label = field.label
    if isinstance(right, FieldName):
        other = _field(form, right.name)
        if (field.kind == "char") != (other.kind == "char") or sign == "LIKE":
            raise ArError("bad_type", other.label)
        return _between(label, _ORDER[sign], other.label)
    value = _value(field, right, asker, like=sign == "LIKE")
    if value is None:
        if sign == "=":
            return lambda entry: entry.get(label) is None
        if sign == "!=":
            return lambda entry: entry.get(label) is not None
        raise ArError("bad_type", label)
    if sign == "LIKE":
        return _like(label, like(str(value)))
    return _against(label, _ORDER[sign], value)


def _between(label: str, compare: Callable[[object, object], bool], other: str) -> Predicate:
    def holds(entry: Entry) -> bool:
        left, right = entry.get(label), entry.get(other)
        return left is not None and right is not None and compare(left, right)

    return holds


def _against(label: str, compare: Callable[[object, object], bool], value: str | int) -> Predicate:
    def holds(entry: Entry) -> bool:
        own = entry.get(label)
        return own is not None and compare(own, value)

    return holds


def _like(label: str, pattern: re.Pattern[str]) -> Predicate:
    def holds(entry: Entry) -> bool:
        own = entry.get(label)
        return own is not None and pattern.fullmatch(str(own)) is not None

    return holds


def _constant(left: Operand, sign: str, right: Operand, asker: Asker) -> Predicate:
    """``1 = 1`` and its like."""
    values = [_plain(operand, asker) for operand in (left, right)]
    if sign == "LIKE" or type(values[0]) is not type(values[1]):
        raise ArError("bad_type", "constant")
    result = bool(_ORDER[sign](values[0], values[1]))
    return lambda _: result


def _plain(operand: Operand, asker: Asker) -> Value:
    match operand:
        case Text(text):
            return text
        case Number(number):
            return number
        case Keyword("TIMESTAMP" | "DATE" as name, plus):
            return _moment(name, plus, asker)
        case Keyword("USER"):
            return asker.user
    raise ArError("bad_type", "constant")


def _field(form: Form, name: str) -> Field:
    field = form.find(name)
    if field is None or field.display:
        raise ArError("unknown_field", name)
    return field


def _value(field: Field, operand: Operand, asker: Asker, like: bool) -> Value:
    """The operand as the field stores it. Raises ArError ``bad_type``."""
    wrong = ArError("bad_type", field.label)
    if like and (field.kind != "char" or not isinstance(operand, Text) or not operand.value):
        raise wrong
    match operand:
        case Keyword("NULL", 0) | Text(""):
            return None
        case Keyword("TIMESTAMP" | "DATE" as name, plus) if field.kind == "time":
            return _moment(name, plus, asker)
        case Keyword("USER", 0) if field.kind == "char":
            return asker.user
        case Number(number) if field.kind != "char":
            return number
        case Text(text) if field.kind == "char":
            return text
        case Text(text) if field.kind == "time" and (moment := parsed(text, asker.where)) is not None:
            return moment
        case Text(text) if field.enum and text in field.enum.numbers:
            return field.enum.numbers[text]
        case Text(text) if field.kind in ("enum", "int") and re.fullmatch(r"\d{1,9}", text):
            return int(text)
    raise wrong


def _moment(name: str, plus: int, asker: Asker) -> int:
    if name == "TIMESTAMP":
        return asker.now + plus
    today = datetime.fromtimestamp(asker.now, asker.where).replace(hour=0, minute=0, second=0)
    return int(today.timestamp()) + plus


@lru_cache(maxsize=256)
def like(pattern: str) -> re.Pattern[str]:
    """``%`` is anything, ``_`` one character, ``[abc]`` and ``[^a-z]`` one of a set: so ``[%]`` is a percent sign."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 2) if char == "[" else -1
        if end > 0:
            inner = pattern[at + 1 : end]
            negated = inner.startswith("^") and len(inner) > 1
            inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner.removeprefix("^") if negated else inner)
            parts.append(f"[{'^' if negated else ''}{inner}]")
            at = end
        else:
            parts.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
        at += 1
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise ArError("bad_type", pattern) from error

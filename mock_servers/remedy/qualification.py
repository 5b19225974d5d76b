"""The grammar of qualifications: ``'Status' < "Resolved" AND 'Assigned Group' LIKE "Net%"``, read into a tree.

A field stands in single quotes, by label or by id; text in double quotes; either quote is doubled inside
itself. Keywords are ``$NULL$``, ``$TIMESTAMP$``, ``$DATE$`` and ``$USER$``; a keyword or number may be
followed by ``+`` or ``-`` and a number. Operators: ``= != <> < > <= >= LIKE``, joined by AND, OR, NOT (also
``&& || !``) and parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mock_servers.remedy.arerr import ArError

MAX_LENGTH = 32_768
MAX_DEPTH = 60

Operator = Literal["=", "!=", "<", ">", "<=", ">=", "LIKE"]


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field by label or id."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    value: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """``NULL``, ``TIMESTAMP``, ``DATE`` or ``USER``; ``plus`` is added to what is a number."""

    name: str
    plus: int = 0


Operand = FieldName | Text | Number | Keyword


@dataclass(frozen=True, slots=True)
class Compare:
    left: Operand
    operator: Operator
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts is everything."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Node, ...]


Node = Compare | Not | All | Any

_TOKEN = re.compile(
    r"""\s*(?:
      '(?P<field>(?:[^']|'')*)'
    | "(?P<text>(?:[^"]|"")*)"
    | (?P<number>\d{1,15})(?![\w.])
    | \$(?P<keyword>[A-Za-z]+)\$
    | (?P<op><=|>=|!=|<>|=|<|>|\(|\)|&&|\|\||!|\+|-)
    | (?P<word>[A-Za-z]+)
    )""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"NULL", "TIMESTAMP", "DATE", "USER"})
_WORDS = {"AND": "&&", "OR": "||", "NOT": "!", "LIKE": "LIKE"}
_COMPARE = frozenset({"=", "!=", "<>", "<", ">", "<=", ">=", "LIKE"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    at: int


def parse(text: str) -> Node:
    """Read a qualification; one of white space only is everything. Raises ArError ``syntax``, with the position."""
    if len(text) > MAX_LENGTH:
        raise ArError("syntax", f"(query longer than {MAX_LENGTH})")
    tokens = _tokens(text)
    if not tokens:
        return All(())
    reader = _Reader(tokens, len(text))
    node = reader.alternatives(0)
    if not reader.at_end():
        raise reader.wrong()
    return node


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    end = len(text.rstrip())
    at = 0
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong_at(text, at)
        kind = str(match.lastgroup)
        value = match[kind]
        start = match.start(kind)
        if kind == "word":
            if value.upper() not in _WORDS:
                raise _wrong_at(text, start)
            kind, value = "op", _WORDS[value.upper()]
        elif kind == "keyword":
            value = value.upper()
            if value not in _KEYWORDS:
                raise _wrong_at(text, start)
        found.append(_Token(kind, value, start))
        at = match.end()
    return found


def _wrong_at(text: str, at: int) -> ArError:
    return ArError("syntax", f"at position {at} ({text[at : at + 20].strip()})")


class _Reader:
    """A descent over the tokens."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._length = length
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def wrong(self) -> ArError:
        if self.at_end():
            return ArError("syntax", f"at position {self._length}")
        token = self._tokens[self._at]
        return ArError("syntax", f"at position {token.at} ({token.value[:20]})")

    def alternatives(self, depth: int) -> Node:
        parts = [self._conjunction(depth)]
        while self._take("||"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _conjunction(self, depth: int) -> Node:
        parts = [self._part(depth)]
        while self._take("&&"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.wrong()
        if self._take("!"):
            return Not(self._part(depth + 1))
        if self._take("("):
            inner = self.alternatives(depth + 1)
            if not self._take(")"):
                raise self.wrong()
            return inner
        left = self._operand()
        operator = self._operator()
        return Compare(left, operator, self._operand())

    def _operator(self) -> Operator:
        if self.at_end():
            raise self.wrong()
        token = self._tokens[self._at]
        if token.kind != "op" or token.value not in _COMPARE:
            raise self.wrong()
        self._at += 1
        return "!=" if token.value == "<>" else token.value  # type: ignore[return-value]

    def _operand(self) -> Operand:
        if self.at_end():
            raise self.wrong()
        token = self._tokens[self._at]
        if token.kind == "op" and token.value == "-":
            self._at += 1
            return Number(-self._number())
        if token.kind == "op":
            raise self.wrong()
        self._at += 1
        match token.kind:
            case "field":
                return FieldName(token.value.replace("''", "'"))
            case "text":
                return Text(token.value.replace('""', '"'))
            case "number":
                return Number(int(token.value) + self._shift())
        return Keyword(token.value, self._shift())

    def _shift(self) -> int:
        total = 0
        while not self.at_end() and self._tokens[self._at].value in ("+", "-") and self._tokens[self._at].kind == "op":
            sign = 1 if self._tokens[self._at].value == "+" else -1
            self._at += 1
            total += sign * self._number()
        return total

    def _number(self) -> int:
        if self.at_end() or self._tokens[self._at].kind != "number":
            raise self.wrong()
        self._at += 1
        return int(self._tokens[self._at - 1].value)

    def _take(self, operator: str) -> bool:
        if self.at_end():
            return False
        token = self._tokens[self._at]
        if token.kind != "op" or token.value != operator:
            return False
        self._at += 1
        return True

"""A small reader and evaluator of ServiceNow's encoded queries, written from the documentation of the syntax.

Independent of the code under test: it knows the operators of the product, not those of the manifest.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORDS = (
    "NOT IN", "NOT LIKE", "STARTSWITH", "ENDSWITH", "ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "ANYTHING",
    "IN_HIERARCHY", "INSTANCEOF", "IN", "NSAMEAS", "SAMEAS", "BETWEEN", "DYNAMIC", "GT_FIELD", "LT_FIELD",
    "RELATIVEGT", "RELATIVELT", "DATEPART", "MORETHAN", "LESSTHAN", "NOTON", "ON", "LIKE", "CONTAINS",
    "!=", ">=", "<=", "!*", "=", "<", ">", "*", "%",
)  # fmt: skip
_FIELD = re.compile(r"[a-z0-9_.]+")


@dataclass(frozen=True)
class Atom:
    field: str
    op: str
    value: str


def read(query: str) -> list[list[Atom]]:
    """All groups hold, in each at least one atom. Raises ValueError for what has no operator."""
    groups: list[list[Atom]] = []
    for piece in query.split("^") if query else []:
        if piece.startswith(("NQ", "ORDERBY", "GROUPBY", "RLQUERY", "EQ")):
            raise ValueError(f"{piece} changes the structure")
        alternative = piece.startswith("OR")
        atom = _atom(piece.removeprefix("OR") if alternative else piece)
        if alternative:
            groups[-1].append(atom)
        else:
            groups.append([atom])
    return groups


def _atom(text: str) -> Atom:
    if text.startswith("123TEXTQUERY321="):
        return Atom("", "TEXT", text.removeprefix("123TEXTQUERY321="))
    name = _FIELD.match(text)
    if name is None:
        raise ValueError(f"{text} has no field")
    rest = text[name.end() :]
    for word in sorted(_WORDS, key=len, reverse=True):
        if rest.startswith(word):
            value = rest[len(word) :]
            if word == "=" and value.lower().startswith("javascript:"):
                raise ValueError("runs a script")
            return Atom(name.group(), word, value)
    raise ValueError(f"{text} has no operator")


def fold(text: str) -> str:
    """As a collation that ignores case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def finds(groups: list[list[Atom]], row: dict[str, str]) -> bool:
    return all(any(_holds(atom, row) for atom in group) for group in groups)


def _holds(atom: Atom, row: dict[str, str]) -> bool:
    value, wanted = fold(row.get(atom.field, "")), fold(atom.value)
    if atom.op == "ISEMPTY":
        return value == ""
    if atom.op == "ISNOTEMPTY":
        return value != ""
    if value == "":
        return False  # NULL compares with nothing
    if atom.op in (">", ">=", "<", "<="):
        left, right = (int(value), int(wanted)) if value.isdigit() and wanted.isdigit() else (value, wanted)
        return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[atom.op]
    return {
        "=": lambda: value == wanted,
        "!=": lambda: value != wanted,
        "IN": lambda: value in wanted.split(","),
        "NOT IN": lambda: value not in wanted.split(","),
        "LIKE": lambda: wanted in value,
        "STARTSWITH": lambda: value.startswith(wanted),
        "ENDSWITH": lambda: value.endswith(wanted),
    }[atom.op]()

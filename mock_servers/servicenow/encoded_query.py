"""The grammar of encoded queries (``sysparm_query``): text in, conditions out.

``query := filter ("^NQ" filter)*``; in a filter ``^`` is AND, ``^OR`` extends only the condition just before
it, ``^ORDERBYf`` and ``^ORDERBYDESCf`` may repeat, ``^GROUPBYf`` means nothing in lists, ``^EQ`` ends it. A
value cannot hold ``^``: the language has no escape. What the conditions mean is in ``matching``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OPERATORS = (
    "LT_OR_EQUALS_FIELD",
    "GT_OR_EQUALS_FIELD",
    "LE_OR_EQUALS_FIELD",
    "DOES NOT CONTAIN",
    "IN_HIERARCHY",
    "ISNOTEMPTY",
    "EMPTYSTRING",
    "RELATIVEGT",
    "RELATIVELT",
    "RELATIVEGE",
    "RELATIVELE",
    "RELATIVEEE",
    "RELATIVEEQ",
    "STARTSWITH",
    "INSTANCEOF",
    "ENDSWITH",
    "GT_FIELD",
    "LT_FIELD",
    "ANYTHING",
    "CONTAINS",
    "DATEPART",
    "MORETHAN",
    "LESSTHAN",
    "NSAMEAS",
    "BETWEEN",
    "ISEMPTY",
    "NOT LIKE",
    "NOTLIKE",
    "DYNAMIC",
    "NOT IN",
    "SAMEAS",
    "NOTON",
    "LIKE",
    "IN",
    "ON",
    "!=",
    "!*",
    "<=",
    ">=",
    "=",
    "<",
    ">",
    "*",
    "%",
)

SYNONYMS = {
    "*": "LIKE",
    "CONTAINS": "LIKE",
    "!*": "NOT LIKE",
    "NOTLIKE": "NOT LIKE",
    "DOES NOT CONTAIN": "NOT LIKE",
    "%": "ENDSWITH",
    "LE_OR_EQUALS_FIELD": "LT_OR_EQUALS_FIELD",
    "RELATIVEEQ": "RELATIVEEE",
}

TEXT_SEARCH = "123TEXTQUERY321"

# Column names are lower case; operators begin with an upper-case letter or a sign, so the border is plain.
_CONDITION = re.compile(
    r"(?P<field>[a-z0-9_.]+)(?P<operator>" + "|".join(re.escape(o) for o in OPERATORS) + r")(?P<value>.*)",
    re.DOTALL,
)
_JOIN = re.compile(r"JOIN(\w+)\.(\w+)=(\w+)\.(\w+)(?:!(.*))?", re.DOTALL)
_RELATED = re.compile(r"RLQUERY(\w+)\.(\w+),(>=|<=|!=|=|>|<)(\d+)(,m2m)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """One clause. ``operator`` is in its canonical spelling; "" means the clause could not be read."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Related:
    """``RLQUERYtable.column,>=n^...^ENDRLQUERY``: how many rows of another table point here."""

    table: str
    column: str
    comparison: str
    count: int
    where: str


@dataclass(frozen=True, slots=True)
class Join:
    """``JOINtable.column=other.column!condition``: rows that some row of another table names."""

    column: str
    table: str
    other: str
    where: str


Clause = Condition | Related | Join
AnyOf = tuple[Clause, ...]
Filter = tuple[AnyOf, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: any of ``filters``, each all of its groups, each any of its clauses; then the order."""

    filters: tuple[Filter, ...] = ((),)
    order: tuple[tuple[str, bool], ...] = ()
    text: str = field(default="", compare=False)


def parse_clause(text: str) -> Clause:
    """One clause; never fails: what cannot be read is a Condition without an operator."""
    if text.startswith(TEXT_SEARCH):
        return Condition(TEXT_SEARCH, "=", text[len(TEXT_SEARCH) :].removeprefix("="))
    if text.startswith("JOIN") and (join := _JOIN.fullmatch(text)):
        return Join(join[2], join[3], join[4], join[5] or "")
    found = _CONDITION.fullmatch(text)
    if found is None:
        return Condition(text, "", "")
    operator = found["operator"]
    return Condition(found["field"], SYNONYMS.get(operator, operator), found["value"])


def parse(text: str) -> Query:
    """Read an encoded query; never fails. Unreadable clauses stay in it, for the mode to decide about."""
    filters: list[list[list[Clause]]] = [[]]
    order: list[tuple[str, bool]] = []
    pieces = iter(text.split("^"))
    for piece in pieces:
        kind, rest = _piece(piece)
        if kind == "order":
            order.append((rest, False))
        elif kind == "order-desc":
            order.append((rest, True))
        elif kind == "related":
            inner: list[str] = []
            for more in pieces:
                if more == "ENDRLQUERY":
                    break
                inner.append(more)
            filters[-1].append([_related(rest, "^".join(inner))])
        elif kind == "new":
            filters.append([])
            if rest:
                filters[-1].append([parse_clause(rest)])
        elif kind == "or" and filters[-1]:
            filters[-1][-1].append(parse_clause(rest))
        elif kind in {"and", "or"}:
            filters[-1].append([parse_clause(rest)])
    frozen = tuple(tuple(tuple(group) for group in groups) for groups in filters)
    return Query(frozen, tuple(order), text)


def _piece(piece: str) -> tuple[str, str]:
    if piece in {"", "EQ", "ENDRLQUERY"} or piece.startswith("GROUPBY"):
        return "nothing", ""
    for prefix, kind in (("ORDERBYDESC", "order-desc"), ("ORDERBY", "order"), ("RLQUERY", "related")):
        if piece.startswith(prefix):
            return kind, piece if kind == "related" else piece[len(prefix) :]
    for prefix, kind in (("NQ", "new"), ("OR", "or")):
        if piece.startswith(prefix):
            inner = piece[len(prefix) :]
            # "^NQORDERBYx" is a new filter that only orders.
            return ("nothing", "") if inner.startswith("ORDERBY") else (kind, inner)
    return "and", piece


def _related(head: str, where: str) -> Clause:
    found = _RELATED.fullmatch(head)
    if found is None:
        return Condition(head, "", "")
    return Related(found[1], found[2], found[3], int(found[4]), where)

"""When a check speaks: the condition of a piece of evidence, taken from its expression.

A row check returns text, null when the record is fine, and most records are. Written out as they stand, all
its pieces would be made for every record and thrown away. ``speaks`` finds in the expression the condition
without which it is null, so that a scan builds texts for the flagged few. It may be true where the evidence
is null all the same, never the other way round: the text that is then made decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

TRUE = ibis.literal(True)


def speaks(evidence: ir.Expr) -> ir.BooleanValue:
    """A condition that is true whenever the evidence is not null."""
    node = evidence.op()
    match node:
        case ops.Literal():
            return ibis.literal(node.value is not None)
        case ops.IfElse():
            then, other = speaks(node.true_expr.to_expr()), speaks(node.false_null_expr.to_expr())
            condition = node.bool_expr.to_expr()
            return _or([_and([condition, then]), other])
        case ops.Coalesce():
            return _or([speaks(part.to_expr()) for part in node.arg])
        case ops.StringConcat():
            return _and([speaks(part.to_expr()) for part in node.arg])
        case ops.NullIf() if (parts := _joined(node)) is not None:
            return _or(parts)
        case ops.Field():
            return node.to_expr().notnull()
        case _:
            return TRUE


def _joined(node: ops.NullIf) -> list[ir.BooleanValue] | None:
    """The conditions of ``kit.joined``: a bar and the items that hold, null when only the bar is left."""
    replaced = node.arg
    bar = node.null_if_expr
    if not (isinstance(replaced, ops.StringReplace) and isinstance(bar, ops.Literal) and bar.value == "|"):
        return None
    conditions = []
    for part in _flat(replaced.arg):
        if isinstance(part, ops.Literal) and part.value == "|":
            continue
        if not (isinstance(part, ops.IfElse) and getattr(part.false_null_expr, "value", None) == ""):
            return None
        conditions.append(part.bool_expr.to_expr())
    return conditions


def _flat(node: ops.Node) -> list[ops.Node]:
    if isinstance(node, ops.StringConcat):
        return [leaf for part in node.arg for leaf in _flat(part)]
    return [node]


def _and(parts: list[ir.BooleanValue]) -> ir.BooleanValue:
    if any(_constant(part) is False for part in parts):
        return ibis.literal(False)
    return reduce(and_, [part for part in parts if _constant(part) is None] or [TRUE])


def _or(parts: list[ir.BooleanValue]) -> ir.BooleanValue:
    if any(_constant(part) is True for part in parts):
        return TRUE
    return reduce(or_, [part for part in parts if _constant(part) is None] or [ibis.literal(False)])


def _constant(part: ir.BooleanValue) -> bool | None:
    node = part.op()
    return bool(node.value) if isinstance(node, ops.Literal) else None


def asked_singly(evidence: ir.StringValue, answers: Mapping[tuple[str, str], ir.BooleanValue]) -> ir.StringValue:
    """The evidence with each question of a bar list, by column and word, replaced by its own answer."""
    asked = {}
    for node in evidence.op().find(ops.StringContains):
        if isinstance(node.haystack, ops.Field) and isinstance(node.needle, ops.Literal):
            answer = answers.get((node.haystack.name, str(node.needle.value).strip("|")))
            if answer is not None:
                asked[node] = answer.op()
    single: ir.StringValue = evidence.op().replace(asked).replace(_decided).to_expr()
    return single


def _decided(node: ops.Node, changed: Mapping[str, Any] | None) -> ops.Node:
    """The node without what is known beforehand, so that no column is read for a question that is answered."""
    node = node.__recreate__(changed) if changed else node
    match node:
        case ops.And(left=ops.Literal(value=value), right=other) | ops.And(left=other, right=ops.Literal(value=value)):
            return other if value else ops.Literal(False, dtype="boolean")
        case ops.Or(left=ops.Literal(value=value), right=other) | ops.Or(left=other, right=ops.Literal(value=value)):
            return ops.Literal(True, dtype="boolean") if value else other
        case ops.IfElse(bool_expr=ops.Literal(value=value)):
            return node.true_expr if value else node.false_null_expr
        case ops.StringConcat():
            return ops.StringConcat(
                tuple(part for part in node.arg if getattr(part, "value", None) != "") or node.arg[:1]
            )
    return node

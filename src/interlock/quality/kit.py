"""The vocabulary that checks are written in. Imports Ibis: for build, batch and tests, never for serving.

A check file has a docstring with the headings of ``HEADINGS``, ``EXAMPLES``, and one function. Under
``@row_check`` it is over one Ibis relation and returns the evidence as text: null when the record is fine.
Under ``@set_check`` it is over several relations and returns a table of ``record`` (its ref) and ``evidence``.

Evidence is ``reason[,reason]: fact; fact``. Facts are true for ever: values and times (``@`` and epoch
seconds, rendered by faces), never ages. A fact about a field begins with the field's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from interlock.quality.rowlevel import Effect, Severity

CheckFunction = Callable[[ir.Table], ir.StringValue]
SetFunction = Callable[..., ir.Table]

HEADINGS = (
    "What it finds",
    "Why it matters to an agent",
    "Formula",
    "Evidence",
    "What lifts it",
    "Settings",
)


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check on one record by itself.

    ``needs``: fields without which it could not run. ``needs_listed``: a setting that is a bar list of
    further ones. ``needs_setting``: a setting that must be declared. ``applies``: a setting that is null
    where the check does not apply at all. ``itemised``: evidence speaks only of the fields it names.
    """

    code: str
    on: str
    severity: Severity
    effect: Effect
    function: CheckFunction
    needs: tuple[str, ...]
    needs_listed: str | None = None
    needs_setting: str | None = None
    applies: str | None = None
    itemised: bool = False
    effects: Mapping[str, Effect] = field(default_factory=dict)

    def __call__(self, relation: ir.Table) -> ir.StringValue:
        return self.function(relation)


def row_check(
    code: str,
    *,
    on: Literal["ci", "incident"],
    severity: Severity,
    effect: Effect,
    needs: tuple[str, ...],
    needs_listed: str | None = None,
    needs_setting: str | None = None,
    applies: str | None = None,
    itemised: bool = False,
    effects: Mapping[str, Effect] | None = None,
) -> Callable[[CheckFunction], RowCheck]:
    """Make a row check of a function. ``severity`` is for people; ``effect`` is what the flag does to a
    write by default, ``effects`` what it does to single tools."""

    def make(function: CheckFunction) -> RowCheck:
        return RowCheck(
            code=code,
            on=on,
            severity=severity,
            effect=effect,
            function=function,
            needs=needs,
            needs_listed=needs_listed,
            needs_setting=needs_setting,
            applies=applies,
            itemised=itemised,
            effects=effects or {},
        )

    return make


@dataclass(frozen=True, slots=True)
class SetCheck:
    """A check on a record among others.

    ``reads``: the relations the function takes, each with its key: the verdict on a record depends only on
    rows with the same key, so the function over inputs that are cut to one key is the live form. ``joins``:
    further relations it takes, which are never cut; rows of them are found by index. ``touched``: what is to
    be judged again when a record changes: by kind, SQL that gives keys from the changed row (its columns are
    bound by name). ``members``: the relation of ``reads`` whose rows under a key are the records that are
    judged by it (column ``ref``); None when the key is the record's ref. Without ``key_local`` only a scan
    runs the check. ``needs``: fields without which it could not run. ``fields``: those its evidence speaks of;
    ``itemised``: of them, only of those it names. ``also_on``: further kinds it is raised on. ``awaits_scan``:
    what a change of other records means for a record is left to the next scan, and ``touched`` is not complete.
    """

    code: str
    on: str
    severity: Severity
    effect: Effect
    function: SetFunction
    reads: Mapping[str, str]
    joins: tuple[str, ...] = ()
    touched: Mapping[str, str] = field(default_factory=dict)
    members: str | None = None
    key_local: bool = True
    needs: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    itemised: bool = False
    also_on: tuple[str, ...] = ()
    awaits_scan: bool = False
    effects: Mapping[str, Effect] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of records it is raised on."""
        return (self.on, *self.also_on)

    def __call__(self, relations: Mapping[str, ir.Table]) -> ir.Table:
        """The findings over relations by name; one row a record and reason, see ``evidence.merged``."""
        found = self.function(**{name: relations[name] for name in (*self.reads, *self.joins)})
        return found.select("record", "evidence")


def set_check(
    code: str,
    *,
    on: str,
    severity: Severity,
    effect: Effect,
    reads: Mapping[str, str],
    fields: tuple[str, ...],
    joins: tuple[str, ...] = (),
    touched: Mapping[str, str] | None = None,
    members: str | None = None,
    key_local: bool = True,
    needs: tuple[str, ...] = (),
    itemised: bool = False,
    also_on: tuple[str, ...] = (),
    awaits_scan: bool = False,
    effects: Mapping[str, Effect] | None = None,
) -> Callable[[SetFunction], SetCheck]:
    """Make a set check of a function; see ``SetCheck`` and ``row_check``."""

    def make(function: SetFunction) -> SetCheck:
        return SetCheck(
            code=code,
            on=on,
            severity=severity,
            effect=effect,
            function=function,
            reads=reads,
            joins=joins,
            touched=touched or {},
            members=members,
            key_local=key_local,
            needs=needs,
            fields=fields,
            itemised=itemised,
            also_on=also_on,
            awaits_scan=awaits_scan,
            effects=effects or {},
        )

    return make


def lists(bars: ir.StringValue, name: str) -> ir.BooleanValue:
    """Whether a bar list has this fixed name in it."""
    return bars.contains(f"|{name}|")


def known(relation: ir.Table, name: str) -> ir.BooleanValue:
    """Whether the field is present and readable; unknown raises nothing."""
    return lists(relation.known, name)


def blank(column: ir.StringValue) -> ir.BooleanValue:
    """Null or empty."""
    return column.isnull() | (column == "")


def text(template: str, *columns: ir.Value) -> ir.StringValue:
    """The template with each ``{}`` replaced by a column, null as ``?``."""
    pieces = template.split("{}")
    if len(pieces) != len(columns) + 1:
        raise ValueError(f"{template!r} has {len(pieces) - 1} places for {len(columns)} columns")
    whole: list[ir.StringValue] = [ibis.literal(pieces[0])] if pieces[0] else []
    for column, piece in zip(columns, pieces[1:], strict=True):
        shown = column.cast("string") if column.type().is_integer() else column
        whole.append(shown.fill_null("?"))
        if piece:
            whole.append(ibis.literal(piece))
    return reduce(add, whole)


def when(condition: ir.BooleanValue, evidence: ir.StringValue) -> ir.StringValue:
    """The evidence where the condition is true, else null."""
    return ibis.ifelse(condition, evidence, ibis.null("string"))


def joined(items: Iterable[tuple[ir.BooleanValue, Any]], separator: str) -> ir.StringValue:
    """The texts whose condition is true, with the separator between them; null when there is none.

    The texts hold no bar. A bar marks the start, so that the first separator can be dropped without
    writing the whole expression twice, as a substring would in SQLite.
    """
    parts = [ibis.ifelse(holds, ibis.literal(separator) + words, "") for holds, words in items]
    return reduce(add, parts, ibis.literal("|")).replace(f"|{separator}", "").nullif("|")


def reasons(*items: tuple[ir.BooleanValue, str]) -> ir.StringValue:
    """``code,notes`` of the reasons that hold; null when none does."""
    return joined(((holds, ibis.literal(word)) for holds, word in items), ",")

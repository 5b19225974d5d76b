"""Rules about asking: what is asked of the source and checked afterwards is what the filter means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from interlock.adapterkit.mapping import FieldUse
from interlock.conformance.bench import PAGE, Bench, collect, ref
from interlock.conformance.laws import HOSTILE
from interlock.conformance.rules import Book, DoesNotApply, Failed
from interlock.records.fields import UNMAPPED
from interlock.records.filters import AnyOf, Condition, Filter, Query, Sort, fold, matches
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug

BOOK = Book()
EDGE = 0.9
"""Bounds of time and numbers are put here in the order of what there is: a tenth is found."""
WIDE = ("ne", "not_in", "not_empty", "empty")
"""Operators that find most of what there is: asked together with a narrow condition."""
ORDERED = 150


@BOOK.rule("ASK-EQUALS-SCAN", "reads", per_kind=True)
async def equals_scan(bench: Bench, kind: str) -> str | None:
    """For every field and every operator that the source is asked, what is found equals a scan of everything.

    To do: Declare an operator that finds more `loose`; take out (`types`, `filter: no`) one that may find less.
    """
    records = await bench.scan(kind)
    narrow = _narrow(bench, kind, records)
    asked = found = 0
    refused = []
    for name, use in bench.mapping(kind).fields.items():
        for condition in _conditions(name, use, records):
            question: Filter = (condition,)
            if condition.op in WIDE and narrow is not None and narrow.field != name:
                question = (narrow, condition)
            try:
                found += await _compare(bench, kind, question, records)
            except Problem as problem:
                if problem.slug is not Slug.UNSUPPORTED:
                    raise
                refused.append(name)  # told, and nothing was found by accident
                break
            asked += 1
    if not asked:
        raise DoesNotApply("the source is asked nothing about this kind")
    return f"{asked} questions, {found} records found" + (f"; not here: {', '.join(refused)}" if refused else "")


@BOOK.rule("ASK-COMBINED", "reads", per_kind=True)
async def combined(bench: Bench, kind: str) -> str | None:
    """Several conditions, alternatives, and conditions the source cannot be asked mean together what they mean alone.

    To do: Look at query.and, query.or, query.group, and at how parameters that are given twice are read.
    """
    records = await bench.scan(kind)
    singles = [c for name, use in bench.mapping(kind).fields.items() for c in _conditions(name, use, records)]
    plain = [c for c in singles if c.op == "eq"]
    if len(plain) < 2:
        raise DoesNotApply("there are not two fields to ask for")
    questions: list[Filter] = [(AnyOf((a, b)),) for a, b in pairwise(plain[:5])]
    questions += [(a, b) for a, b in pairwise(plain[:5])]
    questions += [(plain[0], AnyOf((plain[1], plain[-1])))]
    hidden = next((c for c in _unasked(bench, kind, records)), None)
    if hidden is not None:
        questions += [(plain[0], hidden), (AnyOf((plain[0], hidden)),)]
    found = [await _compare(bench, kind, question, records) for question in questions]
    return f"{len(questions)} questions, {sum(found)} records found"


@BOOK.rule("ASK-UNKNOWN-WORD", "reads", per_kind=True)
async def unknown_word(bench: Bench, kind: str) -> str | None:
    """A word that no native value means finds nothing; it never finds everything.

    To do: Leave `filter: no` where the source ignores values that it does not know.
    """
    records = await bench.scan(kind)
    asked = 0
    for name, use in bench.mapping(kind).fields.items():
        if use.type != "enum" or "eq" not in use.operators:
            continue
        for word in FIELDS[kind][name].values:
            if any(record.get(name) == word for record in records):
                continue
            try:
                page = await bench.live.search(kind, Query(filter=(Condition(name, "eq", word),), limit=5))
            except Problem as problem:
                if problem.slug is not Slug.UNSUPPORTED:
                    raise
                break
            asked += 1
            if page.records:
                raise Failed(
                    f"{name} eq {word} finds {ref(page.records[0])}, whose {name} is {page.records[0].get(name)}"
                )
    if not asked:
        raise DoesNotApply("every word that can be asked for occurs")
    return f"{asked} words"


@BOOK.rule("ASK-HOSTILE", "reads", per_kind=True)
async def hostile(bench: Bench, kind: str) -> str | None:
    """Values that look like query language find what equals them, mostly nothing: the product reads them as values.

    To do: Correct query.literal: the product's quotes and escapes are others than declared; refuse what it cannot hold.
    """
    records = await bench.scan(kind)
    asked = 0
    for name in _texts(bench, kind)[:2]:
        operators = bench.mapping(kind).fields[name].operators
        for op in [each for each in ("eq", "contains", "starts") if each in operators][:2]:
            for value in HOSTILE:
                if value.strip() and "\x00" not in value:
                    await _compare(bench, kind, (Condition(name, op, value),), records)
                    asked += 1
    if not asked:
        raise DoesNotApply("no text is asked of this source")
    return f"{asked} questions"


def _texts(bench: Bench, kind: str) -> list[str]:
    uses = bench.mapping(kind).fields
    return [name for name, use in uses.items() if use.type in ("text", "word") and "eq" in use.operators]


@BOOK.rule("ASK-ORDER", "reads", per_kind=True)
async def order(bench: Bench, kind: str) -> str | None:
    """An order that the mapping offers really orders, both ways.

    To do: Correct the native name (`sort`), or say `sort: no`.
    """
    tried = []
    await bench.scan(kind)
    for name, use in bench.mapping(kind).fields.items():
        if not (use.sortable and FIELDS[kind][name].sortable):
            continue
        for descending in (False, True):
            asked = Query(sort=(Sort(name, descending),), limit=50)
            page = await bench.live.search(kind, asked)
            if any("Not sorted" in warning for warning in page.warnings):
                break
            rows = await collect(bench.live, kind, asked, most=ORDERED)
            values = [rank for row in rows if (rank := _rank(kind, name, row.get(name))) is not None]
            if values != sorted(values, reverse=descending):
                raise Failed(f"by {'-' if descending else ''}{name} the records do not come in order")
            if descending:
                tried.append(name)
    if not tried:
        raise DoesNotApply("the source offers no order of this kind")
    return ", ".join(tried)


def _rank(kind: str, name: str, value: Any) -> Any:
    """A value as the contract orders it; None where sources differ."""
    field = FIELDS[kind][name]
    if field.type == "enum":
        return field.values.index(value) if value in field.values else None
    if field.type in ("text", "word"):
        plain = isinstance(value, str) and value.isascii() and value.isalnum()
        return fold(value) if plain else None  # how others are ordered is the collation's affair
    return value


async def _compare(bench: Bench, kind: str, question: Filter, records: list[dict[str, Any]]) -> int:
    found = await collect(bench.live, kind, Query(filter=question, limit=PAGE), most=len(records) + PAGE)
    got = sorted(ref(record) for record in found)
    wanted = sorted(ref(record) for record in records if matches(question, record))
    if got != wanted:
        more, less = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
        told = (
            f"{len(less)} missing, {less[0]} first"
            if less
            else f"{len(more)} too many, {more[0]} first"
            if more
            else "some come twice"
        )
        raise Failed(f"{spelled(question)} finds {len(got)} and a scan {len(wanted)}: {told}")
    return len(got)


def spelled(question: Filter) -> str:
    """A filter in words."""
    return " and ".join(
        f"({' or '.join(map(_word, clause.conditions))})" if isinstance(clause, AnyOf) else _word(clause)
        for clause in question
    )


def _word(condition: Condition) -> str:
    return (
        f"{condition.field} {condition.op} {condition.value!r}"
        if condition.value is not None
        else f"{condition.field} {condition.op}"
    )


def _narrow(bench: Bench, kind: str, records: list[dict[str, Any]]) -> Condition | None:
    """A condition that finds some, but not many."""
    best: tuple[int, Condition] | None = None
    for name, use in bench.mapping(kind).fields.items():
        if "eq" not in use.operators or use.type not in ("enum", "word"):
            continue
        for value, many in Counter(r[name] for r in records if isinstance(r.get(name), str)).items():
            if value != UNMAPPED and many >= 5 and (best is None or many < best[0]):
                best = (many, Condition(name, "eq", value))
    return best[1] if best else None


def _conditions(name: str, use: FieldUse, records: list[dict[str, Any]]) -> Iterator[Condition]:
    """Questions about a field, with values that occur."""
    values = [_plain(record[name]) for record in records if record.get(name) not in (None, "", UNMAPPED)]
    counted = Counter(value for value in values if isinstance(value, str | int | bool))
    some = sorted(counted, key=lambda value: (counted[value], str(value)))
    some = [value for value in some if not isinstance(value, str) or 0 < len(value) <= 200]
    for op in use.operators:
        if op in ("empty", "not_empty"):
            yield Condition(name, op)
        elif not some:
            continue
        elif op in ("gt", "ge", "lt", "le"):
            ordered = sorted(values)
            yield Condition(name, op, ordered[int((len(ordered) - 1) * (EDGE if op in ("gt", "ge") else 1 - EDGE))])
        elif op in ("in", "not_in"):
            yield Condition(name, op, tuple(some[:2]))
        elif op in ("contains", "starts"):
            text = str(some[0])
            yield Condition(
                name, op, (max(text.split(), key=len) if op == "contains" else text[:4].strip() or text)[:60]
            )
        else:
            yield Condition(name, op, some[0])
            if len(some) > 1 and op == "eq" and isinstance(some[0], str):
                yield Condition(name, op, some[len(some) // 2])


def _unasked(bench: Bench, kind: str, records: list[dict[str, Any]]) -> Iterator[Condition]:
    for name, use in bench.mapping(kind).fields.items():
        if use.type == "text" and "contains" not in use.operators:
            texts = [record[name] for record in records if isinstance(record.get(name), str) and record[name].split()]
            if texts:
                yield Condition(name, "contains", texts[0].split()[0])


def _plain(value: Any) -> Any:
    return value["ref"] if isinstance(value, dict) else value

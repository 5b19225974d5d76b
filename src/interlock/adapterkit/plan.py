"""From a canonical query to a source's own: what can be asked exactly, what loosely, and what is left.

A condition becomes groups of alternatives: all groups hold, in each at least one alternative. What the
source may answer too widely is pushed and checked again; what cannot be asked safely or at all is
checked afterwards, with the reason. Nothing is dropped, nothing is widened unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from interlock.adapterkit.literals import Literal, Unsafe, fill
from interlock.adapterkit.manifest import Operator, QueryStyle
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Branch, Plan
from interlock.records.fields import UNMAPPED
from interlock.records.filters import AnyOf, Clause, Condition, Query, Sort, holds
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.records.text import visible

Columns = Callable[[Iterable[str] | None], tuple[str, ...]]
Atom = str | tuple[str, str | tuple[str, ...]]  # query text, or a parameter and its value


class _CannotAsk(Exception):
    """The source cannot be asked this; the reason."""


@dataclass(slots=True)
class _Asked:
    """Groups of alternatives. ``never``: no row can match; no groups: every row does."""

    groups: list[list[Atom]] = field(default_factory=list)
    loose: bool = False
    never: str | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans for one kind in one source."""

    spec: MappingSpec
    style: QueryStyle
    source: str
    columns: Columns
    literal: Literal
    order: Mapping[str, str]  # canonical field -> native name, where both orders agree

    @classmethod
    def of(cls, spec: MappingSpec, style: QueryStyle, source: str, columns: Columns) -> Planner:
        order = {name: each.sort for name, each in spec.fields.items() if each.sort and _same_order(each)}
        return cls(spec, style, source, columns, Literal.of(style.literal), order)

    def plan(self, query: Query) -> Plan:
        """The plan of a validated query. Raises Problem when a ref cannot be asked for by its key."""
        if self.style.style == "rows":
            return self._afterwards(query)
        plan = self._plan(query)
        return self._either(query, plan) if self.style.branches and not plan.empty else plan

    def _plan(self, query: Query) -> Plan:
        atoms: list[list[Atom]] = []
        post: list[Clause] = []
        why: list[str] = []
        used: set[str] = set()
        for clause in query.filter:
            try:
                asked = self._clause(clause)
                self._parameters(asked, used)
            except _CannotAsk as reason:
                post.append(clause)
                why.append(f"{_about(clause)}: {reason}; checked afterwards")
                continue
            if asked.never:
                return Plan(None, self.columns(query.fields), why=(f"{_about(clause)}: {asked.never}",), empty=True)
            atoms += asked.groups
            if asked.loose:
                post.append(clause)
                why.append(f"{_about(clause)}: the source may find more; checked again")
        text = self._text(query.text, atoms, why)
        order = tuple(each for each in query.sort if each.field in self.order)
        why += [f"sort by {each.field}: not offered by the source" for each in query.sort if each not in order]
        return Plan(
            pushed=self._joined(atoms),
            columns=self.columns(self._needed(query, tuple(post), text)),
            post=tuple(post),
            why=tuple(why),
            order=order,
            order_native=self._order(order),
            text=text,
        )

    def _either(self, query: Query, whole: Plan) -> Plan:
        """One any-of group that could not be asked at once: a branch for each of its conditions."""
        group = next((clause for clause in whole.post if isinstance(clause, AnyOf)), None)
        if group is None or len(group.conditions) > MAX_BRANCHES:
            return whole
        rest = tuple(clause for clause in query.filter if clause is not group)
        branches: list[Branch] = []
        post: dict[Clause, None] = {group: None}
        why: dict[str, None] = {}
        for index, condition in enumerate(group.conditions):
            plan = self._plan(replace(query, filter=(*rest, condition)))
            if plan.empty:
                continue
            if condition in plan.post and not plan.pushed:
                return whole  # this branch alone would read everything
            branches.append(Branch(plan.pushed, unless=group.conditions[:index]))
            post |= dict.fromkeys(clause for clause in plan.post if clause in rest)
            why |= dict.fromkeys(plan.why)
        if not branches:
            return replace(whole, empty=True, why=(f"{_about(group)}: none of these can hold",))
        return replace(
            whole, pushed=None, post=tuple(post), why=tuple(why), order=(), order_native=None, branches=tuple(branches)
        )

    def _afterwards(self, query: Query) -> Plan:
        why = ("every row is read and checked here",) if query.filter or query.text else ()
        columns = self.columns(self._needed(query, query.filter, query.text))
        return Plan(None, columns, query.filter, why, order=query.sort, text=query.text, contract_order=True)

    def pushes(self, each: FieldSpec) -> tuple[str, ...]:
        """Operators of a field that the source can be asked, exactly or loosely."""
        offered = self.style.operators
        return tuple(op for op in each.filters if op in offered and _applies(offered[op], each.field.type))

    def _needed(self, query: Query, post: Sequence[Clause], text: str | None) -> list[str] | None:
        if query.fields is None:
            return None
        names = dict.fromkeys(query.fields)
        for clause in post:
            names |= dict.fromkeys(c.field for c in _conditions(clause) if c.field in self.spec.fields)
        if text is not None:
            names |= dict.fromkeys(n for n, f in self.spec.fields.items() if f.field.type in SEARCHED)
        names |= dict.fromkeys(each.field for each in query.sort if each.field in self.spec.fields)
        return list(names)

    def _clause(self, clause: Clause) -> _Asked:
        if isinstance(clause, Condition):
            return self._condition(clause)
        members = [self._condition(condition) for condition in clause.conditions]
        possible = [asked for asked in members if not asked.never]
        if not possible:
            return _Asked(never="; ".join(dict.fromkeys(asked.never or "" for asked in members)))
        if any(not asked.groups and not asked.loose for asked in possible):
            return _Asked()  # one alternative always holds
        if any(len(asked.groups) != 1 for asked in possible):
            raise _CannotAsk("an any-of group of these conditions cannot be written in the source's query")
        merged = [atom for asked in possible for atom in asked.groups[0]]
        return _Asked([merged], any(asked.loose for asked in possible))

    def _condition(self, condition: Condition) -> _Asked:
        each = self.spec.fields.get(condition.field)
        if each is None or (each.read is None and each.const is None):
            return _Asked(never=f"this source has no {condition.field}")
        if each.const is not None:
            return _Asked() if holds(condition, {each.name: each.const}) else _Asked(never=f"it is always {each.const}")
        if self.spec.inverse and condition.field in self.spec.inverse.swap:
            return self._either_end(condition)
        asked = self._simple(condition, each)
        asked.loose |= each.loose
        return asked

    def _either_end(self, condition: Condition) -> _Asked:
        """Of a field whose place depends on another: ask both places, check again."""
        assert self.spec.inverse is not None
        if condition.op not in ("eq", "in"):
            raise _CannotAsk("which end it is depends on the type")
        ends = [self._simple(condition, self.spec.fields[name]) for name in self.spec.inverse.swap]
        if ends[0].never:
            return ends[0]
        return _Asked([[atom for end in ends for group in end.groups for atom in group]], loose=True)

    def _simple(self, condition: Condition, each: FieldSpec) -> _Asked:
        op, kind = condition.op, each.field.type
        name = each.filters.get(op)
        if name is None:
            raise _CannotAsk("the source does not offer this")
        values = list(condition.value) if isinstance(condition.value, tuple) else [condition.value]
        if op in ("empty", "not_empty"):
            return self._emptiness(op, name, each)
        if kind in ("enum", "bool"):
            return self._words(op, name, each, values)
        if kind == "ref":
            return self._refs(op, name, each, values)
        if kind == "instant":
            assert each.bound is not None
            asked = self._ask(op, name, kind, [each.bound.bound(values[0], op in ("lt", "le"))])
            asked.loose |= not each.bound.exact
            return asked
        if kind == "int":
            return self._ask(op, name, kind, [str(value) for value in values])
        return self._texts(op, name, each, values)

    def _emptiness(self, op: str, name: str, each: FieldSpec) -> _Asked:
        asked = self._ask(op, name, each.field.type, [""])
        for word in each.unset:
            if word and op == "empty":
                asked.groups[0] += self._ask("eq", name, each.field.type, [word]).groups[0]
            elif word:
                asked.groups += self._ask("ne", name, each.field.type, [word]).groups
        return asked

    def _words(self, op: str, name: str, each: FieldSpec, words: Sequence[Any]) -> _Asked:
        table = each.codes
        assert table is not None
        if UNMAPPED in words:
            raise _CannotAsk("unmapped values are only known after decoding")
        texts = [text for word in dict.fromkeys(words) for text in table.asks.get(word, ())]
        globs = [glob for word in dict.fromkeys(words) for glob in table.globs_of(word)]
        ranged = any(table.ranged(word) for word in words)
        # A database that folds case may take a code of letters for another one.
        folds = each.field.type == "enum" and not all(text.isdecimal() for text in texts) and self._loose("eq", "word")
        if op in ("ne", "not_in"):
            if folds:
                raise _CannotAsk("the source may leave out values that differ in case only")
            asked = self._ask("not_in", name, each.field.type, texts) if texts else _Asked()
            asked.loose |= bool(globs) or ranged
            return asked
        if ranged:
            raise _CannotAsk("the source keeps a range of values for it")
        if not texts and not globs:
            return _Asked(never=f"no native value means {' or '.join(str(word) for word in words)}")
        asked = self._ask("in", name, each.field.type, texts) if texts else _Asked([[]])
        for glob in globs:
            end, part = ("ends", glob.tail) if len(glob.tail) >= len(glob.head) else ("starts", glob.head)
            if not part or end not in self.style.operators:
                raise _CannotAsk("the source cannot be asked for a pattern")
            asked.groups[0] += self._ask(end, name, each.field.type, [part]).groups[0]
        asked.loose |= bool(globs) or folds
        return asked

    def _refs(self, op: str, name: str, each: FieldSpec, values: Sequence[str]) -> _Asked:
        handles, keys = [], []
        for value in dict.fromkeys(values):
            ref = Ref.parse(value, each.name)
            if ref.source != self.source or ref.kind != each.ref:
                continue
            if each.by is not None:
                handle = (ref.handle or ref.key).rpartition("/")[2]
                if handle:  # else it names nothing, and an empty parameter would ask something else
                    handles.append(handle)
            elif ref.handle is not None:
                handles.append(ref.handle)
            elif each.plain_key or each.key == each.read:
                handles.append(ref.key)
            elif each.key is None:
                raise Problem(
                    Slug.UNSUPPORTED,
                    f"{each.name}: this source cannot be asked for {value} by its key",
                    field=each.name,
                    value=value,
                    next_step=f"Use the ref with the handle: {ref.source}:{ref.kind}:~handle.",
                    layer="argument",
                )
            else:
                keys.append(ref.key)
        negative = op in ("ne", "not_in")
        if not handles and not keys:
            return _Asked() if negative else _Asked(never=f"records of {self.source} refer to {self.source} only")
        parts = []
        if handles:
            parts.append(self._ask("not_in" if negative else "in", name, "ref", handles))
        if keys:
            assert each.key is not None
            parts.append(self._ask("not_in" if negative else "in", each.key.column, "ref", keys))
        groups = [group for part in parts for group in part.groups]
        if not negative:
            groups = [[atom for group in groups for atom in group]]
        # Of a ref that names its part only the handle is asked for.
        return _Asked(groups, each.by is not None or any(part.loose for part in parts))

    def _texts(self, op: str, name: str, each: FieldSpec, values: Sequence[str]) -> _Asked:
        negative = op in ("ne", "not_in")
        kept = [value for value in values if value and value not in each.unset]
        if not kept and op not in ("contains", "starts"):
            return _Asked() if negative else _Asked(never="an empty value equals nothing; use the operator empty")
        for value in kept:
            if value.casefold() != value.lower() or visible(value) != value or "⟦" in value:
                raise _CannotAsk("the source may compare these characters otherwise")
        if op in ("contains", "starts") and not kept:
            raise _CannotAsk("there is nothing to look for")
        return self._ask(op, name, each.field.type, kept)

    def _ask(self, op: str, name: str, kind: str, texts: Sequence[str]) -> _Asked:
        """One operator with native texts, in the words of the manifest."""
        if op in ("in", "not_in") and len(texts) == 1:
            op = "eq" if op == "in" else "ne"
        operator = self.style.operators.get(op)
        if operator is None or not _applies(operator, kind):
            raise _CannotAsk(f"the source does not offer {op} here")
        loose = self._loose(op, kind)
        if op in ("in", "not_in"):
            if operator.write:
                try:
                    return _Asked([self._atoms(operator, name, texts)], loose)
                except _CannotAsk:
                    if not (operator.any or operator.all):
                        raise
            parts = [self._ask(operator.any or operator.all or op, name, kind, [text]) for text in texts]
            groups = [group for part in parts for group in part.groups]
            if operator.any:
                groups = [[atom for group in groups for atom in group]]
            return _Asked(groups, loose or any(part.loose for part in parts))
        return _Asked([self._atoms(operator, name, texts)], loose)

    def _loose(self, op: str, kind: str) -> bool:
        operator = self.style.operators.get(op)
        if operator is None:
            return False
        return operator.loose if isinstance(operator.loose, bool) else kind in operator.loose

    def _atoms(self, operator: Operator, name: str, texts: Sequence[str]) -> list[Atom]:
        if operator.escape:
            table = str.maketrans(operator.escape)
            texts = [text.translate(table) for text in texts]
        valued = any("{v}" in template for template in operator.write) or self.style.style == "params"
        try:
            if self.style.style == "params":
                value: str | tuple[str, ...]
                if operator.repeat:
                    value = tuple(self.literal.one(text) for text in texts)
                else:
                    value = self.literal.many(texts) if len(texts) > 1 else texts[0] and self.literal.one(texts[0])
                return [(fill(template, name), value or "true") for template in operator.write]
            text = "" if not valued else self.literal.one(texts[0]) if len(texts) == 1 else self.literal.many(texts)
            return [fill(template, name, text) for template in operator.write]
        except Unsafe:
            raise _CannotAsk("the value cannot be written safely in the source's query") from None

    def _parameters(self, asked: _Asked, used: set[str]) -> None:
        """Parameters hold one value each, and have no OR."""
        if self.style.style != "params" or asked.never:
            return
        if any(len(group) != 1 for group in asked.groups):
            raise _CannotAsk("parameters have no alternatives")
        names = [group[0][0] for group in asked.groups]
        if len(set(names)) != len(names) or used & set(names):
            raise _CannotAsk("a parameter given twice would mean either of the two")
        used |= set(names)

    def _text(self, text: str | None, atoms: list[list[Atom]], why: list[str]) -> str | None:
        if text is None:
            return None
        if self.style.text is not None and self.spec.searchable:
            try:
                value = self.literal.one(text)
            except Unsafe:
                why.append("text: it cannot be written safely in the source's query; checked afterwards")
                return text
            if self.style.style == "params":
                atoms.append([(self.style.text, value)])
            else:
                atoms.append([fill(self.style.text, "", value)])
            why.append("text: found by the source's own index")
            return None
        why.append("text: the source has no full-text search of it; checked afterwards")
        return text

    def _joined(self, atoms: list[list[Atom]]) -> Any:
        if self.style.style == "params":
            return {atom[0]: atom[1] for (atom, *_) in atoms}
        groups = []
        for group in atoms:
            joined = self.style.or_.join(str(atom) for atom in group)
            groups.append(self.style.group.replace("{}", joined) if len(group) > 1 else joined)
        return self.style.and_.join(groups)

    def _order(self, order: Sequence[Sort]) -> str | None:
        spelled = self.style.order
        if spelled is None:
            return None
        parts = [fill(spelled.desc if each.descending else spelled.asc, self.order[each.field]) for each in order]
        return self.style.order_and.join([*parts, fill(spelled.asc, self.spec.id.column)])


MAX_BRANCHES = 4
"""So many alternatives are asked one after the other; a longer group is checked afterwards."""

SEARCHED = ("text", "long_text", "word")
"""Types that a text search afterwards looks into."""


def _applies(operator: Operator, kind: str) -> bool:
    return not operator.types or kind in operator.types


def _conditions(clause: Clause) -> tuple[Condition, ...]:
    return (clause,) if isinstance(clause, Condition) else clause.conditions


def _about(clause: Clause) -> str:
    return " or ".join(f"{c.field} {c.op}" for c in _conditions(clause))


def _same_order(each: FieldSpec) -> bool:
    """Whether the source orders a field as the contract does: of an enum, whether its codes ascend."""
    if each.codes is None or each.field.type != "enum":
        return True
    asks = [each.codes.asks[word] for word in each.field.values if word in each.codes.asks]
    if not all(text.isdecimal() for texts in asks for text in texts) or each.codes.globs or each.codes.ranges:
        return False
    numbers = [sorted(int(text) for text in texts) for texts in asks]
    return all(low[-1] < high[0] for low, high in pairwise(numbers))

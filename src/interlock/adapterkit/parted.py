"""One kind that a source keeps in several places: devices and virtual machines are both CIs.

Each place is a part with a compiled mapping of its own. A handle is ``part/handle``, so that a ref alone
tells where the record is; a native row tells it by the mapping's ``by``.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.adapterkit.encode import WriteOp
from interlock.adapterkit.mapping import FieldUse, Mapping
from interlock.adapterkit.mappingspec import FieldSpec
from interlock.adapterkit.native import Branch, Native, Plan
from interlock.adapterkit.paths import Path
from interlock.records.filters import Clause, Query, Sort
from interlock.records.problems import Problem, Slug, invalid

_NO_HANDLES: MappingType[str, str] = {}
_NO_PARTS: MappingType[str, Mapping] = {}


@dataclass(frozen=True, slots=True)
class PartedMapping(Mapping):
    """All parts as one mapping. What it says of fields holds for at least one part; of operators, for each
    part that has the field."""

    parts: MappingType[str, Mapping] = field(default_factory=dict)

    def part_of(self, handle: str) -> tuple[Mapping, str]:
        """The part that a handle names, and the handle there. Raises Problem not-found."""
        name, _, rest = handle.removeprefix("~").partition("/")
        if name not in self.parts or not rest:
            raise Problem(
                Slug.NOT_FOUND,
                f"no {self.kind} {handle!r} in this source: it names none of {', '.join(self.parts)}",
                field="ref",
                value=handle,
                next_step="Take the ref from a search.",
                layer="source",
                reached="no",
            )
        return self.parts[name], rest

    def _of_row(self, native: Native) -> Mapping:
        told = _by(self).get(native)
        part = self.parts.get(str(told))
        if part is None:
            raise Problem(
                Slug.SOURCE_FAULT,
                f"the source gave a {self.kind} that is none of {', '.join(self.parts)}: {str(told)[:100]}",
                next_step="Compare the row with the mapping: interlock adapter try.",
                layer="source",
            )
        return part

    def columns(self, fields: Iterable[str] | None = None) -> tuple[str, ...]:
        """Native columns of all parts."""
        wanted = None if fields is None else tuple(fields)
        found: dict[str, None] = {_by(self).column: None}
        for part in self.parts.values():
            found |= dict.fromkeys(part.columns(wanted))
        return tuple(found)

    def decode(self, native: Native) -> dict[str, Any]:
        """As ``Mapping.decode``, by the part that the row is of."""
        return self._of_row(native).decode(native)

    def handle(self, native: Native) -> str | None:
        """``part/handle`` of a row."""
        return self._of_row(native).handle(native)

    def encode(
        self,
        changes: MappingType[str, Any],
        op: WriteOp,
        handles: MappingType[str, str] = _NO_HANDLES,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """As ``Mapping.encode``. An update goes to the part that ``key`` names, a create to the one that
        can hold the values; the payload tells it by ``by``."""
        part = self._part_for(changes, key)
        payload = part.encode(self._written(part, changes), op, handles)
        _by(self).put(payload, part.spec.part)
        return payload

    def norm(
        self,
        changes: MappingType[str, Any],
        handles: MappingType[str, str] = _NO_HANDLES,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """As ``Mapping.norm``."""
        part = self._part_for(changes, key, guess=True)
        written = self._written(part, changes)
        fixed = {name: value for name, value in changes.items() if name not in written}
        return {**fixed, **part.norm(written, handles)}

    def require(self, changes_after: MappingType[str, Any]) -> list[str]:
        """As ``Mapping.require``: the part is that of the record's ref, or the one that can hold it."""
        ref = changes_after.get("ref")
        key = str(ref).split(":", 2)[2] if ref else None
        return self._part_for(changes_after, key, guess=True).require(changes_after)

    def _part_for(self, changes: MappingType[str, Any], key: str | None, *, guess: bool = False) -> Mapping:
        if key is not None:
            return self.part_of(key)[0]
        fixed = {name for part in self.parts.values() for name, each in part.spec.fields.items() if each.const}
        chosen = {name: value for name, value in changes.items() if name in fixed}
        able = [part for part in self.parts.values() if all(_holds(part, *entry) for entry in chosen.items())]
        if not able:
            name, value = next(iter(chosen.items()))
            raise invalid(name, value, f"is a {name} that no record of this source can have", self._can(name))
        if len(able) > 1 and guess:
            return next((part for part in able if all(name in part.spec.fields for name in changes)), able[0])
        if len(able) > 1:
            name = min(fixed, default="ref")
            raise invalid(name, None, "is needed: it tells what kind of record this is", self._can(name))
        return able[0]

    def _can(self, name: str) -> str:
        words: dict[str, None] = {}
        for part in self.parts.values():
            each = part.spec.fields.get(name)
            if each is not None and each.const is not None:
                words[str(each.const)] = None
            elif each is not None and each.codes is not None:
                words |= dict.fromkeys(map(str, each.codes.writes))
        return f"Use one of: {', '.join(words)}." if words else "Name the record by its ref."

    def _written(self, part: Mapping, changes: MappingType[str, Any]) -> dict[str, Any]:
        """Without what is so in every record of the part."""
        fields = part.spec.fields
        return {n: v for n, v in changes.items() if n not in fields or fields[n].const is None or fields[n].const != v}

    def plan(self, query: Query) -> Plan:
        """A branch for each part that can have matching records."""
        plans = {name: part.plan(query) for name, part in self.parts.items()}
        live = {name: plan for name, plan in plans.items() if not plan.empty}
        if not live:
            why = dict.fromkeys(f"{name}: {reason}" for name, plan in plans.items() for reason in plan.why)
            return Plan(None, self.columns(query.fields), why=tuple(why), empty=True)
        branches: list[Branch] = []
        post: dict[Clause, None] = {}
        why = {}
        for name, plan in live.items():
            whole = plan.branches or (Branch(plan.pushed, order_native=plan.order_native),)
            branches += [replace(branch, part=name) for branch in whole]
            post |= dict.fromkeys(plan.post)
            why |= dict.fromkeys(plan.why)
        order = next(iter(live.values())).order
        if len(branches) > 1 and not (self._merges(order) and all(plan.order == order for plan in live.values())):
            order = ()
        if not order:
            branches = [replace(branch, order_native=None) for branch in branches]
        return Plan(
            pushed=None,
            columns=self.columns(query.fields),
            post=tuple(post),
            why=tuple(why),
            order=order,
            order_native=branches[0].order_native if len(branches) == 1 else None,
            text=next((plan.text for plan in live.values() if plan.text is not None), None),
            branches=tuple(branches),
        )

    def _merges(self, order: tuple[Sort, ...]) -> bool:
        """Whether rows of several parts can be put in one order: of instants it is everybody's; how a source
        compares text, only the source knows."""
        return len(order) == 1 and self.spec.fields[order[0].field].field.type == "instant"


def _by(mapping: Mapping) -> Path:
    assert mapping.spec.by is not None
    return mapping.spec.by


def _holds(part: Mapping, name: str, value: Any) -> bool:
    each = part.spec.fields.get(name)
    if each is None:
        return False
    if each.const is not None:
        return bool(each.const == value)
    return each.codes is None or value in each.codes.writes


def join_parts(parts: MappingType[str, Mapping]) -> PartedMapping:
    """The mapping of a kind from those of its parts, in their order."""
    fields: dict[str, FieldUse] = {}
    specs: dict[str, FieldSpec] = {}
    for part in parts.values():
        for name, use in part.fields.items():
            specs.setdefault(name, part.spec.fields[name])
            known = fields.get(name)
            if known is None:
                fields[name] = use
                continue
            fields[name] = replace(
                known,
                readable=known.readable or use.readable,
                writable=known.writable or use.writable,
                creatable=known.creatable or use.creatable,
                operators=tuple(op for op in known.operators if op in use.operators),
            )
    first = next(iter(parts.values()))
    return PartedMapping(
        spec=replace(first.spec, part="", fields=specs, searchable=all(p.spec.searchable for p in parts.values())),
        manifest=first.manifest,
        source=first.source,
        fields={name: replace(use, sortable=False) for name, use in fields.items()},
        decoder=first.decoder,
        planner=first.planner,
        version=first.version,
        _columns={},
        parts=dict(parts),
    )

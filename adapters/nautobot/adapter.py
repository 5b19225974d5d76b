"""Nautobot: what its data cannot say.

A CI is kept in five models (devices, virtual machines, services, software versions, locations), so a search is
several queries; a filter by a word that the instance does not know is refused by it and means no rows here. All facts
are observed on Nautobot 3.2.7.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from interlock.adapterkit.mapping import Mapping as Compiled
from interlock.adapterkit.native import Branch, Native, NativeWrite, Page, Plan, Written
from interlock.adapterkit.paging import stuck
from interlock.adapterkit.parted import PartedMapping
from interlock.adapterkit.rest import RestAdapter, Text, encoded
from interlock.records.filters import holds
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.taxonomy import Choice

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_SUCH = re.compile(r"Select a valid choice\. (.*?) is not one of the available choices\.", re.DOTALL)
_STABLE = "created,id"  # rows made meanwhile come at the end
_MOST_WORDS = 100  # unknown words of one query that are taken out, one by one
_MOST_CHOICES = 1000


def describe(found: Any) -> tuple[str | None, str | None]:
    """``{"detail": text}``, ``{"error": text}`` or ``{field: [texts]}``; of a bulk answer a list of these."""
    if isinstance(found, list):
        found = next((each for each in found if each), None)
    if not isinstance(found, Mapping):
        return None, None
    for name in ("detail", "error"):
        if isinstance(found.get(name), str):
            return None, str(found[name])[:500]
    parts = []
    for name, said in found.items():
        texts = said if isinstance(said, list) else [said]
        words = " ".join(str(text) for text in texts)
        parts.append(words if name in ("__all__", "non_field_errors") else f"{name}: {words}")
    return None, "; ".join(parts)[:500] or None


class NautobotAdapter(RestAdapter):
    """One instance."""

    describe = staticmethod(describe)

    # --- addresses ---------------------------------------------------------------------------------

    def part(self, kind: str, name: str | None = None) -> Compiled:
        """The compiled mapping of a kind, or of its part."""
        self.spec(kind)
        mapping: Any = self.product.mappings[kind]
        if not isinstance(mapping, PartedMapping):
            return mapping  # type: ignore[no-any-return]
        if name is None or name not in mapping.parts:
            raise self.odd(f"a {kind} of a known model")
        return mapping.parts[name]

    def place(self, kind: str, handle: str) -> tuple[Compiled, str]:
        """The part that a handle names and the address of the record there. Raises not-found."""
        mapping: Any = self.product.mappings[kind]
        inner = handle
        if isinstance(mapping, PartedMapping):
            mapping, inner = mapping.part_of(handle)
        if not _UUID.fullmatch(inner):
            self.one(kind, handle, [])
        return mapping, f"{self._address(mapping)}{inner}/"

    def _address(self, part: Compiled) -> str:
        return f"{self._root}/{part.entity}/"  # without the slash at the end it redirects

    # --- reads -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing to do: the token goes with every call."""

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        part, address = self.place(kind, key)  # every kind here is keyed by its handle
        row = self.row(await self.fetch(address, encoded(part.spec.always)))
        if str(row.get("id")) not in address:
            raise self.odd("the record that was asked for")
        return row

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """One branch after the other: ``{"branch": n, "skip": rows}``. In an order: all at once, and the cursor
        holds how far each was used, ``{"skips": [rows or null, ...]}``."""
        if plan.empty:
            return Page([])
        branches = plan.branches or (Branch(plan.pushed),)
        if plan.order and len(branches) > 1:
            return await self._merged(kind, plan, branches, cursor, limit)
        at = dict(cursor or {"branch": 0, "skip": 0})
        index, skip = int(at.get("branch", 0)), int(at.get("skip", 0))
        if not 0 <= index < len(branches) or skip < 0:
            raise invalid("cursor", str(cursor), "is not of this search", "Take it from the last page.")
        seen = 0
        while True:
            branch = branches[index]
            part = self.part(kind, branch.part)
            order = str(plan.order_native) if plan.order_native and plan.order else _STABLE
            rows, more = await self._rows_at(part, branch, order, skip, limit)
            seen += len(rows)
            if more:
                following: dict[str, int] | None = {"branch": index, "skip": skip + len(rows)}
            else:
                following = {"branch": index + 1, "skip": 0} if index + 1 < len(branches) else None
            kept = [row for row in rows if not self._earlier(part, branch, row)]
            if kept or following is None:
                return Page(kept, following, seen)
            index, skip = following["branch"], following["skip"]

    async def _merged(self, kind: str, plan: Plan, branches: Sequence[Branch], cursor: Any, limit: int) -> Page:
        """The next rows of several branches in one order, an instant's: each branch comes in it already."""
        skips = list((cursor or {}).get("skips") or [0] * len(branches))
        if len(skips) != len(branches) or any(skip is not None and int(skip) < 0 for skip in skips):
            raise invalid("cursor", str(cursor), "is not of this search", "Take it from the last page.")
        [sort] = plan.order
        parts = [self.part(kind, branch.part) for branch in branches]
        more = [False] * len(branches)
        runs: list[list[tuple[tuple[bool, str], int, Native]]] = []
        for index, (branch, part, skip) in enumerate(zip(branches, parts, skips, strict=True)):
            rows: list[Native] = []
            if skip is not None:
                order = str(branch.order_native)
                rows, more[index] = await self._rows_at(part, branch, order, int(skip), limit)
            runs.append([(_moment(part.decode(row).get(sort.field)), index, row) for row in rows])
        kept: list[Native] = []
        used = [0] * len(branches)
        for _, index, row in heapq.merge(*runs, key=lambda entry: entry[0], reverse=sort.descending):
            used[index] += 1
            if not self._earlier(parts[index], branches[index], row):
                kept.append(row)
            if len(kept) >= limit or (used[index] == len(runs[index]) and more[index]):
                break  # what follows of this branch is not known yet
        left: list[int | None] = [
            skip + used[index] if skip is not None and (more[index] or used[index] < len(runs[index])) else None
            for index, skip in enumerate(skips)
        ]
        following = {"skips": left} if any(skip is not None for skip in left) else None
        return Page(kept, following, sum(map(len, runs)))

    def _earlier(self, part: Compiled, branch: Branch, row: Native) -> bool:
        """Whether an earlier branch gives this row, too."""
        if not branch.unless:
            return False
        record = part.decode(row)
        return any(holds(condition, record) for condition in branch.unless)

    async def _rows_at(
        self, part: Compiled, branch: Branch, order: str, skip: int, limit: int
    ) -> tuple[list[Native], bool]:
        """Rows of one query, and whether more follow. An instance may give fewer than asked for."""
        asked: dict[str, Text] | None = dict(branch.pushed or {})
        size = max(1, min(limit, self.manifest.paging.size.max))
        paged = {**part.spec.always, "sort": order, "limit": str(size), "offset": str(skip)}
        for _ in range(_MOST_WORDS):
            if asked is None:
                return [], False
            params = encoded({**asked, **paged})
            self._short(self._address(part), params)
            try:
                found = await self.fetch(self._address(part), params)
            except Problem as problem:
                asked = _without_unknown(asked, problem)
                continue
            rows = self.rows(found)
            more = bool(found.get("next"))
            if more and not rows:
                raise stuck(skip)
            return rows, more
        raise invalid("filter", len(branch.pushed), "holds too many words that the source does not know", "Use fewer.")

    def _short(self, path: str, params: str) -> None:
        limit = self.manifest.limits.url_bytes
        size = len(self.session.base_url) + len(path) + len(params) + 1
        if limit is not None and size > limit:
            raise invalid(
                "filter",
                f"{size} bytes",
                f"makes an address longer than the {limit} bytes that the source takes",
                "Use fewer values or conditions, or shorter texts; search in several calls.",
            )

    # --- writes ------------------------------------------------------------------------------------

    async def write(self, write: NativeWrite) -> Written:
        """POST or PATCH, once."""
        mapping: Any = self.product.mappings[write.kind]
        self.spec(write.kind)
        if write.op == "create":
            payload = self.payload(write)
            part = self.part(write.kind, self._told(mapping, payload))
            if write.correlation is not None and self._holds_key(write.kind):
                await self._keeps_key(part, write.correlation)
            method, address = "POST", self._address(part)
        else:
            part, address = self.place(write.kind, write.handle or "")
            payload = dict(write.payload)
            told = self._told(mapping, payload)
            if told is not None and told != part.spec.part:
                raise invalid("ref", write.handle, f"is no {told}, for which this was written", "Read it again.")
            method = "PATCH"
        answer = await self.session.request(method, address, json=payload, not_after=write.not_after)
        row = self.row(self.parsed(answer))
        handle = part.handle(row)
        if handle is None or (write.handle is not None and handle != write.handle):
            raise self.odd("the record that was written")
        return Written(handle, row)

    def _told(self, mapping: Any, payload: dict[str, Any]) -> str | None:
        """The part that an encoded payload is for; it is no native field."""
        by = mapping.spec.by if isinstance(mapping, PartedMapping) else None
        return payload.pop(by.column, None) if by else None

    def _holds_key(self, kind: str) -> bool:
        probe = self.manifest.write.probe.create
        return probe is not None and probe.field in self.spec(kind).fields

    def payload(self, write: NativeWrite) -> dict[str, Any]:
        """As everywhere; a relationship has no field for our key, and is found again by what it joins."""
        if write.op != "create" or self._holds_key(write.kind):
            return dict(super().payload(write))
        return dict(write.payload)

    async def _keeps_key(self, part: Compiled, correlation: str) -> None:
        """A custom field that the model does not have is ignored when written, and the key would be lost: a
        filter by it is refused, and says so before."""
        try:
            await self._by_key(part, correlation)
        except Problem as problem:
            if problem.slug is Slug.UNSUPPORTED:
                problem.next_step = (
                    "Give Nautobot a text custom field for the gateway's key (mapping of external_id) and assign it to "
                    f"{part.spec.part or part.entity}."
                )
            problem.reached = "no"
            raise

    async def _by_key(self, part: Compiled, correlation: str) -> list[Native]:
        probe = self.manifest.write.probe.create
        spec = part.spec.fields.get(probe.field) if probe else None
        if spec is None or spec.read is None or "eq" not in spec.filters:
            raise self.unsupported("finding a created record again")
        asked = {spec.filters["eq"]: correlation, "limit": "10", **part.spec.always}
        rows = self.rows(await self.fetch(self._address(part), encoded(asked)))
        return [row for row in rows if spec.read.get(row) == correlation]

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        """Rows of any model that hold the key. A model without the custom field cannot."""
        self.spec(kind)
        mapping: Any = self.product.mappings[kind]
        parts = list(mapping.parts.values()) if isinstance(mapping, PartedMapping) else [mapping]
        found: list[Native] = []
        unable: Problem | None = None
        able = 0
        for part in parts:
            try:
                found += await self._by_key(part, correlation)
                able += 1
            except Problem as problem:
                if problem.slug is not Slug.UNSUPPORTED:
                    raise
                unable = problem
        if unable is not None and not able:
            raise unable
        return found

    # --- choices -----------------------------------------------------------------------------------

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """Names from the list that the mapping names, of those models that have the field."""
        mapping: Any = self.product.mappings.get(kind)
        self.field(kind, field)
        parts = list(mapping.parts.values()) if isinstance(mapping, PartedMapping) else [mapping]
        found: dict[str, Choice] = {}
        for part in parts:
            spec = part.spec.fields.get(field)
            if spec is None or spec.choices is None:
                continue
            asked = {"limit": str(_MOST_CHOICES), "sort": "name"}
            if part.spec.part:
                asked["content_types"] = part.spec.part
            path = f"{self._root}/{quote(spec.choices)}/"
            for row in self.rows(await self.fetch(path, encoded(asked))):
                name = str(row.get("name") or "")
                word = spec.codes.read(name) if spec.codes else None
                canonical = word if isinstance(word, str) and word != "unmapped" else None
                if name:
                    found.setdefault(name, Choice(name, str(row.get("display") or name), canonical, None, True))
        if not found:
            raise self.unsupported(f"a list of choices for {field}")
        return list(found.values())


def _moment(value: Any) -> tuple[bool, str]:
    """How an instant compares: PostgreSQL puts none at the end, and descending at the beginning."""
    return value is None, str(value or "")


def _without_unknown(asked: Mapping[str, Text], problem: Problem) -> dict[str, Text] | None:
    """The query without the values that the instance does not know; None when nothing can match then.

    Raises the problem when it is another one.
    """
    kept: dict[str, Text] = dict(asked)
    changed = False
    for said in (problem.native_message or "").split("; "):
        name, _, why = said.partition(": ")
        word = _NO_SUCH.search(why)
        if problem.slug is not Slug.SOURCE_REJECTED or word is None or name not in kept:
            continue
        values = kept[name]
        values = [values] if isinstance(values, str) else list(values)
        rest = [value for value in values if value != word.group(1)]
        if len(rest) == len(values):
            continue
        changed = True
        if not rest:
            return None
        kept[name] = rest
    if not changed:
        raise problem
    return kept


__all__ = ["NautobotAdapter"]

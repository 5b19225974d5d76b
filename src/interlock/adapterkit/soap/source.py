"""Calls of one source over SOAP: filled templates out, rows in. What reading and writing stand on."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from interlock.adapterkit.literals import Unsafe, fill
from interlock.adapterkit.manifest import Manifest
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Native
from interlock.adapterkit.plan import Planner
from interlock.adapterkit.rest import same
from interlock.adapterkit.retry import Retries, reading
from interlock.adapterkit.session import Session
from interlock.adapterkit.soap.answers import ODD, Content, Rows, read_soap
from interlock.adapterkit.soap.declaration import DetailsPart, GetPart, ListPart, SoapHabits, SoapKind
from interlock.adapterkit.soap.services import Ready, Services, open_services
from interlock.adapterkit.soap.xml import XmlReader
from interlock.adapterkit.wire import MEGABYTE
from interlock.clock import Clock
from interlock.records.problems import Problem, Slug

ASIDE_BYTES = MEGABYTE
"""Larger answers are parsed in a thread, so that other calls go on."""

_KEY_ROWS = 10
_REMEMBERED = 256
_DETAILED = 50  # keys in one question


class CompiledMapping(Protocol):
    """What an adapter over SOAP asks of a compiled mapping."""

    @property
    def spec(self) -> MappingSpec: ...
    @property
    def planner(self) -> Planner: ...
    def columns(self, fields: Sequence[str] | None) -> tuple[str, ...]: ...
    def handle(self, native: Native) -> str | None: ...


class CompiledProduct(Protocol):
    """A compiled adapter folder."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def mappings(self) -> Mapping[str, CompiledMapping]: ...


class SoapSource:
    """One source's operations, and its records as rows.

    ``login`` holds ``username`` and ``password`` where they travel in the envelope. ``cache`` is where
    compiled WSDLs are kept. Raises Problem when WSDL and mapping do not fit.
    """

    def __init__(
        self,
        product: CompiledProduct,
        session: Session,
        settings: Mapping[str, Any],
        clock: Clock,
        folder: Path,
        source: str = "soap",
        login: Any = None,
        cache: Path | None = None,
        retries: Retries | None = None,
        seed: int | None = None,
    ) -> None:
        self.product = product
        self.manifest = product.manifest
        self.session = session
        self.settings = settings
        self.clock = clock
        self.repaired = 0
        """Illegal characters that were written out since the start."""
        self.retries = retries or Retries(deadline_s=self.manifest.transport.timeout_s)
        self._habits = self.manifest.soap or SoapHabits()
        self._codes = re.compile(self._habits.fault_code) if self._habits.fault_code else None
        self._chance = random.Random(seed)  # noqa: S311 - spreads retries, guards nothing
        self._reader = XmlReader(self._habits.answer_bytes)
        self._asked: dict[tuple[str, tuple[str, ...]], frozenset[str]] = {}
        self._readers: dict[frozenset[str] | None, Rows] = {}
        self._largest: dict[str, int] = {}  # most rows that one answer of a kind ever held
        specs = {kind: mapping.spec for kind, mapping in product.mappings.items()}
        self.services: Services = open_services(folder, specs, self._habits, settings, login, source, cache)

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        spec = self.spec(kind)
        path = spec.id if by_handle else spec.key
        get = self.services.get(kind, "get")
        if get is not None and isinstance(get.part, GetPart) and (by_handle or spec.key == spec.id):
            content = await self.ask(get, {**get.part.always, get.part.key: key})
            told = self.shape(kind, self.row(content, self.asked(kind, columns)))
            (found,) = await self.detailed(kind, [told], columns)
            if not same(found.get(path.column, key), key, exact=False):
                raise self.odd("the record that was asked for")
            return {path.column: key, **found}
        return self.one(kind, key, await self.equal(kind, path.column, key, columns))

    # --- calls -------------------------------------------------------------------------------------

    async def ask(self, ready: Ready, values: Mapping[str, Any]) -> Content:
        """One read, tried again within bounds: what its answer holds."""
        content = ready.template.fill(values)

        async def once() -> Content:
            found = await self.send(ready, content)
            if found is None:
                raise self.odd(ready.answer or "an answer")
            return found

        return await reading(once, self.retries, self.clock, self._chance)

    async def send(self, ready: Ready, content: bytes, not_after: float | None = None) -> Content | None:
        """One call, once. None where the operation answers nothing, and nothing came."""
        answer = await self.session.request(
            "POST", ready.path, headers=ready.template.headers, content=content, not_after=not_after
        )
        if ready.answer is None and not answer.body and answer.status in (200, 202, 204):
            return None
        reader = self._reader
        if len(answer.body) > ASIDE_BYTES:
            aside = XmlReader(self._habits.answer_bytes)
            found = await asyncio.to_thread(read_soap, answer, aside, self.manifest.errors, self._codes, ready.answer)
        else:
            found = read_soap(answer, reader, self.manifest.errors, self._codes, ready.answer)
        self.repaired += found.repaired
        return found

    async def listed(
        self, kind: str, ready: Ready, query: str, columns: Sequence[str], start: int, size: int
    ) -> tuple[list[Native], int]:
        """Rows of a list operation, and how many characters were repaired. None found is no fault here."""
        part = ready.part
        assert isinstance(part, ListPart)
        values: dict[str, Any] = {**part.always, part.query: query}
        if part.start is not None:
            values[part.start] = str(start)
        if part.size is not None:
            values[part.size] = str(size)
        try:
            content = await self.ask(ready, values)
        except Problem as problem:
            if problem.slug is Slug.NOT_FOUND:  # many services answer an empty list with a fault
                return [], 0
            raise
        if ready is not self.services.get(kind, "list"):
            return list(self._rows(frozenset(columns)).rows(content.element, part.rows)), content.repaired
        found = self._rows(self.asked(kind, columns)).rows(content.element, part.rows)
        return await self.detailed(kind, [self.shape(kind, each) for each in found], columns), content.repaired

    async def detailed(self, kind: str, found: list[dict[str, Any]], columns: Sequence[str]) -> list[Native]:
        """The rows with columns of their own class, where the mapping says that there are any."""
        ready = self.services.get(kind, "details")
        handle = self.spec(kind).id.column
        if ready is None or not isinstance(ready.part, DetailsPart):
            return list(found)
        part = ready.part
        listing = self.services.get(kind, "list")
        wanted = (self.asked(kind, columns) & ready.columns) - (listing.columns if listing else frozenset())
        some = {str(each.get(handle)): each for each in found if each.get(part.of) in part.values and each.get(handle)}
        if not wanted or not some:
            return list(found)
        keys = list(some)
        for start in range(0, len(keys), _DETAILED):
            asked = self.manifest.query.or_.join(
                self._equals(kind, handle, key) for key in keys[start : start + _DETAILED]
            )
            query = self.within(part, asked)
            for more in (await self.listed(kind, ready, query, (*wanted, handle), 0, _DETAILED))[0]:
                if str(more.get(handle)) in some:
                    some[str(more.get(handle))].update(more)
        return [self.shape(kind, each) for each in found]

    async def equal(
        self, kind: str, column: str, value: str, columns: Sequence[str], exact: bool = False
    ) -> list[Native]:
        """Rows whose column holds this value; what the source sends besides is dropped."""
        ready = self.need(kind, "list", "searches")
        part = ready.part
        assert isinstance(part, ListPart)
        try:
            asked = self._equals(kind, column, value)
        except Unsafe:
            return []  # no key looks like this, and it could not be asked for safely
        found, _ = await self.listed(kind, ready, self.within(part, asked), (*columns, column), 0, _KEY_ROWS)
        return [each for each in found if same(each.get(column), value, exact)]

    def _equals(self, kind: str, column: str, value: str) -> str:
        """The native question for one value. Raises Unsafe, Problem unsupported.

        Keys are asked for as they are written; filters of agents compare without regard to case, which the
        mapping's planner decides.
        """
        planner = self.product.mappings[kind].planner
        operator = self.manifest.query.operators.get("eq")
        listing = self.soap(kind).list
        name = listing.keys.get(column) if listing else None
        for each in self.spec(kind).fields.values():
            place = each.read or each.create
            if name is None and place is not None and place.column == column:
                name = next(iter(each.filters.values()), None)
        if operator is not None and name is not None:
            return fill(operator.write[0], name, planner.literal.one(value))
        raise self.unsupported(f"finding a {kind} by {column}")

    def within(self, part: ListPart, query: str) -> str:
        """The query with what always goes with it."""
        if part.within and query:
            return f"({query}){self.manifest.query.and_}{part.within}"
        return query or part.within or part.all

    def quoted(self, kind: str, value: str) -> str:
        """A value as a literal of the source's query. Raises not-found for what no key can be."""
        try:
            return self.product.mappings[kind].planner.literal.one(value)
        except Unsafe:
            return self._raise_missing(kind, value)

    def _raise_missing(self, kind: str, key: str) -> str:
        self.one(kind, key, [])
        raise AssertionError

    # --- rows --------------------------------------------------------------------------------------

    def row(self, content: Content | None, columns: frozenset[str] | None) -> dict[str, Any]:
        """The element of an answer as a row."""
        return {} if content is None else self._rows(columns).row(content.element)

    def _rows(self, columns: frozenset[str] | None) -> Rows:
        known = self._readers.get(columns)
        if known is None:
            known = Rows(columns)
            if len(self._readers) < _REMEMBERED:
                self._readers[columns] = known
        return known

    def asked(self, kind: str, columns: Sequence[str]) -> frozenset[str]:
        """Names on the wire of the columns wanted."""
        question = (kind, tuple(columns))
        known = self._asked.get(question)
        if known is None:
            known = self._find_asked(kind, columns)
            if len(self._asked) < _REMEMBERED:
                self._asked[question] = known
        return known

    def _find_asked(self, kind: str, columns: Sequence[str]) -> frozenset[str]:
        soap = self.soap(kind)
        names = self._on_wire(kind)
        wanted = {names.get(column, column).partition(".")[0] for column in columns}
        wanted |= {part for name in wanted if name in soap.made for part in soap.made[name].of}
        if soap.details is not None:
            wanted |= {soap.details.of, self.spec(kind).id.column}
        return frozenset(wanted | {soap.split[name].by for name in wanted if name in soap.split})

    def shape(self, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        """A row as the mapping reads it. Pure; a product may do more."""
        return shaped(self.soap(kind), found)

    # --- for products ------------------------------------------------------------------------------

    def spec(self, kind: str) -> MappingSpec:
        """The mapping of a kind. Raises Problem unsupported."""
        mapping = self.product.mappings.get(kind)
        if mapping is None:
            raise self.unsupported(f"{kind} records")
        return mapping.spec

    def soap(self, kind: str) -> SoapKind:
        """The operations that a mapping names."""
        found = self.spec(kind).soap
        assert found is not None
        return found

    def field(self, kind: str, name: str) -> FieldSpec:
        """One mapped field. Raises Problem unsupported."""
        found = self.spec(kind).fields.get(name)
        if found is None:
            raise self.unsupported(f"{name} on {kind}")
        return found

    def correlation(self, kind: str) -> FieldSpec:
        """The field that holds our key after a create. Raises Problem unsupported."""
        probe = self.manifest.write.probe.create
        spec = self.spec(kind).fields.get(probe.field) if probe else None
        if spec is None or (spec.create or spec.write) is None:
            raise self.unsupported("finding a created record again")
        return spec

    def need(self, kind: str, word: str, what: str) -> Ready:
        """A declared operation. Raises Problem unsupported."""
        self.spec(kind)
        ready = self.services.get(kind, word)
        if ready is None:
            raise self.unsupported(f"{what} of {kind} records")
        return ready

    def _on_wire(self, kind: str) -> dict[str, str]:
        return {column: name for name, each in self.soap(kind).split.items() for column in each.into.values()}

    def _handle(self, kind: str, found: Native) -> str | None:
        return self.product.mappings[kind].handle(found)

    def one(self, kind: str, key: str, hits: list[Native]) -> Native:
        """The only hit. Raises not-found, ambiguous-ref."""
        if not hits:
            raise Problem(
                Slug.NOT_FOUND,
                f"no {kind} {key!r} in this source, or our account may not see it",
                field="ref",
                value=key,
                next_step="Check the ref by a search.",
                layer="source",
                reached="yes",
            )
        if len(hits) > 1:
            handles = [handle for each in hits if (handle := self._handle(kind, each))]
            raise Problem(
                Slug.AMBIGUOUS_REF,
                f"{len(hits)} records of kind {kind} are called {key!r}",
                field="ref",
                value=key,
                next_step="Name one by its handle: " + ", ".join(f"~{handle}" for handle in handles[:5]) + ".",
                layer="source",
                reached="yes",
            )
        return hits[0]

    def odd(self, expected: str) -> Problem:
        """An answer that is SOAP, but not what was asked for."""
        return Problem(
            Slug.SOURCE_FAULT,
            f"the source's answer is not {expected}",
            next_step="Compare the source's WSDL with the configured one.",
            layer="source",
            native_code=ODD,
            reached="maybe",
        )

    def unsupported(self, what: str) -> Problem:
        """Something this product does not offer."""
        return Problem(
            Slug.UNSUPPORTED, f"{self.manifest.title} does not offer {what} here", layer="source", reached="no"
        )


def shaped(soap: SoapKind, found: dict[str, Any]) -> dict[str, Any]:
    """A row of the wire with the columns that the mapping's declaration splits and makes; changes ``found``."""
    for name, each in soap.split.items():
        if name in found and each.by in found:
            meant = each.into.get(str(found[each.by]))
            for column in each.into.values():
                found[column] = found[name] if column == meant else ""
    for name, made in soap.made.items():
        if made.of[0] in found:
            found[name] = made.join.join(str(found[part]) for part in made.of if found.get(part))
    return found

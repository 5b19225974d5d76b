"""The base of adapters over SOAP: everything that the manifest, the mappings and a WSDL can say.

Templates are filled, answers read by local name into the rows that the mapping decodes. Reads are tried
again within bounds, writes are sent once.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from interlock.adapterkit.forms import instant_form
from interlock.adapterkit.literals import Unsafe, fill
from interlock.adapterkit.manifest import Manifest
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.adapterkit.paging import stuck
from interlock.adapterkit.plan import Planner
from interlock.adapterkit.rest import same
from interlock.adapterkit.retry import Retries, reading
from interlock.adapterkit.session import Session
from interlock.adapterkit.soap.answers import ODD, Content, Rows, read_soap
from interlock.adapterkit.soap.declaration import (
    DetailsPart,
    GetPart,
    ListPart,
    NotePart,
    NotesPart,
    SoapHabits,
    SoapKind,
    WritePart,
)
from interlock.adapterkit.soap.services import Ready, Services, open_services
from interlock.adapterkit.soap.xml import XmlReader
from interlock.adapterkit.wire import MEGABYTE
from interlock.clock import Clock
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.taxonomy import Choice

ASIDE_BYTES = MEGABYTE
"""Larger answers are parsed in a thread, so that other calls go on."""

MOST_NOTES = 2000
"""So many journal entries are read to put them in order; the source gives them in its own."""

_KEY_ROWS = 10
_REMEMBERED = 256
_DETAILED = 50  # keys in one question
_PASSING = "(?i)^-+ .* -+$|^=+ .* =+$"
"""Labels that only divide a menu."""

__all__ = ["Clock", "CompiledProduct", "Session", "SoapAdapter"]


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


class SoapAdapter:
    """An adapter that is all data. Implements ``interlock.adapterkit.adapter.Adapter``.

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

    # --- the Adapter -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing to do: the account travels with every call."""

    async def close(self) -> None:
        await self.session.close()

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

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """Rows in the source's own order, by how many were read; ``{"start": n, "last": handle}``.

        No list tells how many there are. A page that is not full is the end where a larger answer was seen
        before; else the source may have cut it, and it is asked for more. The last row read is read again
        with the next page: where it stands elsewhere now, rows moved meanwhile, and that is told.
        """
        if plan.empty:
            return Page([])
        ready = self.need(kind, "list", "searches")
        part = ready.part
        assert isinstance(part, ListPart)
        size = max(1, min(limit, self.manifest.paging.size.max))
        start, last = int((cursor or {}).get("start") or 0), (cursor or {}).get("last")
        back = 1 if last is not None and start else 0
        found, repaired = await self.listed(
            kind, ready, self.within(part, str(plan.pushed or "")), plan.columns, start - back, size + back
        )
        warnings: tuple[str, ...] = (f"{repaired} control characters are shown as ⟦U+…⟧.",) if repaired else ()
        seen = len(found)
        if back:
            if found and self._handle(kind, found[0]) == last:
                found = found[1:]
            else:
                warnings += ("Records moved while pages were read: some may be missing or come twice.",)
                found = found[:size] if len(found) > size else found
        handles = [self._handle(kind, each) for each in found]
        if last is not None and found and handles[-1] == last:
            raise stuck(last)
        known = max(self._largest.get(kind, 0), seen)
        whole = seen < size + back and seen < known
        self._largest[kind] = known
        end = not found or whole or part.start is None
        return Page(found, None if end else {"start": start + len(found), "last": handles[-1]}, len(found), warnings)

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        """Entries newest first; the source gives them in its own order, so all are read (up to MOST_NOTES).

        ``cursor`` is ``[created_at, id]`` of the last entry shown.
        """
        ready = self.need(kind, "notes", "a journal")
        part = ready.part
        assert isinstance(part, NotesPart)
        query = part.where.replace("{v}", self.quoted(kind, handle))
        columns = {part.id, part.text, part.created_at, part.author or part.id, part.visibility or part.id}
        found: list[Native] = []
        while len(found) < MOST_NOTES:
            more, _ = await self.listed(kind, ready, query, tuple(columns), len(found), self.manifest.paging.size.max)
            fresh = {str(each.get(part.id)) for each in found}
            more = [each for each in more if str(each.get(part.id)) not in fresh]
            found += more
            if not more or part.start is None:
                break
        else:
            raise Problem(
                Slug.TOO_LARGE, f"the record has more than {MOST_NOTES} journal entries",
                next_step="Look at them in the source.", layer="source", reached="yes",
            )  # fmt: skip
        entries = sorted((self.note(kind, part, each) for each in found), key=_moment, reverse=True)
        if cursor is not None:
            after = (str(cursor[0]), str(cursor[1]))
            entries = [each for each in entries if _moment(each) < after]
        shown = entries[:limit]
        return shown, list(_moment(shown[-1])) if len(entries) > limit else None

    async def write(self, write: NativeWrite) -> Written:
        """Send one write, once. Whatever fails before it is sent says ``reached="no"``."""
        word = write.op
        ready = self.need(write.kind, word, f"writing ({word})")
        part = ready.part
        assert isinstance(part, WritePart)
        try:
            values = await self._values(write, ready, part)
            content = ready.template.fill({**values, **self._always(write, part)})
        except Problem as problem:
            problem.reached = "no"
            raise
        answer = await self.send(ready, content, not_after=write.not_after)
        told = self.row(answer, None).get(part.answer) if part.answer and answer is not None else None
        if word == "create" and part.answer and not told:
            raise self.odd("the key of the new record")
        return Written(str(told) if told else write.handle)

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        spec = self.correlation(kind)
        place = spec.read or spec.create
        assert place is not None
        columns = self.product.mappings[kind].columns(None)
        return await self.equal(kind, place.column, correlation, (*columns, place.column), exact=True)

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """The values that the WSDL lists. Raises unsupported where it lists none."""
        spec = self.field(kind, field)
        place = spec.write or spec.create or spec.read
        names = self._on_wire(kind)
        for word in ("update", "create", "get", "list"):
            ready = self.services.get(kind, word)
            if ready is None or place is None:
                continue
            name = names.get(place.column, place.column)
            node = ready.operation.input.child(name) or (ready.operation.output and ready.operation.output.find(name))
            if node is not None and node.values:
                values = [value for value in node.values if not re.match(_PASSING, value)]
                return [Choice(value, value, _word(spec, value), None, True) for value in values]
        raise self.unsupported(f"a list of choices for {field}")

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
        for name, each in self.soap(kind).split.items():
            if name in found and each.by in found:
                meant = each.into.get(str(found[each.by]))
                for column in each.into.values():
                    found[column] = found[name] if column == meant else ""
        for name, made in self.soap(kind).made.items():
            if made.of[0] in found:
                found[name] = made.join.join(str(found[part]) for part in made.of if found.get(part))
        return found

    def note(self, kind: str, part: NotesPart, found: Native) -> NativeNote:
        """One journal entry."""
        author = found.get(part.author) if part.author else None
        public = not part.visibility or found.get(part.visibility) in part.public
        return NativeNote(
            id=str(found.get(part.id) or ""),
            visibility="public" if public else "internal",
            text=str(found.get(part.text) or ""),
            author=str(author) if author else None,
            created_at=self.instant(kind, str(found.get(part.created_at) or "")),
        )

    def instant(self, kind: str, text: str) -> str | None:
        """A time as the wire writes it, canonical; None when it is none."""
        wire = self.manifest.wire.instant
        try:
            return instant_form(wire.as_, wire.zone).read(text) if text else None
        except ValueError:
            return None

    # --- writes ------------------------------------------------------------------------------------

    async def _values(self, write: NativeWrite, ready: Ready, part: WritePart) -> dict[str, Any]:
        payload = dict(write.payload) if write.op != "note" else {}
        if write.op == "create":
            payload = self.correlated(write, payload)
        await self._beside(write.kind, payload)
        current: dict[str, Any] = {}
        if part.merge:
            current = await self.current(write.kind, write.handle or "")
            if not current:
                raise self.odd("the record that is to be changed")
        self._cleared(write.kind, payload, current)
        values: dict[str, Any] = dict(part.default)
        if part.merge:
            for name in ready.operation.input.names():
                held = current.get(part.same.get(name, name))
                if held is not None:
                    values[name] = held
        self._unsplit(write.kind, payload, current)
        values.update(payload)
        if part.key is not None:
            values[part.key] = write.handle
        return values

    def _cleared(self, kind: str, payload: dict[str, Any], current: Mapping[str, Any]) -> None:
        """What the mapping says a change empties: here it is we who must send it empty."""
        spec = self.spec(kind)
        for name, others in spec.clears.items():
            place = spec.fields[name].write
            if not current or place is None or place.column not in payload:
                continue
            if payload[place.column] == (current.get(place.column) or ""):
                continue
            for other in others:
                cleared = spec.fields[other].write
                if cleared is not None and cleared.column not in payload:
                    payload[cleared.column] = ""
                    payload.update(dict.fromkeys(self.soap(kind).beside.get(other, ()), ""))

    async def current(self, kind: str, handle: str) -> dict[str, Any]:
        """The record as it stands on the wire, whole: what is not sent back would be emptied."""
        get = self.need(kind, "get", "reading before writing")
        part = get.part
        assert isinstance(part, GetPart)
        return self.row(await self.ask(get, {**part.always, part.key: handle}), None)

    def _unsplit(self, kind: str, payload: dict[str, Any], current: Mapping[str, Any]) -> None:
        for name, each in self.soap(kind).split.items():
            given = {column: payload.pop(column) for column in set(each.into.values()) if column in payload}
            by = payload.get(each.by, current.get(each.by))
            meant = each.into.get(str(by))
            if meant in given:
                payload[name] = given[meant]
            elif any(value for value in given.values()):
                raise invalid(
                    next(iter(given)), next(iter(given.values())), f"cannot be written while {each.by} is {by}",
                    f"It goes with {', '.join(value for value, column in each.into.items() if column in given)}.",
                )  # fmt: skip
            elif each.by in payload and each.into.get(str(current.get(each.by))) != meant:
                payload[name] = ""  # what it said belongs to the state it leaves

    async def _beside(self, kind: str, payload: dict[str, Any]) -> None:
        """Elements that go with a reference, from the record it names."""
        for field, elements in self.soap(kind).beside.items():
            spec = self.spec(kind).fields[field]
            place = spec.write or spec.create
            if place is None or place.column not in payload or spec.ref is None:
                continue
            key = payload[place.column]
            if not key:
                payload.update(dict.fromkeys(elements, ""))
                continue
            found = await self.referred(spec, str(key), tuple(elements.values()))
            payload.update({name: found.get(column) or "" for name, column in elements.items()})

    async def referred(self, spec: FieldSpec, key: str, columns: Sequence[str]) -> Native:
        """The record that a written reference names. Raises invalid-argument when there is none."""
        assert spec.ref is not None
        by_handle = not (spec.key is not None and spec.key == spec.read) and not spec.plain_key
        try:
            return await self.read(spec.ref, key, columns, by_handle=by_handle)
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                raise
            raise invalid(spec.name, key, f"is no {spec.ref} of this source", "Look it up by a search.") from None

    def _always(self, write: NativeWrite, part: WritePart) -> dict[str, Any]:
        if write.op != "note":
            return dict(part.always)
        assert isinstance(part, NotePart)
        ((visibility, text),) = write.payload.items()
        if visibility not in part.by:
            raise invalid("visibility", visibility, "is not offered by this source", f"Offered: {', '.join(part.by)}.")
        return {**part.always, **part.by["public" if visibility == "public" else "internal"], part.text: text}

    def correlated(self, write: NativeWrite, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload of a create with our key. Raises Problem when another value stands there already."""
        if write.correlation is None:
            return payload
        probe = self.manifest.write.probe.create
        spec = self.correlation(write.kind)
        place = spec.create or spec.write
        assert place is not None
        if probe is None or payload.get(place.column, write.correlation) != write.correlation:
            raise invalid(spec.name, payload.get(place.column), "is needed for the gateway's own key", "Leave it out.")
        return {**payload, **probe.beside, place.column: write.correlation}

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


def _moment(note: NativeNote) -> tuple[str, str]:
    return note.created_at or "", note.id


def _word(spec: FieldSpec, value: str) -> str | None:
    found = spec.codes.read(value) if spec.codes else None
    return found if isinstance(found, str) and found != "unmapped" else None

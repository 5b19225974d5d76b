"""The base of adapters of JSON over HTTP: everything that the manifest and the mappings can say.

A product overrides what data cannot say. Reads are tried again within bounds, writes are sent once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from interlock.adapterkit.manifest import Manifest
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.adapterkit.outcome import Describe, describe, read_json
from interlock.adapterkit.paging import paging_style
from interlock.adapterkit.paths import Path
from interlock.adapterkit.retry import Retries, reading
from interlock.adapterkit.session import Session
from interlock.adapterkit.wire import Answer
from interlock.clock import Clock
from interlock.records.filters import fold
from interlock.records.problems import Problem, Slug
from interlock.records.taxonomy import Choice

ODD = "odd-answer"
"""``native_code`` of an answer whose JSON has another shape than asked for."""

__all__ = ["ODD", "Clock", "CompiledProduct", "RestAdapter", "Session", "Text", "encoded", "plain", "same"]
"""With the types an adapter's constructor names: adapters import only records and adapterkit."""


Text = str | Sequence[str]
"""A parameter's value, or its values."""


class CompiledMapping(Protocol):
    """What an adapter asks of a compiled mapping."""

    @property
    def spec(self) -> MappingSpec: ...
    def columns(self, fields: Sequence[str] | None) -> tuple[str, ...]: ...
    def handle(self, native: Native) -> str | None: ...


class CompiledProduct(Protocol):
    """A compiled adapter folder."""

    @property
    def source(self) -> str: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def mappings(self) -> Mapping[str, CompiledMapping]: ...


class RestAdapter:
    """An adapter that is all data. Implements ``interlock.adapterkit.adapter.Adapter``."""

    describe: Describe = staticmethod(describe)
    """How code and message are taken from an error answer."""
    error_key: str | None = "error"
    """A member that means failure even with 2xx."""

    def __init__(
        self,
        product: CompiledProduct,
        session: Session,
        settings: Mapping[str, Any],
        clock: Clock,
        retries: Retries | None = None,
        seed: int | None = None,
    ) -> None:
        self.product = product
        self.manifest = product.manifest
        self.session = session
        self.settings = settings
        self.clock = clock
        self.retries = retries or Retries(deadline_s=self.manifest.transport.timeout_s)
        self._chance = random.Random(seed)  # noqa: S311 - spreads retries, guards nothing
        self._root = (self.manifest.transport.base or "").replace("{setting.base_url}", "").rstrip("/")
        self._paging = paging_style(self.manifest.paging)

    # --- the Adapter -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing to do: credentials are got when first needed."""

    async def close(self) -> None:
        await self.session.close()

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        if by_handle or self.keyed_by_handle(kind):
            found = await self.fetch(self.path(kind, key), self.parameters(kind, tuple(columns)))
            return self.row(found)
        column = self.spec(kind).key.column
        hits = await self.equal(kind, column, key, tuple(columns))
        return self.one(kind, key, hits)

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        if plan.empty:
            return Page([])
        parameters = self.query(plan) | self._paging.ask(cursor, limit)
        asked = self.parameters(kind, plan.columns, parameters)
        if plan.order and plan.order_native:  # parameters, too: the manifest writes them
            asked = f"{asked}&{plan.order_native}" if asked else str(plan.order_native)
        found, answer = await self.ask(self.path(kind), asked)
        rows = self.rows(found)
        total = self.total(answer, found)
        following = self._paging.following(cursor, limit, rows, found, total)
        return Page(rows, following, len(rows), total=total)

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        raise self.unsupported("a journal")

    async def write(self, write: NativeWrite) -> Written:
        method = "POST" if write.op == "create" else "PATCH"
        answer = await self.session.request(
            method, self.path(write.kind, write.handle), json=self.payload(write), not_after=write.not_after
        )
        found = self.parsed(answer)
        row = self.row(found) if found else None
        handle = self.product.mappings[write.kind].handle(row) if row is not None else None
        return Written(handle or write.handle, row)

    def payload(self, write: NativeWrite) -> dict[str, Any]:
        """What is sent: the write's payload, and for a create our key in the manifest's field.

        Raises Problem when another value stands there already: without the key a lost create could not
        be told from one that never arrived.
        """
        if write.op != "create" or write.correlation is None:
            return write.payload
        probe = self.manifest.write.probe.create
        place = self._correlated(write.kind)
        if probe is None or place.get(write.payload, write.correlation) not in (write.correlation, None):
            raise Problem(
                Slug.INVALID_ARGUMENT,
                f"{probe.field if probe else 'the correlation field'} is needed for the gateway's own key",
                field=probe.field if probe else None,
                value=place.get(write.payload),
                next_step="Leave the field out.",
                reached="no",
            )
        payload = {**deepcopy(write.payload), **probe.beside}
        place.put(payload, write.correlation)
        return payload

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        column = self.correlation(kind)
        return await self.equal(kind, column, correlation, self.product.mappings[kind].columns(None), exact=True)

    async def choices(self, kind: str, field: str) -> list[Choice]:
        raise self.unsupported("lists of choices")

    # --- what a product may override ---------------------------------------------------------------

    def path(self, kind: str, handle: str | None = None) -> str:
        """The address of a kind, or of one record."""
        path = f"{self._root}/{self.spec(kind).entity}"
        return path if handle is None else f"{path}/{quote(handle, safe='')}"

    def parameters(self, kind: str, columns: tuple[str, ...], more: Mapping[str, Text] | None = None) -> str:
        """Encoded parameters of a read."""
        return encoded(more or {})

    def query(self, plan: Plan) -> dict[str, Text]:
        """The plan's native query as parameters; several values repeat a parameter."""
        if plan.branches:
            raise self.unsupported("several queries as one")
        if isinstance(plan.pushed, Mapping):
            return dict(plan.pushed)
        name = self.manifest.query.parameter
        return {name: str(plan.pushed)} if name and plan.pushed else {}

    def rows(self, found: Any) -> list[Native]:
        """The rows of a list answer; anything but objects is a fault of the source, never skipped."""
        name = self.manifest.paging.rows
        rows = found.get(name) if name and isinstance(found, Mapping) else found
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.odd("a list of records")
        return rows

    def row(self, found: Any) -> Native:
        """The record of a single answer."""
        name = self.manifest.paging.rows
        row = found.get(name) if name and isinstance(found, Mapping) and name in found else found
        if not isinstance(row, dict) or not row:
            raise self.odd("a record")
        return row

    def total(self, answer: Answer, found: Any) -> int | None:
        """How many rows there are, where the source counts them."""
        name = self.manifest.paging.total
        if not name:
            return None
        said = answer.headers.get(name)
        if said is None and isinstance(found, Mapping):
            said = found.get(name)
        try:
            return int(said) if said is not None else None
        except (TypeError, ValueError):
            return None

    # --- for products ------------------------------------------------------------------------------

    def spec(self, kind: str) -> MappingSpec:
        """The mapping of a kind. Raises Problem unsupported."""
        mapping = self.product.mappings.get(kind)
        if mapping is None:
            raise Problem(
                Slug.UNSUPPORTED,
                f"this source has no {kind} records",
                field="kind",
                value=kind,
                next_step=f"Kinds of this source: {', '.join(self.product.mappings)}.",
                reached="no",
            )
        return mapping.spec

    def keyed_by_handle(self, kind: str) -> bool:
        """Whether the readable key of a kind is its handle."""
        spec = self.spec(kind)
        return spec.key.column == spec.id.column

    def field(self, kind: str, name: str) -> FieldSpec:
        """One mapped field. Raises Problem unsupported."""
        spec = self.spec(kind).fields.get(name)
        if spec is None:
            raise Problem(
                Slug.UNSUPPORTED,
                f"this source does not have {name} on {kind}",
                field="field",
                value=name,
                next_step=f"Fields here: {', '.join(self.spec(kind).fields)}.",
                reached="no",
            )
        return spec

    def correlation(self, kind: str) -> str:
        """The native column that holds our key after a create. Raises Problem unsupported."""
        return self._correlated(kind).column

    def _correlated(self, kind: str) -> Path:
        probe = self.manifest.write.probe.create
        spec = self.spec(kind).fields.get(probe.field) if probe else None
        place = (spec.create or spec.write or spec.read) if spec else None
        if place is None:
            raise self.unsupported("finding a created record again")
        return place

    async def ask(self, path: str, params: str | None = None) -> tuple[Any, Answer]:
        """One read, tried again within bounds: the parsed body, and the answer it came in."""

        async def once() -> tuple[Any, Answer]:
            answer = await self.session.request("GET", path, params=params)
            return self.parsed(answer), answer

        return await reading(once, self.retries, self.clock, self._chance)

    def parsed(self, answer: Answer) -> Any:
        """The parsed body, or the Problem that the answer tells of."""
        return read_json(
            answer,
            self.manifest.errors,
            now=self.clock.now(),
            describe=self.describe,
            error_key=self.error_key,
        )

    async def fetch(self, path: str, params: str | None = None) -> Any:
        """The parsed body of one read."""
        return (await self.ask(path, params))[0]

    async def equal(
        self, kind: str, column: str, value: str, columns: tuple[str, ...], exact: bool = False
    ) -> list[Native]:
        """Rows whose column holds this value; what the source sends besides is dropped."""
        name = self.manifest.query.parameter
        parameters = {name or column: value} if self.manifest.query.style == "params" else {}
        found = await self.fetch(self.path(kind), self.parameters(kind, columns, parameters))
        return [row for row in self.rows(found) if same(row.get(column), value, exact)]

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
            handles = [handle for row in hits if (handle := self.product.mappings[kind].handle(row))]
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
        """An answer that is JSON, but not what was asked for."""
        return Problem(
            Slug.SOURCE_FAULT,
            f"the source's answer is not {expected}",
            next_step="Try again; if it stays so, look at the source or the proxy before it.",
            layer="source",
            native_code=ODD,
            reached="maybe",
        )

    def unsupported(self, what: str) -> Problem:
        """Something this product does not offer."""
        return Problem(
            Slug.UNSUPPORTED, f"{self.manifest.title} does not offer {what} here", layer="source", reached="no"
        )


def plain(value: Any, leaf: str = "value") -> Any:
    """A native value out of its object (``{"value": ..., "display_value": ...}``), or itself."""
    return value.get(leaf) if isinstance(value, dict) else value


def same(value: Any, wanted: str, exact: bool) -> bool:
    """Whether a native value is the wanted text; sources compare without regard to case."""
    found = plain(value)
    if found is None:
        return False
    return str(found) == wanted if exact else fold(str(found)) == fold(wanted)


def encoded(parameters: Mapping[str, Text]) -> str:
    """Parameters as they stand in an address, blanks as %20."""
    return urlencode(parameters, doseq=True, quote_via=quote)

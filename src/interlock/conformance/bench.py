"""What the rules work on: an adapter's folder, and a source made of it with its line tapped."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from interlock.adapterkit.connection import connect
from interlock.adapterkit.manifest import MatchProbe
from interlock.adapterkit.mapping import Mapping as Compiled
from interlock.adapterkit.offers import OffersCatalog
from interlock.adapterkit.parted import PartedMapping
from interlock.adapterkit.product import Product
from interlock.adapterkit.wire import Answer, Call, Transport
from interlock.clock import Clock
from interlock.config import SourceConfig
from interlock.conformance.declaration import UNIQUE, Declaration, KindSamples, Order
from interlock.conformance.recording import Recorder
from interlock.conformance.rules import DoesNotApply, Failed, Skipped
from interlock.records.filters import Clause, Condition, Query
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem
from interlock.sources.answers import Effect
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

PAGE = 200
SEND_S = 60.0
CLOSED_GRACE_S = 1.1
"""Versions that are times step by the second."""


class Tap:
    """A transport under a transport's name: counts what leaves, and hands it to whoever listens."""

    def __init__(self, inner: Transport) -> None:
        self.name = inner.name
        self.calls = 0
        self.listen: Callable[[Call, Answer], None] | None = None
        self._inner = inner

    async def send(self, call: Call) -> Answer:
        self.calls += 1
        answer = await self._inner.send(call)
        if self.listen is not None:
            self.listen(call, answer)
        return answer

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True, slots=True)
class Made:
    """A record that the kit made: kind, handle, and the record as first read."""

    kind: str
    handle: str
    effect: Effect
    record: dict[str, Any]


@dataclass(slots=True)
class Bench:
    """One run of the kit over one adapter; with a ``config`` also over a source.

    ``replay``: the source answers from recordings. ``recorder``: what it says is recorded. ``control`` changes a
    switch of the mock behind it.
    """

    folder: Path
    product: Product | None
    declaration: Declaration
    clock: Clock
    cache: Path
    name: str = "kit"
    config: SourceConfig | None = None
    replay: Transport | None = None
    recorder: Recorder | None = None
    control: Callable[[str, Any], Awaitable[None]] | None = None
    claimed: str | None = None
    proofs: Path | None = None
    mocked: str | None = None
    source: Source | None = None
    tap: Tap | None = None
    made: list[Made] = field(default_factory=list)
    untidy: list[str] = field(default_factory=list)
    before: dict[tuple[str, str], int] = field(default_factory=dict)
    _scans: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    # --- what is there -----------------------------------------------------------------------------

    @property
    def compiled(self) -> Product:
        if self.product is None:
            raise Skipped("the adapter does not compile")
        return self.product

    @property
    def live(self) -> Source:
        if self.source is None:
            raise Skipped("no source was given")
        return self.source

    @property
    def settings(self) -> SourceConfig:
        if self.config is None:
            raise Skipped("no source was given")
        return self.config

    def kinds(self) -> list[str]:
        """Kinds to check: of the source where there is one, its overlay may take some away."""
        if self.source is not None:
            return sorted(self.source.kinds)
        return sorted(self.product.mappings) if self.product else []

    def mapping(self, kind: str) -> Compiled:
        return self.compiled.mappings[kind]

    def parts(self, kind: str) -> list[Compiled]:
        """The mapping of a kind, or those of its parts."""
        mapping = self.mapping(kind)
        return list(mapping.parts.values()) if isinstance(mapping, PartedMapping) else [mapping]

    # --- sources -----------------------------------------------------------------------------------

    def open(self, **changes: Any) -> tuple[Source, Tap]:
        """A further source with its own line, configured as the one under test but for ``changes``."""
        config = self.settings.model_copy(update=changes)
        taps: list[Tap] = []

        def tapped(transport: Transport) -> Transport:
            recorded = self.recorder.over(transport) if self.recorder is not None else transport
            taps.append(Tap(self.replay or recorded))
            return taps[0]

        source = build_source(
            self.name, config, self.folder, self.clock, silent_telemetry(self.clock), cache=self.cache, wire=tapped
        )
        return source, taps[0] if taps else Tap(_Nowhere())

    async def request(self, method: str, path: str) -> Answer:
        """A request of the kit's own, with the source's credentials."""
        session = connect(self.settings, self.clock, self.compiled.manifest.transport.login)
        try:
            return await session.request(method, path)
        finally:
            await session.close()

    # --- reading -----------------------------------------------------------------------------------

    async def scan(self, kind: str) -> list[dict[str, Any]]:
        """Every record of a kind, read once. Raises Skipped where there are more than ``rows``, or none."""
        known = self._scans.get(kind)
        if known is None:
            known = await collect(self.live, kind, limit=PAGE, most=self.declaration.rows + 1)
            self._scans[kind] = known
        if not known:
            raise Skipped("the source has no records of this kind")
        if len(known) > self.declaration.rows:
            raise Skipped(
                f"the source has more than {self.declaration.rows} records of this kind; "
                "raise rows in conformance.yaml, or use a smaller test system"
            )
        return known

    def forget(self, kind: str) -> None:
        """What was scanned has changed by a write of ours."""
        self._scans.pop(kind, None)

    # --- writing -----------------------------------------------------------------------------------

    def may_write(self, kind: str, op: str) -> KindSamples:
        """What to write. Raises DoesNotApply, or Skipped where it must not or cannot be tried."""
        if op not in self.compiled.manifest.capabilities.writes.get(kind, ()):
            raise DoesNotApply(f"the adapter does not declare {op} of {kind}")
        if self.replay is not None or self.recorder is not None:
            raise Skipped("nothing can be written to a recording, or while one is made")
        if self.live.environment != "test":
            raise Skipped(f"the source {self.name} is not marked environment: test, so nothing is written to it")
        samples = self.declaration.samples(kind)
        if op == "create" and not samples.create:
            raise Skipped(f"conformance.yaml has no kinds.{kind}.create: values for a new record")
        if op == "create" and samples.tidy is None:
            raise Skipped(f"conformance.yaml has no kinds.{kind}.tidy: how a record that was made is taken back")
        if op == "update" and not samples.update:
            raise Skipped(f"conformance.yaml has no kinds.{kind}.update: values to change")
        return samples

    async def values(self, kind: str, given: Mapping[str, Any], unique: str) -> dict[str, Any]:
        """Sample values with references picked and the unique word put in."""
        found = {}
        for name, value in given.items():
            if isinstance(value, Mapping) and "make" in value:
                other = await self.create(str(value["make"]))
                found[name] = f"{self.name}:{other.kind}:{key(other.record)}"
            elif isinstance(value, Mapping) and "pick" in value:
                found[name] = await self._pick(kind, name, str(value["pick"]), value.get("where") or {})
            else:
                found[name] = value.replace(UNIQUE, unique) if isinstance(value, str) else value
        return found

    async def _pick(self, of: str, name: str, kind: str, where: Mapping[str, Any]) -> str:
        clauses: tuple[Clause, ...] = tuple(Condition(name, "eq", value) for name, value in where.items())
        found = await self.live.search(kind, Query(filter=clauses, limit=50))
        if not found.records:
            raise Skipped(f"the source has no {kind} to refer to{f' where {dict(where)}' if where else ''}")
        keys = [key(record) for record in found.records]
        chosen = next((each for each in keys if not each.startswith("~")), keys[0])  # some have no readable key
        spec = self.mapping(of).spec.fields[name]
        if spec.key is not None and spec.key == spec.read:
            return f"{self.name}:{kind}:{chosen}"  # this source writes the key, not the handle
        handle = (await self.live.get(kind, chosen)).handle
        return f"{self.name}:{kind}:~{handle}"

    async def create(self, kind: str, source: Source | None = None) -> Made:
        """Make a record and remember to take it back."""
        samples = self.may_write(kind, "create")
        effect = await self.creating(kind, samples)
        return await self.send_create(effect, source or self.live)

    async def creating(self, kind: str, samples: KindSamples) -> Effect:
        """The write that makes a record of samples."""
        unique = unique_word()
        values = await self.values(kind, samples.create, unique)
        order = await self._order(samples.order) if samples.order is not None else None
        if order is not None:  # as the gateway gives references in an order: resolved
            values = {
                name: {"ref": each} if FIELDS[kind][name].type == "ref" else each for name, each in values.items()
            }
        return Effect(kind, "create", None, values, f"interlock:{unique}", order=order)

    async def _order(self, order: Order) -> dict[str, Any]:
        found = await self.live.ask(
            OffersCatalog, "catalog_search", lambda adapter: adapter.catalog_search(order.item, PAGE)
        )
        item = next((each.id for each in found if each.name == order.item), None)
        if item is None:
            raise Skipped(f"the source has no catalogue item {order.item!r} that the account may order")
        return {"item": item, "variables": order.variables, "quantity": order.quantity}

    def matched(self, kind: str) -> bool:
        """Whether a create of a kind is found by what it said, not by our key."""
        way = self.compiled.manifest.write.probe.kinds.get(kind)
        return way is not None and isinstance(way.create, MatchProbe)

    async def send_create(self, effect: Effect, source: Source) -> Made:
        handle = await source.send(effect, not_after=self.clock.now() + SEND_S)
        if handle is None:
            raise Failed("the adapter did not say which record it made")
        self.remember(effect, handle)
        fetched = await self.live.get(effect.kind, f"~{handle}")
        self.made[-1] = Made(effect.kind, handle, effect, fetched.record)
        return self.made[-1]

    def remember(self, effect: Effect, handle: str) -> None:
        """A record that must be taken back at the end."""
        self.forget(effect.kind)
        if all((made.kind, made.handle) != (effect.kind, handle) for made in self.made):
            self.made.append(Made(effect.kind, handle, effect, {}))

    async def some(self, kind: str) -> Made:
        """A record of ours: one that was made before, or a new one."""
        for made in self.made:
            if made.kind == kind and made.record:
                return made
        return await self.create(kind)

    async def change(self, made: Made, changes: Mapping[str, Any], source: Source | None = None) -> Effect:
        """Update a record of ours."""
        effect = Effect(made.kind, "update", f"~{made.handle}", dict(changes), f"interlock:{unique_word()}")
        await (source or self.live).send(effect, not_after=self.clock.now() + SEND_S)
        self.forget(made.kind)
        return effect

    async def note(self, made: Made, visibility: str) -> Effect:
        """The write of a note on a record of ours; not sent yet."""
        marker = f"[interlock {unique_word()[:10]}]"
        text = f"Conformance note\n{marker}"
        return Effect(made.kind, "note", f"~{made.handle}", {}, f"interlock:{unique_word()}", marker, text, visibility)

    async def take_back(self, made: Made) -> None:
        """Delete, cancel or close a record as conformance.yaml says. Raises what the source says."""
        tidy = self.declaration.samples(made.kind).tidy
        assert tidy is not None
        if tidy.update:
            await self.change(made, tidy.update)
        if tidy.delete:
            mapping = self.mapping(made.kind)
            inner = made.handle
            if isinstance(mapping, PartedMapping):
                mapping, inner = mapping.part_of(made.handle)
            answer = await self.request("DELETE", tidy.delete.format(entity=mapping.entity, id=quote(inner, safe="")))
            if answer.status >= 300 and answer.status != 404:
                raise Failed(f"{made.kind} {made.handle} could not be deleted: HTTP {answer.status}")
        self.made.remove(made)
        self.forget(made.kind)

    async def tidy_up(self) -> None:
        """Take back all that is left; what cannot be is told in ``untidy``."""
        for made in reversed(list(self.made)):
            try:
                await self.take_back(made)
            except (Problem, Failed) as failure:
                self.untidy.append(f"{made.kind} ~{made.handle}: {failure}")


class _Nowhere:
    """Under sources that have no line: files."""

    name = "none"

    async def send(self, call: Call) -> Answer:
        raise AssertionError("nothing is sent")

    async def close(self) -> None:
        pass


def unique_word() -> str:
    """A word that no other run uses; letters and digits only, so that no encoding changes it."""
    return f"kit{secrets.token_hex(10)}"


async def collect(
    source: Source, kind: str, query: Query | None = None, *, limit: int = PAGE, most: int = 100_000, cursor: Any = None
) -> list[dict[str, Any]]:
    """Records of a search, page after page, at most ``most``."""
    asked = Query(limit=limit) if query is None else query
    found: list[dict[str, Any]] = []
    while True:
        page = await source.search(kind, asked, cursor=cursor)
        found += page.records
        cursor = page.cursor
        if cursor is None or len(found) >= most:
            return found[:most]


async def settle() -> None:
    """Let a second pass, so that times that are versions differ."""
    await asyncio.sleep(CLOSED_GRACE_S)


def ref(record: Mapping[str, Any]) -> str:
    return str(record["ref"])


def key(record: Mapping[str, Any]) -> str:
    return ref(record).split(":", 2)[2]

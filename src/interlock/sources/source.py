"""One source at run time: reads, writes and probes in canonical terms, within the source's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import orjson

from interlock.adapterkit.abilities import Abilities
from interlock.adapterkit.adapter import Adapter, Snapshots
from interlock.adapterkit.manifest import KindProbes, MatchProbe
from interlock.adapterkit.native import Native, NativeWrite, Page, Plan
from interlock.adapterkit.offers import OffersSweep, offered
from interlock.clock import Clock
from interlock.config import SourceConfig
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.records.taxonomy import Choice
from interlock.records.text import visible
from interlock.sources import search as searching
from interlock.sources.answers import Effect, Fetched, Found, Notes
from interlock.sources.cache import SourceCache
from interlock.sources.choices import ChoiceLists
from interlock.sources.flights import Flights
from interlock.sources.line import Line
from interlock.sources.mapped import MappedKinds
from interlock.sources.ports import MappingPort
from interlock.sources.probing import has_marker
from interlock.sources.readback import reads_back, unresolved
from interlock.telemetry import Telemetry

T = TypeVar("T")
Offer = TypeVar("Offer")

JOURNAL_CALLS = 10
"""So many pages are read to fill one page of notes that may be seen."""
_GIVE_WAY_S = 0.05
_TWINS = 10  # records that are looked at to find one that a create made


@dataclass(frozen=True, slots=True)
class Facts:
    """What the manifest and the configuration say of a source."""

    name: str
    product: str
    environment: str
    settle_s: float
    probe_timeout_s: float
    correlate: str | None = None  # canonical field that holds the correlation of a create
    probes: Mapping[str, KindProbes] = field(default_factory=dict)  # kinds whose creates are found otherwise
    differs: Mapping[str, str] = field(default_factory=dict)  # kind to why a write that was taken may not show
    abilities: Abilities = field(default_factory=Abilities)


class Source(MappedKinds):
    """One configured backend instance.

    Every call is paced, bounded and timed. Keys are the keys of refs: readable, or ``~handle``. Records
    that are handed out are shared with the cache: read-only. All methods raise Problem.
    """

    def __init__(
        self,
        facts: Facts,
        config: SourceConfig,
        adapter: Adapter,
        mappings: Mapping[str, MappingPort],
        clock: Clock,
        telemetry: Telemetry,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(facts.name, mappings)
        self.product = facts.product
        self.environment = facts.environment
        self.timeout_s = config.timeout_s
        self.settle_s = facts.settle_s
        self.probe_timeout_s = facts.probe_timeout_s
        self.abilities = facts.abilities
        self._correlate = facts.correlate
        self._probes = facts.probes
        self._differs = facts.differs
        self._adapter = adapter
        self._snapshots = adapter if isinstance(adapter, Snapshots) else None
        self._clock = clock
        self._line = Line(facts.name, config.limits, config.timeout_s, clock, telemetry, sleep=sleep)
        cache = config.cache
        self._cache = SourceCache(clock, ttl_s=cache.ttl_s, entries=cache.entries, kinds=cache.kinds)
        self.scan_limit = config.scan_limit
        self._bounds = searching.Bounds(rows=config.scan_limit, seconds=config.timeout_s)
        self._reads: Flights[Fetched] = Flights(clock)
        self._searches: Flights[Found] = Flights(clock)
        self._opening: Flights[bool] = Flights(clock)
        self._opened = False
        self._choices = ChoiceLists(facts.name, clock, telemetry.log)
        answers = telemetry.metrics.source_cache
        self._hit, self._miss = answers.labels(facts.name, "cache"), answers.labels(facts.name, "live")

    # --- reads -------------------------------------------------------------------------------------

    async def get(self, kind: str, key: str, *, max_age_s: float = 0.0, priority: bool = False) -> Fetched:
        """One record with all its mapped fields, observed at most ``max_age_s`` ago (0: read now).

        Raises Problem not-found, ambiguous-ref, and what the line to the source raises.
        """
        if max_age_s > 0:
            kept = self._cache.record(kind, key, max_age_s)
            if kept is not None:
                self._hit.inc()
                return kept
            # A read under way serves too, unless it may miss a write of ours.
            since = max(self._clock.now() - max_age_s, self._cache.changed_at(kind, key))
            return await self._reads.join((kind, key), since, lambda: self._get(kind, key, priority))
        return await self._get(kind, key, priority)

    async def _get(self, kind: str, key: str, priority: bool) -> Fetched:
        self._miss.inc()
        mapping = self._mapping(kind)
        handle = self._cache.handle(kind, key)
        if handle is not None:
            try:
                fetched = await self._row(mapping, kind, handle, True, priority)
            except Problem as problem:
                if problem.slug is not Slug.NOT_FOUND or key[:1] == "~":
                    raise
                fetched = None
            if fetched is not None and (key[:1] == "~" or key_of(fetched.record) == key):
                return self._keep(kind, fetched)
            self._cache.unlearn(kind, key)  # deleted, or renumbered: the key decides
        fetched = await self._row(mapping, kind, key, False, priority)
        return self._keep(kind, fetched)

    async def _row(self, mapping: MappingPort, kind: str, key: str, by_handle: bool, priority: bool) -> Fetched:
        columns = self._all_columns(kind, mapping)
        observed = 0.0

        async def read() -> Native:
            nonlocal observed
            observed = self._clock.now()
            return await self._adapter.read(kind, key, columns, by_handle=by_handle)

        row = await self._read("get", read, priority)
        record = mapping.decode(row)
        handle = mapping.handle(row)
        asked, got = (key, handle) if by_handle else (key, key_of(record))
        if handle is None or (asked.casefold() != str(got).casefold() and not str(got).startswith("~")):
            # A source that ignores a condition it does not understand answers with any row.
            raise Problem(
                Slug.SOURCE_FAULT,
                f"{self.name} was asked for {kind} {key} and answered with another record",
                next_step="Tell the operators of the gateway; the mapping or the source is at fault.",
                layer="source",
                source=self.name,
            )
        if self._snapshots is not None:
            return Fetched(record, handle, await self._snapshots.exported_at(kind), "snapshot")
        return Fetched(record, handle, observed, "live")

    def _keep(self, kind: str, fetched: Fetched) -> Fetched:
        self._cache.learn(kind, key_of(fetched.record), fetched.handle)
        kept = Fetched(fetched.record, fetched.handle, fetched.observed_at, "cache")
        self._cache.keep_record(kind, kept)
        return fetched

    async def search(self, kind: str, query: Query, *, cursor: Any = None, max_age_s: float = 0.0) -> Found:
        """Records that satisfy the whole query, at most ``query.limit``; ``cursor`` of the last answer goes on.

        Conditions that the source cannot check are checked here on at most ``scan_limit`` rows a call.
        """
        mapping = self._mapping(kind)
        if max_age_s <= 0:
            return await self._search(kind, mapping, query, cursor)
        question = (query, orjson.dumps(cursor))
        kept = self._cache.page(kind, question, max_age_s)
        if kept is not None:
            self._hit.inc()
            return kept
        since = max(self._clock.now() - max_age_s, self._cache.changed_at(kind, None))

        async def ask() -> Found:
            found = await self._search(kind, mapping, query, cursor)
            self._cache.keep_page(kind, question, replace(found, origin="cache"))
            return found

        return await self._searches.join((kind, question), since, ask)

    def plan(self, kind: str, query: Query) -> Plan:
        """How the source would be asked; nothing is sent."""
        return self._mapping(kind).plan(query)

    async def _search(self, kind: str, mapping: MappingPort, query: Query, cursor: Any) -> Found:
        self._miss.inc()

        async def read(plan: Plan, at: Any, limit: int) -> Page:
            return await self._read("search", lambda: self._adapter.page(kind, plan, at, limit))

        def decode(row: Native) -> tuple[dict[str, Any], str | None]:
            record, handle = mapping.decode(row), mapping.handle(row)
            if handle is not None:
                self._cache.learn(kind, key_of(record), handle)
            return record, handle

        plan = mapping.plan(query)
        found = await searching.find(plan, query, cursor, self._bounds, self._clock, read, decode, mapping.holds_text)
        if self._snapshots is None:
            return found
        return replace(found, observed_at=await self._snapshots.exported_at(kind), origin="snapshot")

    async def swept(self, kind: str, plan: Plan, cursor: Any, limit: int) -> tuple[Page, float]:
        """One page of a pass through all rows (see ``sources.sweep``), and since when it holds (epoch seconds)."""
        adapter = self._adapter
        page = adapter.sweep if isinstance(adapter, OffersSweep) else adapter.page
        while self._line.bulkhead.waiting:  # noqa: ASYNC110 - whoever asks for something now goes first
            await asyncio.sleep(_GIVE_WAY_S)
        if not self._opened:
            await self._ensure_open()
        observed = self._clock.now()
        found = await self._line.call("sweep", lambda: page(kind, plan, cursor, limit))
        return found, observed if self._snapshots is None else await self._snapshots.exported_at(kind)

    def skew_s(self) -> float | None:
        """By how many seconds the source's clock is ahead of ours, where it tells."""
        return getattr(getattr(self._adapter, "session", None), "skew_s", None)

    async def journal(
        self, kind: str, key: str, *, visibility: frozenset[str], cursor: Any = None, limit: int = 20
    ) -> Notes:
        """Notes of a record that may be seen, newest first."""
        handle = await self._handle(kind, key)
        observed = self._clock.now()
        entries: list[dict[str, Any]] = []
        for _ in range(JOURNAL_CALLS):
            wanted = limit - len(entries)
            notes, cursor = await self._read("journal", partial(self._adapter.notes, kind, handle, cursor, wanted))
            entries += [
                {
                    "id": note.id,
                    "visibility": note.visibility,
                    "text": visible(note.text),
                    "author": note.author,
                    "created_at": note.created_at,
                }
                for note in notes
                if note.visibility in visibility
            ]
            if cursor is None or len(entries) >= limit:
                break
        return Notes(entries, cursor, observed)

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """Values the source allows in a field, at most ten minutes old; older ones when it cannot tell now.

        Raises Problem unsupported when the source has no such list. The list is shared: read-only.
        """
        self._mapping(kind)
        return await self._choices.get(
            kind, field, lambda: self._read("choices", lambda: self._adapter.choices(kind, field))
        )

    def choices_observed_at(self, kind: str, field: str) -> float:
        """When the list that ``choices`` gives was read (epoch seconds); now when it never was."""
        return self._choices.observed_at(kind, field)

    @property
    def offers(self) -> tuple[str, ...]:
        """What the product offers besides records: names of ``interlock.adapterkit.offers``."""
        return offered(self._adapter)

    async def ask(self, offer: type[Offer], operation: str, work: Callable[[Offer], Awaitable[T]]) -> T:
        """Use an offer of ``interlock.adapterkit.offers``. Raises unsupported when the product has none."""
        adapter = self._adapter
        if not isinstance(adapter, offer):
            raise Problem(
                Slug.UNSUPPORTED,
                f"{self.name} does not offer {operation.replace('_', ' ')}",
                next_step="source_list shows what each source offers.",
                source=self.name,
                reached="no",
            )
        return await self._read(operation, lambda: work(adapter))

    def preview(self, effect: Effect) -> dict[str, Any]:
        """What would be sent, in the source's own terms. Nothing is touched."""
        return {
            "source": self.name,
            "product": self.product,
            "operation": effect.op,
            "kind": effect.kind,
            "record": effect.key,
            "payload": self._payload(effect),
        }

    # --- writes ------------------------------------------------------------------------------------

    async def send(self, effect: Effect, *, not_after: float) -> str | None:
        """Send one write, once; no byte leaves after ``not_after`` (epoch seconds).

        Gives the record's handle (as in ``Fetched.handle``), None when the source did not tell it.
        Raises Problem with ``reached`` set.
        """
        kind = effect.kind
        handle: str | None = None
        try:
            payload = self._payload(effect)
            if effect.op != "create":
                handle = await self._handle(kind, effect.key or "")
            await self._ensure_open()
        except Problem as problem:
            problem.reached = "no"  # whatever failed before the write, the write was not sent
            raise
        write = NativeWrite(kind, effect.op, handle, payload, effect.correlation, not_after)
        until: float | None = self._clock.now() + self.settle_s  # unless we learn more
        try:
            written = await self._line.call(effect.op, lambda: self._adapter.write(write), not_after=not_after)
            until = 0.0
        except Problem as problem:
            problem.reached = problem.reached or "maybe"
            if problem.reached == "no":
                until = None
            elif problem.reached == "yes":
                until = 0.0
            raise
        finally:
            if until is not None:
                self._cache.written(kind, handle, until=max(until, self._clock.now()))
        handle = written.handle or handle
        if written.row is not None and handle is not None:
            self._cache.learn(kind, key_of(self._mapping(kind).decode(written.row)), handle)
        return handle

    def finds(self, effect: Effect) -> bool:
        """Whether ``probe`` can find such an effect. One that it cannot is never sent twice."""
        way = self._probes.get(effect.kind)
        return effect.op != "create" or way is None or way.create != "none"

    def differs(self, kind: str) -> str | None:
        """Why the source may hold something else than what it was told and took, where it says nothing of it."""
        return self._differs.get(kind)

    async def probe(self, effect: Effect) -> list[str]:
        """Handles of the records that show the effect: none, one, or (duplicates) more.

        create: the correlation stands in the record, exactly, or what makes the record what it is.
        note: the marker stands in a journal entry.
        update: every written field reads back as ``norm`` of the changes. Runs with priority.
        """
        kind = effect.kind
        if effect.op == "create":
            way = self._probes.get(kind)
            if way is not None and isinstance(way.create, MatchProbe):
                return await self._same(effect, way.create.match)
            if not self.finds(effect):
                return []
            rows = await self._probe(lambda: self._adapter.find_written(kind, effect.correlation))
            if way is not None:
                return [handle for row in rows if (handle := self._mapping(kind).handle(row)) is not None]
            return [found for row in rows if (found := self._created(effect, row)) is not None]
        handle = await self._handle(kind, effect.key or "", priority=True)
        if effect.op == "note":
            read = partial(self._adapter.notes, kind, handle)
            shown = await has_marker(effect.marker, lambda at, most: self._probe(partial(read, at, most)))
            return [handle] if shown else []
        fetched = await self.get(kind, f"~{handle}", priority=True)
        wanted = self.norm(kind, effect.changes, effect.key)
        for ref in unresolved(wanted, fetched.record, self._cache):
            if ref.kind in self._mappings:
                await self._learn(ref)
        return [] if reads_back(wanted, fetched.record, self._cache) else [handle]

    async def _same(self, effect: Effect, names: Sequence[str]) -> list[str]:
        """Handles of records that are the same by these fields: what a create said of them is their identity."""
        mapping = self._mapping(effect.kind)
        said = {name: effect.changes[name] for name in names if effect.changes.get(name) is not None}
        wanted = self.norm(effect.kind, said)
        conditions = tuple(
            Condition(name, "eq", value["ref"] if isinstance(value, Mapping) else value) for name, value in said.items()
        )
        query = Query(conditions, limit=_TWINS)
        plan = mapping.plan(query)
        page = await self._probe(lambda: self._adapter.page(effect.kind, plan, None, _TWINS))
        found = [(mapping.decode(row), mapping.handle(row)) for row in page.rows]
        return [
            handle for record, handle in found if handle is not None and not reads_back(wanted, record, self._cache)
        ]

    def _created(self, effect: Effect, row: Native) -> str | None:
        mapping = self._mapping(effect.kind)
        held = mapping.decode(row).get(self._correlate or "", effect.correlation)
        # Sources search without regard to case, or for a part: only our own word counts.
        return mapping.handle(row) if held == effect.correlation else None

    async def _learn(self, ref: Ref) -> None:
        """Make a ref's handle known, if there is such a record."""
        try:
            await self._handle(ref.kind, ref.key, priority=True)
        except Problem as problem:
            if problem.slug not in (Slug.NOT_FOUND, Slug.AMBIGUOUS_REF):
                raise

    def _payload(self, effect: Effect) -> dict[str, Any]:
        mapping = self._mapping(effect.kind)
        if effect.order is not None:
            return {**effect.order, **{name: _handle_in(value) for name, value in effect.changes.items()}}
        if effect.op == "note":
            return mapping.encode_note(effect.visibility or "", effect.note_text or "")
        return mapping.encode(effect.changes, effect.op, key=effect.key)

    # --- life --------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Log in, if the product has sessions. The first call does it too when this failed or never ran."""
        await self._ensure_open()

    async def close(self) -> None:
        """Release connections."""
        self._opened = False
        await self._adapter.close()

    def health(self) -> dict[str, Any]:
        """How the source does; JSON-ready, without secrets."""
        return {
            "source": self.name,
            "product": self.product,
            "environment": self.environment,
            "open": self._opened,
            **self._line.health(),
            "cached": len(self._cache),
            "warnings": self._choices.warnings(),
        }

    async def _ensure_open(self) -> None:
        if self._opened:
            return

        async def log_in() -> bool:
            await self._line.call("open", self._adapter.open)
            self._opened = True
            return True

        await self._opening.join("open", 0.0, log_in)

    async def _read(self, operation: str, work: Callable[[], Awaitable[T]], priority: bool = False) -> T:
        """A call that changes nothing: once more when the source asks us to wait, and the wait is short."""
        if not self._opened:
            await self._ensure_open()
        try:
            return await self._line.call(operation, work, priority=priority)
        except Problem as problem:
            if problem.slug is not Slug.RATE_LIMITED or problem.layer == "gateway":
                raise
        return await self._line.call(operation, work, priority=priority)

    async def _probe(self, work: Callable[[], Awaitable[T]]) -> T:
        if not self._opened:
            await self._ensure_open()
        return await self._line.call("probe", work, priority=True, timeout_s=self.probe_timeout_s)

    async def handle(self, kind: str, key: str) -> str:
        """The handle of a ref's key; asked for when it is not known."""
        return await self._handle(kind, key)

    async def _handle(self, kind: str, key: str, *, priority: bool = False) -> str:
        known = self._cache.handle(kind, key)
        return known if known is not None else (await self._get(kind, key, priority)).handle


def _handle_in(value: Any) -> Any:
    """A resolved reference by its bare handle: an order has no mapping that would know its form."""
    return Ref.parse(value["ref"]).handle if isinstance(value, Mapping) and "ref" in value else value


def key_of(record: Mapping[str, Any]) -> str:
    """The key in a record's ref."""
    return str(record["ref"]).split(":", 2)[2]

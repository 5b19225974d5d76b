"""A gateway put together: state, ledger, principals, sources, quality and pipeline, opened and closed in order."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock import __version__
from interlock.clock import AsOfClock, Clock, SystemClock
from interlock.config import Config
from interlock.gateway.aside import Aside
from interlock.gateway.budget import Budgets
from interlock.gateway.changes import Changes
from interlock.gateway.context import Context
from interlock.gateway.cursors import Cursors
from interlock.gateway.findings import Findings
from interlock.gateway.graph import Graph
from interlock.gateway.notice import Notice
from interlock.gateway.ordering import Ordering
from interlock.gateway.perform import Performer
from interlock.gateway.pipeline import Pipeline, read_arguments
from interlock.gateway.prepare import Preparer
from interlock.gateway.reads import Reads
from interlock.gateway.receipts import denied
from interlock.gateway.review import Review
from interlock.gateway.sameness import Sameness
from interlock.gateway.search import Joined
from interlock.gateway.settle import Settling
from interlock.gateway.taxonomies import Taxonomies
from interlock.gateway.telling import tell
from interlock.gateway.tickets import Tickets
from interlock.gateway.trail import Trail
from interlock.gateway.versions import Images
from interlock.gateway.writes import Writes
from interlock.governance.approvals import Approvals
from interlock.governance.authority import DeclaredTools, PolicyEngine
from interlock.governance.ledger import Entry, Ledger
from interlock.governance.ledger.acts import record_acts
from interlock.principals.authenticate import Authenticator
from interlock.principals.models import Agent
from interlock.principals.store import PrincipalStore
from interlock.quality.gate.quality import Quality
from interlock.records.problems import Problem, Slug
from interlock.sources.opening import open_sources
from interlock.sources.source import Source
from interlock.state.folder import open_state
from interlock.state.journal import Journal, WriteRow
from interlock.telemetry import Telemetry
from interlock.tools.catalogue import BY_NAME
from interlock.tools.contracts import VERSION as CONTRACT

_ACTS_S = 1.0  # how soon an administrative act of another process is in the ledger
_GAUGES_S = 5.0
_ERASE_FIRST_S, _ERASE_S = 60.0, 86_400.0  # when payloads that are past their time are erased
_CURSOR_KEY_BYTES = 32


@dataclass(slots=True)
class Runtime:
    """An open gateway; faces hold one."""

    config: Config
    clock: Clock
    telemetry: Telemetry
    principals: Authenticator
    store: PrincipalStore
    sources: Mapping[str, Source]
    quality: Quality
    journal: Journal
    ledger: Ledger
    pipeline: Pipeline
    settling: Settling
    approvals: Approvals
    review: Review
    hosts: tuple[str, ...]

    def knows_host(self, host: str) -> bool:
        """Whether a Host header names this gateway (the guard against DNS rebinding)."""
        return host in self.hosts or host.rpartition(":")[0] + ":*" in self.hosts


@asynccontextmanager
async def open_runtime(
    config: Config,
    telemetry: Telemetry,
    *,
    clock: Clock | None = None,
    policy: PolicyEngine | None = None,
    settle: bool = True,
) -> AsyncIterator[Runtime]:
    """Open everything a configuration names; closed in reverse order, the ledger last.

    Raises StateError when another process has the state folder, Problem when a source or profile is wrong.
    """
    clock = clock or SystemClock()
    as_of: Clock = AsOfClock(config.as_of.timestamp()) if config.as_of is not None else clock
    async with AsyncExitStack() as stack:
        state = open_state(config.state)
        stack.push_async_callback(state.close)
        ledger = Ledger(config.state, clock, anchors=config.ledger.anchor)
        stack.push_async_callback(ledger.close)
        store = PrincipalStore(config.state, clock)
        stack.callback(store.close)
        sources = await open_sources(config, clock, telemetry)
        stack.push_async_callback(sources.close)
        taxonomies = Taxonomies(config, sources)
        quality = Quality(taxonomies.judge, config.state, clock)
        stack.callback(quality.close)
        await taxonomies.start()

        policy = policy or DeclaredTools()
        versions = {
            "interlock": __version__,
            "contract": CONTRACT,
            "policy": policy.version,
            "profile": quality.version,
        }
        journal = Journal(state.db)
        images = Images()
        trail = Trail(ledger, versions, committed_reads=config.ledger.reads == "committed")

        async def said(person: str, detail: dict[str, Any], refs: tuple[str, ...], vault: dict[str, Any]) -> None:
            await trail.act("decision", person, clock.now(), detail, refs, vault)

        review = Review(config.state, clock, said)
        stack.callback(review.close)
        listing = Aside(config.state, clock)  # agents do not wait for people
        stack.callback(listing.close)

        joined = Joined(config.search.patience_s)
        stack.push_async_callback(joined.close)
        reads = Reads(sources, quality, Cursors(_cursor_key(config.state)), images, joined)
        Tickets(reads)
        Changes(reads)
        Ordering(reads)
        Findings(reads, listing, quality.level, sources)
        Graph(reads, Sameness(reads, quality.profile, clock), clock)
        preparer = Preparer(reads, quality, policy, images)
        notice = Notice(quality)
        performer = Performer(sources, journal, clock, notice.seen)
        budgets = Budgets()
        new_id = _ids()
        writes = Writes(preparer, performer, journal, trail, clock, new_id, budgets, notice)
        pipeline = Pipeline(reads, writes, policy, trail, clock, as_of, new_id, telemetry.metrics, budgets)

        def context_of(row: WriteRow) -> Context:
            agent = _agent(store, row.principal)
            tool = BY_NAME[row.tool]
            raw = row.call["raw"]
            arguments = read_arguments(tool, raw)
            return Context(row.call["call_id"], agent, tool, raw, arguments, clock.now(), as_of.now(), row.call["face"])

        me = f"{os.getpid()}-{new_id()}"
        settling = Settling(me, sources, journal, performer, preparer, trail, clock, context_of)

        async def decided(person: str, detail: dict[str, Any], refs: tuple[str, ...]) -> None:
            await trail.act("decision", person, clock.now(), detail, refs)

        approvals = Approvals(journal, clock, decided, lambda agent: _owner(store, agent), denied)
        authentication = Authenticator(store, clock)
        runtime = Runtime(
            config,
            clock,
            telemetry,
            authentication,
            store,
            sources,
            quality,
            journal,
            ledger,
            pipeline,
            settling,
            approvals,
            review,
            _hosts(config),
        )
        await ledger.append(Entry("start", "", clock.now(), "interlock", versions=versions))
        tasks = [asyncio.create_task(_record_acts(store, ledger)), asyncio.create_task(_measure(runtime))]
        tasks.append(asyncio.create_task(taxonomies.run(lambda version: trail.under(profile=version))))
        tasks.append(asyncio.create_task(tell(config, clock, telemetry)))
        tasks.append(asyncio.create_task(quality.run()))
        if settle:
            tasks.append(asyncio.create_task(settling.run()))
        if config.storage.payloads_days is not None:
            tasks.append(asyncio.create_task(_erase(ledger, clock, config.storage.payloads_days)))
        stack.push_async_callback(_stopped, tasks, ledger, clock)
        yield runtime


async def _stopped(tasks: list[asyncio.Task[None]], ledger: Ledger, clock: Clock) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(Problem):
        await ledger.append(Entry("stop", "", clock.now(), "interlock"))


async def _record_acts(store: PrincipalStore, ledger: Ledger) -> None:
    """Administrative acts, also those of the command line, go into the ledger within a second."""
    while True:
        with suppress(Problem):
            await record_acts(store, ledger)
        await asyncio.sleep(_ACTS_S)


async def _erase(ledger: Ledger, clock: Clock, days: float) -> None:
    """Payloads that are past their time are erased once a day. The ledger has one writer, so no job can do it."""
    await asyncio.sleep(_ERASE_FIRST_S)
    while True:
        with suppress(Problem):
            await ledger.erase_before(clock.now() - days * 86_400, by="interlock")
        await asyncio.sleep(_ERASE_S)


async def _measure(runtime: Runtime) -> None:
    metrics = runtime.telemetry.metrics
    before = runtime.ledger.counts
    while True:
        ledger = runtime.ledger.counts
        metrics.ledger_entries.inc(ledger.entries - before.entries)
        metrics.ledger_failures.inc(ledger.lost - before.lost)
        before = ledger
        with suppress(Problem):
            counts = await runtime.journal.counts()
            metrics.held.set(counts.get("held", 0))
            metrics.unsettled.set(counts.get("unknown", 0) + counts.get("performing", 0))
        await asyncio.sleep(_GAUGES_S)


def _ids() -> Callable[[], str]:
    """Makes ids of 20 hex digits; randomness is fetched for many at once, a system call each costs more."""
    pool: list[str] = []

    def id() -> str:  # noqa: A001
        if not pool:
            text = secrets.token_hex(10 * 256)
            pool.extend(text[at : at + 20] for at in range(0, len(text), 20))
        return pool.pop()

    return id


def _agent(store: PrincipalStore, id: str) -> Agent:  # noqa: A002
    found = store.get(id)
    if not isinstance(found, Agent) or found.status != "active":
        raise Problem(Slug.REFUSED, f"{id} is suspended or is no agent any more")
    return found


def _owner(store: PrincipalStore, id: str) -> str | None:  # noqa: A002
    try:
        found = store.get(id)
    except Problem:
        return None
    return found.owner if isinstance(found, Agent) else None


def _cursor_key(folder: Path) -> bytes:
    """The key that signs cursors: made once, kept in the state folder."""
    path = folder / "cursor.key"
    with suppress(FileNotFoundError):
        if len(key := path.read_bytes()) == _CURSOR_KEY_BYTES:  # a crash may have left less
            return key
    key = secrets.token_bytes(_CURSOR_KEY_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key)
    return key


def _hosts(config: Config) -> tuple[str, ...]:
    hosts = {"127.0.0.1:*", "localhost:*", "[::1]:*", "127.0.0.1", "localhost", f"{config.listen.host}:*"}
    return tuple(sorted(hosts | set(config.listen.hosts)))

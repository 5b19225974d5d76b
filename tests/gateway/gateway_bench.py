"""A gateway over a source in memory, with a clock that the test moves: every road of a write in milliseconds."""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from interlock.adapterkit.abilities import Abilities
from interlock.adapterkit.native import Plan
from interlock.adapterkit.offers import offered
from interlock.clock import ManualClock
from interlock.gateway import receipts
from interlock.gateway.budget import Budgets
from interlock.gateway.changes import Changes
from interlock.gateway.context import Context, Reply
from interlock.gateway.cursors import Cursors
from interlock.gateway.graph import Graph
from interlock.gateway.notice import Notice
from interlock.gateway.ordering import Ordering
from interlock.gateway.perform import Performer
from interlock.gateway.pipeline import Pipeline, read_arguments
from interlock.gateway.prepare import Preparer
from interlock.gateway.reads import Reads
from interlock.gateway.sameness import Sameness
from interlock.gateway.settle import Settling
from interlock.gateway.tickets import Tickets
from interlock.gateway.trail import Trail
from interlock.gateway.versions import Images
from interlock.gateway.writes import Writes
from interlock.governance.approvals import Approvals
from interlock.governance.authority import DeclaredTools
from interlock.governance.ledger import Ledger
from interlock.principals.models import Agent, Person, Scope
from interlock.principals.models import Budgets as AgentBudgets
from interlock.quality.gate.quality import Quality
from interlock.quality.judge import Judge
from interlock.records import times
from interlock.records.filters import Query, matches
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.records.taxonomy import Choice
from interlock.sources.answers import Effect, Fetched, Found, Notes
from interlock.state.folder import open_state
from interlock.state.journal import Journal, WriteRow
from interlock.telemetry import silent_telemetry
from interlock.tools.catalogue import BY_NAME

START = 1_790_000_000.0
TIMEOUT_S, SETTLE_S = 10.0, 120.0
INC, STALE = "snow:incident:INC1", "snow:incident:INC2"
Step = Callable[["FakeSource", Effect], Awaitable[str | None]]


def lost(reached: str | None = "maybe", slug: Slug = Slug.SOURCE_UNAVAILABLE) -> Problem:
    return Problem(slug, "no answer", layer="transport", reached=reached)  # type: ignore[arg-type]


async def vanish(source: FakeSource, effect: Effect) -> str | None:
    """Never arrives; the sender cannot know."""
    raise lost()


async def swallow(source: FakeSource, effect: Effect) -> str | None:
    """Arrives and is done; the answer is lost."""
    source.apply(effect)
    raise lost()


async def refuse(source: FakeSource, effect: Effect) -> str | None:
    raise Problem(
        Slug.SOURCE_REJECTED, "the source refused", layer="source", native_message="Data Policy", reached="yes"
    )


async def offline(source: FakeSource, effect: Effect) -> str | None:
    """Never left the house."""
    raise lost("no")


async def ignore(source: FakeSource, effect: Effect) -> str | None:
    """The source says yes and does nothing."""
    return (effect.key or "~").removeprefix("~")


class FakeSource:
    """Incidents and CIs by handle. ``script`` says what becomes of the next sends; otherwise they succeed."""

    name, product, environment = "snow", "servicenow", "test"
    abilities = Abilities()

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.timeout_s, self.settle_s = TIMEOUT_S, SETTLE_S
        self.kinds = frozenset({"incident", "ci", "person", "group", "relationship"})
        self.rows: dict[str, dict[str, Any]] = {}
        self.journals: dict[str, list[dict[str, Any]]] = {}
        self.links: dict[str, str] = {}  # handle of a create by its correlation
        self.script: list[Step] = []
        self.sent: list[Effect] = []
        self.probes = self.gets = 0
        self.down: Problem | None = None  # of reads and probes
        self.unreadable: set[str] = set()
        self.on_read: Callable[[], None] | None = None
        self.finds_creates = True
        self.skips: str | None = None
        now = times.to_text(clock.now() - 3600)
        self.add("c1", "snow:ci:web01", name="web01", cls="server", serial="S1", os="Linux", last_seen_at=now)
        self.add(
            "c2",
            "snow:ci:old01",
            name="old01",
            cls="server",
            serial="S2",
            os="Linux",
            last_seen_at=times.to_text(clock.now() - 200 * 86_400),
        )
        self.add("g1", "snow:group:Desk", name="Desk", active=True)
        self.add("g2", "snow:group:Payroll", name="Payroll", active=True)
        self.add("p1", "snow:person:kim", name="Kim Roe", user_name="kim", email="kim@example.com")
        for number, ci in (("INC1", "web01"), ("INC2", "old01")):
            self.add(
                f"h{number}",
                f"snow:incident:{number}",
                title=f"t{number}",
                state="in_progress",
                impact="low",
                urgency="low",
                priority="p5",
                category="network",
                description="d",
                close_code=None,
                close_notes=None,
                ci={"ref": f"snow:ci:{ci}", "name": ci},
                group={"ref": "snow:group:Desk", "name": "Desk"},
                caller=None,
                assignee=None,
                opened_at=now,
                updated_at=now,
            )
        self.add(
            "hINC3",
            "snow:incident:INC3",
            title="pay",
            state="in_progress",
            impact="low",
            urgency="low",
            priority="p5",
            group={"ref": "snow:group:Payroll", "name": "Payroll"},
            ci=None,
        )

    def add(self, handle: str, ref: str, **values: Any) -> None:
        self.rows[handle] = {"ref": ref, **values, "version": "1"}

    def change(self, handle: str, **values: Any) -> None:
        """As somebody else would."""
        row = self.rows[handle]
        self.rows[handle] = {**row, **values, "version": str(int(row["version"]) + 1)}

    def apply(self, effect: Effect) -> str:
        if effect.op == "create":
            handle = f"new{len(self.rows)}"
            number = f"INC9{len(self.rows)}"
            named = {name: self._link(value) for name, value in effect.changes.items()}
            fixed = {"state": "new", "ci": None, "external_id": effect.correlation}
            self.add(handle, f"snow:{effect.kind}:{number}", **{**fixed, **named})
            self.links[handle] = effect.correlation
            return handle
        handle = self._handle(effect.key or "")
        if effect.op == "note":
            entry = {
                "id": f"n{len(self.sent)}",
                "visibility": effect.visibility,
                "text": effect.note_text,
                "author": "interlock",
                "created_at": times.to_text(self.clock.now()),
            }
            self.journals.setdefault(handle, []).insert(0, entry)
        else:
            self.change(handle, **{name: self._link(value) for name, value in effect.changes.items()})
        return handle

    def _link(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            there = self.rows[value["ref"].rpartition("~")[2]]
            return {"ref": there["ref"], "name": there.get("name")}
        return value

    def _handle(self, key: str) -> str:
        if key.startswith("~"):
            return key[1:]
        found = [handle for handle, row in self.rows.items() if row["ref"].split(":", 2)[2] == key]
        if not found:
            raise Problem(Slug.NOT_FOUND, f"{key} is not there", layer="source", reached="yes")
        return found[0]

    async def get(self, kind: str, key: str, *, max_age_s: float = 0.0, priority: bool = False) -> Fetched:
        self.gets += 1
        if self.on_read is not None:
            self.on_read()
        if self.down is not None:
            raise self.down
        handle = self._handle(key)
        row = self.rows.get(handle)
        if row is None or Ref.parse(row["ref"]).kind != kind:
            raise Problem(Slug.NOT_FOUND, f"{key} is not there", layer="source", reached="yes")
        if Ref.parse(row["ref"]).key in self.unreadable:
            raise Problem(Slug.SOURCE_DENIED, f"{key} must not be read", layer="source", reached="yes")
        return Fetched(copy.deepcopy(row), handle, self.clock.now(), "live")

    def plan(self, kind: str, query: Query) -> Plan:
        return Plan(None, (), order=query.sort, contract_order=True)

    async def search(self, kind: str, query: Query, *, cursor: Any = None, max_age_s: float = 0.0) -> Found:
        if self.down is not None:
            raise self.down
        rows = [copy.deepcopy(row) for row in self.rows.values() if Ref.parse(row["ref"]).kind == kind]
        start = cursor or 0
        found = [row for row in rows if matches(query.filter, row)]
        end = start + query.limit
        following = end if end < len(found) else None
        return Found(found[start:end], following, self.clock.now(), "live", False, ())

    async def journal(
        self, kind: str, key: str, *, visibility: frozenset[str], cursor: Any = None, limit: int = 20
    ) -> Notes:
        notes = [n for n in self.journals.get(self._handle(key), []) if n["visibility"] in visibility]
        return Notes(notes[:limit], None, self.clock.now())

    @property
    def offers(self) -> tuple[str, ...]:
        return offered(self)

    async def ask(self, offer: type[Any], operation: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if not isinstance(self, offer):
            raise Problem(Slug.UNSUPPORTED, f"snow does not offer {operation}", reached="no")
        return await work(self)

    async def handle(self, kind: str, key: str) -> str:
        return self._handle(key)

    async def choices(self, kind: str, field: str) -> list[Choice]:
        return [Choice("network", "Network")]

    def choices_observed_at(self, kind: str, field: str) -> float:
        return self.clock.now() - 90

    async def send(self, effect: Effect, *, not_after: float) -> str | None:
        assert self.clock.now() <= not_after
        self.sent.append(effect)
        if self.script:
            return await self.script.pop(0)(self, effect)
        return self.apply(effect)

    def finds(self, effect: Effect) -> bool:
        return effect.op != "create" or self.finds_creates

    def differs(self, kind: str) -> str | None:
        return self.skips

    async def probe(self, effect: Effect) -> list[str]:
        self.probes += 1
        if self.down is not None:
            raise self.down
        if not self.finds(effect):
            return []
        if effect.op == "create":
            return [handle for handle, correlation in self.links.items() if correlation == effect.correlation]
        handle = self._handle(effect.key or "")
        if effect.op == "note":
            return [handle] if any(effect.marker in n["text"] for n in self.journals.get(handle, [])) else []
        same = (
            receipts.compare(
                effect.changes,
                {n: self._link(v)["ref"] for n, v in effect.changes.items() if isinstance(v, Mapping)},
                self.rows[handle],
            )[0]
            == "applied"
        )
        return [handle] if same else []

    def norm(self, kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        return dict(changes)

    def by_key(self, kind: str, field: str) -> bool:
        return False

    def ext(self, kind: str) -> dict[str, Any]:
        return {}

    def writable(self, kind: str) -> frozenset[str]:
        return frozenset(name for name, known in FIELDS[kind].items() if known.writable)

    def asked_by(self, kind: str, operator: str) -> frozenset[str]:
        return frozenset(name for name, known in FIELDS[kind].items() if operator in known.operators)

    def missing(self, kind: str, after: Mapping[str, Any]) -> list[str]:
        closing = after.get("state") == "resolved"
        return [name for name in ("close_code", "close_notes") if closing and not after.get(name)]

    def preview(self, effect: Effect) -> dict[str, Any]:
        return {"source": self.name, "operation": effect.op, "payload": dict(effect.changes)}

    def health(self) -> dict[str, Any]:
        return {
            "state": "closed",
            "last_error": {"at": "x", "operation": "get", "slug": "not-found", "detail": "INC3 is not there"},
        }


def agent(**changes: Any) -> Agent:
    """An autonomous agent that may use and read everything, unless told otherwise."""
    everything = {kind: Scope() for kind in FIELDS}
    plain = Agent(
        "bot",
        "olga",
        "Tests.",
        frozenset(BY_NAME),
        everything,
        stage="autonomous",
        budgets=AgentBudgets(100_000, 100_000),
    )
    return replace(plain, **changes)


def person(id: str = "maria", *roles: str) -> Person:  # noqa: A002
    return Person(id, id.title(), frozenset(roles or ("approver",)))  # type: ignore[arg-type]


@dataclass
class Bench:
    """One gateway; ``other`` is another source, when a test wants one."""

    clock: ManualClock
    source: FakeSource
    journal: Journal
    ledger: Ledger
    quality: Quality
    pipeline: Pipeline
    settling: Settling
    approvals: Approvals
    preparer: Preparer
    sources: dict[str, Any]
    folder: Path
    agents: dict[str, Agent] = field(default_factory=dict)

    async def call(self, tool: str, who: Agent | None = None, /, **arguments: Any) -> Reply:
        who = who or self.agents["bot"]
        self.agents[who.id] = who
        return await self.pipeline.handle(who, tool, arguments)

    async def write(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The receipt of a write, whichever body it came in."""
        reply = await self.call(tool, **arguments)
        assert "receipt" in reply.body, reply.body
        return reply.body["receipt"]

    async def row(self, id: str) -> WriteRow:  # noqa: A002
        found = await self.journal.get(id)
        assert found is not None
        return found

    async def settle(self, after_s: float = 0.0) -> int:
        self.clock.advance(after_s)
        return await self.settling.once()

    async def settle_until(self, id: str, most_s: float = 10_000.0, step_s: float = 5.0) -> WriteRow:  # noqa: A002
        for _ in range(int(most_s / step_s)):
            await self.settle(step_s)
            row = await self.row(id)
            if row.ended or row.needs_person:
                return row
        raise AssertionError(f"{id} is still {row.state}")

    async def approve(self, id: str, yes: bool = True, who: Person | None = None) -> dict[str, Any]:  # noqa: A002
        row = await self.row(id)
        return await self.approvals.decide(who or person(), id, row.digest, yes, "seen")

    def entries(self) -> list[dict[str, Any]]:
        """The bodies of the ledger's committed entries."""
        import json
        import sqlite3

        with sqlite3.connect(f"file:{self.folder / 'ledger.sqlite'}?mode=ro", uri=True) as db:
            return [json.loads(body) for (body,) in db.execute("SELECT body FROM chain ORDER BY seq")]


@asynccontextmanager
async def bench_in(folder: Path, **more: Any) -> AsyncIterator[Bench]:
    """An open bench. The same folder opened again is a gateway that was started again."""
    clock = more.get("clock") or ManualClock(START)
    source = more.get("source") or FakeSource(clock)
    sources: dict[str, Any] = {"snow": source, **more.get("others", {})}
    state = open_state(folder, synchronous="NORMAL")
    ledger = Ledger(folder, clock)
    counter = itertools.count(int(more.get("first_id", 1)))

    def ids() -> str:
        return f"{next(counter):020d}"

    quality = Quality(Judge(more.get("profile")), folder, clock)
    policy, images, budgets = more.get("policy") or DeclaredTools(), Images(), Budgets()
    journal = Journal(state.db)
    trail = Trail(ledger, {"policy": policy.version, "profile": quality.version})
    reads = Reads(sources, quality, Cursors(b"k" * 32), images)
    Tickets(reads)
    Changes(reads)
    Ordering(reads)
    Graph(reads, Sameness(reads, quality.profile, clock), clock)
    preparer = Preparer(reads, quality, policy, images)
    notice = Notice(quality)
    performer = Performer(sources, journal, clock, notice.seen)
    writes = Writes(preparer, performer, journal, trail, clock, ids, budgets, notice)
    pipeline = Pipeline(reads, writes, policy, trail, clock, clock, ids, silent_telemetry(clock).metrics, budgets)
    agents: dict[str, Agent] = {"bot": agent()}

    def context_of(row: WriteRow) -> Context:
        found = agents[row.principal]
        if found.status != "active":
            raise Problem(Slug.REFUSED, f"{found.id} is suspended or is no agent any more")
        tool = BY_NAME[row.tool]
        arguments = read_arguments(tool, row.call["raw"])
        return Context(row.call["call_id"], found, tool, row.call["raw"], arguments, clock.now(), clock.now(), "rest")

    settling = Settling("me", sources, journal, performer, preparer, trail, clock, context_of)

    async def record(person: str, detail: dict[str, Any], refs: tuple[str, ...]) -> None:
        await trail.act("decision", person, clock.now(), detail, refs)

    approvals = Approvals(journal, clock, record, lambda who: agents[who].owner, receipts.denied)
    try:
        yield Bench(
            clock, source, journal, ledger, quality, pipeline, settling, approvals, preparer, sources, folder, agents
        )
    finally:
        await ledger.close()
        await state.close()
        quality.close()

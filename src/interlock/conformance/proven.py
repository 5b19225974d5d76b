"""Rules about what goes wrong: every fault ends in a clear problem, no write is doubled, and this is no mere belief."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from interlock.adapterkit.connection import trusted
from interlock.conformance.bench import SEND_S, Bench, key, ref, unique_word
from interlock.conformance.declaration import UNIQUE
from interlock.conformance.proxy import Fault, FaultProxy, Name
from interlock.conformance.reads import get, not_found, pages
from interlock.conformance.rules import Book, DoesNotApply, Failed, Rule, Skipped
from interlock.places import place
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.source import Source

BOOK = Book()
TIMEOUT_S = 3.0
SETTLED_S = 10.0
_PROBE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault of the proxy, what a call through it may say, and in words what happens."""

    id: str
    fault: Fault
    says: tuple[Slug, ...]
    about: str


def _injected(id: str, name: Name, forwards: bool, about: str, *says: Slug) -> Injected:  # noqa: A002
    return Injected(id, Fault(name, forwards), says, about)


DOWN, ODD = Slug.SOURCE_UNAVAILABLE, Slug.SOURCE_FAULT
_WRITE = "A write is told as perhaps sent, and stands once in the end."
FAULTS: tuple[Injected, ...] = (
    _injected("FAULT-LATENCY", "latency", True, "An answer that comes late, but in time, is an answer."),
    _injected("FAULT-SILENCE", "silence", False, "A request without an answer ends in time.", DOWN),
    _injected("FAULT-RESET-BEFORE", "reset_before", False, "A reset before the source acts is an outage.", DOWN),
    _injected("FAULT-RESET-AFTER", "reset_after", True, "A reset after it acted: what it did is found.", DOWN),
    _injected("FAULT-HALF-CLOSE", "half_close", True, "A close without an answer is an outage.", DOWN),
    _injected("FAULT-TRUNCATED", "truncated", True, "A body that breaks off is not the whole.", DOWN, ODD),
    _injected("FAULT-HTML", "html", False, "A page of HTML with 200 is not data.", Slug.SOURCE_DENIED, DOWN, ODD),
    _injected("FAULT-LIMITED", "limited", False, "429 is told with how long to wait.", Slug.RATE_LIMITED),
    _injected("FAULT-502-AFTER", "bad_gateway", True, "502 after it acted: what it did is found.", DOWN, ODD),
    _injected("FAULT-CHARSET", "wrong_charset", True, "Bytes of no charset are a fault, no record.", ODD, DOWN),
    _injected("FAULT-TOO-LARGE", "too_large", False, "An answer past the bound ends within bounds.", Slug.TOO_LARGE),
)  # fmt: skip


def _rule(injected: Injected) -> Rule:
    async def check(bench: Bench) -> str | None:
        return await _survives(bench, injected)

    todo = "Raise a Problem with `reached: maybe` for whatever is not a whole, plain answer; never send a write again."
    return Rule(injected.id, "proven", "source", False, False, f"{injected.about} {_WRITE}", todo, check)


for _each in FAULTS:
    BOOK.add(_rule(_each))


@contextlib.asynccontextmanager
async def _faulty(bench: Bench) -> AsyncIterator[tuple[FaultProxy, Source]]:
    """A proxy before the source, and a source behind it whose breaker has seen nothing yet."""
    config = bench.settings
    if config.base_url is None:
        raise DoesNotApply("the source is not reached over a network")
    if bench.replay is not None:
        raise Skipped("nothing can go wrong with a recording")
    async with FaultProxy(config.base_url, trusted(config)).serving() as proxy:
        source, _ = bench.open(
            base_url=proxy.url, timeout_s=min(TIMEOUT_S, config.timeout_s), proxy=None, transport="httpx"
        )
        try:
            yield proxy, source
        finally:
            await source.close()


async def _survives(bench: Bench, injected: Injected) -> str:
    told = [await _reads(bench, injected)]
    writes = bench.compiled.manifest.capabilities.writes
    for kind in sorted(set(writes) & set(bench.kinds())):
        for op in writes[kind]:
            samples = bench.declaration.samples(kind)
            values: Any = samples.create if op == "create" else samples.update
            if op != "note" and not any(UNIQUE in str(value) for value in values.values()):
                continue  # nothing tells this write from other requests
            with contextlib.suppress(DoesNotApply):
                told.append(await _writes(bench, injected, kind, op))
    return "; ".join(told)


async def _reads(bench: Bench, injected: Injected) -> str:
    kind = next(iter(bench.kinds()))
    record = (await bench.scan(kind))[0]
    wanted = (await bench.live.get(kind, key(record))).record
    async with _faulty(bench) as (proxy, source):
        await source.open()
        proxy.arm(injected.fault)
        try:
            found = (await source.get(kind, key(record))).record
        except Problem as problem:
            _clear(problem, injected, f"reading {ref(record)}", write=False)
            return f"read: {problem.slug}"
    if proxy.fired == 0:
        raise Failed("the fault was never met")
    volatile = {"url"}  # made of the base address, which is the proxy's
    if {n: v for n, v in found.items() if n not in volatile} != {n: v for n, v in wanted.items() if n not in volatile}:
        raise Failed(f"reading {ref(record)} gave another record than without the fault")
    return "read: answered at the next try" if injected.says else "read: answered"


def _clear(problem: Problem, injected: Injected, what: str, *, write: bool) -> None:
    """A problem that says what happened."""
    if problem.slug not in injected.says:
        raise Failed(f"{what}: {problem.slug}: {problem.detail}")
    if not problem.next_step or not problem.detail:
        raise Failed(f"{what}: {problem.slug} does not say what to do")
    turned_away = problem.slug is Slug.SOURCE_DENIED and not injected.fault.forwards  # a log-in page has not acted
    if write and problem.reached != "maybe" and not (turned_away and problem.reached == "no"):
        raise Failed(f"{what}: told as reached: {problem.reached}, although nobody can know")
    if problem.slug is Slug.RATE_LIMITED and problem.retry_after_s is None:
        raise Failed(f"{what}: it does not say how long to wait, although the source did")


async def _writes(bench: Bench, injected: Injected, kind: str, op: str) -> str:
    skip = await _before(bench, kind, op)
    effect, word = await _effect(bench, kind, op)
    what = f"{op} of {kind}"
    async with _faulty(bench) as (proxy, source):
        await source.open()
        if effect.key is not None:
            await source.get(kind, effect.key)
        proxy.arm(injected.fault, word=word, skip=skip)
        problem: Problem | None = None
        try:
            await source.send(effect, not_after=bench.clock.now() + SEND_S)
        except Problem as caught:
            problem = caught
        if proxy.fired == 0:
            raise Failed(f"{what}: the write was not seen on the wire")
    if problem is None and injected.says:
        raise Failed(f"{what}: it says that all is well")
    if problem is not None:
        _clear(problem, injected, what, write=True)
    found = await _traces(bench, effect, 1 if injected.fault.forwards else 0)
    if len(found) != (1 if injected.fault.forwards else 0):
        happened = "got" if injected.fault.forwards else "did not get"
        raise Failed(f"{what}: the source {happened} it, and a probe finds it {len(found)} times")
    if not found:  # what the gateway does once it has settled: send it again
        await bench.live.send(effect, not_after=bench.clock.now() + SEND_S)
        found = await _traces(bench, effect, 1)
    if op == "create":
        for handle in found:
            bench.remember(effect, handle)
    if len(found) != 1:
        raise Failed(f"{what}: sent again it stands {len(found)} times")
    return f"{what}: {problem.slug if problem else 'answered'}"


async def _before(bench: Bench, kind: str, op: str) -> int:
    """How many requests with the write's word come before the write itself: some products are asked first."""
    known = bench.before.get((kind, op))
    if known is None:
        effect, word = await _effect(bench, kind, op)
        async with _faulty(bench) as (proxy, source):
            proxy.arm(None, word=word)
            handle = await source.send(effect, not_after=bench.clock.now() + SEND_S)
            known = bench.before[kind, op] = max(0, proxy.matched - 1)
        if op == "create" and handle is not None:
            bench.remember(effect, handle)
    return known


async def _effect(bench: Bench, kind: str, op: str) -> tuple[Effect, str]:
    """A write, and the word by which its request is known."""
    samples = bench.may_write(kind, op)
    if op == "create":
        effect = await bench.creating(kind, samples)
        return effect, effect.correlation.partition(":")[2]
    made = await bench.some(kind)
    if op == "note":
        effect = await bench.note(made, samples.note)
        return effect, str(effect.marker)
    word = unique_word()
    changes = await bench.values(kind, samples.update, word)
    return Effect(kind, "update", f"~{made.handle}", changes, f"interlock:{unique_word()}"), word


async def _traces(bench: Bench, effect: Effect, wanted: int) -> list[str]:
    """What a probe finds, once it finds as many as it should, or after a while."""
    waited = 0.0
    while True:
        found = await bench.live.probe(effect)
        if len(found) >= wanted and (wanted or waited >= _PROBE_EVERY_S):
            return found
        if waited >= SETTLED_S:
            return found
        await asyncio.sleep(_PROBE_EVERY_S)
        waited += _PROBE_EVERY_S


@BOOK.rule("FAULT-UNREACHED", "proven")
async def unreached(bench: Bench) -> str | None:
    """A source that is not there is told as such, and a write as certainly not sent.

    To do: Leave connecting to the session; do not catch what it raises.
    """
    if bench.settings.base_url is None:
        raise DoesNotApply("the source is not reached over a network")
    source, _ = bench.open(base_url="http://127.0.0.1:9", proxy=None)
    try:
        for kind, ops in bench.compiled.manifest.capabilities.writes.items():
            if "create" in ops and bench.declaration.samples(kind).create:
                effect = await bench.creating(kind, bench.may_write(kind, "create"))
                break
        else:
            raise DoesNotApply("nothing is made in this source")
        try:
            await source.send(effect, not_after=bench.clock.now() + SEND_S)
        except Problem as problem:
            if problem.slug is not Slug.SOURCE_UNAVAILABLE or problem.reached != "no":
                raise Failed(f"{problem.slug}, reached: {problem.reached}: {problem.detail}") from None
            return problem.detail
    finally:
        await source.close()
    raise Failed("a write to a source that is not there succeeded")


@BOOK.rule("PROVEN-ASSUMPTIONS", "proven")
async def assumptions(bench: Bench) -> str | None:
    """Facts that nobody verified are switches of the mock, and reading holds with each of their values.

    To do: Make the adapter hold either way, or verify the fact and take it out of `assumptions`.
    """
    if not bench.declaration.assumptions:
        raise DoesNotApply("conformance.yaml names none")
    if bench.control is None:
        raise DoesNotApply("the source is no mock of ours")
    for assumption in bench.declaration.assumptions:
        first, *_ = assumption.values
        try:
            for value in assumption.values:
                await bench.control(assumption.switch, value)
                await _reading_holds(bench, f"{assumption.fact} ({assumption.switch}: {value})")
        finally:
            await bench.control(assumption.switch, first)
    return f"{len(bench.declaration.assumptions)} facts"


async def _reading_holds(bench: Bench, said: str) -> None:
    for kind in bench.kinds():
        for check in (get, not_found, pages):
            bench.forget(kind)
            try:
                await check(bench, kind)
            except (Failed, Problem) as failure:
                raise Failed(f"with {said}: {kind}: {failure}") from None
            except (Skipped, DoesNotApply):
                continue


@BOOK.rule("PROVEN-EVIDENCE", "proven")
async def evidence(bench: Bench) -> str | None:
    """It ran on a real server that says its version, or public clients of the product work on the mock it ran on.

    To do: Run it with --source and --real-server "PRODUCT VERSION"; or run .ci/clients, and give --proofs FOLDER.
    """
    if bench.claimed is not None:
        return await _real(bench, bench.claimed)
    wanted = bench.declaration.evidence.clients
    if bench.mocked is None or not wanted:
        raise Skipped("nothing shows that the source is like the product: no --real-server, and no clients on a mock")
    if bench.proofs is None:
        raise Skipped(f"no --proofs: the clients {', '.join(wanted)} did not run")
    return ", ".join(_proof(bench.proofs, client, bench.mocked) for client in wanted)


async def _real(bench: Bench, claimed: str) -> str:
    where = bench.declaration.evidence.version
    if where is None:
        raise Skipped("conformance.yaml does not say where a real server tells its version (evidence.version)")
    answer = await bench.request("GET", where.path)
    try:
        said = str(orjson.loads(answer.body)[where.member])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Failed(f"{where.path} does not tell {where.member} (HTTP {answer.status})") from None
    if claimed.split()[-1] != said:
        raise Failed(f"claimed is {claimed}, the server says {said}")
    mock = await bench.request("GET", "/__mock__/stats")
    if mock.status == 200 and b"faults" in mock.body:
        raise Failed("this is a mock of ours, not a real server")
    return f"{claimed}; the server says {said}"


def mock_digest(name: str) -> str:
    """A digest of all that makes up a mock, so that a proof is of this mock and no earlier one."""
    root = place("mock_servers")
    paths: Sequence[Path] = sorted([*root.glob("*.py"), *(root / name).rglob("*"), *(root / "estate").rglob("*.py")])
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file() and path.suffix in (".py", ".csv", ".yaml", ".json", ".wsdl"):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _proof(folder: Path, client: str, mock: str) -> str:
    path = folder / f"{client}.json"
    try:
        body = orjson.loads(path.read_bytes())
        version, checks, failed, digest = body["version"], body["checks"], body["failed"], body["mock"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        raise Failed(f"there is no proof {path.name}: the client {client} did not run to its end") from None
    if failed or not checks:
        raise Failed(f"{client} {version}: {failed} of {checks} checks failed")
    if digest != mock_digest(mock):
        raise Failed(f"{client} ran on another version of the mock; run it again")
    return f"{client} {version}, {checks} checks"

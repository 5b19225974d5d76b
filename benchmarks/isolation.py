"""One of three sources breaks: what it costs the others. ``python -m benchmarks.isolation [--json] [--out FILE]``

A real ``interlock serve`` over three mock ServiceNow instances, all over real sockets. Agents read from each
source by name at a steady rate, and search all three at once. For each fault, windows without and with it
alternate, so that what else the machine does falls on both; the same rows are read in both, and what counts is
the median of the pairs. Calls are sent when they are due, whether earlier ones were answered or not, so that a
stall of the gateway is not hidden by calls that were never made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks import processes
from benchmarks.bench import INTERLOCK_SERVE, say
from benchmarks.load import HOST
from benchmarks.stands import Stand, prepare

BROKEN, OTHERS = "snow", ("east", "west")
PER_SECOND = 20.0  # reads of each source
JOINED_PER_SECOND = 3.0
MOST_TIMES = 1.2
TIMEOUT_S = 5.0
CALM_S = 90.0  # the longest that a breaker leaves a source alone is a minute
FAULTS: dict[str, dict[str, Any]] = {
    "down": {"fault": "drop_before"},
    "slow": {"fault": "latency", "seconds": 30.0},
    "html": {"fault": "html", "status": 200, "variant": "maintenance"},
    "faults": {"fault": "error_before", "status": 500},
}
OPEN = [{"field": "state", "op": "in", "value": ["new", "in_progress", "on_hold"]}]


@dataclass(slots=True)
class Seen:
    """What one kind of window showed: milliseconds of the others' reads and of joined searches, and outcomes."""

    others: list[float] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    named: int = 0
    whole: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One fault: its windows in pairs, and all of them together."""

    fault: str
    pairs: list[float]  # p99 of the others with the fault, times that without, pair by pair
    quiet: Seen
    broken: Seen

    @property
    def times(self) -> float:
        return sorted(self.pairs)[len(self.pairs) // 2]


def p99(times: Sequence[float]) -> float:
    """The 99th percentile."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


class Agents:
    """Readers with one key, against one gateway."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def window(self, seconds: float, seen: Seen) -> None:
        """A steady rate of reads by name from every source, and of joined searches."""
        began = time.perf_counter()
        due: list[tuple[float, str | None]] = []
        for number, name in enumerate((BROKEN, *OTHERS)):
            gap = 1 / PER_SECOND
            due += [(at * gap + number * gap / 3, name) for at in range(int(seconds * PER_SECOND))]
        due += [(at / JOINED_PER_SECOND, None) for at in range(int(seconds * JOINED_PER_SECOND))]
        calls: list[asyncio.Task[None]] = []
        for at, name in sorted(due, key=lambda each: each[0]):
            await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
            calls.append(asyncio.create_task(self._call(name, seen)))
        await asyncio.gather(*calls)

    async def _call(self, name: str | None, seen: Seen) -> None:
        began = time.perf_counter()
        asked: dict[str, Any] = {"filter": OPEN, "limit": 10}
        reply = await self.ask(asked if name is None else {**asked, "source": name})
        took = (time.perf_counter() - began) * 1e3
        if name in OTHERS:
            seen.others.append(took)
            seen.failed += reply.status_code != 200
        elif name is None:
            seen.joined.append(took)
            body = reply.json()
            shares = body.get("provenance", {}).get("sources", [])
            told = {share["source"] for share in shares if share["outcome"] != "answered"}
            others = {share["source"] for share in shares if share["rows"]} >= set(OTHERS)
            words = " ".join(body.get("warnings", []))
            seen.named += told == {BROKEN} and others and BROKEN in words
            seen.whole += not told and reply.status_code == 200

    async def ask(self, arguments: dict[str, Any]) -> httpx.Response:
        return await self._client.post("/v1/tools/incident_search", json=arguments)

    async def calm(self) -> None:
        """Until the broken source answers again, by name and joined. Raises TimeoutError."""
        async with asyncio.timeout(CALM_S):
            while True:
                alone = await self.ask({"source": BROKEN, "limit": 1})
                if alone.status_code == 200:
                    shares = (await self.ask({"limit": 3})).json()["provenance"]["sources"]
                    if all(share["outcome"] == "answered" for share in shares):
                        return
                await asyncio.sleep(0.2)


class Run:
    """Three sources and a gateway, on their cores; this process makes the load."""

    def __init__(self, folder: Path, stack: ExitStack, seconds: float, pairs: int) -> None:
        self._folder = folder
        self._stack = stack
        self._seconds = seconds
        self._pairs = pairs

    async def __call__(self, faults: Sequence[str]) -> list[Result]:
        server_core, load_core = processes.cores()
        processes.stay_on(load_core)
        urls = {name: self._source(name, seed, load_core) for seed, name in enumerate((BROKEN, *OTHERS), start=1)}
        stand = prepare(
            self._folder,
            processes.free_port(),
            urls[BROKEN],
            more={name: urls[name] for name in OTHERS},
            tools=("incident_search",),
            source={"timeout_s": TIMEOUT_S, "limits": {"concurrency": 8, "per_second": None, "queue": 64}},
            read={"incident": {}},
        )
        self._serve(stand, server_core)
        gateway = httpx.AsyncClient(
            base_url=f"http://{HOST}:{stand.port}",
            headers={"authorization": f"Bearer {stand.keys[0]}"},
            timeout=60,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=256),
            trust_env=False,
        )
        control = httpx.AsyncClient(base_url=urls[BROKEN], trust_env=False)
        async with gateway, control:
            agents = Agents(gateway)
            await agents.calm()
            await agents.window(3.0, Seen())  # connections, code, caches of the mocks
            return [await self._fault(name, agents, control) for name in faults]

    async def _fault(self, name: str, agents: Agents, control: httpx.AsyncClient) -> Result:
        quiet, broken, pairs = Seen(), Seen(), []
        for _ in range(self._pairs):
            before, during = Seen(), Seen()
            await agents.window(self._seconds, before)
            (await control.post("/__mock__/faults", json={"rules": [FAULTS[name]]})).raise_for_status()
            await agents.window(self._seconds, during)
            (await control.post("/__mock__/faults", json={"rules": []})).raise_for_status()
            await agents.calm()
            pairs.append(p99(during.others) / p99(before.others))
            for whole, part in ((quiet, before), (broken, during)):
                whole.others += part.others
                whole.joined += part.joined
                whole.named += part.named
                whole.whole += part.whole
                whole.failed += part.failed
        told = ", ".join(f"{each:.2f}" for each in pairs)
        say(f"{name}: p99 of the others {p99(quiet.others):.1f} ms, with it {p99(broken.others):.1f}; pairs {told}")
        return Result(name, pairs, quiet, broken)

    def _source(self, name: str, seed: int, core: int) -> str:
        port = processes.free_port()
        command = [sys.executable, "-m", "mock_servers.servicenow", "--port", str(port), "--estate", "300"]
        process = processes.start([*command, "--seed", str(seed)], core=core, log=self._folder / f"{name}.log")
        self._stack.enter_context(processes.running(process))
        processes.wait_until_answers(f"http://{HOST}:{port}/__mock__/stats", process, within_s=60)
        return f"http://{HOST}:{port}"

    def _serve(self, stand: Stand, core: int) -> None:
        process = processes.start([*INTERLOCK_SERVE, str(stand.config)], core=core, log=self._folder / "gateway.log")
        self._stack.enter_context(processes.running(process))
        processes.wait_until_answers(f"http://{HOST}:{stand.port}/readyz", process)


def rows(found: Sequence[Result]) -> list[dict[str, Any]]:
    """``name``, ``value``, ``budget``, ``ok`` of each figure; one without a budget is there to be read."""
    out: list[dict[str, Any]] = []

    def row(name: str, value: float, budget: float | None = None, *, least: bool = False) -> None:
        ok = budget is None or (value >= budget if least else value <= budget)
        out.append({"name": name, "value": round(value, 3), "budget": budget, "ok": ok})

    for each in found:
        calls = len(each.broken.joined)
        row(f"{each.fault}: p99 of the others, times undisturbed, median of pairs", each.times, MOST_TIMES)
        row(f"{each.fault}: errors of the others", each.broken.failed, 0)
        row(
            f"{each.fault}: joined answers that have the others' rows and name it, share",
            each.broken.named / calls,
            1.0,
            least=True,
        )
        row(
            f"{each.fault}: undisturbed joined answers that are whole, share",
            each.quiet.whole / len(each.quiet.joined),
            1.0,
            least=True,
        )
        row(f"{each.fault}: p99 of the others undisturbed, ms", p99(each.quiet.others))
        row(f"{each.fault}: p99 of the others, ms", p99(each.broken.others))
        row(f"{each.fault}: the worst pair, times", max(each.pairs))
        middle = sorted(each.broken.joined)[calls // 2]
        row(f"{each.fault}: joined search, p50 ms", middle)
        row(f"{each.fault}: joined search, p99 ms", p99(each.broken.joined))
    return out


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.isolation", description=__doc__)
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a window")
    parser.add_argument("--pairs", type=int, default=5, help="windows without and with each fault")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-isolation-")))
        run = Run(folder, stack, options.seconds, options.pairs)
        result = rows(asyncio.run(run([name for name in options.faults.split(",") if name])))
    if options.out is not None:
        command = f"python -m benchmarks.isolation --seconds {options.seconds:g} --pairs {options.pairs}"
        options.out.write_text(json.dumps({"command": command, "rows": result}, indent=1) + "\n")
    if options.json:
        print(json.dumps(result))
    else:
        for row in result:
            mark = "-" if row["budget"] is None else "ok" if row["ok"] else "MISSED"
            print(f"{row['name']:<76} {row['value']:>9}  {mark}")
    return 0 if all(row["ok"] for row in result) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Budgets of a call, measured side by side. ``python -m benchmarks.budgets [--only B1,B2] [--json]``

Every figure is the median of alternating rounds (A B A B A B). CPU is user and system time of the server's
process tree in a window, divided by the answers in that window. The server under test has a core of its
own; backend and load generator share the other one. docs/performance.md says what each budget is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import processes
from benchmarks.bench import INTERLOCK_SERVE, NUMBER, Bench, Server, say
from benchmarks.load import HOST, Target, Window, post
from benchmarks.stands import MODERN, REF, SYS_ID, prepare
from interlock.gateway.describe import MAX_LISTED
from interlock.tools.catalogue import BY_NAME, GENERAL

SLOW_AGENTS = 256
SLOW_S = 0.05
IDLE_S = 2.0
CACHED = json.dumps({"ref": REF, "max_age_s": 60}).encode()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. A row without a budget is there to be read."""

    name: str
    value: float
    budget: float | None
    ok: bool


def at_most(name: str, value: float, budget: float | None = None) -> Row:
    return Row(name, round(value, 4), budget, budget is None or value <= budget)


def at_least(name: str, value: float, budget: float) -> Row:
    return Row(name, round(value, 4), budget, value >= budget)


def cpu(windows: Sequence[Window]) -> float:
    """Milliseconds of CPU a call: the median."""
    return statistics.median(window.cpu_ms for window in windows)


def mcp(port: int, params: dict[str, Any], method: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """A request of MCP 2026-07-28 as a client sends it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "benchmarks", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    all_headers = [
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", method),
        *headers,
    ]
    return post("/mcp", port, json.dumps(message).encode(), all_headers)


async def b1(bench: Bench) -> list[Row]:
    servers = [bench.proxy(), bench.reader("governed"), bench.reader("committed", reads="committed")]
    p, queued, committed = (cpu(windows) for windows in await bench.alternate(servers, 16))
    return [
        at_most("B1 governed REST read, 16 at once, CPU of P's", queued / p, 0.50),
        at_most("B1 the same, ledger.reads: committed", committed / p, 0.50),
        at_most("B1 governed, CPU ms a call", queued),
        at_most("B1 governed, committed, CPU ms a call", committed),
        at_most("B1 P, CPU ms a call", p),
    ]


async def b2(bench: Bench) -> list[Row]:
    servers = [bench.reader("ungoverned", ungoverned=True), bench.reader("governed2")]
    rows = []
    for concurrency, budget in ((16, 0.12), (1, 0.30)):
        without, governed = await bench.alternate(servers, concurrency)
        # The difference of a round's neighbours: what drifts during the run falls out.
        cost = statistics.median(b.cpu_ms - a.cpu_ms for a, b in zip(without, governed, strict=True))
        rows.append(at_most(f"B2 governance, CPU ms a call, {concurrency} at once", cost, budget))
        rows.append(at_most(f"B2 without it, CPU ms a call, {concurrency} at once", cpu(without)))
    return rows


async def b3(bench: Bench) -> list[Row]:
    sdk_pid, sdk_port = bench.sdk()
    pid, stand = bench.gateway("mcp")
    called = [("mcp-name", "incident_get")]
    theirs = mcp(sdk_port, {"name": "incident_get", "arguments": {"sys_id": SYS_ID}}, "tools/call", called)
    key = ("authorization", f"Bearer {stand.keys[0]}")
    ours = mcp(stand.port, {"name": "incident_get", "arguments": {"ref": REF}}, "tools/call", [*called, key])
    servers = [
        Server(
            "M",
            sdk_pid,
            Target(sdk_port, (theirs,)),
            lambda answer: answer["result"]["structuredContent"]["number"] == NUMBER,
        ),
        Server(
            "mcp",
            pid,
            Target(stand.port, (ours,)),
            lambda answer: answer["result"]["structuredContent"]["data"]["number"] == NUMBER,
        ),
    ]
    m, governed = (cpu(windows) for windows in await bench.alternate(servers, 16))
    return [
        at_most("B3 governed MCP tools/call, 16 at once, CPU of M's", governed / m, 0.50),
        at_most("B3 governed, CPU ms a call", governed),
        at_most("B3 M, CPU ms a call", m),
    ]


async def b5(bench: Bench) -> list[Row]:
    # One slot in sixteen is kept for settling writes, so 256 callers at once need a few more than 256.
    source = {"limits": {"concurrency": SLOW_AGENTS * 9 // 8, "per_second": None, "queue": 1024}}
    server = bench.reader("slow", prefix="/slow", agents=SLOW_AGENTS, source=source)
    # 256 agents log in and connect at once: that burst is over before the window begins.
    (windows,) = await bench.alternate([server], SLOW_AGENTS, warm_s=4.0)
    ideal = SLOW_AGENTS / SLOW_S
    return [
        at_least(
            "B5 256 agents, backend 50 ms, share of ideal throughput",
            statistics.median(window.per_second for window in windows) / ideal,
            0.60,
        ),
        at_most("B5 p99 ms", statistics.median(window.p99_ms for window in windows), 150.0),
        at_most("B5 CPU ms a call", cpu(windows)),
    ]


async def b6(bench: Bench) -> list[Row]:
    tools = [name for name in BY_NAME if name not in GENERAL]
    sdk_pid, sdk_port = bench.sdk(MAX_LISTED)
    pid, stand = bench.gateway("list", tools=tools)
    key = ("authorization", f"Bearer {stand.keys[0]}")

    def right(answer: Any) -> bool:
        return len(answer["result"]["tools"]) == MAX_LISTED

    servers = [
        Server("M list", sdk_pid, Target(sdk_port, (mcp(sdk_port, {}, "tools/list", ()),)), right),
        Server("list", pid, Target(stand.port, (mcp(stand.port, {}, "tools/list", [key]),)), right),
    ]
    m, ours = (cpu(windows) for windows in await bench.alternate(servers, 16))
    return [
        at_most(f"B6 tools/list of {MAX_LISTED} tools, CPU of M's", ours / m, 0.05),
        at_most("B6 ours, CPU ms a call", ours),
        at_most("B6 M, CPU ms a call", m),
    ]


async def b9(bench: Bench) -> list[Row]:
    colds, pss, rss = [], [], []
    for number in range(bench.rounds):
        port = processes.free_port()
        stand = prepare(bench.folder / f"cold{number}", port, bench.backend)
        command = [*INTERLOCK_SERVE, str(stand.config)]
        process = processes.start(command, core=bench.server_core, log=bench.folder / "cold.log")
        with processes.running(process):
            colds.append(processes.wait_until_answers(f"http://{HOST}:{port}/readyz", process))
            time.sleep(IDLE_S)  # noqa: ASYNC251 - nothing else is to happen meanwhile
            one, other = processes.memory_mib(process.pid)
            pss.append(one)
            rss.append(other)
        say(f"  cold start {colds[-1]:.2f} s, idle {pss[-1]:.1f} MiB proportional, {rss[-1]:.1f} resident")
    return [
        at_most("B9 interlock serve, seconds to ready", statistics.median(colds), 2.5),
        at_most("B9 idle memory, MiB (PSS)", statistics.median(pss), 120.0),
        at_most("B9 idle memory, MiB (RSS)", statistics.median(rss)),
    ]


async def b10(bench: Bench) -> list[Row]:
    server = bench.reader("cached", CACHED)
    (windows,) = await bench.alternate([server], 16)
    return [at_most("B10 cached governed read, CPU ms a call", cpu(windows), 0.15)]


BUDGETS: dict[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "B1": b1,
    "B2": b2,
    "B3": b3,
    "B5": b5,
    "B6": b6,
    "B9": b9,
    "B10": b10,
}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


async def measure(names: Sequence[str], rounds: int, seconds: float, out: Path | None) -> list[Row]:
    """The rows of the named budgets."""
    server_core, load_core = processes.cores()
    if server_core == load_core:
        say("one core only: load and server share it; CPU a call stays comparable, throughput does not")
    processes.stay_on(load_core)
    rows: list[Row] = []
    record: dict[str, Any] = {"at": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()), "machine": machine()}
    record.update(rounds=rounds, window_s=seconds, windows={})
    for name in names:
        say(name)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-bench-")))
            bench = Bench(folder, stack, rounds, seconds, server_core, load_core)
            try:
                rows += await BUDGETS[name](bench)
            except Exception:
                show_logs(folder)
                raise
            record["windows"][name] = bench.windows
    record["rows"] = [asdict(row) for row in rows]
    if out is not None:
        write(out, record)
    return rows


def show_logs(folder: Path) -> None:
    """What the servers said, when one did not do what it should."""
    for log in sorted(folder.glob("*.log")):
        say(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


def write(path: Path, record: dict[str, Any]) -> None:
    """Keep a run."""
    path.write_text(json.dumps(record, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets", description="Measure budgets of a call.")
    parser.add_argument("--only", default=",".join(BUDGETS), help="budgets, separated by commas")
    parser.add_argument("--json", action="store_true", help="a list of name, value, budget, ok on stdout")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating windows")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a window")
    parser.add_argument("--out", type=Path, help="also write every window there, as JSON")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in BUDGETS]:
        parser.error(f"no such budget: {', '.join(unknown)}; there are {', '.join(BUDGETS)} (B7: benchmarks.ledger)")
    rows = uvloop.run(measure(names, options.rounds, options.seconds, options.out))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        for row in rows:
            mark = "-" if row.budget is None else "ok" if row.ok else "MISSED"
            print(f"{row.name:<60} {row.value:>10}  budget {row.budget or '-'!s:>6}  {mark}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

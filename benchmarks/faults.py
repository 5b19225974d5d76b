"""Writes while everything goes wrong. ``python -m benchmarks.faults --suite writes --n 500 [--json]``

(``--suite harvest``: harvests that are killed, see ``fault_harvests``.)

A real ``interlock serve`` against the mock ServiceNow over real sockets. The source commits and then says
nothing, or 500, 502, 429; commits after the client gave up; is slow; drops connections before or after it
committed. The gateway is killed (-9) in the middle and started again on the same state. A third of the
agents never ask again. Afterwards the source's records, the journal and what agents were told are compared.
The same seed gives the same writes and the same plan of faults; the machine's timing stays its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks import processes
from benchmarks.bench import INTERLOCK_SERVE, say
from benchmarks.fault_clients import Clients, Intent, intents
from benchmarks.fault_truth import Findings, Store, compare, journal, unsettled
from benchmarks.load import HOST
from benchmarks.stands import Stand, prepare
from interlock.governance.ledger import verify

AGENTS = 8
AT_ONCE = 12
TIMEOUT_S = 0.6
SETTLE_S = 2.0
LATE_S = 1.5  # after the client gave up
BETWEEN_KILLS = 80  # writes
SETTLING_S = 150.0
SUBMITTING_S = 420.0
TOOLS = ("incident_create", "incident_update", "incident_add_note", "incident_resolve")
READ: dict[str, Any] = {"incident": {}, "ci": {}, "person": {}, "group": {}}
SOURCE: dict[str, Any] = {
    "auth": {"basic": {"username": "integration", "password": "integration"}},
    "timeout_s": TIMEOUT_S,
    "limits": {"concurrency": 16, "per_second": None, "queue": 256},
}
WRITES: dict[str, Any] = {"methods": ["POST", "PATCH"], "path": "/table/incident"}
PLAN: tuple[dict[str, Any], ...] = (
    {"fault": "timeout_after", "probability": 0.06},
    {"fault": "late_commit", "probability": 0.06, "seconds": LATE_S},
    {"fault": "drop_after", "probability": 0.05},
    {"fault": "error_after", "probability": 0.04, "status": 500},
    {"fault": "error_after", "probability": 0.04, "status": 502},
    {"fault": "error_after", "probability": 0.02, "status": 429},
    {"fault": "error_before", "probability": 0.03, "status": 500},
    {"fault": "timeout_before", "probability": 0.03},
    {"fault": "drop_before", "probability": 0.04},
    {"fault": "rate_limit", "probability": 0.01, "seconds": 1.0},
    {"fault": "truncate", "probability": 0.02},
    {"fault": "html", "probability": 0.02, "status": 200, "variant": "maintenance"},
    {"fault": "latency", "probability": 0.06, "seconds": 0.3},
    {"fault": "latency", "probability": 0.03, "seconds": 1.0},
)
READS: tuple[dict[str, Any], ...] = (
    {"fault": "error_before", "probability": 0.01, "status": 503, "methods": ["GET"]},
    {"fault": "drop_before", "probability": 0.01, "methods": ["GET"]},
    {"fault": "latency", "probability": 0.03, "seconds": 0.2, "methods": ["GET"]},
)


@dataclass(slots=True)
class Run:
    """One run: the source, the gateway that is killed and started again, and the agents."""

    folder: Path
    stack: ExitStack
    count: int
    seed: int
    settle_s: float = SETTLE_S
    source: str = ""
    kills: int = 0
    submitted: int = 0

    async def __call__(self) -> tuple[Findings, list[Intent], bool]:
        """What was found, the agents, and whether the ledger verifies."""
        self.source = self._start_source()
        work = intents(self.count, AGENTS, self.seed)
        async with httpx.AsyncClient(base_url=self.source, timeout=30, trust_env=False) as control:
            await self._seed_targets(control, work)
            port = processes.free_port()
            stand = prepare(
                self.folder,
                port,
                self.source,
                agents=AGENTS,
                tools=TOOLS,
                source={**SOURCE, "settle_s": self.settle_s},
                read=READ,
            )
            gateway = self._serve(stand)
            rules = [{**WRITES, **rule} for rule in PLAN] + list(READS)
            (await control.post("/__mock__/faults", json={"rules": rules, "seed": self.seed})).raise_for_status()
            gateway = await self._submit(stand, gateway, work, control)
            fired = (await control.get("/__mock__/stats")).json()["faults"]
            await self._settle(stand, control)
            processes.stop(gateway)
            say(f"faults that happened: {fired}")
            store = Store.read(
                (await control.get("/__mock__/records", params={"table": "incident"})).json()["records"],
                (await control.get("/__mock__/records", params={"table": "sys_journal_field"})).json()["records"],
            )
        state = self.folder / "state"
        return compare(work, journal(state), store), work, verify(state).ok

    def _start_source(self) -> str:
        port = processes.free_port()
        command = [sys.executable, "-m", "mock_servers.servicenow", "--port", str(port)]
        process = processes.start(command, log=self.folder / "source.log")
        self.stack.enter_context(processes.running(process))
        processes.wait_until_answers(f"http://{HOST}:{port}/__mock__/stats", process)
        return f"http://{HOST}:{port}"

    def _serve(self, stand: Stand) -> subprocess.Popen[bytes]:
        process = processes.start([*INTERLOCK_SERVE, str(stand.config)], log=self.folder / "gateway.log")
        self.stack.enter_context(processes.running(process))
        processes.wait_until_answers(f"http://{HOST}:{stand.port}/readyz", process)
        return process

    async def _seed_targets(self, control: httpx.AsyncClient, work: Sequence[Intent]) -> None:
        """An incident for every update and resolve, and some that notes share."""
        say("making incidents to write to")
        shared = [await self._incident(control, f"shared {number}") for number in range(20)]
        for intent in work:
            if intent.op == "note":
                intent.target = shared[intent.number % len(shared)]
            elif intent.op != "create":
                intent.target = await self._incident(control, f"target {intent.number}")

    async def _incident(self, control: httpx.AsyncClient, title: str) -> str:
        values = {"short_description": title, "category": "network", "impact": "2", "urgency": "2", "state": "2"}
        made = await control.post("/api/now/table/incident", json=values, auth=("admin", "admin"))
        made.raise_for_status()
        return str(made.json()["result"]["number"])

    async def _submit(
        self, stand: Stand, gateway: subprocess.Popen[bytes], work: Sequence[Intent], control: httpx.AsyncClient
    ) -> subprocess.Popen[bytes]:
        """All agents at work; the gateway dies every so many writes. Returns the last gateway."""
        chance = random.Random(self.seed + 1)
        kill_at = [
            at + chance.randrange(BETWEEN_KILLS // 2)
            for at in range(BETWEEN_KILLS // 2, self.count - BETWEEN_KILLS // 2 + 1, BETWEEN_KILLS)
        ]

        def done() -> None:
            self.submitted += 1

        clients = Clients(f"http://{HOST}:{stand.port}", stand.keys, AT_ONCE, done)
        task = asyncio.create_task(clients.run(work))
        began = told = time.monotonic()
        while not task.done():
            await asyncio.wait({task}, timeout=0.02)
            now = time.monotonic()
            if kill_at and self.submitted >= kill_at[0]:
                kill_at.pop(0)
                gateway.send_signal(signal.SIGKILL)
                gateway.wait()
                self.kills += 1
                gateway = await asyncio.to_thread(self._serve, stand)
            if self.submitted == self.count and not kill_at:
                # All is asked: from here on the source behaves, so that what is open can end.
                with suppress(httpx.HTTPError):
                    await control.post("/__mock__/faults", json={"rules": []}, timeout=2)
            if now - told > 5:
                told = now
                say(f"{now - began:5.0f} s  {self.submitted}/{self.count} asked, {self.kills} kills")
            if now - began > SUBMITTING_S:
                say("agents stop insisting: the time is over")
                clients.stop.set()
        await task
        return gateway

    async def _settle(self, stand: Stand, control: httpx.AsyncClient) -> None:
        """Wait until the gateway has brought every write to an end, or a person was told."""
        (await control.post("/__mock__/faults", json={"rules": []})).raise_for_status()
        began = time.monotonic()
        while time.monotonic() - began < SETTLING_S:
            pending = (await control.get("/__mock__/stats")).json()["pending"]
            left = unsettled(await asyncio.to_thread(journal, self.folder / "state"))
            if not left and not pending:
                say(f"settled after {time.monotonic() - began:.0f} s")
                return
            say(f"settling: {len(left)} open, {pending} commits to come")
            await asyncio.sleep(3)


def rows(found: Findings, work: Sequence[Intent], verified: bool, kills: int, seconds: float) -> list[dict[str, Any]]:
    """The result as a list of name, value, budget, ok."""

    def zero(name: str, words: Sequence[str]) -> dict[str, Any]:
        return {"name": name, "value": len(words), "budget": 0, "ok": not words}

    def told(name: str, value: float) -> dict[str, Any]:
        return {"name": name, "value": value, "budget": None, "ok": True}

    return [
        zero("duplicates", found.duplicates),
        zero("lost: the journal says applied, the source has it not", found.lost),
        zero("false applied: an agent was told applied, the source has it not", found.false_applied),
        zero("false not_applied: the source has it", found.false_not_applied),
        zero("unsettled and without a person", found.unsettled),
        zero("in the source without a row in the journal", found.unrecorded),
        {"name": "ledger verifies", "value": int(verified), "budget": 1, "ok": verified},
        told("writes asked for", len(work)),
        told("kill -9", kills),
        told("answers that agents lost", sum(intent.lost_answers for intent in work)),
        *(told(f"journal: {state}", count) for state, count in sorted(found.ends.items())),
        told("found by probe", found.found_by_probe),
        told("sent again after the quiet period", found.sent_again),
        told("agents that insisted and do not know", sum(i.insists and not i.knows for i in work)),
        told("seconds", round(seconds, 1)),
    ]


def _writes(folder: Path, stack: ExitStack, options: argparse.Namespace) -> list[dict[str, Any]]:
    began = time.monotonic()
    run = Run(folder, stack, options.n or 500, options.seed, options.settle_s)
    found, work, verified = asyncio.run(run())
    problems = sum((intent.problems for intent in work), Counter[str]())
    say(f"problems that agents were told: {dict(problems)}")
    for name in ("duplicates", "lost", "false_applied", "false_not_applied", "unsettled", "unrecorded"):
        for word in getattr(found, name)[:10]:
            say(f"{name}: {word}")
    return rows(found, work, verified, run.kills, time.monotonic() - began)


def _harvests(folder: Path, stack: ExitStack, options: argparse.Namespace) -> list[dict[str, Any]]:
    from benchmarks import fault_harvests

    began = time.monotonic()
    run = fault_harvests.HarvestRun(folder, stack, options.n or 50, options.seed)
    run()
    return fault_harvests.rows(run, time.monotonic() - began)


SUITES = {"writes": _writes, "harvest": _harvests}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--suite", choices=["writes", "harvest"], default="writes")
    parser.add_argument("--n", type=int, help="writes (500), or kills of a harvest (50)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--settle-s", type=float, default=SETTLE_S, help="the quiet period; too short (0) must show duplicates"
    )
    parser.add_argument("--json", action="store_true", help="a list of name, value, budget, ok on stdout")
    parser.add_argument("--out", type=Path, help="also write the result there")
    parser.add_argument("--keep", type=Path, help="run in this folder and leave it")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-faults-")))
        folder.mkdir(parents=True, exist_ok=True)
        result = SUITES[options.suite](folder, stack, options)
    if options.out is not None:
        options.out.write_text(json.dumps({"seed": options.seed, "rows": result}, indent=1) + "\n")
    if options.json:
        print(json.dumps(result))
    else:
        for row in result:
            mark = "-" if row["budget"] is None else "ok" if row["ok"] else "MISSED"
            print(f"{row['name']:<66} {row['value']:>8}  {mark}")
    return 0 if all(row["ok"] for row in result) else 1


if __name__ == "__main__":
    sys.exit(main())

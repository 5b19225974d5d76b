"""Harvests and scans killed at random moments: ``python -m benchmarks.faults --suite harvest [--n 50] [--json]``.

A mock ServiceNow over real sockets, ``interlock harvest`` and then ``interlock scan`` as processes of their own,
which are killed (-9) and started again until they have been killed often enough, then left to end. Beside them the
same harvest and scan are never disturbed. Between the rounds records change, come and go. After each round both
have to hold the same, row for row: snapshots, findings, and the flags in force. At every kill, whatever is
published has to be whole.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import yaml

from benchmarks import processes
from benchmarks.bench import say
from benchmarks.load import HOST
from interlock.quality.harvest.history import runs
from interlock.quality.harvest.parts import part_at
from interlock.quality.harvest.snapshots import Snapshot, Snapshots
from interlock.quality.scan.records import Scans

CIS = 3000
ROUNDS = 5
SCANS = 4  # of ten kills
CHANGES = 60  # records of each round that change, come or go
INTERLOCK = str(Path(sys.executable).with_name("interlock"))
HARVEST = {"page": 50, "per_second": 100, "checkpoint_s": 0.05, "overlap_s": 5}
ENDING_S = 120.0
AHEAD_S = 3600


@dataclass(slots=True)
class Kills:
    """How many processes were killed, and what each left behind."""

    asked: int = 0
    landed: int = 0
    scans: int = 0
    in_the_middle: int = 0  # a draft with counted parts was there
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Side:
    """One gateway's folder: its configuration and snapshots."""

    folder: Path
    config: Path

    @property
    def snapshots(self) -> Snapshots:
        return Snapshots(self.folder / "state" / "snapshots")

    def command(self, *words: str) -> list[str]:
        return [INTERLOCK, *words, "-c", str(self.config)]


class HarvestRun:
    """All rounds against one source."""

    def __init__(self, folder: Path, stack: ExitStack, kills: int, seed: int) -> None:
        self.folder = folder
        self.stack = stack
        self.chance = random.Random(seed)
        self.wanted = kills
        self.as_of = datetime.fromtimestamp(time.time() + AHEAD_S, UTC).isoformat()
        self.findings = 0
        self.kills = Kills()
        self.different: list[str] = []
        self.compared = 0
        self.resumed = 0

    def __call__(self) -> None:
        """Raises RuntimeError when a harvest that nobody disturbs does not end well."""
        source = self._start_source()
        calm, struck = (self._side(name, source) for name in ("calm", "struck"))
        for number in range(ROUNDS):
            if number:
                self._change(source, number)
            time.sleep(1.1)  # the source's times have whole seconds
            share = self.wanted // ROUNDS + (number < self.wanted % ROUNDS)
            words = ["--full"] if number % 2 == 0 else []
            for what, kills in (("harvest", share - share * SCANS // 10), ("scan", share * SCANS // 10)):
                took = self._undisturbed(calm, what, *words)
                self._strike(struck, kills, took, what, *words)
                self._undisturbed(struck, what)
            self._compare(calm, struck, number)
            self._compare_scans(calm, struck, number)
            say(f"round {number + 1}: {self.kills.landed} kills, {self.kills.in_the_middle} in the middle, "
                f"{len(self.different)} rows differ")  # fmt: skip
        self.resumed = sum(
            run.resumed for _, kind in struck.snapshots.kinds() for run in runs(struck.snapshots, "snow", kind)
        )

    def _start_source(self) -> str:
        port = processes.free_port()
        command = [sys.executable, "-m", "mock_servers.servicenow", "--port", str(port), "--estate", str(CIS)]
        process = processes.start(command, log=self.folder / "source.log")
        self.stack.enter_context(processes.running(process))
        processes.wait_until_answers(f"http://{HOST}:{port}/__mock__/stats", process)
        return f"http://{HOST}:{port}"

    def _side(self, name: str, source: str) -> Side:
        folder = self.folder / name
        folder.mkdir(parents=True)
        entry = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": source,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
            "limits": {"per_second": None},
            "harvest": HARVEST,
        }
        config = folder / "interlock.yaml"
        # Both judge as of one moment, later than any change here.
        config.write_text(yaml.safe_dump({"state": "state", "as_of": self.as_of, "sources": {"snow": entry}}))
        return Side(folder, config)

    def _undisturbed(self, side: Side, *words: str) -> float:
        """Harvest or scan to the end; gives the seconds it took."""
        began = time.monotonic()
        process = processes.start(side.command(*words), log=side.folder / "log")
        with processes.running(process):
            if process.wait(ENDING_S) != 0:
                said = (side.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{words} ended with {process.returncode}:\n{said}")
        return time.monotonic() - began

    def _strike(self, side: Side, kills: int, usual_s: float, *words: str) -> None:
        """Start it and kill it at a random moment, until so many kills found it running."""
        left = kills
        while left:
            process = processes.start(side.command(*words), log=side.folder / "log")
            self.kills.asked += 1
            try:
                process.wait(self.chance.uniform(0.3, 1.0) * usual_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                left -= 1
                self.kills.landed += 1
                self.kills.scans += words[0] == "scan"
                self._look(side)

    def _look(self, side: Side) -> None:
        """What a reader finds right after a kill."""
        snapshots = side.snapshots
        for source, kind in snapshots.kinds():
            told = snapshots.place(source, kind) / "draft.json"
            if told.exists() and json.loads(told.read_bytes())["parts"]:
                self.kills.in_the_middle += 1
        self.kills.broken += [word for each in snapshots.all_current() if (word := damage(each))]

    def _change(self, source: str, number: int) -> None:
        """Records change, come and go, as on any day."""
        with httpx.Client(base_url=source, auth=("admin", "admin"), timeout=30, trust_env=False) as control:
            for table, column in (("incident", "short_description"), ("cmdb_ci_linux_server", "short_description")):
                address = f"/api/now/table/{table}"
                found = control.get(address, params={"sysparm_fields": "sys_id", "sysparm_limit": "10000"})
                handles = sorted(row["sys_id"] for row in found.json()["result"])
                for handle in self.chance.sample(handles, CHANGES // 6):
                    control.patch(f"{address}/{handle}", json={column: f"round {number}"}).raise_for_status()
                for handle in self.chance.sample(handles, CHANGES // 6):
                    control.delete(f"{address}/{handle}").raise_for_status()
                for _ in range(CHANGES // 6):
                    control.post(address, json={column: f"new in {number}", "name": "new"}).raise_for_status()

    def _compare(self, calm: Side, struck: Side, number: int) -> None:
        for source, kind in calm.snapshots.kinds():
            one, other = (side.snapshots.current(source, kind) for side in (calm, struck))
            if one is None or other is None:
                self.different.append(f"round {number}: {kind} is missing")
                continue
            self.compared += one.manifest.rows
            self.different += [f"round {number}: {kind} {handle}" for handle in differing(one, other)]

    def _compare_scans(self, calm: Side, struck: Side, number: int) -> None:
        """The findings of the scan in force, and the open flags."""
        for what, read in (("finding", findings), ("flag", flags)):
            one, other = (read(side.folder / "state") for side in (calm, struck))
            self.findings += len(one)
            self.different += [f"round {number}: {what} {row[:4]}" for row in sorted(set(one) ^ set(other))]
            if len(one) != len(other) and set(one) == set(other):
                self.different.append(f"round {number}: a {what} that comes twice")


def findings(state: Path) -> list[tuple[str, ...]]:
    """What the scan in force found: check, kind, record, evidence."""
    scan = Scans(state).current()
    if scan is None:
        return []
    return duckdb.execute("SELECT * FROM read_parquet(?) ORDER BY ALL", [str(scan.findings)]).fetchall()


def flags(state: Path) -> list[tuple[str, ...]]:
    """The open flags: check, kind, record, evidence."""
    with closing(sqlite3.connect(f"file:{state / 'flags.sqlite'}?mode=ro", uri=True)) as con:
        return con.execute(
            "SELECT code, kind, ref, evidence FROM flag WHERE state = 'open' ORDER BY 1, 2, 3"
        ).fetchall()


def damage(snapshot: Snapshot) -> str | None:
    """What is wrong with a published snapshot, None when it is whole."""
    for path, part in zip(snapshot.files, snapshot.manifest.parts, strict=True):
        if not path.exists() or part_at(path, part["rows"]).digest != part["digest"]:
            return f"{path} is not what its manifest says"
    rows = _rows(snapshot, "SELECT count(*) FROM held")[0][0]
    return None if rows == snapshot.manifest.rows else f"{snapshot.folder}: {rows} rows, not {snapshot.manifest.rows}"


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    """Handles of rows that only one of them has so, or another number of times; but for when they were read."""
    query = "SELECT * EXCLUDE (observed_at) FROM held ORDER BY ALL"
    rows = [_rows(each, query) for each in (one, other)]
    if rows[0] == rows[1]:
        return []
    return sorted({str(row[1]) for row in set(rows[0]) ^ set(rows[1])}) or ["a row that comes twice"]


def _rows(snapshot: Snapshot, query: str) -> list[tuple[Any, ...]]:
    if not snapshot.files:
        return [(0,)] if "count" in query else []
    con = duckdb.connect()
    files = ", ".join(f"'{path}'" for path in snapshot.files)
    return con.execute(f"WITH held AS (SELECT * FROM read_parquet([{files}])) {query}").fetchall()


def rows(run: HarvestRun, seconds: float) -> list[dict[str, Any]]:
    """The result as a list of name, value, budget, ok."""

    def zero(name: str, words: Sequence[str]) -> dict[str, Any]:
        for word in words[:10]:
            say(f"{name}: {word}")
        return {"name": name, "value": len(words), "budget": 0, "ok": not words}

    def told(name: str, value: float) -> dict[str, Any]:
        return {"name": name, "value": value, "budget": None, "ok": True}

    kills = run.kills
    return [
        zero("rows, findings and flags that differ from the undisturbed", run.different),
        zero("published snapshots that were not whole at a kill", kills.broken),
        {"name": "kill -9 while harvesting or scanning", "value": kills.landed, "budget": run.wanted,
         "ok": kills.landed >= run.wanted},
        told("drafts in the middle at a kill", kills.in_the_middle),
        told("harvests that went on", run.resumed),
        told("of the kills, while scanning", kills.scans),
        told("rows compared", run.compared),
        told("findings and flags compared", run.findings),
        told("processes started", kills.asked),
        told("seconds", round(seconds, 1)),
    ]  # fmt: skip

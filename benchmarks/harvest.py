"""What a harvest costs the client. ``python -m benchmarks.harvest [--cis 20000] [--json]``

The pages of a ServiceNow instance are recorded once from the mock and served by a process that only writes bytes.
CPU of this process, threads included: harvesting them (requests, JSON, mapping, stored rows, Parquet, fsync,
publishing), against a bare pager that sends the same requests over the same connection layer, parses each answer
with orjson and drops it. Compiling the mapping once and importing are not counted; the collector of garbage is set
for both as ``interlock harvest`` sets it. Median of the rounds, the two taking turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from mock_servers.estate import Size, generate
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow import MockServiceNow, Store

from benchmarks.page_replay import Recording
from benchmarks.processes import free_port, start, wait_until_answers
from interlock.adapterkit.session import open_transport
from interlock.adapterkit.wire import Call, Limits, Trust
from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.places import place
from interlock.quality.harvest.columnwise import little_garbage
from interlock.quality.harvest.run import harvest_source
from interlock.quality.harvest.snapshots import Snapshots
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

KINDS = ("ci", "relationship", "incident")
AS_OF = 1_772_356_500.0  # 2026-03-01 09:15:00 UTC
ROUNDS = 5
_AUTH = {"authorization": "Basic YWRtaW46YWRtaW4="}


def _config(url: str) -> SourceConfig:
    return SourceConfig.model_validate(
        {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
            "limits": {"per_second": None},
            "harvest": {"page": 1000},
        },
        context={"environ": {}, "folder": Path()},
    )


async def record(cis: int, file: Path) -> dict[str, list[str]]:
    """Have the mock render every page that a harvest asks for; gives their addresses by kind."""
    store = Store()
    store.load(tables(generate(0, Size.of(cis, cis // 2), AS_OF)))
    asked: dict[str, list[str]] = {}
    recordings: list[Recording] = []

    def wire(inner: Any) -> Recording:
        recordings.append(Recording(inner))
        return recordings[0]

    clock = SystemClock()
    async with MockServiceNow(store) as mock:
        config = _config(mock.url)
        source = build_source(
            "snow", config, place("adapters") / "servicenow", clock, silent_telemetry(clock), wire=wire
        )
        with tempfile.TemporaryDirectory() as folder:
            for kind in KINDS:
                before = len(recordings[0].pages)
                await harvest_source(source, config, Snapshots(Path(folder)), kinds=(kind,))
                asked[kind] = list(recordings[0].pages)[before:]
        await source.close()
    recordings[0].save(file)
    return asked


async def page_through(url: str, targets: Sequence[str]) -> int:
    """The bare pager: fetch, parse, drop. Gives the rows it saw."""
    transport = open_transport("auto", Limits(), Trust(), SystemClock())
    seen = 0
    try:
        for target in targets:
            answer = await transport.send(Call("GET", url + target, _AUTH))
            seen += len(orjson.loads(answer.body)["result"])
    finally:
        await transport.close()
    return seen


async def harvest(source: Source, config: SourceConfig, kind: str) -> int:
    """The whole harvest of one kind into a folder of its own. Gives the rows in the snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        [run] = await harvest_source(source, config, Snapshots(Path(folder)), kinds=(kind,))
    await source.close()
    if run.outcome != "published":
        raise RuntimeError(f"{kind}: {run.outcome}: {run.detail}")
    return run.rows


def _opened(url: str) -> tuple[Source, SourceConfig]:
    clock = SystemClock()
    config = _config(url)
    return build_source("snow", config, place("adapters") / "servicenow", clock, silent_telemetry(clock)), config


def _cpu(work: Any) -> tuple[float, int]:
    began = time.process_time()
    rows = asyncio.run(work)
    return time.process_time() - began, rows


def harvest_cpu(cis: int = 20_000, rounds: int = ROUNDS) -> dict[str, Any]:
    """CPU seconds of both by kind, microseconds a row, and their ratio (``ratio``: of all kinds together)."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, little_garbage():
        file = Path(folder) / "pages"
        asked = asyncio.run(record(cis, file))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        server = start([sys.executable, "-m", "benchmarks.page_replay", str(file), "--port", str(port)])
        try:
            wait_until_answers(url, server)
            for kind in KINDS:
                times: tuple[list[float], list[float]] = ([], [])
                rows = 0
                for number in range(rounds + 1):
                    bare, _ = _cpu(page_through(url, asked[kind]))
                    ours, rows = _cpu(harvest(*_opened(url), kind))
                    if number:  # the first warms both up
                        times[0].append(bare)
                        times[1].append(ours)
                bare, ours = map(statistics.median, times)
                found[kind] = {
                    "rows": rows,
                    "pages": len(asked[kind]),
                    "bare_s": round(bare, 4),
                    "harvest_s": round(ours, 4),
                    "bare_us_a_row": round(bare / rows * 1e6, 2),
                    "harvest_us_a_row": round(ours / rows * 1e6, 2),
                    "ratio": round(ours / bare, 2),
                }
        finally:
            server.terminate()
            server.wait(10)
    ours, bare = (sum(entry[name] for entry in found.values()) for name in ("harvest_s", "bare_s"))
    return {"kinds": found, "ratio": round(ours / bare, 2), "goal": 1.5, "cis": cis}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.harvest", description=__doc__)
    parser.add_argument("--cis", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = harvest_cpu(options.cis)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for kind, entry in found["kinds"].items():
            print(f"{kind:14} {entry['rows']:>8,} rows  {entry['bare_us_a_row']:6.2f} us a row bare, "
                  f"{entry['harvest_us_a_row']:6.2f} harvested: {entry['ratio']} times")  # fmt: skip
        print(f"all: {found['ratio']} times (goal: at most {found['goal']})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

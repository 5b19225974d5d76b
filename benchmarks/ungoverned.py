"""The same server without governance, to measure what governance costs. ``python -m benchmarks.ungoverned FILE``

Faces, pipeline, source, mapping and rendering are the product's own. Replaced by parts that do nothing:
authentication, authority, budgets, row checks and the ledger. It serves reads only and is no mode of the
product.
"""

from __future__ import annotations

import argparse
import dataclasses
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop
from prometheus_client import CollectorRegistry

from interlock.clock import SystemClock
from interlock.config import Config, load_config
from interlock.faces.app import build_app
from interlock.faces.lean import LeanProtocol
from interlock.gateway.budget import Budgets
from interlock.gateway.context import Context
from interlock.gateway.cursors import Cursors
from interlock.gateway.pipeline import Pipeline
from interlock.gateway.reads import Reads
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.gateway.trail import Trail
from interlock.gateway.versions import Images
from interlock.gateway.writes import Writes
from interlock.governance.authority import Request
from interlock.governance.decide import Authority
from interlock.principals.authenticate import Authenticator
from interlock.principals.models import Agent, Scope
from interlock.quality.gate.quality import Quality
from interlock.quality.judge import Judged
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem
from interlock.telemetry import Log, Metrics, Telemetry
from interlock.tools.catalogue import BY_NAME

ANYBODY = Agent("anybody", "benchmarks", "None.", frozenset(BY_NAME), {kind: Scope() for kind in FIELDS})
_ALLOWED = Authority("allow")
_CLEAN = Judged((), frozenset(), "trusted")


class NoAuthentication:
    """Everybody is the same agent."""

    def authenticate(self, token: str) -> Agent:
        return ANYBODY


class NoPolicy:
    """Everything is allowed."""

    version = "none"

    def authorize(self, request: Request) -> Authority:
        return _ALLOWED


class NoBudgets(Budgets):
    """Nothing is counted."""

    def call(self, agent: Agent, now: float) -> float | None:
        return None


class NoQuality:
    """Every record is clean."""

    def judge(self, kind: str, record: Mapping[str, Any], now: float) -> Judged:
        return _CLEAN


class NoTrail:
    """Nothing is recorded."""

    ready = True

    async def finished(self, context: Context, at: float, problem: Problem | None) -> None:
        return


def ungoverned(runtime: Runtime) -> Runtime:
    """The same gateway with parts that do nothing in place of governance."""
    reads = Reads(runtime.sources, cast("Quality", NoQuality()), Cursors(secrets.token_bytes(32)), Images())
    pipeline = Pipeline(
        reads,
        cast("Writes", None),
        NoPolicy(),
        cast("Trail", NoTrail()),
        runtime.clock,
        runtime.clock,
        lambda: secrets.token_hex(10),
        runtime.telemetry.metrics,
        NoBudgets(),
    )
    return dataclasses.replace(runtime, principals=cast("Authenticator", NoAuthentication()), pipeline=pipeline)


async def serve(config: Config) -> None:
    """As ``interlock serve`` does."""
    clock = SystemClock()
    telemetry = Telemetry(Log(lambda _line: None, clock), Metrics(CollectorRegistry()))
    async with open_runtime(config, telemetry, settle=False) as runtime:
        options = uvicorn.Config(
            build_app(ungoverned(runtime)),
            host=config.listen.host,
            port=config.listen.port,
            access_log=False,
            log_config=None,
            server_header=False,
            http=LeanProtocol,
            proxy_headers=False,
            ws="none",
        )
        await uvicorn.Server(options).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ungoverned")
    parser.add_argument("config", type=Path)
    uvloop.run(serve(load_config(parser.parse_args().config)))

"""All steps for one source, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from interlock.adapterkit.connection import trusted
from interlock.adapterkit.wire import Transport
from interlock.clock import Clock
from interlock.config import SourceConfig, secrets_in
from interlock.conformance.bench import Tap
from interlock.conformance.declaration import load_declaration
from interlock.conformance.doctor import answers, line, records
from interlock.conformance.doctor.finding import Finding, ok, skipped, wrong
from interlock.conformance.doctor.trial import Trial, try_kinds
from interlock.records.problems import Problem
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import Telemetry

CONNECT_S = 5.0
_ORDER = ("name", "connect", "tls", "http", "credentials", "read", "clock", "limits")


async def examine(
    name: str, config: SourceConfig, folder: Path, clock: Clock, telemetry: Telemetry, *, cache: Path | None = None
) -> list[Finding]:
    """Every finding about a source. Nothing is written; ``folder`` is the adapter's.

    Secrets are removed from what the source says, not from our own words: there a short password would show by
    the gap that it leaves.
    """
    for secret in secrets_in(config):
        telemetry.log.scrubber.learn(secret.get_secret_value())
    return [each async for each in _steps(name, config, folder, clock, telemetry, cache)]


async def _steps(
    name: str, config: SourceConfig, folder: Path, clock: Clock, telemetry: Telemetry, cache: Path | None
) -> AsyncIterator[Finding]:
    taps: list[Tap] = []

    def tapped(transport: Transport) -> Transport:
        taps.append(Tap(transport))
        return taps[0]

    try:
        source = build_source(name, config, folder, clock, telemetry, cache=cache, wire=tapped)
    except Problem as problem:
        at = f"{problem.field}: " if problem.field else ""
        yield wrong("settings", f"{at}{problem.detail}.", problem.next_step or "Correct the configuration.")
        return
    try:
        yield ok("settings", "The configuration, the mapping and its overlays fit together.")
        tap = taps[0] if taps else None
        if tap is not None:
            async for finding in _line(config, clock):
                yield finding
                if finding.result == "wrong":
                    for step in _ORDER[_ORDER.index(finding.id) + 1 :]:
                        yield skipped(step, finding.id)
                    return
        async for finding in _calls(source, config, folder, clock, tap, telemetry.log.scrubber.clean):
            yield finding
    finally:
        await source.close()


async def _line(config: SourceConfig, clock: Clock) -> AsyncIterator[Finding]:
    assert config.base_url is not None  # else there would be no transport
    async for finding in line.walk(config.base_url, trusted(config), min(CONNECT_S, config.timeout_s), clock):
        yield finding


async def _calls(
    source: Source, config: SourceConfig, folder: Path, clock: Clock, tap: Tap | None, clean: Callable[[str], str]
) -> AsyncIterator[Finding]:
    trials = await try_kinds(source, sorted(source.kinds), tap, clock, clean)
    read_any = any(trial.problem is None for trial in trials)
    heard = [each for trial in trials for each in trial.heard]
    blocked = ""
    if tap is not None:
        http = answers.http(trials)
        yield http
        if http.result == "wrong":
            blocked = "http"
            yield skipped("credentials", "http")
        else:
            login = answers.credentials(trials, config)
            yield login
            blocked = "credentials" if login.result == "wrong" else ""
    if blocked:
        yield skipped("read", blocked)
    else:
        for finding in _kinds(source, trials):
            yield finding
    if tap is not None:
        yield answers.our_clock(heard)
        yield answers.limits(heard, config)
    if read_any:
        yield await records.time_zone(source, trials, config.time_zone, clock)
        for need in load_declaration(folder).needs:
            if need.kind in source.kinds:
                yield await records.ready(source, need, config.settings)


def _kinds(source: Source, trials: list[Trial]) -> list[Finding]:
    tried = {trial.kind for trial in trials}
    found = [records.readable(source, trial) for trial in trials]
    found += [skipped(f"read.{kind}", f"read.{trials[-1].kind}") for kind in sorted(source.kinds - tried)]
    return found + records.writable(source, trials)

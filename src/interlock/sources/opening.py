"""From a configuration to open sources."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interlock.adapterkit.abilities import abilities_of
from interlock.adapterkit.connection import connect
from interlock.adapterkit.loader import open_adapter
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.wire import Transport
from interlock.clock import Clock
from interlock.config import Auth, Config, ConfigError, SourceConfig, available_adapters, secrets_in
from interlock.places import place
from interlock.records.problems import Problem
from interlock.sources.source import Facts, Source
from interlock.telemetry import Telemetry

LOG_IN_WAIT_S = 1.0
"""How long starting waits for log-ins. A source that is slower is opened by the first call to it."""


class Sources(Mapping[str, Source]):
    """All configured sources by name."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources)

    def __getitem__(self, name: str) -> Source:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def health(self) -> list[dict[str, Any]]:
        """How each source does."""
        return [source.health() for source in self._sources.values()]

    async def close(self) -> None:
        """Close all; one that fails to does not keep the others open."""
        await asyncio.gather(*(source.close() for source in self._sources.values()), return_exceptions=True)


async def open_sources(
    config: Config, clock: Clock, telemetry: Telemetry, *, places: Callable[[str], Path] = place
) -> Sources:
    """Every configured source, compiled, connected and, where that is quick, logged in.

    ``places`` finds our data folders. A source that does not answer is no
    error: it says so when it is called. Raises ConfigError, or the Problem of a mapping or setting, for
    what only a person can correct.
    """
    for secret in secrets_in(config):
        telemetry.log.scrubber.learn(secret.get_secret_value())
    folders = available_adapters(
        (places("adapters"), *config.adapters), {entry.adapter for entry in config.sources.values()}
    )
    sources: dict[str, Source] = {}
    for name, entry in config.sources.items():
        if entry.adapter not in folders:
            raise ConfigError([f"sources.{name}: no adapter {entry.adapter}; available: {', '.join(folders)}"])
        sources[name] = build_source(name, entry, folders[entry.adapter], clock, telemetry, cache=config.state / "wsdl")
    opened = Sources(sources)
    await _log_in(opened, telemetry)
    return opened


def build_source(
    name: str,
    config: SourceConfig,
    folder: Path,
    clock: Clock,
    telemetry: Telemetry,
    *,
    cache: Path | None = None,
    wire: Callable[[Transport], Transport] | None = None,
) -> Source:
    """One source; nothing is sent yet. ``cache`` is a folder for what its adapter compiles once; ``wire`` puts
    something between the source and its transport.

    Raises Problem: the mapping, an overlay or a setting is at fault.
    """
    basic = config.auth.basic
    if basic is not None:
        telemetry.log.scrubber.learn(basic.password.get_secret_value(), basic.username)
    settings = settings_of(config)
    product = compile_product(folder, source=name, settings=settings, overlay=config.mapping, overlays=config.overlays)
    manifest = product.manifest
    _check_auth(name, config.auth, manifest.auth)
    transport = manifest.transport
    session = None if transport.protocol == "file" else connect(config, clock, transport.login)
    if session is not None and wire is not None:
        session.transport = wire(session.transport)
    login = basic if transport.login == "envelope" else None
    adapter = open_adapter(folder, product, session, settings, clock, login=login, cache=cache)
    write = manifest.write
    facts = Facts(
        name=name,
        product=manifest.adapter,
        environment=config.environment,
        settle_s=write.settle_s if config.settle_s is None else config.settle_s,
        # A probe must be able to outlast the write whose answer was lost.
        probe_timeout_s=max(write.probe_timeout_s, config.timeout_s),
        correlate=manifest.capabilities.correlate,
        probes=write.probe.kinds,
        differs=write.differs,
        abilities=abilities_of(product, type(adapter)),
    )
    return Source(facts, config, adapter, product.mappings, clock, telemetry)


def settings_of(config: SourceConfig) -> dict[str, Any]:
    """What an adapter and its templates may know of a source."""
    return {
        **config.settings,
        "base_url": config.base_url,
        "time_zone": config.time_zone,
        "environment": config.environment,
    }


def _check_auth(name: str, auth: Auth, taken: tuple[str, ...]) -> None:
    given = next((way for way in type(auth).model_fields if getattr(auth, way) is not None), "none")
    if given not in taken and given != "none":
        raise ConfigError([f"sources.{name}.auth.{given}: this adapter does not take it; it takes {', '.join(taken)}"])


async def _log_in(sources: Sources, telemetry: Telemetry) -> None:
    if not sources:
        return
    tasks = {asyncio.create_task(source.open()): name for name, source in sources.items()}
    done, late = await asyncio.wait(tasks, timeout=LOG_IN_WAIT_S)
    for task in late:
        task.cancel()  # the first call tries again, within its own time
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        problem = task.exception()
        if isinstance(problem, Problem):
            telemetry.log.warning("source not open", source=tasks[task], why=problem.detail)
        elif problem is not None:
            raise problem

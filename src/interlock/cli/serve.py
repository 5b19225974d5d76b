"""``interlock serve``."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import CONFIG, ConfigFile, config_of
from interlock.config import Config
from interlock.config.model import Listen
from interlock.records.problems import Problem, Slug

if TYPE_CHECKING:
    from interlock.clock import Clock
    from interlock.telemetry import Telemetry

_NO_KEY = "set INTERLOCK_KEY to the key of the agent that speaks on stdin"


def serve(
    config: ConfigFile = CONFIG,
    host: Annotated[str | None, typer.Option("--host", help="Instead of the configured one.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="Instead of the configured one; 0 is a free one.")
    ] = None,
    stdio: Annotated[bool, typer.Option("--stdio", help="MCP over stdin and stdout, for one agent.")] = False,
) -> None:
    """Run the gateway: REST, MCP, health and metrics, until it is interrupted.

    A configuration names a state folder and the sources. The smallest interlock.yaml that reaches a system:

    \b
    state: ./state
    sources:
      snow:
        adapter: servicenow        # interlock adapter list
        base_url: https://example.service-now.com
        auth:
          basic: {username: integration, password: "env:SNOW_PASSWORD"}
    """
    found = config_of(config)
    listen = found.listen.model_copy(
        update={name: value for name, value in (("host", host), ("port", port)) if value is not None}
    )
    found = found.model_copy(update={"listen": listen})
    run(_stdio(found) if stdio else _http(found, config.absolute()))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where there is one: a call costs a tenth less than on asyncio's own loop, a lone one a fifth."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def stderr_telemetry(clock: Clock) -> Telemetry:
    """Structured log lines on stderr, the libraries' too, and a registry of metrics."""
    import logging

    from prometheus_client import CollectorRegistry

    from interlock.telemetry import Log, LogHandler, Metrics, Telemetry

    log = Log(sys.stderr.buffer.write, clock)
    logging.basicConfig(handlers=[LogHandler(log)], level=logging.WARNING, force=True)
    return Telemetry(log, Metrics(CollectorRegistry()))


async def _stdio(config: Config) -> None:
    from interlock.clock import SystemClock
    from interlock.faces import identity
    from interlock.faces.mcp_sdk import serve_stdio
    from interlock.faces.mcp_tools import gateway_tools
    from interlock.gateway.runtime import open_runtime

    key = os.environ.get("INTERLOCK_KEY")
    if not key:
        raise Problem(Slug.UNAUTHENTICATED, _NO_KEY, next_step="`interlock agents token ID` gives one.")
    clock = SystemClock()
    async with open_runtime(config, stderr_telemetry(clock)) as runtime:
        authorization = f"Bearer {key}"
        identity.agent(runtime.principals, authorization)  # a wrong key is told before anything is served
        await serve_stdio(gateway_tools(runtime), lambda: identity.agent(runtime.principals, authorization))


def _listening(listen: Listen) -> socket.socket:
    """The socket to serve on. Raises Problem when the address is taken or is not ours."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        return socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"cannot listen on {listen.host}:{listen.port}: {error.strerror}",
            field="listen",
            next_step="Pass another --port (0 takes a free one), or end what listens there.",
        ) from None


async def _http(config: Config, path: Path) -> None:
    import uvicorn

    from interlock.clock import SystemClock
    from interlock.faces.app import build_app
    from interlock.faces.lean import LeanProtocol
    from interlock.gateway.runtime import open_runtime
    from interlock.jobs.beside import worker_beside

    clock = SystemClock()
    telemetry = stderr_telemetry(clock)
    async with open_runtime(config, telemetry) as runtime:
        options = uvicorn.Config(
            build_app(runtime),
            host=config.listen.host,
            port=config.listen.port,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=10,
            server_header=False,
            proxy_headers=False,  # nobody's address is looked at
            ws="none",
            http=LeanProtocol,
        )
        server = uvicorn.Server(options)
        # uvicorn's own handlers raise the signal anew once it has stopped, which would end the process before
        # the ledger has signed its last head.
        server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        task = asyncio.create_task(server.serve(sockets=[_listening(config.listen)]))
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            telemetry.log.info("ready", url=f"http://{config.listen.host}:{port}", sources=sorted(runtime.sources))
            telemetry.log.flush()
            async with worker_beside(config, path, telemetry.log):
                await task
        await task

"""A gateway on a free port inside the demo's process, with its principals and clients over real HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn

from interlock.cli.declarations import declared
from interlock.clock import Clock, SystemClock
from interlock.config import Config
from interlock.config.load import read_config
from interlock.faces.app import build_app
from interlock.faces.lean import LeanProtocol
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.telemetry import silent_telemetry


@dataclass(slots=True)
class Desk:
    """A running gateway, and whoever talks to it."""

    url: str
    runtime: Runtime
    _client: httpx.AsyncClient

    async def call(self, key: str, tool: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
        """An agent's call: HTTP status and body."""
        answer = await self._client.post(
            f"/v1/tools/{tool}", json=arguments, headers={"Authorization": f"Bearer {key}"}
        )
        return answer.status_code, answer.json()

    async def person(self, token: str, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """A person's request."""
        answer = await self._client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()

    def agent(self, declaration: str) -> str:
        """Take over an agent's declaration (YAML) and issue a key."""
        store = self.runtime.store
        agent = declared(declaration)
        store.add_agent(agent, by="demo")
        return store.issue(agent.id, by="demo").token

    def people(self, id: str, name: str, roles: tuple[str, ...]) -> str:  # noqa: A002
        """Add a person and issue a token."""
        self.runtime.store.add_person(id, name, roles=roles, by="demo")
        return self.runtime.store.issue(id, by="demo").token


def config_for(
    sources: Mapping[str, Any], state: Path, as_of: str | None = None, profile: Mapping[str, Any] | None = None
) -> Config:
    """A configuration made here, checked as if it were a file; a quality profile is written beside the state."""
    body: dict[str, Any] = {"state": str(state), "as_of": as_of, "sources": dict(sources)}
    if profile is not None:
        path = state.with_name(f"{state.name}-profile.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(profile, option=orjson.OPT_INDENT_2))  # JSON is YAML too
        body["quality"] = {"profile": str(path)}
    return read_config(body, Path.cwd(), name="demo")


@asynccontextmanager
async def opened(config: Config, clock: Clock | None = None) -> AsyncIterator[Desk]:
    """The gateway of a configuration, served on a free port of this machine."""
    clock = clock or SystemClock()
    async with open_runtime(config, silent_telemetry(clock), clock=clock) as runtime:
        options = uvicorn.Config(
            build_app(runtime), host="127.0.0.1", port=0, log_level="warning", access_log=False, http=LeanProtocol
        )
        server = uvicorn.Server(options)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve())
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
                yield Desk(url, runtime, client)
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def folder(state: Path | None) -> AsyncIterator[Path]:
    """The state folder asked for, or a temporary one."""
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="interlock-demo-") as name:
        yield Path(name) / "state"

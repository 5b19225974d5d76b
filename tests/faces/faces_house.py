"""A real gateway over the estate's ServiceNow, served by every way there is, in a thread of its own.

Tests speak to it over sockets like any client. ``lean`` answers hot requests straight to the socket, ``thin``
by the front door's own ASGI path, ``full`` by FastAPI and the SDK: three doors of one gateway.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from mock_servers.estate import Estate, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
from mock_servers.estate.servicenow import tables
from mock_servers.estate.stories import stories
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store

from interlock.cli.declarations import declared
from interlock.cli.demo_gateway import config_for
from interlock.clock import SystemClock
from interlock.faces.app import build_app
from interlock.faces.lean import LeanProtocol
from interlock.gateway.runtime import Runtime, open_runtime
from interlock.principals.models import Agent
from interlock.records import times
from interlock.telemetry import silent_telemetry

T = TypeVar("T")

EVERYTHING = """
id: {id}
owner: somebody-else
purpose: May use every tool on every record
tools: [triage, ticket, change, request, cmdb-steward]
stage: autonomous
read:
  {{incident: {{}}, change: {{}}, problem: {{}}, request: {{}}, article: {{}}, ci: {{}}, relationship: {{}},
  person: {{}}, group: {{}}}}
budgets: {{calls_per_minute: 1000000, writes_per_hour: 1000000}}
"""


@dataclass(slots=True, repr=False)
class House:
    """What is being served, and to whom keys were given."""

    estate: Estate
    runtime: Runtime
    mock: MockServiceNow
    thin: str
    full: str
    lean: str
    key: str
    client: httpx.Client
    _loop: asyncio.AbstractEventLoop
    numbers: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def inside(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in the gateway's loop."""

        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def store(self, act: Callable[[Any], T]) -> T:
        """Do something with the principal store, in the thread it belongs to."""

        async def run() -> T:
            return act(self.runtime.store)

        return self.inside(run)

    def agent(self, declaration: str | Agent) -> str:
        """Add an agent and give it a key."""
        agent = declared(declaration) if isinstance(declaration, str) else declaration

        def add(store: Any) -> str:
            store.add_agent(agent, by="test")
            return str(store.issue(agent.id, by="test").token)

        return self.store(add)

    def person(self, id: str, *roles: str) -> str:  # noqa: A002
        """Add a person and give them a token."""

        def add(store: Any) -> str:
            store.add_person(id, id.title(), roles=roles, by="test")
            return str(store.issue(id, by="test").token)

        return self.store(add)

    def fresh(self, stem: str = "agent") -> str:
        """An id nobody has yet."""
        self._count += 1
        return f"{stem}-{self._count}"

    def call(self, tool: str, arguments: dict[str, Any], key: str | None = None, url: str | None = None) -> Any:
        """One call over REST: the response."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return self.client.post(f"{url or self.thin}/v1/tools/{tool}", json=arguments, headers=headers)


@contextmanager
def served_house(folder: Path, size: int = 300, seed: int = 7) -> Iterator[House]:
    """The house, for as long as the block lasts."""
    ready: dict[str, Any] = {}
    open_now, close_now = threading.Event(), threading.Event()

    def run() -> None:
        try:
            asyncio.run(_serve(folder, size, seed, ready, open_now, close_now))
        except BaseException as error:
            ready["error"] = error
            open_now.set()
            raise

    folder.mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    open_now.wait(60)
    if "error" in ready:
        raise ready["error"]
    try:
        yield ready["house"]
    finally:
        close_now.set()
        thread.join(30)


async def _serve(
    folder: Path, size: int, seed: int, ready: dict[str, Any], opened: threading.Event, closing: threading.Event
) -> None:
    estate = generate(seed, size, DEFAULT_AS_OF)
    store = Store()
    store.load(tables(estate))
    numbers = stories(estate)
    async with MockServiceNow(store) as mock:
        mock.clock.set(estate.as_of)
        source = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
            "settings": {"standard_change_template": "0" * 32},
        }
        config = config_for({"snow": source}, folder / "state", times.to_text(estate.as_of), profile("snow"))
        async with (
            open_runtime(config, silent_telemetry(SystemClock())) as runtime,
            _server(build_app(runtime)) as thin,
            _server(build_app(runtime, thin=False)) as full,
            _server(build_app(runtime), http=LeanProtocol) as lean,
        ):
            agent = declared(EVERYTHING.format(id="everything"))
            runtime.store.add_agent(agent, by="test")
            key = runtime.store.issue("everything", by="test").token
            loop = asyncio.get_running_loop()
            with httpx.Client(timeout=30, trust_env=False) as client:
                ready["house"] = House(estate, runtime, mock, thin, full, lean, key, client, loop, numbers)
                opened.set()
                await asyncio.to_thread(closing.wait)


class _server:  # noqa: N801 - reads as a function
    """An ASGI app on a free port."""

    def __init__(self, app: Any, **options: Any) -> None:
        options = {"host": "127.0.0.1", "port": 0, "log_level": "warning", "access_log": False, **options}
        self._server = uvicorn.Server(uvicorn.Config(app, **options))
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]

    async def __aenter__(self) -> str:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task

"""The mock as a server: ``async with MockServiceNow(store) as mock: ... mock.url``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from interlock.clock import Clock
from mock_servers.faults import Faults
from mock_servers.servicenow import certificates
from mock_servers.servicenow.app import App
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.instance import Instance
from mock_servers.servicenow.settings import (
    DEFAULT_API_KEYS,
    DEFAULT_CLIENTS,
    DEFAULT_USERS,
    Client,
    Switches,
    User,
)
from mock_servers.servicenow.store import Store


class _Protocol(HttpToolsProtocol):
    """Gives the application the transport, so that it can drop a connection as networks do."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"transport": self.transport}  # type: ignore[dict-item]


class MockServiceNow:
    """One mock instance over a store of native tables.

    ``port`` and ``https_port``: 0 chooses a free one; ``https_port`` None is no https. The https certificate
    is signed by a test authority in ``ca_file``. Accounts: ``users``, OAuth ``clients``, ``api_keys`` (key to
    user name). ``faults``, ``switches`` and ``clock`` may be changed while it runs, here or over
    ``/__mock__/``. Binds the loopback address only, unless ``host`` says otherwise.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        users: Iterable[User] = DEFAULT_USERS,
        clients: Iterable[Client] = DEFAULT_CLIENTS,
        api_keys: Mapping[str, str] | None = None,
        switches: Switches | None = None,
        faults: Faults | None = None,
        clock: Clock | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        https_port: int | None = None,
        certificates_folder: Path | None = None,
    ) -> None:
        self.store = store if store is not None else Store()
        self.switches = switches if switches is not None else Switches()
        self.faults = faults if faults is not None else Faults()
        self.clock = InstanceClock(clock)
        self.host = host
        self.url = ""
        self.https_url = ""
        self.ca_file: Path | None = None
        keys = DEFAULT_API_KEYS if api_keys is None else api_keys
        self.instance = Instance(self.store, self.switches, self.clock, users, clients, keys, seed)
        self._ports = (port, https_port)
        self._folder = certificates_folder
        self._app: App | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._serving())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        app = self._app = App(self.instance, self.faults, self.clock)
        port, https_port = self._ports
        async with contextlib.AsyncExitStack() as stack:
            chosen = await stack.enter_async_context(_listening(app, self.host, port, {}))
            self.url = app.bases["http"] = f"http://{self.host}:{chosen}"
            if https_port is not None:
                folder = self._folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                self.ca_file, certificate, key = certificates.make(folder)
                tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
                chosen = await stack.enter_async_context(_listening(app, self.host, https_port, tls))
                self.https_url = app.bases["https"] = f"https://{self.host}:{chosen}"
            try:
                yield
            finally:
                app.performer.closing.set()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[MockServiceNow]:
        """Serve from a thread of its own, for callers without an event loop."""
        ready, failed, stop = threading.Event(), list[BaseException](), list[Callable[[], Any]]()

        async def serve() -> None:
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            stop.append(lambda: loop.call_soon_threadsafe(ended.set))
            async with self:
                ready.set()
                await ended.wait()

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as error:
                failed.append(error)
                ready.set()

        thread = threading.Thread(target=run, name="mock-servicenow", daemon=True)
        thread.start()
        ready.wait()
        if failed:
            raise failed[0]
        try:
            yield self
        finally:
            stop[0]()
            thread.join(10)


@contextlib.asynccontextmanager
async def _listening(app: App, host: str, port: int, tls: Mapping[str, str]) -> AsyncIterator[int]:
    """Serve on one socket; gives its port. Closing cuts every connection: no client is waited for.

    uvicorn's protocol without its server: that polls, and owns signals and logging, which are the caller's.
    """
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        ssl_certfile=tls.get("ssl_certfile"),
        ssl_keyfile=tls.get("ssl_keyfile"),
    )
    config.load()
    state = ServerState()
    listener = socket.create_server((host, port), backlog=512)
    # asyncio sets this only on sockets that name their protocol; without it small answers wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = await loop.create_server(
        lambda: _Protocol(config, state, {}, _loop=loop), sock=listener, ssl=config.ssl, backlog=512
    )
    try:
        yield listener.getsockname()[1]
    finally:
        app.performer.closing.set()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if tasks := list(state.tasks):
            await asyncio.wait(tasks, timeout=2)

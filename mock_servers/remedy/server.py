"""The mock as a server: ``async with MockRemedy(store) as mock: ... mock.url``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Self

from interlock.clock import Clock
from mock_servers import serving
from mock_servers.faults import Faults
from mock_servers.remedy.app import App
from mock_servers.remedy.instance import ENDPOINT, WSDLS, Instance
from mock_servers.remedy.services import Services, default_services
from mock_servers.remedy.settings import DEFAULT_USERS, Switches, User
from mock_servers.remedy.store import Store
from mock_servers.servicenow.clock import InstanceClock


class MockRemedy:
    """One mock AR System with its mid-tier over a store of entries.

    ``services`` says what is published under which names: ``default_services()``, ``customised_services()``,
    or any other. ``port`` 0 chooses a free one. ``faults``, ``switches`` and ``clock`` may be changed while it
    runs, here or over ``/__mock__/``. Binds the loopback address only, unless ``host`` says otherwise.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        services: Services | None = None,
        users: Iterable[User] = DEFAULT_USERS,
        switches: Switches | None = None,
        faults: Faults | None = None,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.store = store if store is not None else Store()
        self.switches = switches if switches is not None else Switches()
        self.faults = faults if faults is not None else Faults()
        self.clock = InstanceClock(clock)
        self.host = host
        self.url = ""
        published = default_services() if services is None else services
        self.instance = Instance(self.store, published, self.switches, self.clock, users)
        self._port = port
        self._stack = contextlib.AsyncExitStack()

    def endpoint(self, service: str) -> str:
        """The URL that a service's calls are sent to."""
        return f"{self.url}{ENDPOINT}?server={self.switches.server}&webService={service}"

    def wsdl(self, service: str) -> str:
        """The URL of a service's WSDL."""
        return f"{self.url}{WSDLS}{self.switches.server}/{service}"

    async def __aenter__(self) -> Self:
        app = App(self.instance, self.faults)
        chosen = await self._stack.enter_async_context(serving.listening(app, self.host, self._port, {}))
        self.url = app.base = f"http://{self.host}:{chosen}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[MockRemedy]:
        """Serve from a thread of its own, for callers without an event loop."""
        with serving.in_thread(self, "mock-remedy"):
            yield self

"""The bench: servers on the core that is measured, load from the other one, and what a window showed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.load import HOST, Target, Window, drive, post
from benchmarks.stands import REF, SYS_ID, Stand, prepare

NUMBER = "INC0010023"
READ = json.dumps({"ref": REF}).encode()
INTERLOCK_SERVE = (str(Path(sys.executable).with_name("interlock")), "serve", "-c")
UNGOVERNED = (sys.executable, "-m", "benchmarks.ungoverned")


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, what to ask it, and how its answer is known to be right."""

    name: str
    pid: int
    target: Target
    right: Callable[[Any], bool]


@dataclass(slots=True)
class Bench:
    """Starts servers, each on the measured core, and loads them from the other one."""

    folder: Path
    stack: ExitStack
    rounds: int
    seconds: float
    server_core: int
    load_core: int
    windows: list[dict[str, Any]] = field(default_factory=list)
    _backend: str = ""

    @property
    def backend(self) -> str:
        """The address of the backend, which is started when it is first asked for."""
        if not self._backend:
            port = processes.free_port()
            command = [sys.executable, "-m", "benchmarks.baselines.backend", "--port", str(port)]
            self._backend = f"http://{HOST}:{port}"
            self._started("backend", command, f"{self._backend}/api/now/table/incident/x", core=self.load_core)
        return self._backend

    def _started(
        self, name: str, command: Sequence[str], url: str, *, core: int | None = None, env: dict[str, str] | None = None
    ) -> int:
        core = self.server_core if core is None else core
        process = processes.start(command, core=core, env=env, log=self.folder / f"{name}.log")
        self.stack.enter_context(processes.running(process))
        processes.wait_until_answers(url, process)
        return process.pid

    def proxy(self) -> Server:
        """Baseline P."""
        port = processes.free_port()
        command = processes.uvicorn("benchmarks.baselines.proxy_fastapi:app", port)
        pid = self._started("P", command, f"http://{HOST}:{port}/openapi.json", env={"BACKEND": self.backend})
        body = json.dumps({"sys_id": SYS_ID}).encode()
        ask = post("/v1/tools/incident_get", port, body, [("authorization", "Bearer x")])
        return Server("P", pid, Target(port, (ask,)), lambda answer: answer["result"]["number"] == NUMBER)

    def sdk(self, tools: int = 1) -> tuple[int, int]:
        """Baseline M: its process and port."""
        port = processes.free_port()
        command = processes.uvicorn("benchmarks.baselines.server_mcp_sdk:app", port)
        env = {"BACKEND": self.backend, "NTOOLS": str(tools)}
        return self._started("M", command, f"http://{HOST}:{port}/mcp", env=env), port

    def gateway(self, name: str, *, prefix: str = "", ungoverned: bool = False, **stand: Any) -> tuple[int, Stand]:
        """``interlock serve``, or the same without governance."""
        port = processes.free_port()
        made = prepare(self.folder / name, port, self.backend + prefix, **stand)
        command = [*(UNGOVERNED if ungoverned else INTERLOCK_SERVE), str(made.config)]
        return self._started(name, command, f"http://{HOST}:{port}/readyz"), made

    def reader(self, name: str, body: bytes = READ, **gateway: Any) -> Server:
        """A gateway that is asked for one incident over REST, by as many agents as it has."""
        pid, stand = self.gateway(name, **gateway)
        asks = tuple(
            post("/v1/tools/incident_get", stand.port, body, [("authorization", f"Bearer {key}")]) for key in stand.keys
        )
        return Server(name, pid, Target(stand.port, asks), lambda answer: answer["data"]["number"] == NUMBER)

    async def window(self, server: Server, concurrency: int, warm_s: float) -> Window:
        """One window. Raises LoadError or RuntimeError when what was measured is not the right answer."""
        cpu = partial(processes.cpu_seconds, server.pid)
        found = await drive(server.target, concurrency, self.seconds, warm_s=warm_s, cpu=cpu)
        if not server.right(json.loads(found.body)):
            raise RuntimeError(f"{server.name} answered something else: {found.body[:2000]!r}")
        self.windows.append(
            {
                "server": server.name,
                "concurrency": concurrency,
                "answered": found.answered,
                "per_second": round(found.per_second, 1),
                "p50_ms": round(found.p50_ms, 3),
                "p99_ms": round(found.p99_ms, 3),
                "cpu_ms": round(found.cpu_ms, 4),
            }
        )
        say(
            f"  {server.name:<12} {concurrency:>3} at once {found.per_second:>9.0f}/s  p50 {found.p50_ms:>8.2f} ms"
            f"  p99 {found.p99_ms:>8.2f} ms  CPU {found.cpu_ms:>7.4f} ms/call"
        )
        return found

    async def alternate(
        self, servers: Sequence[Server], concurrency: int, *, warm_s: float = 1.0
    ) -> list[list[Window]]:
        """Rounds of one window each: A B A B A B. The windows of every server."""
        found: list[list[Window]] = [[] for _ in servers]
        for _ in range(self.rounds):
            for index, server in enumerate(servers):
                found[index].append(await self.window(server, concurrency, warm_s))
        return found

"""B8: a SOAP call by templates and lxml against zeep's AsyncClient. ``python -m benchmarks.soap [--json]``

Both talk to one server in a process of its own, which answers fixed bytes: the same incident, the same page of
100. CPU is that of this process (user and system), divided by the calls; every figure is the median of
alternating rounds. Ours goes as far as the canonical record, zeep's as far as its own objects.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import uvloop
import zeep
from pydantic import SecretStr
from zeep.transports import AsyncTransport

from benchmarks import processes
from benchmarks.budgets import Row, at_most
from interlock.adapterkit.loader import open_adapter
from interlock.adapterkit.native import Plan
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.session import open_session
from interlock.clock import SystemClock
from interlock.config.model import Basic
from interlock.places import place

ROUNDS = 5
AT_ONCE = 16
GETS, PAGES = 480, 16
ROWS = 100
NUMBER = "INC000000009004"
SERVICE = "HPD_IncidentInterface_WS"
Task = Callable[[], Awaitable[Any]]


def canned(folder: Path) -> None:
    """The answers of the mock, as files: one incident, and a page of 100."""
    from mock_servers.estate import Size, generate
    from mock_servers.estate.assumptions import DEFAULT_AS_OF
    from mock_servers.remedy import envelope
    from mock_servers.remedy.from_estate import entries
    from mock_servers.remedy.instance import Instance, _Caller
    from mock_servers.remedy.services import default_services
    from mock_servers.remedy.settings import DEFAULT_USERS, Switches
    from mock_servers.remedy.store import Store
    from mock_servers.remedy.times import zone
    from mock_servers.servicenow.clock import InstanceClock

    store = Store()
    store.load(entries(generate(1, Size.of(300), DEFAULT_AS_OF)))
    services = default_services()
    instance = Instance(store, services, Switches(), InstanceClock(None), DEFAULT_USERS)
    where = zone("GMT")
    assert where is not None
    caller = _Caller(DEFAULT_USERS[0], where, "")
    operations = services[SERVICE].operations
    get, listing = operations["HelpDesk_Query_Service"], operations["HelpDesk_QueryList_Service"]
    entry = store.get("HPD:Help Desk", NUMBER)
    assert entry is not None
    one = instance._show(get, entry, caller)
    many = instance._list(listing, {"startRecord": "0", "maxLimit": str(ROWS)}, caller)
    for name, operation, content in (("one", get, one), ("many", listing, many)):
        (folder / name).write_bytes(envelope.response(f"urn:{SERVICE}", operation.name, content))


async def serve(folder: Path, port: int) -> None:
    """Answer every POST: with the page when it asks for a list, else with the incident."""
    answers = {}
    for name in ("one", "many"):
        body = (folder / name).read_bytes()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/xml;charset=utf-8\r\ncontent-length: {len(body)}\r\n\r\n"
        answers[name] = head.encode() + body

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(answers["many" if b"QueryList" in body else "one"])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", port) as server:
        await server.serve_forever()


async def measured(task: Task, times: int) -> float:
    """CPU of this process for one call, in microseconds; AT_ONCE of them at a time."""
    left = iter(range(times))

    async def work() -> None:
        for _ in left:
            await task()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / times * 1e6


async def compare(port: int) -> list[Row]:
    """Both clients in alternating rounds."""
    url = f"http://127.0.0.1:{port}"
    clock = SystemClock()
    folder = place("adapters") / "remedy"
    settings = {"server": "arserver", "base_url": url}
    product = compile_product(folder, source="rem", settings=settings)
    session = open_session(url, clock)
    login = Basic(username="svc", password=SecretStr("pw"))  # type: ignore[arg-type]
    adapter = open_adapter(folder, product, session, settings, clock, login=login)
    mapping = product.mappings["incident"]
    columns = mapping.columns(None)
    plan = Plan("", columns)

    async def get() -> Any:
        return mapping.decode(await adapter.read("incident", NUMBER, columns, by_handle=True))

    async def page() -> Any:
        return [mapping.decode(row) for row in (await adapter.page("incident", plan, None, ROWS)).rows]

    logging.getLogger("zeep").setLevel(logging.CRITICAL)
    header = {"parameters": {"userName": "svc", "password": "pw"}}
    async with httpx.AsyncClient(trust_env=False) as client:
        transport = AsyncTransport(client=client, wsdl_client=httpx.Client(trust_env=False))
        zeeps = zeep.AsyncClient(str(folder / "wsdl" / f"{SERVICE}.wsdl"), transport=transport)
        service = zeeps.service
        service._binding_options["address"] = f"{url}/arsys/services/ARService?server=arserver&webService={SERVICE}"

        async def zeep_get() -> Any:
            return await service.HelpDesk_Query_Service(Incident_Number=NUMBER, _soapheaders=header)

        async def zeep_page() -> Any:
            asked = {"Qualification": "1 = 1", "startRecord": "0", "maxLimit": str(ROWS)}
            return await service.HelpDesk_QueryList_Service(**asked, _soapheaders=header)

        ours, theirs = await get(), await zeep_get()
        assert ours["title"] == theirs["Summary"], "both must read the same record"
        assert len(await page()) == len(await zeep_page()) == ROWS
        found: dict[str, list[float]] = {"get": [], "zeep_get": [], "page": [], "zeep_page": []}
        for _ in range(ROUNDS):
            found["get"].append(await measured(get, GETS))
            found["zeep_get"].append(await measured(zeep_get, GETS))
            found["page"].append(await measured(page, PAGES))
            found["zeep_page"].append(await measured(zeep_page, PAGES))
    await adapter.close()
    middle = {name: statistics.median(values) for name, values in found.items()}
    return [
        at_most("B8 get, CPU us a call", middle["get"]),
        at_most("B8 get by zeep, CPU us a call", middle["zeep_get"]),
        at_most(f"B8 get against zeep, {AT_ONCE} concurrent", middle["get"] / middle["zeep_get"], 1 / 3),
        at_most(f"B8 page of {ROWS}, CPU us a call", middle["page"]),
        at_most(f"B8 page of {ROWS} by zeep, CPU us a call", middle["zeep_page"]),
        at_most(f"B8 page of {ROWS} against zeep", middle["page"] / middle["zeep_page"], 1 / 5),
    ]


def b8() -> list[Row]:
    """Server in a process of its own, on the other core; both clients here."""
    ours, others = processes.cores()
    with tempfile.TemporaryDirectory(prefix="interlock-soap-") as name:
        folder, port = Path(name), processes.free_port()
        canned(folder)
        server = processes.start(
            [sys.executable, "-m", "benchmarks.soap", "--serve", name, "--port", str(port)], core=others
        )
        processes.stay_on(ours)
        try:
            _await(port)
            return uvloop.run(compare(port))
        finally:
            server.terminate()
            server.wait(10)


def _await(port: int) -> None:
    import socket

    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server of the benchmark did not start")


def main() -> int:
    """0 when every budget is met."""
    parser = argparse.ArgumentParser(prog="benchmarks.soap", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve, options.port))
        return 0
    found = b8()
    if options.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
    else:
        for row in found:
            budget = "" if row.budget is None else f"  budget {row.budget:.3f}  {'ok' if row.ok else 'NOT MET'}"
            print(f"{row.name:48}{row.value:12.3f}{budget}")
    return 0 if all(row.ok for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())

"""``python -m mock_servers.servicenow``: serve one instance until stopped.

Prints one line of JSON when ready: ``url``, ``https_url``, ``ca_file``, the accounts, and how many rows of
which table were loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from datetime import UTC
from pathlib import Path

import orjson

from mock_servers.faults import Faults, Rule
from mock_servers.servicenow.customised import customise
from mock_servers.servicenow.gs_dates import FORMAT, read
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.settings import DEFAULT_CLIENTS, DEFAULT_USERS, Switches
from mock_servers.servicenow.store import Store


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mock_servers.servicenow", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--https-port", type=int, help="also serve https; 0 chooses a free port")
    parser.add_argument("--certificates", type=Path, help="folder for ca.pem and the server's certificate")
    parser.add_argument("--estate", type=int, metavar="CIS", help="load the synthetic enterprise of this size")
    parser.add_argument("--incidents", type=int, help="incidents of the estate; half as many as CIs unless told")
    parser.add_argument("--load", type=Path, metavar="FOLDER", help="load a real export that is recognised")
    parser.add_argument("--customised", action="store_true", help="an instance as a site leaves it, with few rows")
    parser.add_argument("--as-of", help="the estate's present, 2026-03-01 09:15:00 UTC; now unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default="[]", help="rules as a JSON list, or @file")
    parser.add_argument("--switches", default="{}", help="switches as a JSON object, or @file")
    return parser.parse_args()


def _json(text: str) -> object:
    return orjson.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)


def _epoch(text: str | None) -> float:
    if text is None:
        return time.time()
    moment = read(text)
    if moment is None:
        sys.exit(f"--as-of {text}: write it as 2026-03-01 09:15:00")
    return moment.replace(tzinfo=UTC).timestamp()


def _load(store: Store, switches: Switches, options: argparse.Namespace) -> None:
    """Load what was asked for. Imported here: what is not loaded need not be installed."""
    if options.estate is not None:
        from mock_servers.estate import Size, generate
        from mock_servers.estate.servicenow import tables

        size = Size.of(options.estate, options.incidents)
        store.load(tables(generate(options.seed, size, _epoch(options.as_of))))
    if options.load is not None:
        from mock_servers.datasets import load

        dataset = load(options.load)
        store.load(dataset.tables, dataset.omit)
        if dataset.matrix:
            switches.change(priority_matrix={f"{i},{u}": p for (i, u), p in dataset.matrix.items()})


async def _serve(mock: MockServiceNow) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with mock:
        ready = {
            "url": mock.url,
            "https_url": mock.https_url or None,
            "ca_file": str(mock.ca_file) if mock.ca_file else None,
            "users": {user.name: user.password for user in DEFAULT_USERS},
            "clients": {client.client_id: client.secret for client in DEFAULT_CLIENTS},
            "clock": mock.clock.moment().strftime(FORMAT),
            "rows": {name: len(table.rows) for name, table in sorted(mock.store.tables.items())},
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    """Load, serve, and wait for SIGINT or SIGTERM."""
    options = _arguments()
    store, switches = Store(), Switches()
    if options.customised:
        customise(store, switches)
    _load(store, switches, options)
    changes = _json(options.switches)
    rules = _json(options.faults)
    if not isinstance(changes, dict) or not isinstance(rules, list):
        sys.exit("--switches takes a JSON object, --faults a JSON list")
    try:
        switches.change(**changes)
        faults = Faults([Rule.read(rule) for rule in rules], options.seed)
    except ValueError as error:
        sys.exit(str(error))
    mock = MockServiceNow(
        store,
        switches=switches,
        faults=faults,
        seed=options.seed,
        host=options.host,
        port=options.port,
        https_port=options.https_port,
        certificates_folder=options.certificates,
    )
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(mock))
    else:
        uvloop.run(_serve(mock))


if __name__ == "__main__":
    main()

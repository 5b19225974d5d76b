"""``python -m mock_servers.remedy``: serve one instance until stopped.

Prints one line of JSON when ready: ``url``, the accounts, the services with their endpoints, how many entries.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

import orjson

from mock_servers.faults import Faults, Rule
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.services import customised_services, default_services
from mock_servers.remedy.settings import DEFAULT_USERS, Switches
from mock_servers.remedy.store import Store


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mock_servers.remedy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--estate", type=int, metavar="CIS", help="load the synthetic enterprise of this size")
    parser.add_argument("--incidents", type=int, help="incidents of the estate; half as many as CIs unless told")
    parser.add_argument("--raw", action="store_true", help="discovered CIs also in the discovery dataset")
    parser.add_argument("--as-of", help="the estate's present, 2026-03-01T09:15:00Z; now unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--customised", action="store_true", help="renamed operations and fields")
    parser.add_argument("--faults", default="[]", help="rules as a JSON list, or @file")
    parser.add_argument("--switches", default="{}", help="switches as a JSON object, or @file")
    return parser.parse_args()


def _json(text: str) -> object:
    return orjson.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)


def _epoch(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        sys.exit(f"--as-of {text}: write it as 2026-03-01T09:15:00Z")


async def _serve(mock: MockRemedy) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with mock:
        ready = {
            "url": mock.url,
            "users": {user.name: user.password for user in DEFAULT_USERS},
            "services": {name: mock.endpoint(name) for name in sorted(mock.instance.services)},
            "entries": {form: many for form, many in mock.store.counts().items() if many},
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    """Load, serve, and wait for SIGINT or SIGTERM."""
    options = _arguments()
    store, switches = Store(), Switches()
    if options.estate is not None:
        from mock_servers.estate import Size, generate
        from mock_servers.remedy.from_estate import entries

        size = Size.of(options.estate, options.incidents)
        store.load(entries(generate(options.seed, size, _epoch(options.as_of)), raw=options.raw))
    changes, rules = _json(options.switches), _json(options.faults)
    if not isinstance(changes, dict) or not isinstance(rules, list):
        sys.exit("--switches takes a JSON object, --faults a JSON list")
    try:
        switches.change(**changes)
        faults = Faults([Rule.read(rule) for rule in rules], options.seed)
    except ValueError as error:
        sys.exit(str(error))
    services = customised_services() if options.customised else default_services()
    mock = MockRemedy(store, services=services, switches=switches, faults=faults, host=options.host, port=options.port)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(mock))
    else:
        uvloop.run(_serve(mock))


if __name__ == "__main__":
    main()

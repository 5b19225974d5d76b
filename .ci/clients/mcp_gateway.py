"""A gateway over the estate's ServiceNow for clients of other makers. Prints one JSON line when it is ready.

The line has the gateway's ``url``, an agent's ``key``, a ``ref`` that a read answers, and one (``held``) whose
change is held for a person because the CI behind it is stale.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF, profile
from mock_servers.estate.servicenow import tables
from mock_servers.estate.stories import stories
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store

from interlock.cli.demo_gateway import config_for, opened
from interlock.records import times

AGENT = """
id: client
owner: continuous-integration
purpose: Triage by clients of other makers
tools: [triage]
stage: autonomous
read: {incident: {}, ci: {}, relationship: {}, person: {}, group: {}}
"""


async def serve(folder: Path) -> None:
    estate = generate(7, 300, DEFAULT_AS_OF)
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
        }
        config = config_for({"snow": source}, folder / "state", times.to_text(estate.as_of), profile("snow"))
        async with opened(config) as desk:
            ready = {
                "url": f"{desk.url}/mcp",
                "key": desk.agent(AGENT),
                "ref": f"snow:incident:{numbers['p1_caution']}",
                "held": f"snow:incident:{numbers['p2_stale_ci']}",
            }
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="interlock-clients-") as name:
        asyncio.run(serve(Path(name)))

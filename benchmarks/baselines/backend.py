"""A backend that costs next to nothing: fixed ServiceNow-shaped answers over keep-alive HTTP/1.1.

``python -m benchmarks.baselines.backend [--port 18080]``

========================================  ==============================================================
``GET /api/now/table/incident/<any id>``  one record of about 3 KB, as ``sysparm_display_value=all`` has it
``GET`` anything else                     100 such records, about 300 KB
``GET /slow/...``                         the same after 50 ms
========================================  ==============================================================
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
from typing import Any, cast

PORT = 18_080
DELAY_S = 0.05
ROWS = 100

_TITLE = "Unable to reach mail server from branch office, intermittent timeouts on SMTP relay"
_STORY = (
    "Users in the Zurich branch report that outgoing mail is queued for up to 20 minutes. Traceroute shows "
    "packet loss at the second hop. Started after the maintenance window on Saturday; the relay was restarted "
    "twice without effect."
)
_OPENED = ("2026-03-14 08:12:44", "14/03/2026 09:12:44")


def sys_id(seed: str) -> str:
    """An id of 32 hexadecimal digits that stays the same from run to run."""
    return hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest()


def _value(value: str, shown: str | None = None) -> dict[str, str]:
    return {"display_value": value if shown is None else shown, "value": value}


def _reference(table: str, seed: str, name: str) -> dict[str, str]:
    target = sys_id(seed)
    link = f"http://127.0.0.1:{PORT}/api/now/table/{table}/{target}"
    return {"display_value": name, "link": link, "value": target}


def incident(index: int) -> dict[str, Any]:
    """The incident of that index; index 0 is the one that single reads answer with."""
    return {
        "sys_id": _value(sys_id(f"inc{index}")),
        "number": _value(f"INC{10_023 + index:07d}"),
        "short_description": _value(_TITLE),
        "description": _value(_STORY),
        "state": _value("2", "In Progress"),
        "priority": _value("2", "2 - High"),
        "impact": _value("2", "2 - Medium"),
        "urgency": _value("1", "1 - High"),
        "category": _value("network", "Network"),
        "subcategory": _value("email", "Email"),
        "assignment_group": _reference("sys_user_group", "grp", "Network Operations EMEA"),
        "assigned_to": _reference("sys_user", "usr", "Beth Anglin"),
        "caller_id": _reference("sys_user", "cal", "Abel Tuter"),
        "opened_by": _reference("sys_user", "opn", "Service Desk"),
        "cmdb_ci": _reference("cmdb_ci", "ci", "mail-relay-zrh-02"),
        "business_service": _reference("cmdb_ci_service", "svc", "Corporate E-Mail"),
        "opened_at": _value(*_OPENED),
        "sys_created_on": _value(*_OPENED),
        "sys_updated_on": _value("2026-03-15 17:03:10", "15/03/2026 18:03:10"),
        "resolved_at": _value(""),
        "closed_at": _value(""),
        "close_code": _value(""),
        "close_notes": _value(""),
        "active": _value("true"),
        "contact_type": _value("phone", "Phone"),
        "sys_updated_by": _value("beth.anglin"),
        "sys_mod_count": _value("7"),
        "reassignment_count": _value("1"),
        "made_sla": _value("true"),
    }


def _answer(result: Any) -> bytes:
    body = json.dumps({"result": result}, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
        f"X-Total-Count: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ONE = _answer(incident(0))
MANY = _answer([incident(index) for index in range(ROWS)])


class Backend(asyncio.Protocol):
    """Answers every request head that arrives; no request is expected to have a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            parent = path.rpartition(b"/")[0]
            answer = ONE if parent.endswith(b"/incident") else MANY
            if path.startswith(b"/slow"):
                asyncio.get_running_loop().call_later(DELAY_S, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def serve(port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines.backend")
    parser.add_argument("--port", type=int, default=PORT)
    uvloop.run(serve(parser.parse_args().port))

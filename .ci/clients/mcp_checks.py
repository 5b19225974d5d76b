"""What every client must see of the gateway, whoever made it.

Standard library only: each client has an environment of its own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOOLS = 18


@dataclass(frozen=True, slots=True)
class Gateway:
    """What ``mcp_gateway.py`` printed."""

    url: str
    key: str
    ref: str
    held: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


class Checks:
    """Counts what holds and says what does not."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.passed = 0
        self.failed = 0

    def hold(self, what: str, good: bool, seen: object = "") -> None:
        """One check."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
            sys.stdout.write(f"{self.client}: NOT {what}: {str(seen)[:500]}\n")

    def listed(self, names: list[str]) -> None:
        """The tool list: the general tools, then those of the declaration."""
        whole = len(names) == TOOLS and {"whoami", "record_get", "incident_search", "ci_get"} <= set(names)
        self.hold("all tools are listed, the general ones first", whole and "whoami" in names[:4], names)

    def searched(self, body: dict[str, Any], gateway: Gateway) -> None:
        """``incident_search`` with priority p1."""
        rows = body.get("data") or []
        self.hold("a search finds the incident", any(row["ref"] == gateway.ref for row in rows), body)
        self.hold("rows carry standing and flags", all({"standing", "flags"} <= row.keys() for row in rows), body)

    def got(self, body: dict[str, Any], gateway: Gateway) -> None:
        """``incident_get`` of ``ref``."""
        self.hold("a record is read", (body.get("data") or {}).get("ref") == gateway.ref, body)
        self.hold("it says how far it can be relied on", "standing" in (body.get("quality") or {}), body)

    def held(self, body: dict[str, Any]) -> None:
        """``incident_update`` of ``held``."""
        receipt = body.get("receipt") or {}
        self.hold("a write on a stale CI is held, and that is no error", receipt.get("outcome") == "held", body)
        self.hold("the receipt says who decides", bool((receipt.get("approval") or {}).get("deciders")), body)

    def refused(self, problem: dict[str, Any]) -> None:
        """``incident_get`` of a record that is not there."""
        self.hold(
            "an error says what and what to do", problem.get("slug") == "not-found" and "next_step" in problem, problem
        )

    def end(self) -> None:
        """Print the count and leave."""
        sys.stdout.write(f"{self.client}: {self.passed} passed, {self.failed} failed\n")
        sys.exit(1 if self.failed or not self.passed else 0)


P1 = [{"field": "priority", "value": "p1"}]
MISSING = "snow:incident:INC9999999"


def gateway() -> Gateway:
    """The gateway of the file named on the command line."""
    found: dict[str, str] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return Gateway(**found)

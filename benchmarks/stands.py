"""The gateway as it is measured: one source, one agent with a scope that is checked on every record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from interlock.cli.declarations import declared
from interlock.clock import SystemClock
from interlock.principals.store import PrincipalStore

SYS_ID = "f85facab4c67ea3320b66d6dd9a8cd6b"
REF = f"snow:incident:~{SYS_ID}"
MODERN = "2026-07-28"

# What the profile declares instead of the choice lists that the backend does not have: every check runs.
PROFILE = {
    "incident": {
        "sources": {
            "snow": {
                "categories": ["network", "software", "hardware"],
                "pairs": {"network": ["email", "dns"], "software": ["os"]},
            }
        }
    }
}
# A scope that admits the record, so that every read is checked against it.
AGENT: Mapping[str, Any] = {
    "owner": "benchmarks@example.com",
    "purpose": "Measures the gateway.",
    "read": {"incident": {"filter": [{"field": "priority", "op": "in", "value": ["p1", "p2", "p3"]}]}},
    "stage": "autonomous",
    "budgets": {"calls_per_minute": 1_000_000, "writes_per_hour": 1_000_000},
}


@dataclass(frozen=True, slots=True)
class Stand:
    """A configuration on disk and the keys of its agents."""

    config: Path
    port: int
    keys: tuple[str, ...]


def prepare(
    folder: Path,
    port: int,
    backend: str,
    *,
    agents: int = 1,
    tools: Iterable[str] = ("incident_get",),
    reads: str = "queued",
    source: Mapping[str, Any] | None = None,
    more: Mapping[str, str] | None = None,
    read: Mapping[str, Any] | None = None,
) -> Stand:
    """Write configuration and agents of a gateway. All is default but the limits, which would be the measure.

    ``more``: further sources like the first, by name, with their addresses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entry: dict[str, Any] = {
        "adapter": "servicenow",
        "environment": "test",
        "base_url": backend,
        "auth": {"basic": {"username": "admin", "password": "admin"}},
        "limits": {"concurrency": 256, "per_second": None, "queue": 1024},
        **(source or {}),
    }
    (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    config = {
        "state": "state",
        "listen": {"port": port},
        "sources": {"snow": entry, **{name: {**entry, "base_url": url} for name, url in (more or {}).items()}},
        "quality": {"profile": "profile.yaml"},
        "ledger": {"reads": reads},
    }
    path = folder / "interlock.yaml"
    path.write_text(yaml.safe_dump(config))
    store = PrincipalStore(folder / "state", SystemClock())
    keys = []
    try:
        for number in range(agents):
            declaration = {"id": f"bench-{number}", "tools": list(tools), **AGENT}
            if read is not None:
                declaration["read"] = dict(read)
            agent = declared(json.dumps(declaration))
            store.add_agent(agent, by="benchmark")
            keys.append(store.issue(agent.id, by="benchmark").token)
    finally:
        store.close()
    return Stand(path, port, tuple(keys))

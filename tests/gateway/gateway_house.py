"""The mock ServiceNow with a small estate, and configurations of gateways over it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_servers.servicenow import MockServiceNow

from interlock.config import Config
from interlock.config.load import read_config


@dataclass
class House:
    """The mock ServiceNow of the session, with the estate's stories."""

    mock: MockServiceNow
    numbers: dict[str, str]
    as_of: str
    profile: dict[str, Any]

    def config(self, folder: Path, **source: Any) -> Config:
        entry = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": self.mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
            **source,
        }
        (folder / "profile.yaml").write_text(json.dumps(self.profile))
        body = {
            "state": str(folder / "state"),
            "as_of": self.as_of,
            "sources": {"snow": entry},
            "quality": {"profile": str(folder / "profile.yaml")},
        }
        return read_config(body, folder, environ={}, name="test")

    def writes(self) -> int:
        """Rows and journal entries there are, and their versions: anything that was written shows."""
        store = self.mock.store
        tasks = sum(int(row.get("sys_mod_count") or 0) + 1 for row in store.rows("task"))
        return tasks + sum(1 for _ in store.rows("sys_journal_field"))

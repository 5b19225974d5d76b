"""Changes over the change API: written so that the instance's own model decides, and what it says of a change.

Facts: change-management-api. Fields are always ``{"value", "display_value"}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.adapterkit.native import NativeWrite, Written
from interlock.adapterkit.offers import ConflictKind, NativeConflict
from interlock.adapterkit.rest import plain
from interlock.records.problems import Problem, Slug, invalid

from .ire import nothing_sent

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_BASE = "/api/sn_chg_rest/v1/change"
_MOST = 100
_POLLS = (0.2, 0.4, 0.8, 1.6, 3.0, 4.0)
"""Seconds between looks at a check for conflicts: ten in all, then it is said to be still running."""
_RUNNING = ("progress", "pending", "running", "waiting")
_KINDS: Mapping[str, ConflictKind] = {
    "ci_in_change": "same_ci",
    "blackout_window": "blackout",
    "maintenance_window": "maintenance",
}


class Changes:
    """The change process of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    def path(self, handle: str, part: str = "") -> str:
        """The address of a change (or of a part of it). Raises not-found for what cannot be a handle."""
        self._adapter.path("change", handle)
        return f"{_BASE}/{handle}{part}"

    async def write(self, write: NativeWrite) -> Written:
        """POST by type, or PATCH, once."""
        adapter = self._adapter
        with nothing_sent():
            if write.op == "create":
                payload = dict(adapter.payload(write))
                method, path = "POST", self._born(str(payload.pop("type", "normal")))
            else:
                method, path, payload = "PATCH", self.path(write.handle or ""), dict(write.payload)
        answer = await adapter.session.request(method, path, json=payload, not_after=write.not_after)
        found = adapter.parsed(answer)
        row = found.get("result") if isinstance(found, Mapping) else None
        handle = plain(row.get("sys_id")) if isinstance(row, Mapping) else None
        if not isinstance(handle, str) or not handle or (write.handle and handle != write.handle):
            raise adapter.odd("the change that was written")
        return Written(handle)  # its columns are those of the change API: read again over the Table API

    def _born(self, kind: str) -> str:
        if kind != "standard":
            return f"{_BASE}/{kind}"
        template = self._adapter.settings.get("standard_change_template")
        if not template:
            raise invalid(
                "type",
                kind,
                "needs a template in ServiceNow, and this source names none",
                "Use normal or emergency, or have settings.standard_change_template set to a template's sys_id.",
            )
        return f"{_BASE}/standard/{template}"

    async def next_states(self, kind: str, handle: str) -> list[str]:
        """Words of the states that the change's model lets it go to now."""
        codes = self._adapter.field(kind, "state").codes
        if kind != "change" or codes is None:
            raise self._adapter.unsupported(f"next states of a {kind}")
        found = await self._adapter.fetch(self.path(handle, "/nextstates"), "")
        states = found.get("result", {}).get("available_states") if isinstance(found, Mapping) else None
        if not isinstance(states, list):
            raise self._adapter.odd("a list of states")
        words = [codes.read(str(plain(state))) for state in states]
        return [word for word in words if isinstance(word, str) and word != "unmapped"]

    async def conflicts(self, kind: str, handle: str) -> tuple[str | None, list[NativeConflict]]:
        """Start the instance's check and wait for it, ten seconds at most.

        The status reads "Conflict" even when nothing was found: the list is what counts.
        """
        adapter = self._adapter
        if kind != "change":
            raise adapter.unsupported(f"conflicts of a {kind}")
        path = self.path(handle, "/conflict")
        adapter.parsed(await adapter.session.request("POST", path, json={}))
        for pause in (0.0, *_POLLS):
            await asyncio.sleep(pause)
            found = await adapter.fetch(path, "")
            told = found.get("result") if isinstance(found, Mapping) else None
            if not isinstance(told, Mapping):
                raise adapter.odd("what was found of a change's window")
            status = str(plain(told.get("status")) or "")
            if not any(word in status.lower() for word in _RUNNING):
                rows = told.get("conflicts") or []
                if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                    raise adapter.odd("a list of conflicts")
                return ("Conflict" if rows else "No Conflict"), [self._conflict(row) for row in rows[:_MOST]]
        raise Problem(
            Slug.SOURCE_UNAVAILABLE,
            "the instance still looks for conflicts",
            next_step="Ask again in a minute.",
            retry_after_s=30,
            layer="source",
        )

    def _conflict(self, row: Mapping[str, Any]) -> NativeConflict:
        instant = self._adapter.instant
        return NativeConflict(
            kind=_KINDS.get(str(plain(row.get("type"))), "other"),
            ci=str(plain(row.get("configuration_item")) or "") or None,
            change=str(plain(row.get("conflicting_change")) or "") or None,
            from_at=instant(plain(row.get("start_date"))),
            to_at=instant(plain(row.get("end_date"))),
            text=_label(row.get("schedule")) or _label(row.get("type")),
        )


def _label(value: Any) -> str | None:
    return str(plain(value, "display_value") or plain(value) or "") or None

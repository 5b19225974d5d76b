"""What approvers said of a task (sysapproval_approver); read only: nobody approves through the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.adapterkit.offers import ApprovalState, NativeApproval
from interlock.adapterkit.rest import plain

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_COLUMNS = ("sys_id", "sysapproval", "approver", "state", "comments", "sys_updated_on")
_MOST = 100
_STATES: dict[str, ApprovalState] = {
    "requested": "requested",
    "approved": "approved",
    "rejected": "rejected",
    "cancelled": "cancelled",
    "not_required": "not_required",
    "not requested": "not_required",  # not asked yet: nobody's word is waited for
}


class Approvals:
    """Approvals of the tasks of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    async def of(self, kind: str, handle: str) -> list[NativeApproval]:
        """Everybody who was asked about a record, in the order in which they were."""
        adapter = self._adapter
        adapter.path(kind, handle)  # the handle enters a query: refuse what is none
        query = f"sysapproval={handle}^ORDERBYsys_created_on^ORDERBYsys_id"
        rows = await adapter.list_rows("sysapproval_approver", query, _COLUMNS, _MOST, display_value="all")
        found = []
        for row in rows:
            state = _STATES.get(str(plain(row.get("state"))))
            if plain(row.get("sysapproval")) != handle or state is None:
                continue  # of another record, where the condition was dropped; or a state of the instance's own
            said = state in ("approved", "rejected")
            found.append(
                NativeApproval(
                    id=str(plain(row.get("sys_id"))),
                    approver=plain(row.get("approver"), "display_value") or None,
                    state=state,
                    at=adapter.instant(plain(row.get("sys_updated_on"))) if said else None,
                    comment=plain(row.get("comments"), "display_value") or None,
                )
            )
        return found

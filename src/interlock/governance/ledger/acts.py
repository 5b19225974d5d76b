"""Administrative acts on principals go into the ledger, whichever process did them."""

from __future__ import annotations

from interlock.governance.ledger.chain import Entry
from interlock.governance.ledger.store import Ledger
from interlock.principals.store import PrincipalStore


async def record_acts(store: PrincipalStore, ledger: Ledger) -> int:
    """Take over all acts that are not in the ledger yet; how many. Raises what ``append`` raises.

    An act that was appended just before a crash is appended again: its entry has the same ``call_id``,
    ``act:`` and the act's number.
    """
    count = 0
    while acts := store.unrecorded():
        for act in acts:
            detail = {**act.detail, "subject": act.subject}
            await ledger.append(Entry("admin", f"act:{act.seq}", act.at, act.by, act.what, detail=detail))
        store.mark_recorded([act.seq for act in acts])
        count += len(acts)
    return count

"""Approvals: a person decides a held call once, in time, having seen exactly what is held."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from interlock.clock import Clock
from interlock.principals.models import Person
from interlock.records import times
from interlock.records.problems import Problem, Slug
from interlock.state.journal import Journal, WriteRow

Denied = Callable[[WriteRow, str, str], dict[str, Any]]
"""The receipt of a call that a person denied: row, person, comment."""

Recorder = Callable[[str, dict[str, Any], tuple[str, ...]], Awaitable[None]]
"""Puts a person's act into the ledger: person, detail, refs. Raises Problem when it cannot."""


GIVE_UP_S = 3600.0
"""So long an approved call is tried, counted from the decision."""


class Approvals:
    """Held calls, for people with the role approver."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        record: Recorder,
        owner_of: Callable[[str], str | None],
        denied: Denied,
    ) -> None:
        self._journal = journal
        self._denied = denied
        self._clock = clock
        self._record = record
        self._owner_of = owner_of

    async def listed(
        self, person: Person, states: tuple[str, ...] = ("held",), limit: int = 100
    ) -> list[dict[str, Any]]:
        """Held calls (or those in other states), oldest first. Raises refused without a role that may look."""
        _may(person, "viewer", "steward", "approver", "administrator")
        return [shown(row) for row in await self._journal.listed(states, limit)]

    async def get(self, person: Person, id: str) -> dict[str, Any]:  # noqa: A002
        """One held call, whole. Raises not-found."""
        _may(person, "viewer", "steward", "approver", "administrator")
        return shown(await self._row(id))

    async def decide(self, person: Person, id: str, digest: str, yes: bool, comment: str) -> dict[str, Any]:  # noqa: A002
        """Approve or deny. ``digest`` is what the person saw; another one means the call is not theirs to judge.

        Raises refused (role, four eyes), not-found, and version-conflict when the call was decided or expired.
        """
        _may(person, "approver")
        row = await self._row(id)
        deciders = row.call["deciders"]
        if deciders and (person.roles | person.groups).isdisjoint(deciders):
            raise Problem(
                Slug.REFUSED,
                f"{person.id} is none of those who decide this call: {', '.join(deciders)}",
                next_step="Ask one of them.",
            )
        if (self._owner_of(row.principal) or "").casefold() == person.id.casefold():
            raise Problem(
                Slug.REFUSED,
                f"{person.id} owns {row.principal}: another person must decide (four eyes)",
                next_step="Ask another approver.",
            )
        now = self._clock.now()
        act = {
            "act": "approve" if yes else "deny",
            "write": row.id,
            "tool": row.tool,
            "call_id": row.call["call_id"],
            "digest": digest,
            "verdict": "allow" if yes else "refuse",
        }
        if row.state != "held" or row.digest != digest or (row.expires_at or 0) <= now:
            raise _gone(row, digest, now)
        await self._record(person.id, act, (row.ref,) if row.ref else ())
        decision = {"by": person.id, "at": times.to_text(now), "approved": yes, "comment": comment}
        receipt = None if yes else self._denied(row, person.id, comment)
        if not await self._journal.decide(id, digest, yes, decision, now, receipt=receipt, give_up_at=now + GIVE_UP_S):
            raise _gone(await self._row(id), digest, now)
        return shown(await self._row(id))

    async def _row(self, id: str) -> WriteRow:  # noqa: A002
        row = await self._journal.get(id)
        if row is None:
            raise Problem(
                Slug.NOT_FOUND, f"there is no call {id}", field="id", value=id, next_step="List the held calls."
            )
        return row


def _may(person: Person, *roles: str) -> None:
    if person.roles.isdisjoint(roles):
        raise Problem(
            Slug.REFUSED,
            f"{person.id} has none of the roles {', '.join(roles)}",
            next_step="An administrator gives roles.",
        )


def _gone(row: WriteRow, digest: str, now: float) -> Problem:
    if row.state == "held" and row.digest != digest:
        detail = "the digest is not that of the held call"
    elif row.state == "held" and (row.expires_at or 0) <= now:
        detail = "the call has expired"
    else:
        detail = f"the call is already {row.state}"
    return Problem(Slug.VERSION_CONFLICT, detail, field="digest", next_step="Look at the call again.")


def shown(row: WriteRow) -> dict[str, Any]:
    """A held call as a person sees it: who, what, on which values, why it is held."""
    call = row.call
    return {
        "id": row.id,
        "state": row.state,
        "agent": row.principal,
        "tool": row.tool,
        "source": row.source,
        "ref": row.ref,
        "arguments": call["raw"],
        "before": call["before"],
        "reasons": call["reasons"],
        "findings": call["bound"].get("findings", []),
        "deciders": call["deciders"],
        "digest": row.digest,
        "created_at": times.to_text(row.created_at),
        "expires_at": times.to_text(row.expires_at) if row.expires_at else None,
        "decision": row.decision,
        "receipt": row.receipt,
        "needs_person": bool(row.needs_person),
    }

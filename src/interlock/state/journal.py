"""The journal of writes: one row a write, moved by a small state machine, each move one durable commit.

Everything needed to go on with a write is in its row, never in a sleeping frame: a crash or an upgrade
loses nothing. Every update carries the row's fence, so a worker that lost its lease changes nothing.

=========== ============================ ==========================================================
from        to                           who, when
=========== ============================ ==========================================================
(none)      performing                   the call, verdict allow; committed before any byte leaves
(none)      held                         the call, verdict hold
held        released, refused            an approver: once, before expiry, with the digest they saw
held        expired                      the settling pass, at ``expires_at``
released    performing, refused          the settling pass, after everything is decided anew
performing  applied, partial,            the holder of the fence: read back, or a certain refusal
            not_applied
performing  unknown                      the holder: time-out, reset, 5xx, read-back failed
performing  unknown                      the settling pass, when the holder's lease is over
unknown     performing                   the settling pass: probe found nothing after ``quiet_at``
unknown     applied, partial,            the settling pass: probe found it, or attempts are spent
            not_applied
unknown     unknown                      the settling pass: probe failed or too early; a person is told
=========== ============================ ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import orjson

from interlock.state.db import Db

TRANSITIONS: dict[str | None, frozenset[str]] = {
    None: frozenset({"performing", "held"}),
    "held": frozenset({"released", "refused", "expired"}),
    "released": frozenset({"performing", "refused"}),
    "performing": frozenset({"applied", "partial", "not_applied", "unknown"}),
    "unknown": frozenset({"performing", "applied", "partial", "not_applied", "unknown"}),
}
ENDS = frozenset({"applied", "partial", "not_applied", "refused", "expired"})

UNTOLD_S = 7 * 86_400.0
"""How long the key of a write that nobody knows the end of answers for equal calls, after each look."""
TOLD_S = 600.0
"""How long it still does when the end is known, where the key was derived."""

SCHEMA: tuple[str, ...] = (
    """CREATE TABLE writes (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, key_given INTEGER NOT NULL, key_until REAL NOT NULL,
        digest TEXT NOT NULL, principal TEXT NOT NULL, tool TEXT NOT NULL, source TEXT NOT NULL,
        kind TEXT NOT NULL, ref TEXT, call TEXT NOT NULL, state TEXT NOT NULL, receipt TEXT,
        fence INTEGER NOT NULL, owner TEXT, due_at REAL, quiet_at REAL, attempts INTEGER NOT NULL,
        give_up_at REAL NOT NULL, expires_at REAL, decision TEXT, needs_person INTEGER NOT NULL,
        created_at REAL NOT NULL, updated_at REAL NOT NULL)""",
    "CREATE INDEX writes_key ON writes (key, key_until)",
    "CREATE INDEX writes_due ON writes (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX writes_state ON writes (state, created_at)",
)


@dataclass(slots=True)
class WriteRow:
    """One write. ``call`` holds the canonical arguments, effect, before-image and decision inputs."""

    id: str
    key: str
    key_given: int
    key_until: float
    digest: str
    principal: str
    tool: str
    source: str
    kind: str
    ref: str | None
    call: dict[str, Any]
    state: str
    receipt: dict[str, Any] | None
    fence: int
    owner: str | None
    due_at: float | None
    quiet_at: float | None
    attempts: int
    give_up_at: float
    expires_at: float | None
    decision: dict[str, Any] | None
    needs_person: int
    created_at: float
    updated_at: float

    @property
    def ended(self) -> bool:
        return self.state in ENDS


_COLUMNS = tuple(field.name for field in fields(WriteRow))
_JSON = frozenset({"call", "receipt", "decision"})
_NAMES = ", ".join(_COLUMNS)


def _row(values: tuple[Any, ...]) -> WriteRow:
    found = dict(zip(_COLUMNS, values, strict=True))
    for name in _JSON:
        if found[name] is not None:
            found[name] = orjson.loads(found[name])
    return WriteRow(**found)


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


class Journal:
    """The ``writes`` table."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def begin(self, row: WriteRow) -> WriteRow | None:
        """Insert the row unless a live row has its key; then return that one. Durable on return."""
        values = [_text(getattr(row, name)) if name in _JSON else getattr(row, name) for name in _COLUMNS]
        marks = ", ".join("?" * len(_COLUMNS))
        insert = (
            f"INSERT INTO writes ({_NAMES}) SELECT {marks} WHERE NOT EXISTS "  # noqa: S608
            "(SELECT 1 FROM writes WHERE key = ? AND key_until > ?)"
        )
        (result,) = await self._db.run((insert, (*values, row.key, row.created_at)))
        return None if result.rowcount else await self.by_key(row.key, row.created_at)

    async def get(self, id: str) -> WriteRow | None:  # noqa: A002
        rows = await self._db.rows(f"SELECT {_NAMES} FROM writes WHERE id = ?", id)  # noqa: S608
        return _row(rows[0]) if rows else None

    async def by_key(self, key: str, now: float) -> WriteRow | None:
        """The live row of an idempotency key."""
        sql = f"SELECT {_NAMES} FROM writes WHERE key = ? AND key_until > ? ORDER BY created_at DESC LIMIT 1"  # noqa: S608
        rows = await self._db.rows(sql, key, now)
        return _row(rows[0]) if rows else None

    async def listed(self, states: tuple[str, ...], limit: int = 100, needs_person: bool = False) -> list[WriteRow]:
        """Rows in these states, oldest first."""
        marks = ", ".join("?" * len(states))
        extra = " AND needs_person = 1" if needs_person else ""
        sql = f"SELECT {_NAMES} FROM writes WHERE state IN ({marks}){extra} ORDER BY created_at LIMIT ?"  # noqa: S608
        return [_row(values) for values in await self._db.rows(sql, *states, limit)]

    async def counts(self) -> dict[str, int]:
        """How many rows there are in each state."""
        return dict(await self._db.rows("SELECT state, count(*) FROM writes GROUP BY state"))

    async def claim_due(self, me: str, now: float, lease_s: float, limit: int) -> list[WriteRow]:
        """Take over rows that are due, each with a new fence and a lease of ``lease_s`` seconds."""
        sql = (
            "UPDATE writes SET fence = fence + 1, owner = ?, due_at = ?, updated_at = ? WHERE id IN "  # noqa: S608
            f"(SELECT id FROM writes WHERE due_at <= ? ORDER BY due_at LIMIT ?) AND due_at <= ? RETURNING {_NAMES}"
        )
        (result,) = await self._db.run((sql, (me, now + lease_s, now, now, limit, now)))
        return [_row(values) for values in result.rows]

    async def move(
        self,
        row: WriteRow,
        to: str,
        now: float,
        *,
        due_at: float | None = None,
        quiet_at: float | None = None,
        receipt: dict[str, Any] | None = None,
        attempt: bool = False,
        needs_person: bool = False,
        call: dict[str, Any] | None = None,
        ref: str | None = None,
        free_key: bool = False,
    ) -> bool:
        """Move the row to a state if we still hold its fence; False means the lease was lost.

        ``free_key``: nothing was sent and trying again is the way out, so even a given key is free again.
        Updates ``row`` in place on success. Raises ValueError for a move that the table does not have.
        """
        if to not in TRANSITIONS[row.state]:
            raise ValueError(f"a write cannot go from {row.state} to {to}")
        ended = to in ENDS
        # A derived key of a write that did nothing must not answer for the next, equal call.
        idle = ended and to not in ("applied", "partial")
        key_until = now if idle and (free_key or not row.key_given) else row.key_until
        if to == "unknown":  # as long as nobody knows, an equal call gets this receipt and is not sent
            key_until = max(row.key_until, now + UNTOLD_S)
        elif row.state == "unknown" and ended and not idle and not row.key_given:
            key_until = min(row.key_until, now + TOLD_S)
        sql = (
            "UPDATE writes SET state = ?, due_at = ?, quiet_at = coalesce(?, quiet_at), "
            "receipt = coalesce(?, receipt), attempts = attempts + ?, needs_person = ?, key_until = ?, "
            "call = coalesce(?, call), "
            "ref = coalesce(?, ref), updated_at = ? WHERE id = ? AND fence = ? AND state = ?"
        )
        values = (
            to,
            None if ended else due_at,
            quiet_at,
            _text(receipt),
            int(attempt),
            int(needs_person and not ended),
            key_until,
            _text(call),
            ref,
            now,
            row.id,
            row.fence,
            row.state,
        )
        (result,) = await self._db.run((sql, values))
        if not result.rowcount:
            return False
        row.state, row.due_at, row.key_until, row.updated_at = to, None if ended else due_at, key_until, now
        row.quiet_at = quiet_at if quiet_at is not None else row.quiet_at
        row.receipt = receipt if receipt is not None else row.receipt
        row.call = call if call is not None else row.call
        row.ref = ref if ref is not None else row.ref
        row.attempts += int(attempt)
        row.needs_person = int(needs_person and not ended)
        return True

    async def decide(
        self,
        id: str,  # noqa: A002
        digest: str,
        yes: bool,
        decision: dict[str, Any],
        now: float,
        *,
        receipt: dict[str, Any] | None = None,
        give_up_at: float | None = None,
    ) -> bool:
        """A person's decision on a held row: once, in time, for the digest they saw.

        ``receipt`` is that of a denied call, ``give_up_at`` until when an approved one is tried.
        """
        sql = (
            "UPDATE writes SET state = ?, decision = ?, receipt = coalesce(?, receipt), "
            "give_up_at = coalesce(?, give_up_at), fence = fence + 1, due_at = ?, key_until = "
            "CASE WHEN ? OR key_given THEN key_until ELSE ? END, updated_at = ? "
            "WHERE id = ? AND state = 'held' AND digest = ? AND expires_at > ?"
        )
        state, due = ("released", now) if yes else ("refused", None)
        values = (state, _text(decision), _text(receipt), give_up_at, due, int(yes), now, now, id, digest, now)
        (result,) = await self._db.run((sql, values))
        return bool(result.rowcount)

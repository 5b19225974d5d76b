"""Webhooks: what happens to flags is posted to those who asked, at least once and in order.

The event log is the outbox: a receiver has only a place in it, kept in ``webhooks.sqlite``, which moves on when a
message was taken. One that was not is sent again, later and later, up to an hour; its id stays the same, so that
a receiver can drop what it already has. A receiver that is too far behind is told how much it missed, in numbers,
instead of all of it. A lease keeps two processes on one folder from sending the same thing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson

from interlock.clock import Clock
from interlock.config.webhooks import Webhook
from interlock.quality.flags.rows import NAME, SEVERITIES
from interlock.quality.flags.signing import post, signed
from interlock.records import times
from interlock.state.files import connect
from interlock.state.schema import Step, migrate
from interlock.telemetry import Log

BATCH = 100
"""Events in one message at most."""
FAR_BEHIND = 10_000
"""More events than this are told as counts."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 3600.0
LEASE_S = 120.0

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE receiver (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0, "
        "next_at REAL NOT NULL DEFAULT 0, holder TEXT NOT NULL DEFAULT '', held_until REAL NOT NULL DEFAULT 0)",
    ),
)

_EVENTS = (
    "SELECT e.seq, e.at, e.by, e.what, e.ref, e.code, e.reason, e.until, e.detail, f.severity, f.evidence, f.assignee "
    "FROM event e LEFT JOIN flag f ON f.ref = e.ref AND f.code = e.code WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq"
)
_COUNTS = "SELECT what, code, count(*) FROM event WHERE seq > ? AND seq <= ? GROUP BY what, code ORDER BY what, code"
_LOOKED_AT = 20 * BATCH  # events looked at for one message
_TAKE = (
    "UPDATE receiver SET holder = ?1, held_until = ?2 WHERE id = ?3 AND next_at <= ?4 "
    "AND (holder = ?1 OR held_until < ?4) RETURNING seq, failures"
)


class Webhooks:
    """Posts the events of one state folder's flags to its receivers. Not shared between threads.

    A receiver that is new begins with what happens from now on. Raises StateError when a file cannot be used.
    """

    def __init__(
        self, folder: Path, receivers: Sequence[Webhook], clock: Clock, log: Log, client: httpx.AsyncClient
    ) -> None:
        self._receivers = {_id(each): each for each in receivers}
        self._clock = clock
        self._log = log
        self._client = client
        self._me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._flags = connect(folder / NAME, readonly=True)
        self._db = connect(folder / "webhooks.sqlite", synchronous="NORMAL")
        migrate(self._db, STEPS, "webhooks.sqlite")
        for id in self._receivers:  # noqa: A001
            self._db.execute("INSERT OR IGNORE INTO receiver (id, seq) VALUES (?, ?)", (id, self._last()))

    def close(self) -> None:
        self._db.execute("UPDATE receiver SET held_until = 0 WHERE holder = ?", (self._me,))
        self._db.close()
        self._flags.close()

    async def run_once(self) -> int:
        """One message to each receiver that is due; how many were taken."""
        taken = 0
        for id, receiver in self._receivers.items():  # noqa: A001
            taken += await self._serve(id, receiver)
        return taken

    async def _serve(self, id: str, receiver: Webhook) -> bool:  # noqa: A002
        now = self._clock.now()
        rows = self._db.execute(_TAKE, (self._me, now + LEASE_S, id, now)).fetchall()
        if not rows:
            return False
        ((seq, failures),) = rows
        upto, body = self._message(receiver, seq)
        if body is None:
            self._moved(id, upto)
            return False
        message = f"{id[:12]}-{seq + 1}"
        headers = signed(receiver.secret.get_secret_value(), message, now, body)
        wrong = await post(self._client, receiver.url, headers, body, receiver.timeout_s)
        if wrong is None:
            self._moved(id, upto)
            return True
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures, 20))
        self._db.execute(
            "UPDATE receiver SET failures = failures + 1, next_at = ? WHERE id = ?", (self._clock.now() + wait, id)
        )
        self._log.warning("webhook not taken", receiver=id[:12], why=wrong, again_in_s=wait, failures=failures + 1)
        return False

    def _message(self, receiver: Webhook, seq: int) -> tuple[int, bytes | None]:
        """The next message and how far in the log it goes; no message when there is nothing to tell."""
        last = self._last()
        if last - seq > FAR_BEHIND:
            counts = self._flags.execute(_COUNTS, (seq, last)).fetchall()
            told = [{"what": what, "code": code, "events": n} for what, code, n in counts if what in receiver.events]
            return last, orjson.dumps({"type": "flags.many", "from": seq + 1, "to": last, "counts": told})
        events: list[dict[str, Any]] = []
        upto = min(last, seq + _LOOKED_AT)
        for row in self._flags.execute(_EVENTS, (seq, upto)).fetchall():
            event = _event(row)
            if event["what"] not in receiver.events or event.get("severity") not in (None, *receiver.severities):
                continue
            events.append(event)
            if len(events) == BATCH:
                upto = row[0]
                break
        return upto, orjson.dumps({"type": "flags.events", "events": events}) if events else None

    def _moved(self, id: str, seq: int) -> None:  # noqa: A002
        self._db.execute("UPDATE receiver SET seq = max(seq, ?), failures = 0, next_at = 0 WHERE id = ?", (seq, id))

    def _last(self) -> int:
        (found,) = self._flags.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
        return int(found)


def _id(receiver: Webhook) -> str:
    """By its address: what else changes of a receiver does not make it a new one."""
    return hashlib.sha256(receiver.url.encode()).hexdigest()


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    seq, at, by, what, ref, code, reason, until, detail, severity, evidence, assignee = row
    found = {
        "seq": seq,
        "at": times.to_text(at),
        "by": by,
        "what": what,
        "ref": ref,
        "code": code,
        "severity": None if severity is None else SEVERITIES[severity],
        "evidence": evidence,
        "assignee": assignee,
        "reason": reason,
        "until": None if until is None else times.to_text(until),
        "detail": detail,
    }
    return {name: value for name, value in found.items() if value is not None}

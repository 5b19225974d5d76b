"""The ledger while a gateway runs: entries go in by group commit, heads are signed, payloads erased."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from interlock.clock import Clock
from interlock.governance.ledger import tables
from interlock.governance.ledger.chain import GENESIS, Entry, canonical, digest_of
from interlock.governance.ledger.heads import ANCHORS, Head, Signer
from interlock.governance.ledger.vault import SALT_BYTES, Payload, seal
from interlock.records.problems import Problem, Slug
from interlock.state.errors import StateError, state_error
from interlock.state.files import WriterLock, connect, private_folder
from interlock.state.groupcommit import GroupCommit
from interlock.state.schema import migrate

log = logging.getLogger(__name__)

ROOM_S = 2.0
"""How long a read's entry waits for room in a full queue before it is counted as lost."""
RETRY_S = 1.0
"""How often a ledger that cannot commit is tried again while nobody asks for it."""
LINGER_S = 0.1
"""How long an entry that nobody waits for may stand, so that it shares a commit."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The ledger's health. ``lost``: entries of reads that were not written; the chain says so too."""

    entries: int
    waiting: int
    lost: int
    failures: int
    heads: int
    head_failures: int
    failing: bool


@dataclass(frozen=True, slots=True)
class _Add:
    entry: Entry
    payload: Payload | None
    awaited: bool


@dataclass(frozen=True, slots=True)
class _Erase:
    """Erase from the vault what is older than ``before`` (microseconds), or one entry's payload."""

    by: str
    before: int | None
    seq: int | None


class Ledger:
    """The append-only history of one gateway: ``ledger.sqlite`` in the state folder.

    Every commit is durable (synchronous=FULL). One process writes; ``verify`` and ``read`` may look on.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        anchors: Path | None = None,
        head_every: int = 1000,
        head_after_s: float = 60.0,
        bound: int = 8192,
    ) -> None:
        """Open or make the ledger. ``anchors``: where signed heads are appended, best on another disk.

        Raises StateError when another process has it, or its key is missing or broken.
        """
        private_folder(folder)
        path = folder / tables.NAME
        self._clock = clock
        self._head_every = head_every
        self._head_after_s = head_after_s
        self._dropped = 0  # reads' entries for which there was no room; counted on the loop
        self._failed = 0  # reads' entries in a commit that failed; counted in the writer
        self._said = 0  # of both, those that the chain tells of
        self._failures = self._heads = self._head_failures = 0
        self._failing = False
        self._full = False
        self._lock = WriterLock(path)
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            self._signer = Signer(folder, anchors or folder / ANCHORS)
            self._db = connect(path)
            undo.callback(self._db.close)
            migrate(self._db, tables.STEPS, path.name)
            try:
                self._db.execute("PRAGMA secure_delete=ON").fetchall()
                self.chain = self._name_chain()
                self._tip: tuple[int, str] | None = tables.tip(self._db) or (0, GENESIS)
            except sqlite3.Error as error:
                raise state_error(error) from error
            undo.pop_all()
        self._entries = self._tip[0]
        self._signed = -1
        self._signed_at = 0.0
        # The first head is signed at once: a new chain is anchored before its first entry, and what was
        # committed before an unclean stop is anchored again.
        self._sign()
        self._group: GroupCommit[_Add | _Erase, int] = GroupCommit(
            "ledger", self._commit, bound=bound, linger_s=LINGER_S, tick=self._tick, last=self._end
        )

    async def append(self, entry: Entry, payload: Payload | None = None) -> int:
        """Wait until the entry is durably in the chain; its sequence number.

        Raises Problem refused (reason ``ledger-unavailable``): what was to be recorded must not happen.
        """
        return await self._submit(_Add(entry, payload, True))

    async def queue(self, entry: Entry, payload: Payload | None = None) -> None:
        """Hand the entry over; it is committed within 200 ms. For reads, which go on without a ledger.

        Waits only while the queue is full, and at most ROOM_S; an entry that could not be written is
        counted, and the chain tells how many were lost as soon as it can be written again.
        """
        # Once the queue did not move for ROOM_S, the next reads do not wait for it again.
        try:
            taken = await self._group.put(_Add(entry, payload, False), 0.0 if self._full else ROOM_S)
        except StateError:  # the disk hangs
            taken = False
        self._full = not taken
        if not taken:
            self._dropped += 1

    async def flush(self) -> None:
        """Return when everything queued so far is committed, or counted as lost."""
        await self._group.flush()

    async def erase_before(self, at: float, by: str) -> int:
        """Erase the payloads of all entries older than ``at`` (epoch seconds).

        The erasure is itself an entry, by the principal ``by``; its sequence number.
        """
        return await self._submit(_Erase(by, round(at * 1_000_000), None))

    async def erase_entry(self, seq: int, by: str) -> int:
        """Erase the payload of one entry. The erasure is an entry; its sequence number."""
        return await self._submit(_Erase(by, None, seq))

    async def close(self) -> None:
        """Commit what is queued, sign the last head, let go of the file."""
        try:
            await self._group.close()
        finally:
            self._lock.release()

    @property
    def counts(self) -> Counts:
        return Counts(
            self._entries,
            len(self._group),
            self._dropped + self._failed,
            self._failures,
            self._heads,
            self._head_failures,
            self._failing,
        )

    async def _submit(self, item: _Add | _Erase) -> int:
        try:
            return await self._group.submit(item)
        except StateError as error:
            raise _unavailable(error.detail) from error

    # From here on: the writing thread.

    def _commit(self, batch: list[_Add | _Erase]) -> Sequence[int | Exception]:
        try:
            outcomes = self._write(batch)
        except Exception as error:  # disk full, file gone, ...: the gateway must know, whatever it is
            self._failures += 1
            self._failing = True
            self._failed += sum(1 for item in batch if isinstance(item, _Add) and not item.awaited)
            # Whether a failed COMMIT took effect is not known: the file says, next time.
            self._tip = None
            why = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            if batch:
                log.error("the ledger cannot commit %d entries: %s", len(batch), why)
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return [_unavailable(why) for _ in batch]
        self._failing = False
        return outcomes

    def _write(self, batch: list[_Add | _Erase]) -> list[int | Exception]:
        db = self._db
        run = _Run(self.chain, *(self._tip or tables.tip(db) or (0, GENESIS)))
        lost = self._dropped + self._failed
        db.execute("BEGIN IMMEDIATE")
        if lost > self._said:
            detail = {"entries": lost - self._said}
            run.add(Entry("admin", "lost", self._clock.now(), "interlock", tables.LOST, detail=detail), None)
        outcomes: list[int | Exception] = []
        bad = erased = 0
        for item in batch:
            try:
                if isinstance(item, _Add):
                    outcomes.append(run.add(item.entry, item.payload))
                else:
                    run.store(db)  # the payload may be in this very batch
                    outcomes.append(run.add(self._erase(item), None))
                    erased += 1
            except Problem as problem:
                outcomes.append(problem)
                if isinstance(item, _Add) and not item.awaited:
                    bad += 1
        run.store(db)
        if not batch:  # a trial: it only tells something when it writes
            db.execute("UPDATE about SET created_at = created_at")
        db.execute("COMMIT")
        self._tip = (run.seq, run.prev)
        self._entries = run.seq
        self._said = lost
        self._failed += bad
        if erased:
            # What was erased also stood in the write-ahead log.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return outcomes

    def _erase(self, item: _Erase) -> Entry:
        where, value = ("at < ?", item.before) if item.seq is None else ("seq = ?", item.seq)
        count = self._db.execute(f"DELETE FROM vault WHERE {where}", (value,)).rowcount  # noqa: S608
        detail = {"before": item.before} if item.seq is None else {"entry": item.seq}
        now = self._clock.now()
        call = f"erase:{secrets.token_hex(8)}"
        return Entry("admin", call, now, item.by, tables.ERASED, detail={**detail, "payloads": count})

    def _tick(self) -> float | None:
        """Sign a head when it is due, try a ledger out of order again; in how many seconds to look again."""
        if self._failing:
            # Writes are refused meanwhile, so nothing else might ever find out that the disk is back.
            self._commit([])
            if self._failing:
                return RETRY_S
        open_entries = self._entries - self._signed
        if open_entries <= 0 or self._tip is None:
            return None
        left = self._signed_at + self._head_after_s - self._clock.now()
        if open_entries >= self._head_every or left <= 0:
            self._sign()
            # A head that could not be written is tried again, but not in a tight loop.
            return None if self._entries == self._signed else self._head_after_s
        return left

    def _sign(self) -> None:
        if self._tip is None:
            return
        now = self._clock.now()
        seq, digest = self._tip
        self._signed_at = now
        try:
            self._signer.sign(Head(self.chain, seq, digest, round(now * 1_000_000)))
        except OSError as error:
            self._head_failures += 1
            log.error("the ledger's head cannot be anchored: %s", error.strerror)
            return
        self._signed = seq
        self._heads += 1

    def _end(self) -> None:
        if self._entries != self._signed:
            self._sign()
        self._db.close()

    def _name_chain(self) -> str:
        row = self._db.execute("SELECT chain FROM about").fetchone()
        if row is None:
            row = (secrets.token_hex(8),)
            self._db.execute("INSERT INTO about VALUES (?, ?)", (row[0], round(self._clock.now() * 1_000_000)))
        return str(row[0])


class _Run:
    """The rows of one batch, chained on from the last committed one."""

    def __init__(self, chain: str, seq: int, prev: str) -> None:
        self.chain = chain
        self.seq = seq
        self.prev = prev
        self._rows: list[tuple[int, bytes, str, str]] = []
        self._payloads: list[tuple[int, int, bytes, bytes | None, bytes | None]] = []

    def add(self, entry: Entry, payload: Payload | None) -> int:
        """Chain one entry. Raises Problem when it is not one; the chain then goes on without it."""
        seq = self.seq + 1
        if payload is None:
            body = canonical(entry, self.chain, seq, self.prev, {})
        else:
            sealed = seal(payload, os.urandom(SALT_BYTES))
            body = canonical(entry, self.chain, seq, self.prev, sealed.digests)
            at = round(entry.at * 1_000_000)
            self._payloads.append((seq, at, sealed.salt, sealed.arguments, sealed.answer))
        digest = digest_of(body)
        self._rows.append((seq, digest, entry.call_id, body.decode()))
        self.seq, self.prev = seq, digest.hex()
        return seq

    def store(self, db: sqlite3.Connection) -> None:
        tables.insert(db, "chain", 4, self._rows)
        tables.insert(db, "vault", 5, self._payloads)
        self._rows, self._payloads = [], []


def _unavailable(why: str) -> Problem:
    return Problem(
        Slug.REFUSED,
        "the ledger cannot record this, so it was not done",
        next_step="Try again later; tell the operator of the gateway if it stays.",
        retryable=True,
        more={"reason": "ledger-unavailable", "ledger": why},
    )

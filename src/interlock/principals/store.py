"""Principals and their keys in ``principals.sqlite``.

Unlike all other state this file has two writers: the gateway and the command line, so that an agent can be
suspended while the gateway runs, or does not answer. Both use short transactions. Every change is an act,
a row written in the same transaction; its number is the change sequence that caches are bound to, and the
gateway takes acts over into the ledger (``unrecorded``, ``mark_recorded``), whoever did them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from interlock.clock import Clock
from interlock.principals import documents
from interlock.principals.declaration import check_id
from interlock.principals.models import ROLES, Agent, AnyPrincipal, Person, PrincipalKind, Role, Service, Status
from interlock.principals.tables import (
    KEY_COLUMNS,
    NAME,
    STEPS,
    Act,
    Issued,
    Key,
    StoredKey,
    act_of_row,
    key_of_row,
)
from interlock.principals.tokens import hash_of, new_token
from interlock.records.fields import Field
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug, invalid
from interlock.state.errors import Constraint, state_error
from interlock.state.files import BUSY_S, connect, private_folder
from interlock.state.schema import migrate
from interlock.state.transaction import transaction

Added = TypeVar("Added", Agent, Person, Service)

DAY = 86_400.0
LASTS_S = 90 * DAY
"""How long a key lasts unless said otherwise."""


class PrincipalStore:
    """Add, list, suspend; issue, rotate and revoke keys.

    ``by`` is always the principal who acts, taken from how the caller was authenticated (the command line:
    the user of the machine), never from a body. ``on_act`` hears of each act of this process, committed.
    Not shared between threads. Raises Problem not-found, invalid-argument or refused; StateError when the
    file cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        on_act: Callable[[Act], None] | None = None,
        fields: Mapping[str, Mapping[str, Field]] = FIELDS,
    ) -> None:
        private_folder(folder)
        self._clock = clock
        self._on_act = on_act
        self._fields = fields
        self._db = connect(folder / NAME)
        migrate(self._db, STEPS, NAME)
        self.changes = 0
        """Counts this process's own acts; with ``sequence`` it tells a cache that it is out of date."""

    def close(self) -> None:
        self._db.close()

    # Principals

    def add_agent(self, agent: Agent, *, by: str) -> Agent:
        """Take over an agent (from ``read_declaration``). It starts active and without a key."""
        return self._add(agent, by)

    def add_person(
        self,
        id: str,  # noqa: A002 - the word of the contract
        name: str,
        *,
        roles: Collection[str] = (),
        groups: Collection[str] = (),
        by: str,
    ) -> Person:
        """Add a person with roles (viewer, steward, approver, administrator) and groups."""
        return self._add(Person(id, name, check_roles(roles), frozenset(groups)), by)

    def add_service(self, id: str, purpose: str, *, roles: Collection[str] = (), by: str) -> Service:  # noqa: A002
        return self._add(Service(id, purpose, check_roles(roles)), by)

    def update(self, principal: Agent | Person | Service, *, by: str) -> AnyPrincipal:
        """Replace what is declared of a principal. Its status and its keys stay."""
        known = self.get(principal.id)
        if known.kind != principal.kind:
            raise _taken(known, "Choose another id.")
        with self._act(by, f"{principal.kind}.update", principal.id, _summary(principal)) as (db, now):
            db.execute(
                "UPDATE principals SET document = ?, changed_at = ? WHERE id = ?",
                (documents.write(principal), now, principal.id),
            )
        return self.get(principal.id)

    def get(self, id: str) -> AnyPrincipal:  # noqa: A002
        """A principal by id, whatever its status."""
        found = self._select("WHERE id = ?", (id,))
        if not found:
            raise Problem(Slug.NOT_FOUND, f"there is no principal {id}", field="id", value=id)
        return found[0]

    def list(self, kind: PrincipalKind | None = None) -> Sequence[AnyPrincipal]:
        """All principals in order of their ids, optionally of one kind."""
        return self._select("WHERE kind = ? ORDER BY id", (kind,)) if kind else self._select("ORDER BY id", ())

    def suspend(self, id: str, *, by: str) -> AnyPrincipal:  # noqa: A002
        """Every call of the principal is refused from now on, within a second in other processes."""
        return self._turn(id, "suspended", by)

    def resume(self, id: str, *, by: str) -> AnyPrincipal:  # noqa: A002
        return self._turn(id, "active", by)

    # Keys

    def issue(
        self,
        principal: str,
        *,
        by: str,
        tools: Collection[str] | None = None,
        lasts_s: float | None = LASTS_S,
    ) -> Issued:
        """A new key for a principal. ``tools`` narrows what an agent may use with it; ``lasts_s=None``: no end."""
        owner = self.get(principal)
        if owner.status == "suspended":
            raise Problem(Slug.REFUSED, f"{principal} is suspended", next_step="Resume it first.")
        if tools is not None:
            if not isinstance(owner, Agent):
                raise invalid("tools", sorted(tools), f"only an agent's key can be narrowed; {principal} is none")
            beyond = sorted(set(tools) - owner.tools)
            if beyond:
                raise invalid("tools", beyond[0], f"{principal} may not use it", "A key narrows, it never widens.")
        if lasts_s is not None and lasts_s <= 0:
            raise invalid("lasts_s", lasts_s, "must be greater than 0")
        key, token = new_token(owner.kind)
        narrowed = None if tools is None else json.dumps(sorted(tools))
        with self._act(by, "key.issue", principal, {"key": key}) as (db, now):
            expires = None if lasts_s is None else now + lasts_s
            self._insert_key(db, key, principal, token, narrowed, now, expires)
        return Issued(self.key(key), token)

    def rotate(self, key: str, overlap_s: float, *, by: str, lasts_s: float | None = LASTS_S) -> Issued:
        """A new key with the old one's narrowing; the old one stays valid for ``overlap_s`` seconds."""
        old = self.key(key)
        if overlap_s < 0:
            raise invalid("overlap_s", overlap_s, "must not be negative")
        if old.replaced_by is not None:
            raise invalid("key", key, f"was rotated already, to {old.replaced_by}", f"Rotate {old.replaced_by}.")
        now = self._clock.now()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise invalid("key", key, "is not valid any more", "Issue a new key.")
        owner = self.get(old.principal)
        if owner.status == "suspended":
            raise Problem(Slug.REFUSED, f"{old.principal} is suspended", next_step="Resume it first.")
        new, token = new_token(owner.kind)
        narrowed = None if old.tools is None else json.dumps(sorted(old.tools))
        with self._act(by, "key.rotate", old.principal, {"key": key, "new": new}) as (db, now):
            end = now + overlap_s if old.expires_at is None else min(old.expires_at, now + overlap_s)
            changed = db.execute(
                "UPDATE keys SET expires_at = ?, replaced_by = ? WHERE id = ? AND replaced_by IS NULL "
                "AND revoked_at IS NULL",
                (end, new, key),
            )
            if changed.rowcount != 1:
                raise invalid("key", key, "was changed at the same moment", "Look at the list of keys again.")
            expires = None if lasts_s is None else now + lasts_s
            self._insert_key(db, new, old.principal, token, narrowed, now, expires)
        return Issued(self.key(new), token)

    def revoke(self, key: str, *, by: str) -> Key:
        """End a key at once. Revoking it again changes nothing."""
        known = self.key(key)
        if known.revoked_at is None:
            with self._act(by, "key.revoke", known.principal, {"key": key}) as (db, now):
                db.execute("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, key))
        return self.key(key)

    def key(self, id: str) -> Key:  # noqa: A002
        row = self._one(f"SELECT {KEY_COLUMNS} FROM keys k WHERE k.id = ?", (id,))  # noqa: S608 - our own names
        if row is None:
            raise Problem(Slug.NOT_FOUND, f"there is no key {id}", field="key", value=id)
        return key_of_row(row)

    def keys(self, principal: str) -> Sequence[Key]:
        """All keys of a principal, ended ones too, oldest first."""
        sql = f"SELECT {KEY_COLUMNS} FROM keys k WHERE k.principal = ? ORDER BY k.created_at, k.id"  # noqa: S608
        return [key_of_row(row) for row in self._all(sql, (principal,))]

    # For authentication

    def stored_key(self, id: str) -> StoredKey | None:  # noqa: A002
        """A key with its hash and its principal."""
        sql = (
            f"SELECT k.hash, p.id, p.kind, p.status, p.document, {KEY_COLUMNS} "  # noqa: S608 - our own names
            "FROM keys k JOIN principals p ON p.id = k.principal WHERE k.id = ?"
        )
        row = self._one(sql, (id,))
        if row is None:
            return None
        return StoredKey(key_of_row(row[5:]), row[0], documents.read(row[1], row[2], row[3], row[4], self._fields))

    def sequence(self) -> int:
        """The number of the last act of any process."""
        row = self._one("SELECT seq FROM acts ORDER BY seq DESC LIMIT 1", ())
        return int(row[0]) if row else 0

    def used(self, days: Mapping[str, str]) -> bool:
        """Note the day on which keys were last used. False when the file is busy: nothing was noted."""
        try:
            self._db.execute("PRAGMA busy_timeout=0")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("UPDATE keys SET last_used = ? WHERE id = ?", [(d, k) for k, d in days.items()])
            self._db.execute("COMMIT")
        except sqlite3.OperationalError:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout={BUSY_S * 1000:.0f}")
        return True

    # For the ledger

    def unrecorded(self, limit: int = 100) -> Sequence[Act]:
        """Acts, of any process, that are not in the ledger yet, oldest first."""
        sql = "SELECT seq, at, by, what, subject, detail FROM acts WHERE recorded = 0 ORDER BY seq LIMIT ?"
        return [act_of_row(row) for row in self._all(sql, (limit,))]

    def mark_recorded(self, seqs: Collection[int]) -> None:
        """Say that acts are in the ledger, durably."""
        with transaction(self._db) as db:
            db.executemany("UPDATE acts SET recorded = 1 WHERE seq = ?", [(seq,) for seq in seqs])

    # Inside

    def _add(self, principal: Added, by: str) -> Added:
        check_id(principal.id)
        try:
            with self._act(by, f"{principal.kind}.add", principal.id, _summary(principal)) as (db, now):
                db.execute(
                    "INSERT INTO principals VALUES (?, ?, 'active', ?, ?, ?)",
                    (principal.id, principal.kind, documents.write(principal), now, now),
                )
        except Constraint:
            raise _taken(self.get(principal.id), "Update it, or choose another id.") from None
        return replace(principal, status="active", key=None)

    def _turn(self, id: str, status: Status, by: str) -> AnyPrincipal:  # noqa: A002
        known = self.get(id)
        if known.status != status:
            what = "suspend" if status == "suspended" else "resume"
            with self._act(by, f"{known.kind}.{what}", id, {}) as (db, now):
                db.execute("UPDATE principals SET status = ?, changed_at = ? WHERE id = ?", (status, now, id))
        return self.get(id)

    def _insert_key(
        self,
        db: sqlite3.Connection,
        key: str,
        principal: str,
        token: str,
        tools: str | None,
        now: float,
        expires: float | None,
    ) -> None:
        db.execute(
            "INSERT INTO keys (id, principal, hash, tools, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
            (key, principal, hash_of(token), tools, now, expires),
        )

    @contextmanager
    def _act(
        self, by: str, what: str, subject: str, detail: Mapping[str, Any]
    ) -> Iterator[tuple[sqlite3.Connection, float]]:
        """A transaction that changes something and says so."""
        if not by:
            raise invalid("by", by, "is empty: every change has an author")
        now = self._clock.now()
        with transaction(self._db) as db:
            yield db, now
            values = (now, by, what, subject, json.dumps(detail, sort_keys=True))
            cursor = db.execute(
                "INSERT INTO acts (at, by, what, subject, detail, recorded) VALUES (?, ?, ?, ?, ?, 0)", values
            )
            seq = cursor.lastrowid or 0
        self.changes += 1
        if self._on_act:
            self._on_act(Act(seq, now, by, what, subject, detail))

    def _select(self, where: str, args: tuple[Any, ...]) -> Sequence[AnyPrincipal]:
        sql = f"SELECT id, kind, status, document FROM principals {where}"  # noqa: S608 - our own texts
        return [
            documents.read(name, kind, status, document, self._fields)
            for name, kind, status, document in self._all(sql, args)
        ]

    def _one(self, sql: str, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        found = self._all(sql, args)
        return found[0] if found else None

    def _all(self, sql: str, args: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise state_error(error) from error


def check_roles(roles: Collection[str]) -> frozenset[Role]:
    """Roles by their names, or Problem invalid-argument."""
    for role in roles:
        if role not in ROLES:
            near = get_close_matches(role, ROLES, n=1)
            raise invalid("roles", role, "is not a role", f"Did you mean {near[0]}?" if near else _ALL_ROLES)
    return cast("frozenset[Role]", frozenset(roles))


_ALL_ROLES = f"Roles are: {', '.join(ROLES)}."


def _taken(known: AnyPrincipal, next_step: str) -> Problem:
    return invalid("id", known.id, f"is taken already, by a principal of kind {known.kind}", next_step)


def _summary(principal: AnyPrincipal) -> dict[str, Any]:
    """What of a change goes to the ledger: ids and codes, no free text."""
    if isinstance(principal, Agent):
        return {"tools": sorted(principal.tools), "read": sorted(principal.scopes), "stage": principal.stage}
    return {"roles": sorted(principal.roles)}

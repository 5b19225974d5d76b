"""The tables of ``principals.sqlite`` and what stands in their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.principals.models import AnyPrincipal
from interlock.state.schema import Step

NAME = "principals.sqlite"

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE principals (id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, "
        "document TEXT NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL)",
        "CREATE TABLE keys (id TEXT PRIMARY KEY, principal TEXT NOT NULL REFERENCES principals (id), "
        "hash BLOB NOT NULL, tools TEXT, created_at REAL NOT NULL, expires_at REAL, revoked_at REAL, "
        "last_used TEXT, replaced_by TEXT)",
        "CREATE INDEX keys_principal ON keys (principal)",
        "CREATE TABLE acts (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, "
        "what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, recorded INTEGER NOT NULL)",
        "CREATE INDEX acts_open ON acts (seq) WHERE recorded = 0",
    ),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as lists show it: never its secret, nor the hash."""

    id: str
    principal: str
    tools: frozenset[str] | None  # narrows the principal's tools; None: all of them
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used: str | None  # a day, UTC
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and its token, which is shown this once."""

    key: Key
    token: str

    def __repr__(self) -> str:
        return f"Issued({self.key!r})"


@dataclass(frozen=True, slots=True)
class Act:
    """One administrative change: who did what to whom. ``detail`` holds ids and codes only."""

    seq: int
    at: float
    by: str
    what: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What authentication needs to know of a key."""

    key: Key
    hash: bytes
    principal: AnyPrincipal


KEY_COLUMNS = "k.id, k.principal, k.tools, k.created_at, k.expires_at, k.revoked_at, k.last_used, k.replaced_by"


def key_of_row(row: tuple[Any, ...]) -> Key:
    """A row of KEY_COLUMNS."""
    tools = None if row[2] is None else frozenset(json.loads(row[2]))
    return Key(row[0], row[1], tools, *row[3:8])


def act_of_row(row: tuple[Any, ...]) -> Act:
    seq, at, by, what, subject, detail = row
    return Act(seq, at, by, what, subject, json.loads(detail))

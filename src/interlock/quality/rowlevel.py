"""The compiled checks as the serving process reads them: plain JSON, no data engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from interlock.records.problems import Problem, Slug

Severity = Literal["high", "medium", "low", "info"]
Effect = Literal["allow", "hold", "refuse"]

PATH = Path(__file__).with_name("rowlevel.json")


@dataclass(frozen=True, slots=True)
class Check:
    """What serving knows of one check; see ``kit.RowCheck`` and ``kit.SetCheck`` for the meaning of the parts."""

    code: str
    kind: str
    severity: Severity
    effect: Effect
    effects: Mapping[str, Effect]
    needs: frozenset[str]
    needs_listed: str | None
    needs_setting: str | None
    applies: str | None
    itemised: bool
    fields: frozenset[str]
    lifts: str


@dataclass(frozen=True, slots=True)
class Statement:
    """The one SQLite statement of a kind, its parameters in order and the checks in column order."""

    sql: str
    columns: tuple[str, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class KeyedSet:
    """A set check by key: what a changed record touches, who stands under a key, and what is found there.

    ``sql`` binds ``:key`` and ``:now`` and gives ``record, evidence``, to be merged a record (see
    ``evidence``); None when only a scan can run the check. ``tables``: the columns it uses, by table.
    """

    code: str
    kind: str
    kinds: tuple[str, ...]
    sql: str | None
    reads_now: bool
    awaits_scan: bool
    touched: Mapping[str, str]
    members: str | None
    tables: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RowLevel:
    hash: str
    checks: Mapping[str, Check]
    kinds: Mapping[str, Statement]
    sets: Mapping[str, KeyedSet]


def digest(level: Mapping[str, Any]) -> str:
    """SHA-256 of the compiled checks, without the digest itself."""
    body = {name: value for name, value in level.items() if name != "hash"}
    return hashlib.sha256(
        json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def read(text: str) -> RowLevel:
    """Read a compiled file. Raises Problem internal when it is damaged or was edited by hand."""
    level = json.loads(text)
    if level.get("hash") != digest(level):
        raise Problem(
            Slug.INTERNAL,
            "rowlevel.json does not match its own hash",
            next_step="Run interlock checks build, or reinstall Interlock.",
        )
    checks = {
        code: Check(
            code=code,
            kind=entry["kind"],
            severity=entry["severity"],
            effect=entry["effect"],
            effects=entry["effects"],
            needs=frozenset(entry["needs"]),
            needs_listed=entry["needs_listed"],
            needs_setting=entry["needs_setting"],
            applies=entry["applies"],
            itemised=entry["itemised"],
            fields=frozenset(entry["fields"]),
            lifts=entry["doc"]["What lifts it"],
        )
        for code, entry in level["checks"].items()
    }
    kinds = {
        kind: Statement(entry["sql"], tuple(entry["columns"]), tuple(checks[code] for code in entry["codes"]))
        for kind, entry in level["kinds"].items()
    }
    sets = {
        code: KeyedSet(
            code=code,
            kind=entry["kind"],
            kinds=tuple(entry["kinds"]),
            sql=entry["sql"],
            reads_now=entry["reads_now"],
            awaits_scan=entry["awaits_scan"],
            touched=entry["touched"],
            members=entry["members"],
            tables={table: tuple(columns) for table, columns in entry["tables"].items()},
        )
        for code, entry in level["sets"].items()
    }
    return RowLevel(level["hash"], checks, kinds, sets)


@lru_cache(maxsize=1)
def shipped() -> RowLevel:
    """The compiled checks of this installation."""
    return read(PATH.read_text(encoding="utf-8"))

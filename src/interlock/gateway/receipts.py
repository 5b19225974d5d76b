"""Receipts: what a write really did, field by field, from what was read back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from interlock.gateway import render
from interlock.gateway.scopes import scope_of
from interlock.governance.decide import Reason
from interlock.principals.models import Agent
from interlock.records import times
from interlock.records.filters import fold
from interlock.state.journal import WriteRow


def compare(
    expected: Mapping[str, Any], also: Mapping[str, str], got: Mapping[str, Any]
) -> tuple[str, list[dict[str, Any]]]:
    """Outcome and field list: what was asked (as this source can hold it) against what is there now.

    ``also`` gives for a reference the readable ref of the handle that was written.
    """
    fields = []
    for name, asked in expected.items():
        if name not in got:
            fields.append({"field": name, "asked": _shown(asked, also.get(name)), "outcome": "unread"})
            continue
        same = _same(asked, got[name], also.get(name))
        fields.append(
            {
                "field": name,
                "asked": _shown(asked, also.get(name)),
                "found": plain(got[name]),
                "outcome": "applied" if same else "differs",
            }
        )
    outcomes = {field["outcome"] for field in fields}
    if outcomes <= {"applied"}:
        return "applied", fields
    # A field that cannot be read back is not known to be applied: never said to be.
    return ("not_applied" if outcomes == {"differs"} else "partial"), fields


def outcomes(expected: Mapping[str, Any], also: Mapping[str, str], got: Mapping[str, Any]) -> dict[str, str]:
    """For each field: applied, differs or unread."""
    return {field["field"]: field["outcome"] for field in compare(expected, also, got)[1]}


def plain(value: Any) -> Any:
    """A value as it is compared and shown: a reference by its ref."""
    return value["ref"] if isinstance(value, Mapping) and "ref" in value else value


def _shown(asked: Any, also: str | None) -> Any:
    return also or plain(asked)


def _same(asked: Any, got: Any, also: str | None) -> bool:
    asked, got = plain(asked), plain(got)
    if asked in (None, "") and got in (None, "", []):
        return True
    if isinstance(asked, str) and isinstance(got, str):
        if also is not None:
            return fold(got) in (fold(asked), fold(also))
        # Sources trim and normalise line ends; that is not a lost write.
        return asked.replace("\r\n", "\n").strip() == got.replace("\r\n", "\n").strip()
    return bool(asked == got)


def receipt(row: WriteRow, outcome: str | None = None, **more: Any) -> dict[str, Any]:
    """A receipt for a row; empty members are left out."""
    body: dict[str, Any] = {"id": row.id, "outcome": outcome or row.state}
    if row.ref is not None:
        body["ref"] = row.ref
    body.update({name: value for name, value in more.items() if value not in (None, [], False, "")})
    return body


def held(row: WriteRow, deciders: Iterable[str], reasons: Iterable[Reason]) -> dict[str, Any]:
    """The receipt of a call that waits for a person."""
    assert row.expires_at is not None
    approval = {"ref": row.id, "deciders": list(deciders), "expires_at": times.to_text(row.expires_at)}
    return receipt(row, "held", approval=approval, reasons=render.reasons(reasons))


def current(row: WriteRow) -> dict[str, Any]:
    """The receipt of a row as it stands now."""
    if row.receipt is not None and (row.ended or row.state in ("held", "unknown")):
        return row.receipt
    if row.state in ("released", "performing"):
        return receipt(row, "unknown", detail="being performed; ask again with the same idempotency key")
    return receipt(row, row.state)


def denied(row: WriteRow, by: str, comment: str) -> dict[str, Any]:
    """The receipt of a held call that a person denied."""
    detail = f"denied by {by}; nothing was sent"
    reason = Reason("authority", "refuse", f"{detail}: {comment}" if comment else detail)
    return receipt(row, "refused", reasons=render.reasons([reason]), detail=detail)


def without(hidden: frozenset[str], body: dict[str, Any]) -> dict[str, Any]:
    """The receipt without fields that the agent may not read."""
    if hidden and any(field["field"] in hidden for field in body.get("fields", ())):
        return {**body, "fields": [field for field in body["fields"] if field["field"] not in hidden]}
    return body


def seen_by(agent: Agent, row: WriteRow) -> dict[str, Any]:
    """The receipt of an agent's own write as its scope stands now.

    Raises refused when the agent may no longer read the kind. Evidence was bounded by the scope of the time
    of the call: it is left out when the scope is another one since.
    """
    hidden = scope_of(agent, row.kind).hidden
    body = without(hidden, current(row))
    if body.get("reasons") and scope_mark(agent) != row.call.get("scope"):
        told = [{name: value for name, value in r.items() if name not in _BOUNDED} for r in body["reasons"]]
        return {**body, "reasons": told}
    return body


def scope_mark(agent: Agent) -> str:
    """Changes whenever any of an agent's read scopes does."""
    scopes = sorted((kind, repr(scope.filter), sorted(scope.hidden)) for kind, scope in agent.scopes.items())
    return hashlib.sha256(repr(scopes).encode()).hexdigest()[:16]


_BOUNDED = ("evidence", "ref")

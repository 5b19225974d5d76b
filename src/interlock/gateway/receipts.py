"""Receipts: what a write really did, field by field, from what was read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from interlock.gateway import render
from interlock.governance.decide import Reason
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
                "found": _plain(got[name]),
                "outcome": "applied" if same else "differs",
            }
        )
    outcomes = {field["outcome"] for field in fields}
    if "differs" not in outcomes:
        return "applied", fields
    return ("not_applied" if outcomes == {"differs"} else "partial"), fields


def _plain(value: Any) -> Any:
    return value["ref"] if isinstance(value, Mapping) and "ref" in value else value


def _shown(asked: Any, also: str | None) -> Any:
    return also or _plain(asked)


def _same(asked: Any, got: Any, also: str | None) -> bool:
    asked, got = _plain(asked), _plain(got)
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


def without(hidden: frozenset[str], body: dict[str, Any]) -> dict[str, Any]:
    """The receipt without fields that the agent may not read."""
    if hidden and any(field["field"] in hidden for field in body.get("fields", ())):
        return {**body, "fields": [field for field in body["fields"] if field["field"] not in hidden]}
    return body

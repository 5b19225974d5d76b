"""A flag as people see it: plain words, times as instants, what lifts it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from interlock.quality.flags.rows import Event, FlagRow
from interlock.quality.rowlevel import Check
from interlock.records import times

COLUMNS = (
    "ref",
    "code",
    "severity",
    "status",
    "evidence",
    "kind",
    "source",
    "first_at",
    "last_at",
    "status_at",
    "resolved_at",
    "waived_until",
    "acknowledged",
    "assignee",
    "reopened",
    "flapping",
    "stops",
    "thing",
    "scan",
)
"""What of a flag is shown, in order."""

_TIMES = frozenset({"first_at", "last_at", "status_at", "resolved_at", "waived_until"})
_EPOCH = re.compile(r"@(-?\d{1,12})")


def shown(row: FlagRow, checks: Mapping[str, Check] | None = None) -> dict[str, Any]:
    """JSON-ready; with ``checks`` also what lifts it."""
    out: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    for name in _TIMES:
        out[name] = _instant(out[name])
    out["evidence"] = instants(row.evidence)
    if checks is not None and (check := checks.get(row.code)) is not None:
        out["lifts"] = check.lifts
    return out


def shown_event(event: Event) -> dict[str, Any]:
    """What happened, without what it happened to."""
    out = {"at": _instant(event.at), "by": event.by, "what": event.what}
    more = {"reason": event.reason, "until": _instant(event.until), "detail": event.detail}
    return out | {name: value for name, value in more.items() if value is not None}


def instants(evidence: str) -> str:
    """Evidence with its epoch times written as instants."""
    return _EPOCH.sub(lambda found: times.to_text(int(found.group(1))), evidence)


def _instant(at: float | None) -> str | None:
    return None if at is None else times.to_text(at)

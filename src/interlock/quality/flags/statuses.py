"""What the events of a flag add up to, at one moment.

``open`` (found), ``return`` (found again soon after it was resolved), ``resolve`` (not found any more) come from
scans and the gate; ``ack``, ``assign``, ``waive``, ``unwaive``, ``reopen`` from people. A waiver ends by the
clock: there is no event for that, and none is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interlock.quality.flags.rows import SEVERITIES, Event, FlagRow, Status

RETURN_S = 14 * 86_400.0
"""A flag that is found again within this time of its resolving is the same one; later it is a new one."""

FLAPPING = 3
"""So many returns, each within RETURN_S of the one before, are flapping; it ends after RETURN_S of quiet."""


@dataclass(slots=True)
class Standing:
    """A flag by its events alone."""

    open: bool = False
    first_at: float = 0.0
    status_at: float = 0.0
    resolved_at: float | None = None
    returned_at: float | None = None
    reopened: int = 0
    acknowledged: str | None = None
    assignee: str | None = None
    waived_until: float | None = None

    def at(self, now: float) -> Status:
        return status(self.open, self.waived_until, self.assignee, self.acknowledged, now)


def standing(events: Iterable[Event]) -> Standing:
    """Follow the events of one flag, oldest first."""
    found = Standing()
    for event in events:
        match event.what:
            case "open":
                found = Standing(open=True, first_at=event.at)  # a waiver that still stands is said anew
            case "return":
                soon = found.returned_at is not None and event.at - found.returned_at <= RETURN_S
                found.reopened = found.reopened + 1 if soon else 1
                found.returned_at, found.open, found.resolved_at = event.at, True, None
                found.acknowledged = None  # whoever knew of it thought that it was over
            case "resolve":
                found.open, found.resolved_at = False, event.at
            case "ack":
                found.acknowledged = event.by
            case "assign":
                found.assignee = event.detail
            case "waive":
                found.waived_until = event.until
            case "unwaive":
                found.waived_until = None
            case "reopen":
                found.open, found.resolved_at = True, None
                found.acknowledged = found.assignee = found.waived_until = None
        found.status_at = event.at
    return found


def status(is_open: bool, waived_until: float | None, assignee: str | None, known: str | None, now: float) -> Status:
    """The one word for it."""
    if not is_open:
        return "resolved"
    if waived_until is not None and waived_until > now:
        return "waived"
    return "assigned" if assignee else "acknowledged" if known else "open"


def flapping(reopened: int, returned_at: float | None, now: float) -> bool:
    """Whether it came back so often of late that neither state says much."""
    return reopened >= FLAPPING and returned_at is not None and now - returned_at <= RETURN_S


def flag_of_row(row: tuple[Any, ...], now: float, scanned_at: float = 0.0) -> FlagRow:
    """A row of FLAG_COLUMNS at one moment. ``scanned_at``: as of when the last scan found the open ones."""
    (ref, code, kind, source, thing, handle, evidence, severity, state, first, last, at, resolved, returned) = row[:14]
    reopened, known, assignee, until, stops, scan = row[14:]
    is_open = state == "open"
    return FlagRow(
        ref=ref,
        code=code,
        kind=kind,
        source=source,
        thing=thing,
        handle=handle,
        evidence=evidence,
        severity=SEVERITIES[severity],
        status=status(is_open, until, assignee, known, now),
        first_at=first,
        last_at=max(last, scanned_at) if is_open else last,
        status_at=at,
        resolved_at=resolved,
        reopened=reopened,
        flapping=flapping(reopened, returned, now),
        acknowledged=known,
        assignee=assignee,
        waived_until=until,
        stops=stops,
        scan=scan,
    )


STATUS_SQL = (
    "CASE WHEN state <> 'open' THEN 'resolved' WHEN waived_until > :now THEN 'waived' "
    "WHEN assignee IS NOT NULL THEN 'assigned' WHEN acknowledged IS NOT NULL THEN 'acknowledged' ELSE 'open' END"
)
"""The same word in SQL."""

"""The rules of changes and problems: which state may follow, and what it demands.

States, types and what closing demands are the product's documented defaults: normal changes go through all
states, standard ones skip Assess and Authorize, emergency ones skip Assess; nothing is canceled from Review on.
"""

from __future__ import annotations

from collections.abc import Mapping

from mock_servers.servicenow.answers import failed
from mock_servers.servicenow.store import Row, derived_id

NEW, ASSESS, AUTHORIZE, SCHEDULED, IMPLEMENT, REVIEW, CLOSED, CANCELED = "-5", "-4", "-3", "-2", "-1", "0", "3", "4"

NEXT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "normal": {
        NEW: (ASSESS, CANCELED),
        ASSESS: (AUTHORIZE, NEW, CANCELED),
        AUTHORIZE: (SCHEDULED, NEW, CANCELED),
        SCHEDULED: (IMPLEMENT, CANCELED),
        IMPLEMENT: (REVIEW, CANCELED),
        REVIEW: (CLOSED, IMPLEMENT),
    },
    "standard": {
        NEW: (SCHEDULED, CANCELED),
        SCHEDULED: (IMPLEMENT, CANCELED),
        IMPLEMENT: (REVIEW, CANCELED),
        REVIEW: (CLOSED, IMPLEMENT),
    },
    "emergency": {
        NEW: (AUTHORIZE, CANCELED),
        AUTHORIZE: (SCHEDULED, NEW, CANCELED),
        SCHEDULED: (IMPLEMENT, CANCELED),
        IMPLEMENT: (REVIEW, CANCELED),
        REVIEW: (CLOSED, IMPLEMENT),
    },
}
"""By type and state, the states that may follow."""

PROBLEM_NEXT: Mapping[str, tuple[str, ...]] = {
    "101": ("102", "107"),
    "102": ("103", "106", "107"),
    "103": ("104", "106", "107"),
    "104": ("106", "103"),
    "106": ("107", "103"),
    "107": (),
}
"""New, Assess, Root Cause Analysis, Fix in Progress, Resolved, Closed."""

MODEL = "Change Model: Check State Transition"
APPROVED_FIRST = "Approval required before Scheduled"


def next_states(row: Row) -> tuple[str, ...]:
    """The states that a change's type lets it go to, whatever the conditions say."""
    model = NEXT.get(row.get("type") or "normal", NEXT["normal"])
    return model.get(row.get("state", ""), ())


def unmet(row: Row, state: str) -> list[str]:
    """Conditions for going there that do not hold: nothing is scheduled without its approvals."""
    waits = state == SCHEDULED and row.get("type") != "standard" and row.get("approval") != "approved"
    return [APPROVED_FIRST] if waits else []


def check_change(row: Row, before: Row) -> None:
    """Refuse what the change's model forbids. Raises SnowError 403."""
    old, new = before.get("state", ""), row.get("state", "")
    if old and old != new:
        if new not in next_states(before):
            raise _aborted("change_request", MODEL)
        if unmet(row, new):
            raise _aborted("change_request", APPROVED_FIRST)
    if old and old != NEW and row.get("type") != before.get("type"):
        raise _aborted("change_request", "Change type can only be changed in New")
    missing = []
    if new == CLOSED and old != new:
        missing = [
            label for name, label in (("close_code", "Close code"), ("close_notes", "Close notes")) if not row.get(name)
        ]
    if row.get("on_hold") == "true" and not row.get("on_hold_reason"):
        missing.append("On hold reason")
    if missing:
        raise failed(f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}")


def check_problem(row: Row, before: Row) -> None:
    """Refuse a state that may not follow. Raises SnowError 403."""
    old, new = before.get("state", ""), row.get("state", "")
    if old and old != new and new not in PROBLEM_NEXT.get(old, (new,)):
        raise _aborted("problem", "Problem State Model: Check State Transition")


FIRST = {"change_request": NEW, "problem": "101"}
"""The state in which a record of these tables is born; that of other tasks is 1."""


def on_insert(chain: tuple[str, ...], row: Row, values: Row) -> None:
    """A new change or problem starts its own model."""
    for table, state in FIRST.items():
        if table in chain:
            row["state"] = values.get("state", state)
            row.setdefault("active", "true")
            if table == "change_request":
                row.setdefault("approval", "not requested")
                row.setdefault("conflict_status", "Not Run")


def enter_state(row: Row, before: Row, now: str, user: str) -> None:
    """What a change's new state does: times of work, asking for approval, its end."""
    state = row.get("state", "")
    if state == before.get("state"):
        return
    if state in {ASSESS, AUTHORIZE} and row.get("approval") in {"", "not requested", None}:
        row["approval"] = "requested"
    if state == NEW:
        row["approval"] = "not requested"
    if state == IMPLEMENT and not row.get("work_start"):
        row["work_start"] = now
    if state == REVIEW and not row.get("work_end"):
        row["work_end"] = now
    if state in {CLOSED, CANCELED}:
        row["active"] = "false"
        row["closed_at"], row["closed_by"] = row.get("closed_at") or now, row.get("closed_by") or user


def _aborted(table: str, name: str) -> Exception:
    rule = f"{name}^{derived_id('sys_script', name)}"
    return failed(f"Operation against file '{table}' was aborted by Business Rule '{rule}'. Business Rule Stack:{name}")

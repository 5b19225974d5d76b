"""The rules of tasks and incidents: priority, states, who works on it, what closing demands.

The codes and orders are the product's documented defaults; ``states`` are an instance's own codes with those
whose rules they follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mock_servers.servicenow.answers import failed
from mock_servers.servicenow.gs_dates import read
from mock_servers.servicenow.store import Row, derived_id

IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = "2", "3", "6", "7", "8"
AWAITING_CALLER = "1"

# Table to state to the states that may follow. A state that is not listed may be left for any other.
TRANSITIONS: dict[str, dict[str, frozenset[str]]] = {
    "incident": {
        "1": frozenset("23678"),
        "2": frozenset("13678"),
        "3": frozenset("12678"),
        "6": frozenset("237"),
        "7": frozenset(),
        "8": frozenset(),
    },
}
_MODEL_NAMES = {"incident": "Incident State Model"}


def set_priority(row: Row, matrix: Mapping[str, str]) -> None:
    """Priority is looked up, whatever was written."""
    priority = matrix.get(f"{row.get('impact', '')},{row.get('urgency', '')}")
    if priority is not None:
        row["priority"] = priority


def _state(row: Row, states: Mapping[str, str]) -> str:
    state = row.get("state", "")
    return states.get(state, state)


def check_transition(chain: tuple[str, ...], row: Row, before: Row, states: Mapping[str, str]) -> None:
    """Refuse a state that may not follow the one before. Raises SnowError 403."""
    table = next((name for name in chain if name in TRANSITIONS), None)
    old, new = _state(before, states), _state(row, states)
    if table is None or not old or old == new:
        return
    if new not in TRANSITIONS[table].get(old, {new}):
        name = _MODEL_NAMES[table]
        rule = f"{name}^{derived_id('sys_script', name)}"
        raise failed(
            f"Operation against file '{table}' was aborted by Business Rule '{rule}'. Business Rule Stack:{name}"
        )


def check_data_policy(
    row: Row, before: Row, notes: Mapping[str, str], omitted: Collection[str], states: Mapping[str, str]
) -> None:
    """Refuse a state whose mandatory fields are empty. Raises SnowError 403.

    Holds when the state or one of the fields changes: a record that was loaded as it is may still get notes.
    Columns that the instance does not have are not demanded.
    """
    state = _state(row, states)
    wanted: list[tuple[str, str]] = []
    if state in {RESOLVED, CLOSED}:
        wanted = [("close_code", "Resolution code"), ("close_notes", "Resolution notes")]
    elif state == ON_HOLD:
        wanted = [("hold_reason", "On hold reason")]
    wanted = [(name, label) for name, label in wanted if name not in omitted]
    touched = any(row.get(name, "") != before.get(name, "") for name in ("state", *(n for n, _ in wanted)))
    if not touched:
        return
    missing = [label for name, label in wanted if not row.get(name)]
    waits = state == ON_HOLD and row.get("hold_reason") == AWAITING_CALLER
    if waits and before.get("hold_reason") != AWAITING_CALLER and not notes.get("comments"):
        missing.append("Additional comments")
    if missing:
        raise failed(f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}")


def on_insert(row: Row, now: str, user: str, states: Mapping[str, str]) -> None:
    """A new incident: both states agree, and one that is born resolved or closed has its times."""
    row["incident_state"] = row["state"]
    row.setdefault("active", "true")
    _enter_state(row, {}, now, user, states)


def on_update(
    row: Row,
    before: Row,
    changes: Mapping[str, str],
    notes: Mapping[str, str],
    now: str,
    user: str,
    states: Mapping[str, str] | None,
) -> None:
    """Rules that change the record further; ``row`` already has what was written. ``states``: None of what is
    no incident."""
    if "assignment_group" in changes:
        if "assigned_to" not in changes:
            row["assigned_to"] = ""
        if before.get("assignment_group"):
            row["reassignment_count"] = str(int(before.get("reassignment_count") or 0) + 1)
    if states is None:
        return
    replies = "comments" in notes and user == before.get("caller_id")
    waiting = _state(before, states) == ON_HOLD and before.get("hold_reason") == AWAITING_CALLER
    if replies and waiting and "state" not in changes:
        working = next((own for own, code in states.items() if code == IN_PROGRESS), IN_PROGRESS)
        row["state"] = row["incident_state"] = working
    if row.get("state") != before.get("state"):
        _enter_state(row, before, now, user, states)


def _enter_state(row: Row, before: Row, now: str, user: str, states: Mapping[str, str]) -> None:
    state, old = _state(row, states), _state(before, states)
    if state != ON_HOLD and old == ON_HOLD:
        row["hold_reason"] = ""
    if state in {RESOLVED, CLOSED} and not row.get("resolved_at"):
        row["resolved_at"], row["resolved_by"] = now, user
        opened = read(row.get("opened_at", ""))
        resolved = read(now)
        if opened is not None and resolved is not None:
            row["calendar_stc"] = str(max(0, int((resolved - opened).total_seconds())))
    if state in {CLOSED, CANCELED}:
        row["active"] = "false"
        row["closed_at"], row["closed_by"] = row.get("closed_at") or now, row.get("closed_by") or user
    if old == RESOLVED and state not in {RESOLVED, CLOSED, CANCELED}:
        row["reopen_count"] = str(int(before.get("reopen_count") or 0) + 1)
        row["reopened_time"], row["reopened_by"] = now, user
        row["resolved_at"] = row["resolved_by"] = ""

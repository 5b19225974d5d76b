"""Changes, problems, clocks and files of the estate as native ServiceNow rows."""

from __future__ import annotations

from collections.abc import Iterator

from mock_servers.estate.attachments import clocks, files
from mock_servers.estate.changes import CHANGES, Change, ProblemCase, changes, problems
from mock_servers.estate.model import Estate, ident
from mock_servers.estate.servicenow_codes import LEVEL, PRIORITY, when
from mock_servers.estate.stories import NUMBERS
from mock_servers.servicenow.attachment_api import attachment_rows

Row = dict[str, str]
CHANGE_STATE = {"new": "-5", "assess": "-4", "authorize": "-3", "scheduled": "-2", "implement": "-1", "review": "0",
                "closed": "3", "cancelled": "4"}  # fmt: skip
RISK = {"high": "2", "moderate": "3", "low": "4"}
PROBLEM_STATE = {"assess": "102", "fix_in_progress": "104"}
_LEVELS = ("high", "medium", "low")


def ties(estate: Estate) -> dict[str, Row]:
    """What incidents say of problems and changes, by the incident's id.

    The known error is behind its incidents; more memory will help the one on the stale server.
    """
    found = {incident: {"problem_id": each.id} for each in problems(estate) for incident in each.incidents}
    change = next(each for each in changes(estate) if each.number == CHANGES["stale_ci"])
    for incident in estate.incidents:
        if incident.number == NUMBERS["p2_stale_ci"]:
            found.setdefault(incident.id, {})["rfc"] = change.id
    return found


def change_rows(estate: Estate) -> Iterator[tuple[str, Row]]:
    """Everything of the process of changes and problems, and what hangs on tickets."""
    for change in changes(estate):
        yield "change_request", _change(change)
        if change.approval == "approved":
            yield "sysapproval_approver", _approval(estate, change)
    for problem in problems(estate):
        yield "problem", _problem(problem)
    for clock in clocks(estate):
        sla = ident(estate.seed, "sla", clock.name)
        stamps = _stamps(clock.started_at)
        yield "contract_sla", {"sys_id": sla, "name": clock.name, "active": "true", **stamps}
        yield (
            "task_sla",
            {
                "sys_id": ident(estate.seed, "task_sla", clock.incident),
                "task": clock.incident,
                "sla": sla,
                "stage": "in_progress",
                "has_breached": "true" if clock.breached else "false",
                "active": "true",
                "start_time": when(clock.started_at),
                "end_time": when(clock.ended_at),
                "planned_end_time": when(clock.due_at),
                "percentage": f"{clock.percentage:.2f}",
                "business_percentage": f"{clock.percentage:.2f}",
                **stamps,
            },
        )
    for file in files(estate):
        found = attachment_rows(
            "incident", file.incident, file.name, file.content_type, file.body, when(file.at), "system"
        )
        yield from found.items()


def _change(change: Change) -> Row:
    over = change.state == "closed"
    return {
        "sys_id": change.id,
        "sys_class_name": "change_request",
        "number": change.number,
        "short_description": change.title,
        "description": change.title,
        "type": change.type,
        "state": CHANGE_STATE[change.state],
        "risk": RISK[change.risk],
        "impact": "2",
        "urgency": "2",
        "priority": "3",
        "approval": change.approval.replace("_", " "),
        "category": change.category,
        "cmdb_ci": change.ci,
        "requested_by": change.requested_by,
        "opened_by": change.requested_by,
        "assigned_to": change.assignee or "",
        "assignment_group": change.group,
        "start_date": when(change.start_at),
        "end_date": when(change.end_at),
        "work_start": when(change.start_at if over else None),
        "work_end": when(change.end_at if over else None),
        "justification": "Planned work.",
        "implementation_plan": "As in the runbook.",
        "backout_plan": "Restore the snapshot.",
        "test_plan": "Log in, place an order.",
        "on_hold": "false",
        "conflict_status": "Not Run",
        "close_code": change.close_code,
        "close_notes": change.close_notes,
        "active": "false" if over else "true",
        "opened_at": when(change.opened_at),
        "closed_at": when(change.updated_at if over else None),
        **_stamps(change.opened_at, change.updated_at),
    }


def _approval(estate: Estate, change: Change) -> Row:
    return {
        "sys_id": ident(estate.seed, "approval", change.number),
        "sysapproval": change.id,
        "source_table": "change_request",
        "approver": change.requested_by,
        "state": "approved",
        **_stamps(change.opened_at, change.updated_at),
    }


def _problem(problem: ProblemCase) -> Row:
    priority = PRIORITY[f"p{_LEVELS.index(problem.impact) + _LEVELS.index(problem.urgency) + 1}"]
    return {
        "sys_id": problem.id,
        "sys_class_name": "problem",
        "number": problem.number,
        "short_description": problem.title,
        "description": problem.title,
        "state": PROBLEM_STATE[problem.state],
        "impact": LEVEL[problem.impact],
        "urgency": LEVEL[problem.urgency],
        "priority": priority,
        "known_error": "true" if problem.known_error else "false",
        "workaround": problem.workaround,
        "cause_notes": problem.cause,
        "cmdb_ci": problem.ci or "",
        "assignment_group": problem.group,
        "assigned_to": problem.assignee or "",
        "active": "true",
        "opened_at": when(problem.opened_at),
        **_stamps(problem.opened_at, problem.updated_at),
    }


def _stamps(created: int, updated: int | None = None) -> Row:
    return {
        "sys_created_on": when(created),
        "sys_updated_on": when(updated or created),
        "sys_created_by": "system",
        "sys_updated_by": "system",
        "sys_mod_count": "0" if updated is None else "3",
    }

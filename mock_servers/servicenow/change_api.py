"""The Change Management REST API: changes by type, next states, approvals, conflicts.

Facts: change-management-api. Fields are always ``{"value", "display_value"}``; booleans and numbers are native
(``3.0``), and a date has an internal form beside the one people see. Checking for conflicts runs on its own:
asking shows "In progress" until it is done, and the status reads "Conflict" even when the list is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mock_servers.faults import Answer
from mock_servers.servicenow import change_rules
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource, not_found
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.rules import Writer
from mock_servers.servicenow.schema import NUMBER_TYPES
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.shapes import Shapes
from mock_servers.servicenow.store import Row, Store, derived_id
from mock_servers.servicenow.table_api import Request, TableApi

_TABLE = "change_request"
_INSTANTS = frozenset({"glide_date_time", "due_date"})
_OVER = frozenset({change_rules.CLOSED, change_rules.CANCELED})
_CANNOT = "Change Request record could not be updated. "


class ChangeApi:
    """Answers for ``/api/sn_chg_rest[/v1]/change...``."""

    def __init__(
        self, store: Store, switches: Switches, clock: InstanceClock, writer: Writer, tables: TableApi
    ) -> None:
        self._store = store
        self._switches = switches
        self._clock = clock
        self._writer = writer
        self._tables = tables
        self._shapes = Shapes(store)
        self._checks: dict[str, int] = {}  # changes whose conflicts are being looked for: polls until it is done

    def answer(self, request: Request, rest: list[str]) -> Answer:
        match request.method, rest:
            case "GET", []:
                found, _ = self._tables.find(request, _TABLE)
                limit = int(request.parameters.get("sysparm_limit") or 500)
                return self._result([self._shown(request, row) for row in found[:limit]])
            case "POST", []:
                return self._create(request, str(request.body.get("type") or "normal"))
            case "POST", [("normal" | "emergency") as kind]:
                return self._create(request, kind)
            case "POST", ["standard", _template]:
                return self._create(request, "standard")
            case "GET", [("normal" | "standard" | "emergency"), key] | [key]:
                return self._result(self._shown(request, self._row(request, key)))
            case "PATCH", [("normal" | "standard" | "emergency"), key] | [key]:
                return self._change(request, key)
            case "GET", [key, "nextstates"]:
                return self._result(self._next(self._row(request, key)))
            case "GET", [key, "approvals"]:
                return self._result([self._approval(request, row) for row in self._asked(self._row(request, key))])
            case "PATCH", [key, "approvals"]:
                return self._decide(request, key)
            case _, [key, "conflict"]:
                return self._conflict(request, self._row(request, key))
        raise no_resource()

    def _result(self, content: Any, status: int = 200) -> Answer:
        return json_answer(status, {"result": content})

    def _row(self, request: Request, key: str) -> Row:
        self._tables.check_table(_TABLE, request.caller)
        row = self._store.get(_TABLE, key)
        if row is None or not self._tables.readable(_TABLE, [row], request.caller):
            raise not_found()
        return row

    def _shown(self, request: Request, row: Row, table: str = _TABLE) -> dict[str, Any]:
        asked = Request("GET", "", "", {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"},
                        request.caller, request.base, False, {})  # fmt: skip
        found = self._shapes.show(row, table, self._tables.view(asked))
        columns = self._store.schema.columns(table)
        for name, both in found.items():
            column = columns.get(name)
            if column is None:
                continue
            if column.type == "boolean":
                both["value"] = both["value"] == "true"
            elif column.type in NUMBER_TYPES and both["value"]:
                both["value"] = float(both["value"])
            elif column.type in _INSTANTS:
                both["display_value_internal"] = both["display_value"]
        return found

    def _create(self, request: Request, kind: str) -> Answer:
        payload = {**request.body, "type": kind}
        payload.pop("state", None)  # a change is born in New
        row = self._writer.insert(_TABLE, payload, request.caller, display=False)
        return self._result(self._shown(request, row))

    def _change(self, request: Request, key: str) -> Answer:
        before = dict(self._row(request, key))
        try:
            row = self._writer.update(_TABLE, key, request.body, request.caller, display=False)
        except SnowError as error:
            if error.status != 403 or "aborted by Business Rule" not in (error.detail or ""):
                raise
            raise SnowError(400, f"{_CANNOT}{error.detail}") from None
        asks = {change_rules.ASSESS, change_rules.AUTHORIZE}
        if row.get("state") in asks and row.get("state") != before.get("state") and not list(self._asked(row)):
            self._ask(row)
        return self._result(self._shown(request, row))

    def _ask(self, row: Row) -> None:
        """Whoever requested the change's group approves; without one its requester does (a workflow of the mock's)."""
        approver = row.get("requested_by") or row.get("opened_by") or ""
        sys_id = derived_id("approval", row["sys_id"], row.get("state", ""))
        now = self._clock.text()
        stamps = {"sys_created_on": now, "sys_updated_on": now, "sys_created_by": "system", "sys_updated_by": "system"}
        approval = {"sys_id": sys_id, "sysapproval": row["sys_id"], "approver": approver, "state": "requested"}
        self._store.put("sysapproval_approver", {**approval, "sys_mod_count": "0", **stamps})

    def _next(self, row: Row) -> dict[str, Any]:
        labels = self._store.labels(_TABLE, "state")
        wanted = change_rules.next_states(row)
        transitions, available = [], []
        for state in wanted:
            unmet = change_rules.unmet(row, state)
            if not unmet:
                available.append(state)
            transitions.append(
                [
                    {
                        "sys_id": derived_id("transition", row.get("type", ""), row.get("state", ""), state),
                        "display_value": f"{labels.get(row.get('state', ''))} to {labels.get(state)}",
                        "from_state": row.get("state", ""),
                        "to_state": state,
                        "transition_available": not unmet,
                        "automatic_transition": False,
                        "conditions": [
                            {
                                "passed": False,
                                "condition": {
                                    "name": name,
                                    "description": None,
                                    "sys_id": derived_id("condition", name),
                                },
                            }
                            for name in unmet
                        ],
                    }
                ]
            )
        return {
            "available_states": available,
            "state_transitions": transitions,
            "state_label": {state: labels.get(state, state) for state in (row.get("state", ""), *wanted)},
        }

    def _asked(self, row: Row) -> list[Row]:
        return list(self._store.where("sysapproval_approver", "sysapproval", row["sys_id"]))

    def _approval(self, request: Request, row: Row) -> dict[str, Any]:
        return self._shown(request, row, "sysapproval_approver")

    def _decide(self, request: Request, key: str) -> Answer:
        """The caller's own approval: a person's word."""
        state = str(request.body.get("state"))
        if state not in {"approved", "rejected"}:
            raise SnowError(400, "Invalid approval state", f"{state} is not one of approved, rejected")
        row = self._row(request, key)
        mine = [each for each in self._asked(row) if each.get("state") == "requested"]
        if not mine:
            raise SnowError(400, "No approval found", "There is no requested approval for this user")
        for each in mine:
            decided = {**each, "state": state, "comments": "", "sys_updated_on": self._clock.text()}
            self._store.put("sysapproval_approver", decided)
        self._store.put(_TABLE, {**row, "approval": state, "sys_updated_on": self._clock.text()})
        return self._result([self._approval(request, each) for each in self._asked(row)])

    # --- conflicts -----------------------------------------------------------------------------------

    def _conflict(self, request: Request, row: Row) -> Answer:
        key = row["sys_id"]
        match request.method:
            case "POST":
                self._checks[key] = self._switches.conflict_polls
                return self._result(self._state(row, "In progress", []))
            case "DELETE":
                self._checks.pop(key, None)
                return Answer(204)
            case "GET":
                left = self._checks.get(key)
                if left:
                    self._checks[key] = left - 1
                    return self._result(self._state(row, "In progress", []))
                if left == 0:
                    self._check(row)
                    del self._checks[key]
                    row = self._store.get(_TABLE, key) or row
                found = [
                    self._shown(request, each, "conflict") for each in self._store.where("conflict", "change", key)
                ]
                status = "Not Run" if row.get("conflict_status") in ("", None, "Not Run") else "Conflict"
                return self._result(self._state(row, status, found))
        raise no_resource()

    def _state(self, row: Row, status: str, found: list[dict[str, Any]]) -> dict[str, Any]:
        ran = row.get("conflict_last_run", "")
        return {
            "status": {"value": status, "display_value": status},
            "last_run": {"value": ran, "display_value": ran},
            "conflicts": found,
        }

    def _check(self, row: Row) -> None:
        """Other open changes of the same CI whose window overlaps."""
        for old in list(self._store.where("conflict", "change", row["sys_id"])):
            self._store.remove("conflict", old["sys_id"])
        start, end = row.get("start_date", ""), row.get("end_date", "")
        found = 0
        for other in list(self._store.rows(_TABLE)) if start and end and row.get("cmdb_ci") else []:
            if other["sys_id"] == row["sys_id"] or other.get("state") in _OVER:
                continue
            if other.get("cmdb_ci") != row["cmdb_ci"] or not other.get("start_date") or not other.get("end_date"):
                continue
            if other["start_date"] < end and other["end_date"] > start:
                self._put(row, other)
                found += 1
        now = self._clock.text()
        status = "Conflict" if found else "No Conflict"
        self._store.put(_TABLE, {**row, "conflict_status": status, "conflict_last_run": now})

    def _put(self, row: Row, other: Mapping[str, str]) -> None:
        now = self._clock.text()
        self._store.put(
            "conflict",
            {
                "sys_id": derived_id("conflict", row["sys_id"], other["sys_id"]),
                "change": row["sys_id"],
                "configuration_item": row["cmdb_ci"],
                "conflicting_change": other["sys_id"],
                "type": "ci_in_change",
                "start_date": other["start_date"],
                "end_date": other["end_date"],
                "sys_created_on": now,
                "sys_updated_on": now,
                "sys_mod_count": "0",
            },
        )

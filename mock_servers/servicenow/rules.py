"""What the instance does when a record is written: business rules, data policies, journals, system columns.

Loading rows runs none of this. Only what is written through the API does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from mock_servers.servicenow import change_rules
from mock_servers.servicenow.accounts import Caller
from mock_servers.servicenow.answers import failed, not_found
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.gs_dates import read
from mock_servers.servicenow.incident_rules import (
    check_data_policy,
    check_transition,
    on_insert,
    on_update,
    set_priority,
)
from mock_servers.servicenow.schema import JOURNAL_TYPES, NUMBER_TYPES, READ_ONLY, Column
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.shapes import from_local
from mock_servers.servicenow.store import Row, Store, is_sys_id

READ_ONLY_TABLES = frozenset({"sys_journal_field", "sys_dictionary", "sys_db_object", "sys_audit_delete", "sys_choice"})
_JOURNAL_TARGET = {"comments_and_work_notes": "comments"}


class Writer:
    """Inserts, updates and deletes rows the way the instance does."""

    def __init__(self, store: Store, switches: Switches, clock: InstanceClock, seed: int = 0) -> None:
        self._store = store
        self._switches = switches
        self._clock = clock
        self._random = random.Random(f"ids {seed}")  # noqa: S311 -- repeatable ids

    def new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    # -- insert, update, delete ---------------------------------------------------------------------

    def insert(self, table: str, payload: Mapping[str, Any], caller: Caller, *, display: bool) -> Row:
        """Create a record; unknown fields are ignored. Raises SnowError."""
        self._may(table, caller, "Insert")
        columns = self._store.schema.columns(table)
        row = {name: column.default for name, column in columns.items() if column.default}
        values, notes = self._values(table, payload, row, caller, display=display)
        wanted = payload.get("sys_id")
        sys_id = wanted if isinstance(wanted, str) and 0 < len(wanted) <= 32 else self.new_id()
        if self._store.get(table, sys_id) is not None:
            raise failed(f"Error during insert of {table} ({sys_id}): Unique Key violation detected by database")
        now = self._clock.text()
        row.update(values)
        row.update(
            sys_id=sys_id,
            sys_created_on=now,
            sys_created_by=caller.name,
            sys_updated_on=now,
            sys_updated_by=caller.name,
            sys_mod_count="0",
        )
        if "sys_class_name" in columns:
            row["sys_class_name"] = self._class(table, payload)
        if "number" in columns and self._store.schema.tables[table].prefix and not row.get("number"):
            row["number"] = self._store.next_number(table)
        if "opened_at" in columns:
            row.setdefault("opened_at", now)
            row.setdefault("opened_by", caller.sys_id)
        if "incident" in self._store.schema.chain(table):
            on_insert(row, now, caller.sys_id, self._switches.incident_states)
        change_rules.on_insert(self._store.schema.chain(table), row, values)
        self._finish(table, row, {}, notes)
        self._store.put(row.get("sys_class_name", table), row)
        self._write_notes(table, row, notes, caller, now)
        return row

    def update(self, table: str, sys_id: str, payload: Mapping[str, Any], caller: Caller, *, display: bool) -> Row:
        """Change a record; what is not given stays. A change of nothing leaves its version alone."""
        before = self._store.get(table, sys_id)
        if before is None:
            raise not_found()
        self._may(table, caller, "Update")
        holder = self._store.holder(table, sys_id)
        values, notes = self._values(holder, payload, before, caller, display=display)
        changes = {name: value for name, value in values.items() if before.get(name, "") != value}
        if not changes and not notes:
            return before
        now = self._clock.text()
        row = dict(before)
        row.update(changes)
        if "task" in self._store.schema.chain(holder):
            incident = "incident" in self._store.schema.chain(holder)
            states = self._switches.incident_states if incident else None
            on_update(row, before, changes, notes, now, caller.sys_id, states)
        if "change_request" in self._store.schema.chain(holder):
            change_rules.enter_state(row, before, now, caller.sys_id)
        self._finish(holder, row, before, notes)
        row["sys_updated_on"], row["sys_updated_by"] = now, caller.name
        row["sys_mod_count"] = str(int(before.get("sys_mod_count") or 0) + 1)
        self._store.put(holder, row)
        self._write_notes(holder, row, notes, caller, now)
        return row

    def delete(self, table: str, sys_id: str, caller: Caller) -> None:
        """Delete a record, its journal and, for a CI, its relations; leaves a row in sys_audit_delete."""
        row = self._store.get(table, sys_id)
        if row is None:
            raise not_found()
        if not caller.is_admin:
            raise failed("ACL Exception Delete Failed due to security constraints")
        holder = self._store.holder(table, sys_id)
        shown = self._store.display(holder, sys_id)
        self._store.remove(holder, sys_id)
        attached = [("sys_journal_field", "element_id")]
        if "cmdb" in self._store.schema.chain(holder):
            attached += [("cmdb_rel_ci", "parent"), ("cmdb_rel_ci", "child")]
        for other, column in attached:
            for found in list(self._store.where(other, column, sys_id)):
                self._store.remove(other, found["sys_id"])
        now = self._clock.text()
        self._store.put(
            "sys_audit_delete",
            {
                "sys_id": self.new_id(),
                "tablename": holder,
                "documentkey": sys_id,
                "display_value": shown,
                "sys_created_on": now,
                "sys_created_by": caller.name,
                "sys_updated_on": now,
                "sys_updated_by": caller.name,
                "sys_mod_count": "0",
            },
        )

    # -- parts --------------------------------------------------------------------------------------

    def _may(self, table: str, caller: Caller, verb: str) -> None:
        locked = table in READ_ONLY_TABLES and not (table == "sys_choice" and caller.is_admin)
        if locked or not caller.roles & {"admin", "itil"}:
            raise failed(f"ACL Exception {verb} Failed due to security constraints")

    def _class(self, table: str, payload: Mapping[str, Any]) -> str:
        wanted = payload.get("sys_class_name")
        schema = self._store.schema
        return wanted if wanted in schema.tables and table in schema.chain(wanted) else table

    def _finish(self, table: str, row: Row, before: Row, notes: Mapping[str, str]) -> None:
        """Rules that look at the record as it will be."""
        chain = self._store.schema.chain(table)
        if "task" in chain and self._switches.priority_matrix:
            set_priority(row, self._switches.priority_matrix)
        if self._switches.state_model:
            check_transition(chain, row, before, self._switches.incident_states if "incident" in chain else {})
            if "change_request" in chain:
                change_rules.check_change(row, before)
            if "problem" in chain:
                change_rules.check_problem(row, before)
        if self._switches.data_policy and "incident" in chain:
            omitted = self._store.omitted.get("incident", frozenset())
            check_data_policy(row, before, notes, omitted, self._switches.incident_states)

    def _values(
        self, table: str, payload: Mapping[str, Any], before: Row, caller: Caller, *, display: bool
    ) -> tuple[Row, dict[str, str]]:
        """Column values and journal entries of a payload; what the instance would ignore is left out."""
        columns = self._store.schema.columns(table)
        frozen = READ_ONLY | ({"priority"} if "impact" in columns and self._switches.priority_matrix else set())
        values: Row = {}
        notes: dict[str, str] = {}
        for name, raw in payload.items():
            column = columns.get(name)
            if column is None or name in frozen:
                continue
            text = _text(raw)
            if column.type in JOURNAL_TYPES:
                if text and column.type != "journal":
                    notes[_JOURNAL_TARGET.get(name, name)] = text
                continue
            if display:
                text = self._from_display(table, column, text, caller)
            taken = _typed(column, text)
            if taken is not None:
                values[name] = taken
        _mirror_state(values, columns)
        for name in [n for n in values if columns[n].choice]:
            if not self._is_choice(table, columns[name], values[name], {**before, **values}):
                if self._switches.unknown_choice == "reject":
                    raise failed(f"Invalid choice value for field {name}: {values[name]}")
                del values[name]
        return values, notes

    def _is_choice(self, table: str, column: Column, value: str, row: Row) -> bool:
        if value == "" or self._switches.unknown_choice == "allow":
            return True
        choices = self._store.choices(table, column.element)
        if not choices:
            return True
        depends = row.get("category", "") if column.element == "subcategory" else ""
        return any(
            choice.get("value") == value
            and choice.get("inactive") != "true"
            and (not depends or choice.get("dependent_value", "") in {"", depends})
            for choice in choices
        )

    def _from_display(self, table: str, column: Column, text: str, caller: Caller) -> str:
        """``sysparm_input_display_value=true``: labels, names, and dates in the caller's zone."""
        if column.is_reference and text and not is_sys_id(text):
            target = self._store.schema.display_column(column.reference)
            found = next(self._store.where(column.reference, target, text), None)
            return found["sys_id"] if found else ""
        if column.choice:
            labels = self._store.labels(table, column.element)
            return next((value for value, label in labels.items() if label == text), text)
        if column.type in {"glide_date_time", "due_date"}:
            return from_local(text, caller.zone)
        return text

    def _write_notes(self, table: str, row: Row, notes: Mapping[str, str], caller: Caller, now: str) -> None:
        for element, text in notes.items():
            self._store.put(
                "sys_journal_field",
                {
                    "sys_id": self.new_id(),
                    "name": row.get("sys_class_name", table),
                    "element": element,
                    "element_id": row["sys_id"],
                    "value": text,
                    "sys_created_on": now,
                    "sys_created_by": caller.name,
                    "sys_updated_on": now,
                    "sys_updated_by": caller.name,
                    "sys_mod_count": "0",
                },
            )


def _mirror_state(values: Row, columns: Mapping[str, Column]) -> None:
    """``incident_state`` is an older name of ``state``: whichever is written, both change."""
    if "incident_state" in columns:
        if "state" in values:
            values["incident_state"] = values["state"]
        elif "incident_state" in values:
            values["state"] = values["incident_state"]


def _text(raw: Any) -> str:
    """A JSON value as the instance stores it: everything is text."""
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, Mapping):
        return _text(raw.get("value", raw.get("display_value")))
    return str(raw)


def _typed(column: Column, text: str) -> str | None:
    """The text as its column holds it; None when the instance would ignore it."""
    reader = _READERS.get(column.type)
    if text == "" or reader is None:
        return text[: column.max_length]
    return reader(text)


def _read_boolean(text: str) -> str | None:
    return {"true": "true", "1": "true", "false": "false", "0": "false"}.get(text.lower())


def _read_number(text: str) -> str | None:
    try:
        float(text)
    except ValueError:
        return None
    return text


def _read_moment(text: str) -> str | None:
    return text if read(text) is not None else None


_READERS: dict[str, Callable[[str], str | None]] = {
    "boolean": _read_boolean,
    **dict.fromkeys(NUMBER_TYPES, _read_number),
    **dict.fromkeys(("glide_date_time", "due_date", "glide_date"), _read_moment),
}

"""One record on the wire: three display modes, links, dot-walked fields, hidden columns.

``sysparm_display_value=false``: values, references as ``{link, value}``; ``true``: what people see,
references as ``{display_value, link}`` without a value; ``all``: every field an object of both. An empty
reference is ``""`` in the first two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mock_servers.servicenow.gs_dates import FORMAT
from mock_servers.servicenow.schema import JOURNAL_TYPES, Column
from mock_servers.servicenow.store import Row, Store

_INSTANT_TYPES = frozenset({"glide_date_time", "due_date"})
_JOURNALS = {"comments_and_work_notes": ("comments", "work_notes")}
_GMT = ZoneInfo("GMT")


@dataclass(frozen=True, slots=True)
class View:
    """How one request wants records shown."""

    mode: str  # "false" | "true" | "all"
    links: bool
    fields: tuple[str, ...]  # () is all
    base: str  # the instance's URL
    zone: ZoneInfo = _GMT
    hidden: frozenset[str] = frozenset()


Reader = Callable[[Row], Row | None]


@dataclass(frozen=True, slots=True)
class _Shown:
    """One field of an answer: its key, where its row is, its column there.

    ``lacking``: the source of the rows did not have it, so it is absent where nothing was written since.
    """

    key: str
    table: str
    element: str
    column: Column
    reach: Reader | None = None
    lacking: bool = False


class Shapes:
    """Shows rows. Field plans are kept for as long as the schema stands."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._plans: dict[tuple[str, tuple[str, ...], frozenset[str]], list[_Shown]] = {}
        self._version = -1

    def show(self, row: Row, table: str, view: View) -> dict[str, Any]:
        """One row of a table as the view wants it."""
        mode, links = view.mode, view.links
        out: dict[str, Any] = {}
        for shown in self._plan(table, view):
            source: Row | None = row if shown.reach is None else shown.reach(row)
            value = source.get(shown.element, "") if source is not None else ""
            if shown.lacking and (not value or shown.column.type == "sys_class_name"):
                continue  # a class that the source did not tell is only the table the row was put in
            column = shown.column
            if mode == "false":
                if value and column.is_reference:
                    out[shown.key] = {"link": _link(view, column, value), "value": value} if links else value
                else:
                    out[shown.key] = "" if column.type in JOURNAL_TYPES else value
                continue
            seen = self._display(source, shown, value, view) if source is not None else ""
            if mode == "true":
                linked = links and value and column.is_reference
                out[shown.key] = {"display_value": seen, "link": _link(view, column, value)} if linked else seen
                continue
            both = {"display_value": seen, "value": "" if column.type in JOURNAL_TYPES else value}
            if links and value and column.is_reference:
                both["link"] = _link(view, column, value)
            out[shown.key] = both
        return out

    def _plan(self, table: str, view: View) -> list[_Shown]:
        if self._version != self.store.schema.version:
            self._plans.clear()
            self._version = self.store.schema.version
        key = (table, view.fields, view.hidden)
        plan = self._plans.get(key)
        if plan is None:
            names = view.fields or tuple(self.store.schema.columns(table))
            found = (self._shown(name, name, table, view.hidden) for name in dict.fromkeys(names))
            plan = [shown for shown in found if shown is not None]
            if len(self._plans) > 500:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _shown(self, key: str, name: str, table: str, hidden: frozenset[str]) -> _Shown | None:
        """How to reach ``a.b.c`` from a table; None for what does not exist or may not be seen."""
        head, _, rest = name.partition(".")
        column = self.store.schema.columns(table).get(head)
        if column is None or any(f"{t}.{head}" in hidden for t in self.store.schema.chain(table)):
            return None
        lacking = any(head in self.store.omitted.get(t, ()) for t in self.store.schema.chain(table))
        if not rest:
            return _Shown(key, table, head, column, lacking=lacking)
        target = column.reference
        if not column.is_reference or target not in self.store.schema.tables:
            return None
        inner = self._shown(key, rest, target, hidden)
        if inner is None:
            return None
        reach = self._step(head, target, inner.reach)
        return _Shown(key, inner.table, inner.element, inner.column, reach, lacking or inner.lacking)

    def _step(self, element: str, target: str, further: Reader | None) -> Reader:
        def reach(row: Row) -> Row | None:
            found = self.store.get(target, row.get(element, ""))
            return found if found is None or further is None else further(found)

        return reach

    def _display(self, row: Row, shown: _Shown, value: str, view: View) -> str:
        column = shown.column
        if column.type in JOURNAL_TYPES:
            return self._journal(row, shown.element, view)
        if not value:
            return ""
        if column.is_reference:
            return self.store.display(column.reference, value)
        if column.choice:
            return self.store.labels(row.get("sys_class_name") or shown.table, shown.element).get(value, value)
        if column.type in _INSTANT_TYPES:
            return local(value, view.zone)
        if column.type == "sys_class_name":
            table = self.store.schema.tables.get(value)
            return table.label if table else value
        if column.type == "glide_list" and column.reference:
            return ", ".join(self.store.display(column.reference, part) for part in value.split(","))
        return value

    def _journal(self, row: Row, element: str, view: View) -> str:
        """The history of a journal field: newest first, each entry headed by time, person, and field."""
        wanted = _JOURNALS.get(element, (element,))
        entries = [
            entry
            for entry in self.store.where("sys_journal_field", "element_id", row["sys_id"])
            if entry.get("element") in wanted
        ]
        entries.sort(key=lambda entry: entry.get("sys_created_on", ""), reverse=True)
        lines = []
        for entry in entries:
            author = entry.get("sys_created_by", "")
            person = next(self.store.where("sys_user", "user_name", author), {}).get("name", author)
            label = "Work notes" if entry["element"] == "work_notes" else "Additional comments"
            when = local(entry.get("sys_created_on", ""), view.zone)
            lines.append(f"{when} - {person} ({label})\n{entry.get('value', '')}\n\n")
        return "".join(lines)


def _link(view: View, column: Column, value: str) -> str:
    return f"{view.base}/api/now/table/{column.reference}/{value}"


def local(value: str, zone: ZoneInfo) -> str:
    """A stored UTC date-time in a person's zone; what is none stays as it is."""
    if zone is _GMT or len(value) != 19:
        return value
    try:
        moment = datetime.strptime(value, FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return value
    return moment.astimezone(zone).strftime(FORMAT)


def from_local(value: str, zone: ZoneInfo) -> str:
    """A date-time that a person wrote in their zone, as stored; what is none stays as it is."""
    try:
        moment = datetime.strptime(value, FORMAT).replace(tzinfo=zone)
    except ValueError:
        return value
    return moment.astimezone(UTC).strftime(FORMAT)

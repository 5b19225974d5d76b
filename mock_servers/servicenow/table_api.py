"""The Table API: list, get, insert, update, delete over any table."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from mock_servers.faults import Answer
from mock_servers.servicenow.accounts import Caller
from mock_servers.servicenow.answers import SnowError, json_answer, not_found, xml_answer
from mock_servers.servicenow.clauses import Reading
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.encoded_query import parse
from mock_servers.servicenow.matching import ForbiddenQueryError, matcher, select
from mock_servers.servicenow.rules import Writer
from mock_servers.servicenow.schema import Column
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.shapes import Shapes, View
from mock_servers.servicenow.store import Row, Store

MAX_LIMIT = 10_000
_RESERVED = ("sysparm_", "x-sn-apikey")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read: who, what, with which parameters."""

    method: str
    path: str
    version: str  # "" is latest
    parameters: Mapping[str, str]
    caller: Caller
    base: str
    as_xml: bool
    body: Mapping[str, Any]

    def flag(self, name: str) -> bool:
        return self.parameters.get(name, "").lower() == "true"


class TableApi:
    """Answers for ``/api/now[/v1|/v2]/table/...``."""

    def __init__(self, store: Store, switches: Switches, clock: InstanceClock, writer: Writer, seed: int = 0) -> None:
        self._store = store
        self._switches = switches
        self._clock = clock
        self._writer = writer
        self._shapes = Shapes(store)
        self._random = random.Random(f"order {seed}")  # noqa: S311 -- a repeatable disorder
        self._found: OrderedDict[tuple[Any, ...], list[Row]] = OrderedDict()

    def reading(self, caller: Caller) -> Reading:
        """How a caller's queries are read now."""
        switches = self._switches
        closed = {} if caller.is_admin else switches.column_acl
        unreadable = {table: frozenset(columns) for table, columns in closed.items()}
        return Reading(
            self._store,
            self._clock.moment(),
            caller.sys_id,
            caller.name,
            switches.invalid_query,
            switches.javascript,
            switches.not_equal_matches_empty,
            unreadable,
        )

    def check_table(self, table: str, caller: Caller) -> None:
        """Raises SnowError for a table that does not exist or is closed to the caller."""
        if table not in self._store.schema.tables:
            raise SnowError(400, f"Invalid table {table}")
        if table in self._switches.denied_tables and not caller.is_admin:
            raise SnowError(403, "User Not Authorized", "Failed API level ACL Validation")

    # -- reading ------------------------------------------------------------------------------------

    def one(self, request: Request, table: str, sys_id: str) -> Answer:
        self.check_table(table, request.caller)
        row = self._store.get(table, sys_id)
        if row is None or not self.readable(table, [row], request.caller):
            raise not_found()
        return self._answer(200, request, self._show(row, table, self.view(request)))

    def page(self, request: Request, table: str) -> Answer:
        self.check_table(table, request.caller)
        limit = _number(request, "sysparm_limit", MAX_LIMIT, minimum=1)
        offset = _number(request, "sysparm_offset", 0, minimum=0)
        found, ordered = self.find(request, table)
        page: list[Row] = found[offset : offset + limit]
        if not ordered and self._switches.shuffle_unordered and len(found) > 1:
            if len(page) == len(found):
                self._random.shuffle(page)
            else:
                page = self._random.sample(found, len(page))
        rows = self.readable(table, page, request.caller)
        if request.version == "v1" and not found:
            raise not_found()
        headers: list[tuple[str, str]] = []
        if not request.flag("sysparm_no_count"):
            headers.append(("X-Total-Count", str(len(found))))
        if not request.flag("sysparm_suppress_pagination_header"):
            headers.extend(_links(request, limit, offset, len(found)))
        view = self.view(request)
        shown = [self._show(row, table, view) for row in rows]
        return self._answer(200, request, shown, tuple(headers))

    def find(self, request: Request, table: str) -> tuple[list[Row], bool]:
        """All rows a request's query finds, and whether it orders them. Kept while nothing changes."""
        text = request.parameters.get("sysparm_query")
        if text is None:
            text = self._shorthand(table, request.parameters)
        query = parse(text)
        moving = "javascript:" in text or "RELATIVE" in text or "DYNAMIC" in text
        switches = self._switches
        modes = (switches.invalid_query, switches.not_equal_matches_empty, str(switches.column_acl))
        key = (table, text, request.caller.name, modes, self._store.version)
        if not moving and key in self._found:
            self._found.move_to_end(key)
            return self._found[key], bool(query.order)
        try:
            rows = select(query, table, self.reading(request.caller))
        except ForbiddenQueryError:
            raise SnowError(
                403,
                "Insufficient rights to query records",
                "Field(s) present in the query do not have permission to be read",
            ) from None
        if not moving:
            self._found[key] = rows
            if len(self._found) > 64:
                self._found.popitem(last=False)
        return rows, bool(query.order)

    def _shorthand(self, table: str, parameters: Mapping[str, str]) -> str:
        """``field=value`` parameters as a query; choice labels are understood."""
        columns = self._store.schema.columns(table)
        clauses = []
        for name, value in parameters.items():
            if name.startswith(_RESERVED):
                continue
            column = columns.get(name.partition(".")[0])
            clauses.append(f"{name}={self._shorthand_value(table, name, column, value)}")
        return "^".join(clauses)

    def _shorthand_value(self, table: str, name: str, column: Column | None, value: str) -> str:
        if column is None or not column.choice or "." in name:
            return value
        labels = self._store.labels(table, name)
        return next((v for v, label in labels.items() if label.lower() == value.lower()), value)

    def readable(self, table: str, rows: list[Row], caller: Caller) -> list[Row]:
        """Rows that row ACLs let the caller see. They are applied after the limit: pages come short."""
        if caller.is_admin or not self._switches.row_acl:
            return rows
        for name in self._store.schema.chain(table):
            if rule := self._switches.row_acl.get(name):
                allowed = matcher(rule, name, self.reading(caller))
                rows = [row for row in rows if allowed(row)]
        return rows

    # -- writing ------------------------------------------------------------------------------------

    def insert(self, request: Request, table: str) -> Answer:
        self.check_table(table, request.caller)
        display = request.flag("sysparm_input_display_value")
        row = self._writer.insert(table, request.body, request.caller, display=display)
        where = f"{request.base}{request.path.rstrip('/')}/{row['sys_id']}"
        return self._answer(201, request, self._show(row, table, self.view(request)), (("Location", where),))

    def update(self, request: Request, table: str, sys_id: str) -> Answer:
        self.check_table(table, request.caller)
        self._check_writable(table, sys_id, request.caller)
        display = request.flag("sysparm_input_display_value")
        row = self._writer.update(table, sys_id, request.body, request.caller, display=display)
        return self._answer(200, request, self._show(row, table, self.view(request)))

    def delete(self, request: Request, table: str, sys_id: str) -> Answer:
        self.check_table(table, request.caller)
        self._check_writable(table, sys_id, request.caller)
        self._writer.delete(table, sys_id, request.caller)
        return Answer(204)

    def _check_writable(self, table: str, sys_id: str, caller: Caller) -> None:
        row = self._store.get(table, sys_id)
        if row is None or not self.readable(table, [row], caller):
            raise not_found()

    # -- showing ------------------------------------------------------------------------------------

    def view(self, request: Request) -> View:
        mode = request.parameters.get("sysparm_display_value", "").lower()
        names = request.parameters.get("sysparm_fields", "")
        hidden: set[str] = set()
        if not request.caller.is_admin:
            hidden.update(f"{t}.{c}" for t, columns in self._switches.column_acl.items() for c in columns)
        return View(
            mode if mode in {"true", "all"} else "false",
            not request.flag("sysparm_exclude_reference_link"),
            tuple(name.strip() for name in names.split(",") if name.strip()),
            request.base,
            request.caller.zone,
            frozenset(hidden),
        )

    def _show(self, row: Row, table: str, view: View) -> dict[str, Any]:
        as_table = table if self._switches.parent_columns_only else row.get("sys_class_name", table)
        return self._shapes.show(row, as_table, view)

    def _answer(self, status: int, request: Request, result: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        answer = xml_answer if request.as_xml else json_answer
        return answer(status, {"result": result}, headers)


def _number(request: Request, name: str, default: int, minimum: int) -> int:
    text = request.parameters.get(name)
    if text is None or text in {"", "None"}:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < minimum:
        kind = "positive" if minimum else "non-negative"
        raise SnowError(400, f"Invalid value given for {name}", f"{name} value must be a {kind} integer")
    return int(text)


def _links(request: Request, limit: int, offset: int, total: int) -> list[tuple[str, str]]:
    """The Link header: first, prev, next, last where they apply; ``last`` needs the count."""
    if total <= limit and offset == 0:
        return []
    others = {k: v for k, v in request.parameters.items() if k not in {"sysparm_limit", "sysparm_offset"}}

    def link(rel: str, at: int) -> str:
        query = urlencode({**others, "sysparm_limit": limit, "sysparm_offset": at}, quote_via=quote)
        return f'<{request.base}{request.path}?{query}>;rel="{rel}"'

    links = [link("first", 0)]
    if offset > 0:
        links.append(link("prev", max(0, offset - limit)))
    if offset + limit < total:
        links.append(link("next", offset + limit))
    if not request.flag("sysparm_no_count"):
        links.append(link("last", max(0, (total - 1) // limit * limit)))
    return [("Link", ",".join(links))]

"""Carts and orders: from an item and its variables to a request, its items, approvals and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mock_servers.servicenow.accounts import Caller
from mock_servers.servicenow.answers import SnowError
from mock_servers.servicenow.catalog_variables import Variables
from mock_servers.servicenow.rules import Writer
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Row, Store
from mock_servers.servicenow.table_api import Request

Line = tuple[Row, int, dict[str, str]]
"""Item, quantity, values by variable name."""


class Orders:
    """Carts and orders of one instance. Ordering is the catalogue's own act: it needs no right on the tables."""

    def __init__(self, store: Store, switches: Switches, writer: Writer, variables: Variables) -> None:
        self._store = store
        self._switches = switches
        self._writer = writer
        self._variables = variables

    @property
    def two_steps(self) -> bool:
        return self._switches.two_step_checkout

    # -- ordering -----------------------------------------------------------------------------------

    def order_now(self, item: str, request: Request) -> dict[str, Any]:
        """One item, at once. Raises SnowError 400 in the API's three wordings."""
        line = self._line(item, request.body)
        return self._order([line], request, str(request.body.get("sysparm_requested_for") or ""))

    def submit(self, request: Request) -> dict[str, Any]:
        """What is in the caller's cart. Raises SnowError 400 when that is nothing."""
        cart = self.cart(request.caller)
        lines = [(self._item(row["cat_item"]), int(row["quantity"]), values) for row, values in self.lines(cart)]
        if not lines:
            raise SnowError(400, "Cart is empty", None)
        made = self._order(lines, request, "")
        for row, _ in self.lines(cart):
            self._store.remove("sc_cart_item", row["sys_id"])
        return made

    def _item(self, sys_id: str) -> Row:
        row = self._store.get("sc_cat_item", sys_id)
        if row is None or row.get("active", "true") != "true":
            raise SnowError(400, "Security constraints prevent ordering of Item", None)
        return row

    def _line(self, item: str, body: Mapping[str, Any]) -> Line:
        row = self._item(item)
        quantity = str(body.get("sysparm_quantity") or "")
        if not (quantity.isascii() and quantity.isdigit() and 0 < int(quantity) < 1000):
            raise SnowError(400, "Invalid quantity value", None)
        given = body.get("variables")
        values = self._variables.filled(item, given if isinstance(given, dict) else {})
        if self._variables.missing(item, values):
            raise SnowError(400, "Mandatory Variables are required", None)
        if self._switches.catalog_checks and (wrong := self._variables.wrong(item, values)):
            raise SnowError(400, "Invalid value for variables", ", ".join(wrong))
        return row, int(quantity), values

    def _order(self, lines: list[Line], request: Request, wanted_for: str) -> dict[str, Any]:
        caller = request.caller
        if wanted_for and wanted_for != caller.sys_id and not self._switches.request_for_others:
            raise SnowError(400, "User is not allowed to request for others", None)
        person = self._store.get("sys_user", wanted_for or caller.sys_id)
        if person is None:
            raise SnowError(400, "Invalid requested for", None)
        price = sum(float(item.get("price") or 0) * quantity for item, quantity, _ in lines)
        approves = self._approver(person, lines)
        order = self._put(
            "sc_request",
            caller,
            short_description=", ".join(item.get("name", "") for item, _, _ in lines),
            requested_for=person["sys_id"],
            request_state="requested" if approves else "in_process",
            stage="waiting_for_approval" if approves else "delivery",
            approval="requested" if approves else "approved",
            price=f"{price:.2f}",
        )
        for item, quantity, values in lines:
            self._requested(order, item, quantity, values, bool(approves), person, caller)
        if approves:
            self._put(
                "sysapproval_approver",
                caller,
                sysapproval=order["sys_id"],
                approver=approves,
                state="requested",
                source_table="sc_request",
            )
        return {
            "sys_id": order["sys_id"],
            "number": order["number"],
            "request_number": order["number"],
            "request_id": order["sys_id"],
            "parent_id": None,
            "parent_table": "task",
            "table": "sc_request",
        }

    def _requested(
        self, order: Row, item: Row, quantity: int, values: dict[str, str], waits: bool, person: Row, caller: Caller
    ) -> None:
        made = self._put(
            "sc_req_item",
            caller,
            short_description=item.get("short_description") or item.get("name", ""),
            request=order["sys_id"],
            parent=order["sys_id"],
            cat_item=item["sys_id"],
            quantity=str(quantity),
            requested_for=person["sys_id"],
            price=item.get("price", ""),
            stage="waiting_for_approval" if waits else "fulfillment",
            approval="requested" if waits else "approved",
            assignment_group=item.get("group", ""),
        )
        for variable in self._variables.of(item["sys_id"]):
            if (value := values.get(variable.get("name", ""))) is not None:
                option = self._put("sc_item_option", caller, item_option_new=variable["sys_id"], value=value)
                self._put("sc_item_option_mtom", caller, request_item=made["sys_id"], sc_item_option=option["sys_id"])
        if not waits:
            self._put(
                "sc_task",
                caller,
                short_description=f"Fulfil: {item.get('name', '')}",
                request=order["sys_id"],
                request_item=made["sys_id"],
                parent=made["sys_id"],
                assignment_group=item.get("group", ""),
            )

    def _approver(self, person: Row, lines: list[Line]) -> str:
        """Who must approve: the manager of the person, where an item costs something or names a group."""
        asks = any(float(item.get("price") or 0) > 0 or item.get("approval_group") for item, _, _ in lines)
        if not asks:
            return ""
        for item, _, _ in lines:
            group = self._store.get("sys_user_group", item.get("approval_group", ""))
            if group is not None and group.get("manager"):
                return group["manager"]
        return person.get("manager", "") or person["sys_id"]

    def _put(self, table: str, caller: Caller, **values: str) -> Row:
        acting = Caller(caller.name, caller.sys_id, caller.roles | {"itil"}, caller.zone)
        return self._writer.insert(table, values, acting, display=False)

    # -- carts --------------------------------------------------------------------------------------

    def cart(self, caller: Caller) -> Row:
        """The caller's cart, made when first needed."""
        found = next(self._store.where("sc_cart", "user", caller.sys_id), None)
        return found or self._put("sc_cart", caller, user=caller.sys_id, name="DEFAULT")

    def lines(self, cart: Row) -> list[tuple[Row, dict[str, str]]]:
        """What is in a cart, with the values of each line."""
        rows = list(self._store.where("sc_cart_item", "cart", cart["sys_id"]))
        return [(row, orjson.loads(row.get("variables") or "{}")) for row in rows]

    def add(self, item: str, request: Request) -> None:
        row, quantity, values = self._line(item, request.body)
        cart = self.cart(request.caller)
        text = orjson.dumps(values).decode()
        self._put(
            "sc_cart_item",
            request.caller,
            cart=cart["sys_id"],
            cat_item=row["sys_id"],
            quantity=str(quantity),
            variables=text,
        )

    def change(self, cart_item: str, request: Request) -> None:
        held = self._own(cart_item, request)
        before = orjson.loads(held.get("variables") or "{}")
        given = {**before, **(request.body.get("variables") or {})}
        _, quantity, values = self._line(held["cat_item"], {**request.body, "variables": given})
        text = orjson.dumps(values).decode()
        self._store.put("sc_cart_item", {**held, "quantity": str(quantity), "variables": text})

    def remove(self, cart_item: str, request: Request) -> None:
        self._store.remove("sc_cart_item", self._own(cart_item, request)["sys_id"])

    def empty(self, cart: str, request: Request) -> None:
        found = self._store.get("sc_cart", cart)
        if found is None or (found.get("user") != request.caller.sys_id and not request.caller.is_admin):
            raise SnowError(400, "Invalid cart id or no access to the cart", None)
        for row, _ in self.lines(found):
            self._store.remove("sc_cart_item", row["sys_id"])

    def _own(self, cart_item: str, request: Request) -> Row:
        row = self._store.get("sc_cart_item", cart_item)
        if row is None or row.get("cart") != self.cart(request.caller)["sys_id"]:
            raise SnowError(400, "Invalid cart item id or no access to the cart item", None)
        return row

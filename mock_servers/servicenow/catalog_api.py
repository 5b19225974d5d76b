"""The Service Catalog API: catalogues, categories, items with their variables, the cart, orders."""

from __future__ import annotations

from typing import Any

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource
from mock_servers.servicenow.catalog_orders import Orders
from mock_servers.servicenow.catalog_variables import Variables
from mock_servers.servicenow.store import Row, Store
from mock_servers.servicenow.table_api import Request

_PAGE = 10  # items a page unless sysparm_limit says otherwise
_KINDS = {"sc_cat_item_producer": "record_producer", "sc_cat_item_guide": "order_guide"}


def money(text: str) -> str:
    """``$1,499.00``: a price as the API shows it."""
    return f"${float(text or 0):,.2f}"


class CatalogApi:
    """Answers for ``/api/sn_sc[/v1]/servicecatalog/...``."""

    def __init__(self, store: Store, variables: Variables, orders: Orders) -> None:
        self._store = store
        self._variables = variables
        self._orders = orders

    def answer(self, request: Request, rest: list[str]) -> Answer:
        match (request.method, *rest):
            case ("GET", "catalogs"):
                return _result([self._catalog(row) for row in self._active("sc_catalog")])
            case ("GET", "catalogs", sys_id):
                return _result(self._catalog(self._one("sc_catalog", sys_id)))
            case ("GET", "catalogs", sys_id, "categories"):
                rows = [r for r in self._active("sc_category") if r.get("sc_catalog") == sys_id]
                return _result([self._category(row) for row in rows])
            case ("GET", "categories", sys_id):
                return _result(self._category(self._one("sc_category", sys_id)))
            case ("GET", "items"):
                return _result(self._items(request))
            case ("GET", "items", sys_id):
                return _result(self._item(self._one("sc_cat_item", sys_id), whole=True))
            case ("POST", "items", sys_id, "order_now"):
                return _result(self._orders.order_now(sys_id, request))
            case ("POST", "items", sys_id, "add_to_cart"):
                self._orders.add(sys_id, request)
                return _result(self._cart(request))
            case ("GET", "cart"):
                return _result(self._cart(request))
            case ("PUT", "cart", sys_id):
                self._orders.change(sys_id, request)
                return json_answer(201, {"result": self._cart(request)})
            case ("DELETE", "cart", sys_id):
                self._orders.remove(sys_id, request)
                return Answer(204)
            case ("DELETE", "cart", sys_id, "empty"):
                self._orders.empty(sys_id, request)
                return Answer(204)
            case ("POST", "cart", "checkout"):
                if self._orders.two_steps:
                    return _result(self._cart(request))
                return _result(self._orders.submit(request))
            case ("POST", "cart", "submit_order"):
                return _result(self._orders.submit(request))
        raise no_resource()

    def _active(self, table: str) -> list[Row]:
        return [row for row in self._store.rows(table) if row.get("active", "true") == "true"]

    def _one(self, table: str, sys_id: str) -> Row:
        row = self._store.get(table, sys_id)
        if row is None or row.get("active", "true") != "true":
            raise SnowError(400, "Invalid Request", f"No {table} with the sys_id {sys_id}, or no access to it")
        return row

    def _catalog(self, row: Row) -> dict[str, Any]:
        categories = [c for c in self._active("sc_category") if c.get("sc_catalog") == row["sys_id"]]
        return {
            "sys_id": row["sys_id"],
            "title": row.get("title", ""),
            "description": row.get("description", ""),
            "desktop_image": "",
            "has_categories": bool(categories),
            "has_items": any(row["sys_id"] in i.get("sc_catalogs", "") for i in self._active("sc_cat_item")),
        }

    def _category(self, row: Row) -> dict[str, Any]:
        items = [i for i in self._active("sc_cat_item") if i.get("category") == row["sys_id"]]
        children = [c for c in self._active("sc_category") if c.get("parent") == row["sys_id"]]
        return {
            "sys_id": row["sys_id"],
            "title": row.get("title", ""),
            "description": row.get("description", ""),
            "full_description": row.get("description", ""),
            "icon": "",
            "header_icon": "",
            "homepage_image": "",
            "count": len(items),
            "subcategories": [{"sys_id": c["sys_id"], "title": c.get("title", "")} for c in children],
        }

    # -- items --------------------------------------------------------------------------------------

    def _items(self, request: Request) -> list[dict[str, Any]]:
        asked = request.parameters
        words = asked.get("sysparm_text", "").lower().split()
        found = []
        for row in self._active("sc_cat_item"):
            text = " ".join(row.get(name, "") for name in ("name", "short_description", "description")).lower()
            if not all(word in text for word in words):
                continue
            if (category := asked.get("sysparm_category")) and row.get("category") != category:
                continue
            if (catalog := asked.get("sysparm_catalog")) and catalog not in row.get("sc_catalogs", ""):
                continue
            found.append(row)
        found.sort(key=lambda row: (int(row.get("order") or 0), row.get("name", "")))
        limit, offset = (
            _count(asked.get(f"sysparm_{name}"), usual) for name, usual in (("limit", _PAGE), ("offset", 0))
        )
        return [self._item(row) for row in found[offset : offset + limit]]

    def _item(self, row: Row, whole: bool = False) -> dict[str, Any]:
        def titled(table: str, sys_id: str) -> dict[str, str]:
            return {"sys_id": sys_id, "title": self._store.display(table, sys_id)}

        catalogs = [c for c in row.get("sc_catalogs", "").split(",") if c]
        priced = float(row.get("price") or 0) > 0
        told: dict[str, Any] = {
            "sys_id": row["sys_id"],
            "name": row.get("name", ""),
            "short_description": row.get("short_description", ""),
            "description": row.get("description", ""),
            "type": _KINDS.get(row.get("sys_class_name", ""), "catalog_item"),
            "sys_class_name": row.get("sys_class_name", "sc_cat_item"),
            "content_type": "",
            "kb_article": "",
            "icon": "",
            "picture": "",
            "url": "",
            "order": int(row.get("order") or 0),
            "category": titled("sc_category", row.get("category", "")),
            "catalogs": [titled("sc_catalog", each) for each in catalogs],
            "show_price": priced,
            "show_quantity": row.get("no_quantity", "false") != "true",
            "recurring_frequency": row.get("recurring_frequency") or None,
        }
        if priced:
            told |= {"price": money(row["price"]), "localized_price": money(row["price"])}
            told |= {"price_currency": "USD", "local_currency": "USD"}
            told["recurring_price"] = money(row.get("recurring_price", "0"))
        if whole:
            told["variables"] = [self._variables.shown(each) for each in self._variables.of(row["sys_id"])]
            told |= {"ui_policy": [], "data_lookup": [], "categories": []}
            told["client_script"] = {"onChange": [], "onSubmit": [], "onLoad": []}
        return told

    def _cart(self, request: Request) -> dict[str, Any]:
        cart = self._orders.cart(request.caller)
        items, total = [], 0.0
        for row, values in self._orders.lines(cart):
            item = self._one("sc_cat_item", row["cat_item"])
            price, quantity = float(item.get("price") or 0), int(row.get("quantity") or 1)
            total += price * quantity
            items.append(
                {
                    "cart_item_id": row["sys_id"],
                    "sys_id": row["sys_id"],
                    "catalog_item_id": item["sys_id"],
                    "item_id": item["sys_id"],
                    "item_name": item.get("name", ""),
                    "name": item.get("name", ""),
                    "short_description": item.get("short_description", ""),
                    "quantity": str(quantity),
                    "price": money(str(price)),
                    "subtotal": price * quantity,
                    "subtotal_price": money(str(price * quantity)),
                    "variables": values,
                }
            )
        told: dict[str, Any] = {"cart_id": cart["sys_id"], "subtotal_price": money(str(total)), "total_title": "Total"}
        if items:
            told["none"] = {"frequency_label": None, "items": items, "subtotal_price": money(str(total))}
        return told


def _result(content: Any) -> Answer:
    return json_answer(200, {"result": content})


def _count(text: str | None, usual: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else usual

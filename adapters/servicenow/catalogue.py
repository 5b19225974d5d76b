"""The service catalogue: what can be ordered, what an order is asked, and ordering it.

Facts: c_ServiceCatalogAPI. An order carries no key of ours and cannot be looked for, so the manifest declares
that it has no probe: one whose answer was lost is for a person to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.adapterkit.native import NativeWrite, Written
from interlock.adapterkit.offers import CatalogItem, OrderItem
from interlock.adapterkit.rest import encoded, plain
from interlock.records.problems import Problem, Slug, invalid

from .ire import nothing_sent
from .plain_text import plain_text

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_BASE = "/api/sn_sc/servicecatalog"
_LAYOUT = frozenset({11, 12, 19, 20, 24})  # labels, breaks, containers: nothing is asked
_CHOICES, _SCALE, _CHECK_BOX, _REFERENCE, _DATE, _DATE_TIME, _LIST = (1, 3, 5, 18), 4, 7, (8, 31), 9, 10, 21
_FORMATS = {26: "email", 27: "uri"}
_MANDATORY = "mandatory variables are required"
_LINES = 100
_ITEM = "catalog_item"  # record producers, order guides and content stand among the items, but are not ordered


class Catalogue:
    """The catalogue of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    async def search(self, text: str | None, limit: int) -> list[CatalogItem]:
        """Items whose name or description has these words."""
        asked = {"sysparm_limit": str(limit), **({"sysparm_text": text} if text else {})}
        found = await self._adapter.fetch(f"{_BASE}/items", encoded(asked))
        rows = found.get("result") if isinstance(found, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise self._adapter.odd("a list of catalogue items")
        return [self._shown(row) for row in rows[:limit] if row.get("type", _ITEM) == _ITEM]

    async def item(self, id: str) -> CatalogItem:  # noqa: A002 - the word of the offer
        """One item with what ordering it asks for. Raises not-found."""
        row = await self._item(id)
        return self._shown(row, schema_of(self._variables(row), self._adapter.entities))

    async def lines(self, handle: str) -> list[OrderItem]:
        """The items of an order (sc_req_item)."""
        columns = ("number", "cat_item.name", "short_description", "state", "stage", "quantity", "due_date")
        self._adapter.path("request", handle)  # it enters a query: refuse what is none
        query = f"request={handle}^ORDERBYnumber^ORDERBYsys_id"
        rows = await self._adapter.list_rows("sc_req_item", query, ("request", *columns), _LINES, display_value="all")
        return [
            OrderItem(
                number=str(plain(row.get("number")) or ""),
                name=str(plain(row.get("cat_item.name")) or plain(row.get("short_description")) or "") or None,
                state=_label(row.get("state")),
                stage=_label(row.get("stage")),
                quantity=int(many) if (many := str(plain(row.get("quantity")) or "")).isdecimal() else None,
                due_at=self._adapter.instant(plain(row.get("due_date"))),
            )
            for row in rows
            if plain(row.get("request")) == handle
        ]

    async def order(self, write: NativeWrite) -> Written:
        """Order one item, once."""
        asked = write.payload
        adapter, key = self._adapter, str(asked.get("item") or "")
        with nothing_sent():
            if write.op != "create":
                raise adapter.unsupported("changes of an order")
            variables = self._variables(await self._item(key))
            given = dict(asked.get("variables") or {})
            missing = [str(each["name"]) for each in variables if _is_missing(each, given)]
            if missing:
                raise _needed(missing, None)
            for each in variables:
                if each.get("read_only") and each["name"] in given:
                    raise invalid(f"variables.{each['name']}", None, "is read only here", "Leave it out.")
            # Defaults are sent, too: instances differ in whether they fill them in for an order over the API.
            filled = {str(each["name"]): each.get("value") for each in variables if _fixed(each)} | given
            values = {
                str(each["name"]): _native(each, filled[each["name"]]) for each in variables if each["name"] in filled
            }
            body: dict[str, Any] = {"sysparm_quantity": str(asked.get("quantity") or 1), "variables": values}
            if asked.get("requested_for"):
                body["sysparm_requested_for"] = asked["requested_for"]
        answer = await adapter.session.request(
            "POST", f"{_BASE}/items/{key}/order_now", json=body, not_after=write.not_after
        )
        try:
            made = adapter.row(adapter.parsed(answer))
        except Problem as problem:
            if _MANDATORY in (problem.native_message or "").lower():
                # A policy of the form demands more than the API tells of the item.
                raise _needed(
                    [str(each["name"]) for each in variables if each["name"] not in values], problem
                ) from None
            raise
        handle = made.get("request_id") or made.get("sys_id")
        if not isinstance(handle, str) or not handle or made.get("table", "sc_request") != "sc_request":
            raise adapter.odd("the request that was made")
        return Written(handle)

    async def _item(self, key: str) -> Mapping[str, Any]:
        # The handle of a request has the same form as any other.
        self._adapter.path("request", key)
        try:
            row = self._adapter.row(await self._adapter.fetch(f"{_BASE}/items/{key}"))
            if row.get("type", _ITEM) != _ITEM:
                raise self._adapter.unsupported(f"ordering of a {str(row['type']).replace('_', ' ')}")
            return row
        except Problem as problem:
            if problem.native_code in ("400", "404"):  # the API says 400 for what is not there, or not ours
                raise Problem(
                    Slug.NOT_FOUND,
                    f"no catalogue item {key!r} that our account may order",
                    field="item",
                    value=key,
                    next_step="Take the item from catalog_search.",
                    layer="source",
                    native_message=problem.native_message,
                    reached="no",
                ) from None
            raise

    def _variables(self, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found = row.get("variables") or []
        return [
            each for each in found if isinstance(each, Mapping) and each.get("name") and each.get("type") not in _LAYOUT
        ]

    def _shown(self, row: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> CatalogItem:
        category = row.get("category")
        about = str(row.get("short_description") or "")
        if variables is not None and (whole := plain_text(str(row.get("description") or ""))):
            about = f"{about}\n{whole}" if about and about not in whole else whole
        return CatalogItem(
            id=str(row.get("sys_id") or ""),
            name=str(row.get("name") or ""),
            description=about or None,
            category=str(category.get("title") or "") or None if isinstance(category, Mapping) else None,
            price=str(row.get("price") or "") or None if row.get("show_price") else None,
            variables=variables,
        )


def schema_of(variables: list[Mapping[str, Any]], entities: Mapping[str, str]) -> dict[str, Any]:
    """JSON Schema (2020-12) of an item's variables. ``entities``: kind of record by native table."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {str(each["name"]): _property(each, entities) for each in variables},
        "additionalProperties": False,
    }
    needed = [str(each["name"]) for each in variables if _is_mandatory(each) and not _fixed(each)]
    if needed:
        schema["required"] = needed
    return schema


def _property(variable: Mapping[str, Any], entities: Mapping[str, str]) -> dict[str, Any]:
    kind = variable.get("type")
    told: dict[str, Any] = {"title": str(variable.get("label") or variable["name"]), **_type(variable, kind, entities)}
    if hint := str(variable.get("help_text") or ""):
        told["description"] = f"{hint} {told['description']}" if "description" in told else hint
    default = variable.get("value")
    if default not in (None, "") and not isinstance(default, Mapping | list):
        told["default"] = _canonical(kind, str(default), told)
    if variable.get("read_only"):
        told["readOnly"] = True
    longest = variable.get("max_length")
    if isinstance(longest, int) and longest > 0 and told.get("type") == "string":
        told["maxLength"] = longest
    if (pattern := str(variable.get("validate_regex") or "")) and told.get("type") == "string":
        told["pattern"] = f"^(?:{pattern})$"
    if told.get("type") == "string" and _is_mandatory(variable) and "oneOf" not in told:
        told["minLength"] = 1
    return told


def _type(variable: Mapping[str, Any], kind: Any, entities: Mapping[str, str]) -> dict[str, Any]:
    choices = [each for each in variable.get("choices") or () if isinstance(each, Mapping)]
    if kind == _CHECK_BOX:
        return {"type": "boolean", **({"const": True} if _is_mandatory(variable) else {})}
    if kind == _SCALE and choices and all(str(each.get("value")).isdecimal() for each in choices):
        numbers = [int(str(each["value"])) for each in choices]
        return {"type": "integer", "minimum": min(numbers), "maximum": max(numbers)}
    if kind in (*_CHOICES, _SCALE) and choices:
        return {"type": "string", "oneOf": [_choice(each) for each in choices if str(each.get("value", "")) != ""]}
    if kind in _REFERENCE or kind == _LIST:
        return _refers(variable, kind, entities)
    if kind == _DATE:
        return {"type": "string", "format": "date"}
    if kind == _DATE_TIME:
        return {"type": "string", "format": "date-time"}
    return {"type": "string", **({"format": _FORMATS[kind]} if kind in _FORMATS else {})}


def _choice(choice: Mapping[str, Any]) -> dict[str, str]:
    return {"const": str(choice["value"]), "title": str(choice.get("label") or choice["value"])}


def _refers(variable: Mapping[str, Any], kind: Any, entities: Mapping[str, str]) -> dict[str, Any]:
    table = str(variable.get("reference") or ("sys_user" if kind == 31 else ""))
    one: dict[str, Any] = {"type": "string"}
    # Classes of CIs are tables of that name below the one that the kind is read from.
    if known := entities.get(table) or (entities.get("cmdb_ci") if table.startswith("cmdb_ci_") else None):
        one |= {"description": f"Ref of a {known} of this source.", "x-refers": [known]}
    else:
        one["description"] = f"The sys_id (32 hexadecimal digits) of a record of {table or 'its table'}."
    return {"type": "array", "items": one} if kind == _LIST else one


def _canonical(kind: Any, text: str, told: Mapping[str, Any]) -> Any:
    if told.get("type") == "boolean":
        return text.lower() in ("true", "1", "yes")
    if told.get("type") == "integer" and text.isdecimal():
        return int(text)
    return text.split(",") if told.get("type") == "array" else text


def _native(variable: Mapping[str, Any], value: Any) -> str:
    """A value as the API takes it: text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    text = "" if value is None else str(value)
    if variable.get("type") == _DATE_TIME and len(text) >= 20 and text[10] == "T":
        return f"{text[:10]} {text[11:19]}"
    return text


def _is_mandatory(variable: Mapping[str, Any]) -> bool:
    return variable.get("mandatory") is True or variable.get("mandatory") == "true"


def _fixed(variable: Mapping[str, Any]) -> bool:
    """What nobody need give: it has a value that may stay."""
    return variable.get("value") not in (None, "")


def _is_missing(variable: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    return _is_mandatory(variable) and not _fixed(variable) and given.get(variable["name"]) in (None, "", False, [])


def _needed(names: list[str], told: Problem | None) -> Problem:
    if told is None:
        several = f" ({', '.join(names)})" if len(names) > 1 else ""
        step = f"Also give: {', '.join(names)}."
        return invalid(f"variables.{names[0]}", None, f"is needed to order this item{several}", step)
    why = f"are not all there; the instance demands more than it tells. Not given: {', '.join(names) or 'none'}"
    problem = invalid("variables", None, why, "Give the ones that fit as well.")
    problem.reached, problem.layer = "yes", "source"
    problem.native_code, problem.native_message = told.native_code, told.native_message
    return problem


def _label(value: Any) -> str | None:
    shown = value.get("display_value") if isinstance(value, Mapping) else value
    return str(shown) if shown else None

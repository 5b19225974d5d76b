"""The service catalogue: finding items, what ordering one asks for, and where an order stands."""

from __future__ import annotations

from typing import Any

from interlock.adapterkit.offers import CatalogItem, OffersCatalog, OffersOrderItems
from interlock.gateway import render
from interlock.gateway.context import Context, source_for
from interlock.gateway.effects import look_up
from interlock.gateway.reads import Reads
from interlock.gateway.scopes import scope_of
from interlock.gateway.tickets import approvals_of
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.refs import Ref
from interlock.records.text import visible
from interlock.sources.source import Source

_DESCRIPTION = 300
_EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Ordering:
    """Answers the tools that are about the catalogue and orders."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        reads.add({"catalog_search": self._search, "catalog_item": self._item, "request_status": self._status})

    async def _search(self, context: Context) -> dict[str, Any]:
        arguments = context.arguments
        scope_of(context.agent, "request")
        source = source_for(context, self._reads.sources, "request", arguments.source)
        context.source = source
        found = await source.ask(
            OffersCatalog, "catalog_search", lambda each: each.catalog_search(arguments.text, arguments.limit)
        )
        return _envelope(context, source, [_row(source, item) for item in found])

    async def _item(self, context: Context) -> dict[str, Any]:
        scope_of(context.agent, "request")
        wanted = context.arguments.item
        source = context.source = source_for(context, self._reads.sources, "request", wanted.partition("/")[0])
        item = await catalog_item(source, wanted)
        return _envelope(context, source, {**_row(source, item, whole=True), "variables": item.variables or _EMPTY})

    async def _status(self, context: Context) -> dict[str, Any]:
        body = await self._reads.get(context)
        source, scope = context.source, scope_of(context.agent, "request")
        assert source is not None
        handle = await source.handle("request", Ref.parse(body["data"]["ref"]).key)
        extra: dict[str, Any] = {}
        if "order_items" in source.offers:
            lines = await source.ask(OffersOrderItems, "order_items", lambda each: each.order_items(handle))
            extra["items"] = [
                {
                    "number": line.number,
                    "name": visible(line.name) if line.name else None,
                    "state": line.state,
                    "stage": line.stage,
                    "quantity": line.quantity,
                    "due_at": line.due_at,
                }
                for line in lines
            ]
        if "approvals" in source.offers and "approval" not in scope.hidden:
            extra["approvals"] = await approvals_of(source, "request", handle)
        return {**body, "data": {**body["data"], **extra}}


async def catalog_item(source: Source, item: str) -> CatalogItem:
    """The item of a source that a call names (``source/id``). Raises not-found, unsupported."""
    native = native_id(item)
    try:
        return await source.ask(OffersCatalog, "catalog_item", lambda each: each.catalog_item(native))
    except Problem as problem:
        if problem.slug is not Slug.NOT_FOUND:
            raise
        raise Problem(
            Slug.NOT_FOUND,
            f"item: {source.name} has no catalogue item {native[:100]} that our account may order",
            field="item",
            value=item,
            next_step="Take item from a row of catalog_search.",
        ) from None


def native_id(item: str) -> str:
    """The source's own id of an item."""
    return item.partition("/")[2]


async def ordered(context: Context, source: Source) -> dict[str, Any]:
    """What an order call would send, its variables checked. Raises invalid-argument naming the variable."""
    arguments = context.arguments
    item = await catalog_item(source, arguments.item)
    schema = item.variables or _EMPTY
    check_variables(schema, arguments.variables)
    variables = await _resolved(context, source, schema, arguments.variables)
    return {"item": item.id, "variables": variables, "quantity": arguments.quantity}


async def _resolved(context: Context, source: Source, schema: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The variables with every ref (``x-refers`` in the schema) as the handle of a record inside the scope."""
    found = dict(given)
    for name, asked in schema.get("properties", {}).items():
        value, at = given.get(name), f"variables.{name}"
        refers, each = asked.get("x-refers"), asked.get("items", {}).get("x-refers")
        if isinstance(value, str) and refers:
            found[name] = (await look_up(context, source, at, refers, value)).handle
        elif isinstance(value, list) and each:
            found[name] = [(await look_up(context, source, at, each, str(one))).handle for one in value]
    return found


def check_variables(schema: Any, given: dict[str, Any]) -> None:
    """Raises invalid-argument for the first variable that the item does not take like this."""
    from jsonschema import Draft202012Validator, FormatChecker

    known = schema.get("properties", {})
    for name in given:
        if name not in known and schema.get("additionalProperties") is False:
            told = f"Variables: {', '.join(known) or 'none'}."
            raise invalid(f"variables.{name}", None, "is not asked for by this item", told)
    errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(given)
    for error in sorted(errors, key=lambda each: [str(step) for step in each.absolute_path]):
        if error.validator == "required":
            missing = next(name for name in error.validator_value if name not in given)
            about = known.get(missing, {}).get("title", missing)
            raise invalid(f"variables.{missing}", None, f"is needed ({about})", "catalog_item shows what is asked.")
        place = ".".join(["variables", *(str(step) for step in error.absolute_path)])
        value = error.instance if isinstance(error.instance, str | int | float | bool) else None
        raise invalid(place, value, f"is not taken: {error.message[:200]}", "catalog_item shows what is asked.")


def _row(source: Source, item: CatalogItem, *, whole: bool = False) -> dict[str, Any]:
    about = visible(item.description) if item.description else None
    return {
        "item": f"{source.name}/{item.id}",
        "name": visible(item.name),
        "description": about if whole or about is None else render.cut(about, _DESCRIPTION),
        "category": item.category,
        "price": item.price,
    }


def _envelope(context: Context, source: Source, data: Any) -> dict[str, Any]:
    return {
        "data": data,
        "provenance": render.provenance(source.name, context.now, context.now, "live"),
        "warnings": [],
    }

"""Tools for ordering from the service catalogue: what they take and say."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field

from interlock.records.request import Request
from interlock.tools.answers import CatalogItemOut, CatalogRow, RequestAnswer
from interlock.tools.arguments import WHOLE, Arguments, MaxAge, PersonRef, RequestRef, SourceName, Write
from interlock.tools.catalogue.tool import Tool, WriteSpec

ItemId = Annotated[
    str,
    Field(
        min_length=3,
        max_length=140,
        pattern=r"^[a-z][a-z0-9_-]{0,31}/[^\s/\u0000-\u001f\u007f][^\u0000-\u001f\u007f]{0,99}$",
        description="item of a catalog_search row.",
    ),
]


def _object(value: Any) -> Any:
    """Strict function calling has no free-form maps: they come as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


class CatalogSearch(Arguments):
    text: Annotated[str | None, Field(min_length=1, max_length=100, description="Words to find.")] = None
    source: SourceName = None
    limit: Annotated[int, Field(ge=1, le=50), WHOLE] = 20


class CatalogItemGet(Arguments):
    item: ItemId


class RequestOrder(Write):
    item: ItemId
    variables: Annotated[
        dict[str, Any], Field(max_length=100, description="As catalog_item asks for them."), BeforeValidator(_object)
    ] = {}
    quantity: Annotated[int, Field(ge=1, le=100), WHOLE] = 1
    requested_for: PersonRef | None = None


class RequestStatus(Arguments):
    ref: RequestRef
    max_age_s: MaxAge = 0


REQUESTS: tuple[Tool, ...] = (
    Tool(
        "catalog_search",
        "Find what can be ordered",
        "Items of the service catalogue by words of their name or description.",
        "read",
        "request",
        CatalogSearch,
        list[CatalogRow],
    ),
    Tool(
        "catalog_item",
        "Read a catalogue item",
        "What an item is and the JSON Schema of the variables that ordering it asks for.",
        "read",
        "request",
        CatalogItemGet,
        CatalogItemOut,
    ),
    Tool(
        "request_order",
        "Order from the catalogue",
        "Order a catalogue item for a person. Read catalog_item first: it says which variables are needed.",
        "write",
        "request",
        RequestOrder,
        Request,
        WriteSpec("create", ("requested_for",), orders=True),
    ),
    Tool(
        "request_status",
        "Read an order",
        "Where an order stands: its state, its items and what its approvers said.",
        "read",
        "request",
        RequestStatus,
        RequestAnswer,
    ),
)

"""The flag routes in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from interlock.quality.flags.acts import MAX_REASON
from interlock.quality.flags.export import FORMATS, MEDIA
from interlock.quality.flags.listing import MAX_LIMIT, ORDERS
from interlock.quality.flags.rows import SEVERITIES, STATUSES
from interlock.quality.flags.showing import COLUMNS

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_KEY: list[dict[str, list[str]]] = [{"key": []}]
_REASON = {"type": "string", "maxLength": MAX_REASON}
_TEXT = {"type": ["string", "null"]}
_COUNTED = {"reopened": {"type": "integer"}, "stops": {"type": "integer"}, "flapping": {"type": "boolean"}}
_WORDS: dict[str, Any] = {"status": {"enum": list(STATUSES)}, "severity": {"enum": list(SEVERITIES)}}

_BODIES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "ack": ("Say that a flag is known", {"reason": _REASON}, []),
    "assign": (
        "Say who sees to a flag",
        {"reason": _REASON, "assignee": {"type": "string", "minLength": 1, "maxLength": 200}},
        ["assignee"],
    ),
    "waive": (
        "Let a flag not count until a date",
        {
            "reason": {**_REASON, "minLength": 1},
            "until": {"type": "string", "maxLength": 40, "description": "RFC 3339, or a date; a year away at most."},
        },
        ["reason", "until"],
    ),
    "reopen": ("Take back what was said of a flag", {"reason": _REASON}, []),
}


def paths() -> dict[str, Any]:
    """The paths under ``/v1/flags``."""
    flag: dict[str, Any] = {
        "type": "object",
        "required": list(COLUMNS),
        "properties": {name: {**_WORDS, **_COUNTED}.get(name, _TEXT) for name in COLUMNS},
    }
    page = {
        "type": "object",
        "required": ["data", "cursor"],
        "properties": {"data": {"type": "array", "items": flag}, "cursor": _TEXT},
    }
    event = {"type": "object", "required": ["at", "by", "what"]}
    whole = {
        **flag,
        "required": [*COLUMNS, "events"],
        "properties": {**flag["properties"], "events": {"type": "array", "items": event}},
    }
    one = "/v1/flags/{ref}/{code}"
    paging = [
        _query("order", {"enum": list(ORDERS), "default": "stops"}),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100}),
        _query("cursor", {"type": "string", "maxLength": 2000}),
    ]
    files = [_query("format", {"enum": list(FORMATS), "default": "jsonl"})]
    binary = {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA.values()}
    return {
        "/v1/flags": _get(
            "flags", "Flags, those that stopped the most calls first", _json(page), [*_filters(), *paging]
        ),
        "/v1/flags/export": _get("flags_export", "Flags as a file", binary, [*_filters(), *files]),
        one: _get("flag", "A flag and what happened to it", _json(whole), _which(), 404),
        **{f"{one}/{name}": _post(name, whole) for name in _BODIES},
    }


def _filters() -> list[dict[str, Any]]:
    names = ("code", "source", "kind", "ref", "status", "assignee", "severity")
    return [
        _query(name, {"type": "array", "maxItems": 50, "items": _WORDS.get(name, {"type": "string"})}) for name in names
    ]


def _query(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _which() -> list[dict[str, Any]]:
    told = {"ref": "Ref of the record, its slashes percent-encoded or not.", "code": "Code of the check."}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string", "minLength": 1, "pattern": r"^[A-Za-z0-9_~][^\x00-\x1f\x7f]*$"},
        }
        for name, description in told.items()
    ]


def _json(schema: Any) -> dict[str, Any]:
    return {_JSON: {"schema": schema}}


def _responses(content: Any, *statuses: int) -> dict[str, Any]:
    problem = {"description": "A problem.", "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {"200": {"description": "The answer.", "content": content}, **{str(status): problem for status in statuses}}


def _get(id: str, summary: str, content: Any, parameters: list[Any], *more: int) -> dict[str, Any]:  # noqa: A002
    return {
        "get": {
            "operationId": id,
            "summary": summary,
            "security": _KEY,
            "parameters": parameters,
            "responses": _responses(content, 401, 403, *more, 413, 422, 500),
        }
    }


def _post(name: str, flag: Any) -> dict[str, Any]:
    summary, properties, required = _BODIES[name]
    body = {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
    return {
        "post": {
            "operationId": f"flag_{name}",
            "summary": summary,
            "security": _KEY,
            "parameters": _which(),
            "requestBody": {"required": True, "content": _json(body)},
            "responses": _responses(_json(flag), 401, 403, 404, 409, 422, 500),
        }
    }

"""The OpenAPI document: the tools' exact contracts as operations, and the routes for people and machines."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from interlock import __version__
from interlock.faces import openapi_flags
from interlock.tools.catalogue import TOOLS, Tool
from interlock.tools.contracts import input_schema, output_schema
from interlock.tools.envelope import ProblemOut

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_KEY: list[dict[str, list[str]]] = [{"key": []}]


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1, made once."""
    schemas: dict[str, Any] = {}
    schemas["Problem"] = _lifted(ProblemOut.model_json_schema(), schemas)
    paths: dict[str, Any] = {f"/v1/tools/{tool.name}": {"post": _operation(tool, schemas)} for tool in TOOLS}
    paths.update(_others(schemas))
    paths.update(openapi_flags.paths())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interlock",
            "version": __version__,
            "description": "Governed access to IT service management records for AI agents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An agent key or personal token."}
            },
        },
    }


def _lifted(schema: dict[str, Any], into: dict[str, Any]) -> dict[str, Any]:
    """The schema with its ``$defs`` moved to the components."""
    schema = copy.deepcopy(schema)
    for name, entry in schema.pop("$defs", {}).items():
        into.setdefault(name, _pointed(entry))
    return _pointed(schema)  # type: ignore[no-any-return]


def _pointed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref" and isinstance(value, str)
            else _pointed(value)
            for key, value in schema.items()
        }
    return [_pointed(entry) for entry in schema] if isinstance(schema, list) else schema


def _body(description: str, schema: Any, kind: str = _JSON) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(status): _body("A problem.", {"$ref": "#/components/schemas/Problem"}, _PROBLEM) for status in statuses}


def _operation(tool: Tool, schemas: dict[str, Any]) -> dict[str, Any]:
    answer = _lifted(output_schema(tool.name), schemas)
    arguments = _lifted(input_schema(tool.name), schemas)
    responses = {"200": _body("The answer.", answer)}
    if tool.write:
        responses["202"] = _body("Held for a person.", answer)
    statuses = (401, 403, 404, 409, 413, 422, 429, 500, 502, 503)
    return {
        "operationId": tool.name,
        "summary": tool.title,
        "description": tool.description,
        "security": _KEY,
        "requestBody": {
            "required": bool(arguments.get("required")),  # no body is no arguments
            "content": {_JSON: {"schema": arguments}},
        },
        "responses": {**responses, **_problems(*statuses)},
    }


def _id(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": "^w_[0-9a-f]{20}$"},
    }


def _others(schemas: dict[str, Any]) -> dict[str, Any]:
    receipt = _lifted(output_schema("incident_update"), schemas)["properties"]["receipt"]
    call = {
        "type": "object",
        "required": ["id", "state", "agent", "tool", "digest", "reasons", "arguments"],
        "properties": {"id": {"type": "string"}, "state": {"type": "string"}, "digest": {"type": "string"}},
    }
    states = ["held", "released", "refused", "expired", "applied", "partial", "not_applied", "unknown"]
    decision = {
        "type": "object",
        "additionalProperties": False,
        "required": ["digest", "approve"],
        "properties": {
            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "approve": {"type": "boolean"},
            "comment": {"type": "string", "maxLength": 1000},
        },
    }
    parameters = [
        {"name": "state", "in": "query", "schema": {"enum": states, "default": "held"}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}},
    ]

    def get(id: str, summary: str, schema: Any, *statuses: int, **more: Any) -> dict[str, Any]:  # noqa: A002
        responses = {"200": _body("The answer.", schema), **_problems(*statuses)}
        secured = {"security": _KEY} if statuses else {}
        return {"get": {"operationId": id, "summary": summary, "responses": responses, **secured, **more}}

    anything = {"type": "object"}
    ready = get("readyz", "Whether calls can be served", anything)
    ready["get"]["responses"]["503"] = _body("Not ready.", anything)
    metrics = get("metrics", "Prometheus metrics", {}, 401)
    metrics["get"]["responses"]["200"] = {
        "description": "Metrics.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    return {
        "/v1/tools": get("tools", "Your tools, as in an MCP tool list", anything, 401, 403),
        "/v1/receipts/{id}": get("receipt", "A receipt", receipt, 401, 404, parameters=[_id("id", "Id of the write.")]),
        "/v1/approvals": get("approvals", "Held calls", anything, 401, 403, 422, parameters=parameters),
        "/v1/approvals/{id}": get(
            "approval", "A held call", call, 401, 403, 404, parameters=[_id("id", "Id of the call.")]
        ),
        "/v1/approvals/{id}/decision": {
            "post": {
                "operationId": "decide",
                "summary": "Approve or deny a held call",
                "security": _KEY,
                "parameters": [_id("id", "Id of the call.")],
                "requestBody": {"required": True, "content": {_JSON: {"schema": decision}}},
                "responses": {"200": _body("The call after the decision.", call), **_problems(401, 403, 404, 409, 422)},
            }
        },
        "/healthz": get("healthz", "Whether the process lives", anything),
        "/readyz": ready,
        "/metrics": metrics,
    }

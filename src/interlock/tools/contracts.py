"""The published contracts: JSON Schema 2020-12 of records and tools, MCP tool list, strict projections."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel, create_model
from pydantic import Field as PydanticField

from interlock.records.fields import OPERATORS
from interlock.records.kinds import MODELS
from interlock.records.problems import RETRYABLE, STATUS
from interlock.tools.catalogue import BY_NAME, TOOLS, Tool
from interlock.tools.envelope import SHORT, PageInfo, Preview, ProblemOut, Provenance, Quality, Receipt
from interlock.tools.filterschema import FIELD_NAMES

VERSION = "v1"
"""The version that is published. All but v0 are frozen: they only ever gain what breaks nothing."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


_READ_ERRORS = (
    "invalid-argument",
    "not-found",
    "ambiguous-ref",
    "unauthenticated",
    "refused",
    "unsupported",
    "rate-limited",
    "too-large",
    "source-unavailable",
    "source-denied",
    "source-fault",
)
_WRITE_ERRORS = (
    *_READ_ERRORS,
    "version-conflict",
    "wrong-state",
    "unmapped-value",
    "idempotency-mismatch",
    "source-rejected",
)


def errors_of(tool: Tool) -> tuple[str, ...]:
    """Slugs of the problems a call of this tool can end in."""
    return _READ_ERRORS if tool.reads else _WRITE_ERRORS


@cache
def envelope_of(name: str) -> type[BaseModel]:
    """The model of a tool's whole answer."""
    tool = BY_NAME[name]
    parts: dict[str, Any] = {
        "data": (
            tool.data | None if tool.write else tool.data,
            PydanticField(default=None) if tool.write else ...,
        ),
        "quality": (Quality | None, None),
        "provenance": (Provenance, ...),
        "warnings": (list[str], []),
    }
    if tool.write:
        parts["receipt"] = (Receipt | None, None)
        parts["preview"] = (Preview | None, None)
    else:
        parts["page"] = (PageInfo | None, None)
    title = "".join(word.title() for word in name.split("_"))
    return create_model(f"{title}Answer", **parts)


@cache
def input_schema(name: str) -> dict[str, Any]:
    """The exact input schema of a tool: what REST publishes and tool_describe shows."""
    schema: dict[str, Any] = _tidy(BY_NAME[name].arguments.model_json_schema())
    return schema


@cache
def output_schema(name: str) -> dict[str, Any]:
    """The exact schema of a tool's whole answer."""
    schema: dict[str, Any] = _tidy(envelope_of(name).model_json_schema(mode="serialization"))
    return schema


def record_schema(kind: str) -> dict[str, Any]:
    """The schema of a record kind."""
    return {"$schema": DIALECT, **_tidy(MODELS[kind].model_json_schema())}


_CONDITION = {
    "type": "array",
    "description": "All hold: {field,op,value} or {any:[...]}. Ops: eq ne in not_in contains starts gt ge lt le empty "
    "not_empty. Fields: tool_describe.",
    "items": {"type": "object"},
}
_SORT = {"type": "array", "items": {"type": "string"}, "description": "-name is descending."}
_KEEP = {"filter": _CONDITION, "sort": _SORT, "fields": {"type": "array", "items": {"type": "string"}}}
_SAID_ONCE = {
    "source": {"type": "string"},
    "cursor": {"type": "string"},
    "limit": {"type": "integer"},
    "max_age_s": {"type": "integer", "description": "Accept cache up to this age."},
    "dry_run": {"type": "boolean", "description": "Decide and preview only."},
    "idempotency_key": {"type": "string", "description": "Same key: never a second write."},
    "expected_version": {"type": "string", "description": "version you read."},
}


@cache
def listed_schema(name: str) -> dict[str, Any]:
    """A compact input schema for tool lists: every exact call satisfies it, and it fits an agent's context."""
    exact = _inline(copy.deepcopy(input_schema(name)))
    schema = _compact(exact)
    properties = schema.setdefault("properties", {})
    for member, short in {**_KEEP, **_SAID_ONCE}.items():
        if member in properties:
            properties[member] = short
    schema.pop("description", None)
    return schema


def listed(tool: Tool) -> dict[str, Any]:
    """One entry of an MCP tool list."""
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": listed_schema(tool.name),
        "outputSchema": SHORT,
        "annotations": {"readOnlyHint": True}
        if tool.reads
        else {"destructiveHint": tool.effect == "destructive", "idempotentHint": True},
    }


def strict(name: str) -> dict[str, Any]:
    """A strict function-calling projection: every property required (optional ones nullable), no free-form maps.

    What the strict dialects lack (patterns, bounds, formats) moves into descriptions; the gateway checks
    the exact schema again in any case. In a strict call a null stands for "left out": whoever passes it on
    drops it.
    """
    return {
        "type": "function",
        "name": name,
        "description": BY_NAME[name].description,
        "strict": True,
        "parameters": _strict(_without_maps(_compact(_inline(copy.deepcopy(input_schema(name)))), name)),
    }


def _without_maps(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Strict dialects have no free-form maps and no room for one schema a field: operators stay, a map is
    passed as JSON text, and the gateway checks the rest."""
    if "variables" in schema.get("properties", {}):
        about = schema["properties"]["variables"].get("description", "")
        schema["properties"]["variables"] = {"type": "string", "description": f"A JSON object as text. {about}"}
    if "filter" in schema.get("properties", {}):
        kind = BY_NAME[name].kind
        kinds = [kind] if kind else list(schema["properties"]["kind"]["enum"])
        value = {"type": "string", "description": "Text, code, ref or instant."}
        schema["properties"]["filter"] = {
            "type": "array",
            "description": "Conditions that all hold.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"enum": sorted({field for each in kinds for field in FIELD_NAMES[each]})},
                    "op": {"enum": sorted({op for ops in OPERATORS.values() for op in ops})},
                    "value": {
                        "anyOf": [
                            value,
                            {"type": "integer"},
                            {"type": "boolean"},
                            {"type": "array", "items": value},
                        ]
                    },
                },
                "required": ["field", "op"],
                "additionalProperties": False,
            },
        }
    return schema


def documents(version: str = VERSION) -> dict[str, bytes]:
    """Every contract file by its path below ``contracts/``."""
    found: dict[str, Any] = {}
    for kind in MODELS:
        found[f"records/{kind}.json"] = record_schema(kind)
    for tool in TOOLS:
        found[f"tools/{tool.name}.json"] = {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "effect": tool.effect,
            "errors": list(errors_of(tool)),
            "input": {"$schema": DIALECT, **input_schema(tool.name)},
            "output": {"$schema": DIALECT, **output_schema(tool.name)},
        }
    slugs = {str(slug): {"status": status, "retryable": slug in RETRYABLE} for slug, status in STATUS.items()}
    found["problem.json"] = {"$schema": DIALECT, **_tidy(ProblemOut.model_json_schema()), "x-slugs": slugs}
    found["mcp-tools.json"] = {"tools": [listed(tool) for tool in TOOLS]}
    found["functions-strict.json"] = [strict(tool.name) for tool in TOOLS]
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE  # in the order of the models, which models read
    return {f"{version}/{path}": orjson.dumps(body, option=options) for path, body in found.items()}


def _tidy(schema: Any) -> Any:
    """Without the titles pydantic adds, and without defaults of null: leaving a member out says that."""
    if isinstance(schema, dict):
        return {
            key: {name: _tidy(entry) for name, entry in value.items()}
            if key in ("properties", "$defs")
            else (_tidy(value) if key not in ("default", "enum", "const") else value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
        }
    if isinstance(schema, list):
        return [_tidy(entry) for entry in schema]
    return schema


def _inline(schema: Any, defs: dict[str, Any] | None = None) -> Any:
    if isinstance(schema, dict):
        defs = schema.pop("$defs", defs) or defs or {}
        if "$ref" in schema:
            target = copy.deepcopy(defs[schema["$ref"].rsplit("/", 1)[1]])
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return {**_inline(target, defs), **rest}
        return {key: _inline(value, defs) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inline(entry, defs) for entry in schema]
    return schema


_DETAILS = (
    "default",
    "pattern",
    "maxLength",
    "minLength",
    "maxItems",
    "minProperties",
    "minimum",
    "maximum",
    "format",
)


def _compact(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop bounds and defaults, and unwrap optionals: leaving one out means null."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _DETAILS or key.startswith("x-"):
            continue
        if key == "properties":
            found[key] = {name: _compact(entry) for name, entry in value.items()}
        elif key == "items" and isinstance(value, dict):
            found[key] = _compact(value)
        elif key == "anyOf" and "type" not in schema:
            real = [entry for entry in value if entry.get("type") != "null"]
            if len(real) == 1:
                found.update({k: v for k, v in _compact(real[0]).items() if k not in found})
            else:
                found[key] = [_compact(entry) for entry in real]
        elif key != "anyOf":
            found[key] = value
    kinds = schema.get("x-ref") or next((e["x-ref"] for e in schema.get("anyOf", []) if "x-ref" in e), None)
    if kinds:
        found.setdefault("description", f"{' or '.join(kinds)} ref")
    return found


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        required = set(schema.get("required", []))
        properties = {}
        for name, entry in schema["properties"].items():
            part = _strict(entry)
            properties[name] = part if name in required else {"anyOf": [part, {"type": "null"}]}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    if kind == "array":
        return {
            **{k: v for k, v in schema.items() if k != "items"},
            "items": _strict(schema.get("items", {"type": "string"})),
        }
    if "anyOf" in schema:
        return {**schema, "anyOf": [_strict(entry) for entry in schema["anyOf"]]}
    return {k: v for k, v in schema.items() if k in ("type", "enum", "description", "items", "const")}

"""What changed between two versions of the published contracts, and for whom that breaks something.

An agent passes inputs: every input that was right must stay right. A reader reads answers: nothing may come that
the old schema excluded, but members it does not know, which a reader passes over; and nothing it read may go.
Everything else is an addition. Words (descriptions, titles) are compared too, and never break anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from interlock.records.problems import invalid
from interlock.tools.changes import Finding, SchemaPair, Whom, compare_schemas
from interlock.tools.shapes import Node, escaped


def read_contracts(folder: Path) -> dict[str, Any]:
    """The contract files below a version's folder, by path. Raises Problem invalid-argument when there are none."""
    found = {str(path.relative_to(folder)): orjson.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))}
    if not found:
        raise invalid("folder", str(folder), "holds no contracts", "Name a version's folder, such as contracts/v0.")
    return found


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Finding]:
    """Every change between two sets of contract files, breaking ones first."""
    found: list[Finding] = []
    for file in sorted(old.keys() | new.keys()):
        if file not in new:
            found.append(Finding(file, "", True, "reader", "the file is gone", "what it describes is no longer served"))
        elif file not in old:
            found.append(Finding(file, "", False, "reader", "a new file", "nothing used it before"))
        elif old[file] != new[file]:
            found += _reader_of(file)(file, old[file], new[file])
    kept = dict.fromkeys(found)  # a definition used in many places is told once
    return sorted(kept, key=lambda one: (not one.breaking, one.file, one.pointer))


def breaking(findings: list[Finding]) -> list[Finding]:
    """Those that break something."""
    return [one for one in findings if one.breaking]


def _reader_of(file: str) -> Callable[[str, Any, Any], list[Finding]]:
    """How a file is compared."""
    if file.startswith("records/"):
        return lambda name, old, new: compare_schemas(name, old, new, "output") + _words(name, old, new)
    if file.startswith("tools/"):
        return _tool
    return {
        "problem.json": _problem,
        "mcp-tools.json": _mcp,
        "functions-strict.json": _functions,
        "openapi.json": _openapi,
    }.get(file, _unknown)


def _unknown(file: str, old: Any, new: Any) -> list[Finding]:
    return [Finding(file, "", True, "reader", "the file changed", "nothing is known of its meaning")]


def _words(file: str, old: Any, new: Any) -> list[Finding]:
    """A finding when only words changed somewhere."""
    if _said(old) == _said(new):
        return []
    return [Finding(file, "", False, "agent", "other words (titles, descriptions, notes)", "words bind nobody")]


def _said(document: Any, at: str = "") -> dict[str, Any]:
    """Descriptions and annotations of a document, by place."""
    found: dict[str, Any] = {}
    if isinstance(document, dict):
        for key, value in document.items():
            if key[:2] == "x-" or (key in ("description", "title", "summary") and isinstance(value, str)):
                found[f"{at}/{key}"] = value
            else:
                found.update(_said(value, f"{at}/{key}"))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found.update(_said(value, f"{at}/{index}"))
    return found


def _changed(file: str, at: str, old: Any, new: Any, whom: Whom, why: str) -> list[Finding]:
    """A breaking finding when two values differ."""
    if old == new:
        return []
    told = " to ".join(orjson.dumps(value).decode() for value in (old, new))
    return [Finding(file, at, True, whom, f"changed from {told}", why)]


def _tool(file: str, old: Any, new: Any) -> list[Finding]:
    found = _changed(file, "/name", old["name"], new["name"], "agent", "calls by the old name are refused")
    why = "policies, approvals and clients treat reading, writing and destroying differently"
    found += _changed(file, "/effect", old["effect"], new["effect"], "agent", why)
    found += _slugs(file, "/errors", old.get("errors", []), new.get("errors", []))
    found += compare_schemas(file, old["input"], new["input"], "input", "/input")
    found += compare_schemas(file, old["output"], new["output"], "output", "/output")
    return found + _words(file, old, new)


def _slugs(file: str, at: str, old: list[str], new: list[str]) -> list[Finding]:
    lost = "agents branch on it"
    more = "an error of an unknown slug is handled by its status and retryable"
    return [
        *(Finding(file, at, True, "agent", f"no longer answers `{slug}`", lost) for slug in old if slug not in new),
        *(Finding(file, at, False, "agent", f"may now answer `{slug}`", more) for slug in new if slug not in old),
    ]


def _problem(file: str, old: Any, new: Any) -> list[Finding]:
    before, after = old.get("x-slugs", {}), new.get("x-slugs", {})
    found = _slugs(file, "/x-slugs", list(before), list(after))
    for slug in before.keys() & after.keys():
        why = "clients handle it by its status and by whether it may be tried again"
        found += _changed(file, f"/x-slugs/{slug}", before[slug], after[slug], "agent", why)
    return found + compare_schemas(file, old, new, "output") + _words(file, old, new)


def _named(
    file: str, at: str, old: list[Any], new: list[Any], each: Callable[[str, Any, Any], list[Finding]]
) -> list[Finding]:
    """Entries of two lists by name."""
    after = {entry["name"]: entry for entry in new}
    before = {entry["name"]: (index, entry) for index, entry in enumerate(old)}
    found = []
    for name, (index, entry) in before.items():
        if name not in after:
            found.append(Finding(file, f"{at}/{index}", True, "agent", f"`{name}` is gone", "calls of it are refused"))
        elif entry != after[name]:
            found += each(f"{at}/{index}", entry, after[name])
    for index, entry in enumerate(new):
        if entry["name"] not in before:
            what = f"`{entry['name']}` is new"
            found.append(Finding(file, f"{at}/{index}", False, "agent", what, "nothing called it before"))
    return found


def _mcp(file: str, old: Any, new: Any) -> list[Finding]:
    def each(at: str, before: Any, after: Any) -> list[Finding]:
        found = compare_schemas(file, before["inputSchema"], after["inputSchema"], "input", f"{at}/inputSchema")
        found += compare_schemas(file, before["outputSchema"], after["outputSchema"], "output", f"{at}/outputSchema")
        why = "clients ask a person, or do not, by these hints"
        return found + _changed(file, f"{at}/annotations", before["annotations"], after["annotations"], "agent", why)

    return _named(file, "/tools", old["tools"], new["tools"], each) + _words(file, old, new)


def _functions(file: str, old: Any, new: Any) -> list[Finding]:
    def each(at: str, before: Any, after: Any) -> list[Finding]:
        pair = _optional(before["parameters"]), _optional(after["parameters"])
        return compare_schemas(file, *pair, "input", f"{at}/parameters")

    return _named(file, "", old, new, each) + _words(file, old, new)


def _optional(schema: Any) -> Any:
    """A strict projection without its requirement to name what is left out: a null there says nothing."""
    if isinstance(schema, list):
        return [_optional(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _optional(value) if key not in ("enum", "const") else value for key, value in schema.items()}
    if isinstance(found.get("required"), list) and isinstance(found.get("properties"), dict):
        found["required"] = [name for name in found["required"] if {"type": "null"} not in _choices(found, name)]
    return found


def _choices(schema: Any, name: str) -> list[Any]:
    found: list[Any] = schema["properties"].get(name, {}).get("anyOf", [])
    return found


_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def _openapi(file: str, old: Any, new: Any) -> list[Finding]:
    found = []
    same = old.get("components") == new.get("components")  # then a path that did not change means the same
    for path, before in old["paths"].items():
        at = f"/paths/{escaped(path)}"
        after = new["paths"].get(path)
        if after is None:
            found.append(Finding(file, at, True, "agent", "the path is gone", "calls of it end in 404"))
            continue
        if same and before == after:
            continue
        for method in _METHODS:
            if method in before and method not in after:
                found.append(Finding(file, f"{at}/{method}", True, "agent", "the method is gone", "it ends in 405"))
            elif method in before:
                pair = Node(before[method], f"{at}/{method}", old), Node(after[method], f"{at}/{method}", new)
                found += _operation(file, *pair)
    for path in new["paths"]:
        if path not in old["paths"]:
            at = f"/paths/{escaped(path)}"
            found.append(Finding(file, at, False, "agent", "a new path", "nothing called it before"))
    return found + _words(file, old, new)


def _operation(file: str, old: Node, new: Node) -> list[Finding]:
    before, after = old.schema, new.schema
    why = "clients made from the document name it"
    found = _changed(file, f"{old.at}/operationId", before.get("operationId"), after.get("operationId"), "agent", why)
    why = "callers without the new credentials are refused"
    found += _changed(file, f"{old.at}/security", before.get("security"), after.get("security"), "agent", why)
    found += _body(file, old, new)
    found += _parameters(file, old, new)
    for status, answer in before["responses"].items():
        at = f"{old.at}/responses/{status}"
        if status not in after["responses"]:
            found.append(Finding(file, at, True, "reader", "the status is gone", "readers handle it"))
            continue
        content = after["responses"][status].get("content", {})
        for media in answer.get("content", {}):
            steps = ("responses", status, "content", media)
            if media not in content:
                found.append(Finding(file, f"{at}/content", True, "reader", f"no longer {media}", "readers parse it"))
            else:
                pair = (old.below(*steps, "schema"),), (new.below(*steps, "schema"),)
                found += SchemaPair(file, *pair, "output").findings()
    for status in after["responses"]:
        if status not in before["responses"]:
            good = status.startswith(("1", "2", "3"))
            why = "a success that readers do not know" if good else "an error is handled by its body"
            found.append(Finding(file, f"{old.at}/responses/{status}", good, "reader", "a new status", why))
    return found


def _body(file: str, old: Node, new: Node) -> list[Finding]:
    before, after = old.schema.get("requestBody"), new.schema.get("requestBody")
    at = f"{old.at}/requestBody"
    if before is None and after is None:
        return []
    if before is None or after is None:
        if after is not None and not after.get("required"):
            return [Finding(file, at, False, "agent", "a body may be sent", "none was needed before")]
        what = "a body is now needed" if before is None else "no body is taken any more"
        return [Finding(file, at, True, "agent", what, "calls that were right are refused")]
    found = []
    if after.get("required") and not before.get("required"):
        found.append(Finding(file, at, True, "agent", "the body is now needed", "calls without one are refused"))
    for media in before["content"]:
        if media not in after["content"]:
            found.append(Finding(file, at, True, "agent", f"no longer takes {media}", "calls that send it are refused"))
            continue
        steps = ("requestBody", "content", media, "schema")
        found += SchemaPair(file, (old.below(*steps),), (new.below(*steps),), "input").findings()
    return found


def _parameters(file: str, old: Node, new: Node) -> list[Finding]:
    """Parameters compared as the members of one object."""

    def as_object(node: Node) -> dict[str, Any]:
        entries = node.schema.get("parameters", [])
        return {
            "type": "object",
            "properties": {f"{entry['in']} {entry['name']}": entry["schema"] for entry in entries},
            "required": [f"{entry['in']} {entry['name']}" for entry in entries if entry.get("required")],
            "additionalProperties": False,
        }

    return compare_schemas(file, as_object(old), as_object(new), "input", f"{old.at}/parameters")

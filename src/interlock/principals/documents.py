"""Principals as JSON documents in the file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interlock.principals.models import Agent, AnyPrincipal, Budgets, Person, Scope, Service, Status
from interlock.records.fields import Field
from interlock.records.filters import AnyOf, Clause, Filter, read_filter
from interlock.records.problems import Problem


def write(principal: AnyPrincipal) -> str:
    """The document of a principal: all but its id, its status and the key it came with."""
    if isinstance(principal, Agent):
        document: dict[str, Any] = {
            "owner": principal.owner,
            "purpose": principal.purpose,
            "tools": sorted(principal.tools),
            "listed": list(principal.listed),
            "read": {
                kind: {"filter": clauses(scope.filter), "hide": sorted(scope.hidden)}
                for kind, scope in sorted(principal.scopes.items())
            },
            "stage": principal.stage,
            "budgets": {
                "calls_per_minute": principal.budgets.calls_per_minute,
                "writes_per_hour": principal.budgets.writes_per_hour,
            },
        }
    elif isinstance(principal, Person):
        document = {
            "name": principal.name,
            "roles": sorted(principal.roles),
            "groups": sorted(principal.groups),
        }
    else:
        document = {"purpose": principal.purpose, "roles": sorted(principal.roles)}
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def read(
    id: str,  # noqa: A002 - the word of the contract
    kind: str,
    status: Status,
    text: str,
    fields: Mapping[str, Mapping[str, Field]],
) -> AnyPrincipal:
    """The principal of a document.

    A scope that names a field this version does not know is dropped whole: the kind is then not readable,
    rather than readable with a field that was to be hidden.
    """
    found = json.loads(text)
    if kind == "person":
        return Person(id, found["name"], frozenset(found["roles"]), frozenset(found["groups"]), status)
    if kind == "service":
        return Service(id, found["purpose"], frozenset(found["roles"]), status)
    scopes = {}
    for name, entry in found["read"].items():
        scope = _scope(entry, fields.get(name, {}))
        if scope is not None:
            scopes[name] = scope
    return Agent(
        id,
        found["owner"],
        found["purpose"],
        frozenset(found["tools"]),
        scopes,
        found["stage"],
        status,
        Budgets(**found["budgets"]),
        tuple(found.get("listed", ())),  # absent in documents of earlier versions
    )


def clauses(filter: Filter) -> list[dict[str, Any]]:  # noqa: A002 - the word of the contract
    """A filter in the form in which agents write it."""
    return [_clause(clause) for clause in filter]


def _clause(clause: Clause) -> dict[str, Any]:
    if isinstance(clause, AnyOf):
        return {"any": [_clause(condition) for condition in clause.conditions]}
    if clause.value is None:
        return {"field": clause.field, "op": clause.op}
    value = list(clause.value) if isinstance(clause.value, tuple) else clause.value
    return {"field": clause.field, "op": clause.op, "value": value}


def _scope(entry: Mapping[str, Any], fields: Mapping[str, Field]) -> Scope | None:
    if not fields or not set(entry["hide"]) <= set(fields):
        return None
    try:
        return Scope(read_filter(entry["filter"], fields), frozenset(entry["hide"]))
    except Problem:
        return None

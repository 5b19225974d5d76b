"""Read scope: what an agent may see, on every path. Outside it a record is like one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from interlock.principals.models import Agent, Scope
from interlock.records.fields import EXT, Field
from interlock.records.filters import Filter, Query, matches
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.sources.source import Source


def scope_of(agent: Agent, kind: str) -> Scope:
    """The agent's scope for a kind. Raises refused when none was declared: no scope, no read."""
    scope = agent.scopes.get(kind)
    if scope is None:
        detail = f"{agent.id} has no read scope for {kind}"
        reason = {"kind": "scope", "effect": "refuse", "detail": detail}
        raise Problem(
            Slug.REFUSED,
            detail,
            next_step="whoami shows your scopes; the owner of this agent declares them.",
            more={"reasons": [reason]},
        )
    return scope


def visible_fields(scope: Scope, kind: str, sources: Iterable[Source] = ()) -> Mapping[str, Field]:
    """The fields of a kind that the agent may name and read; with ``sources``, those of their instances, too.

    Of a name that two instances use for different types, neither is offered: ask one source by name.
    """
    fields: dict[str, Field] = {}
    differ: set[str] = set()
    for source in sources:
        for name, field in source.ext(kind).items():
            known = fields.setdefault(name, field)
            if (known.type, known.values, known.refers) != (field.type, field.values, field.refers):
                differ.add(name)
    if not scope.hidden and not fields:
        return FIELDS[kind]
    unseen = scope.hidden | differ
    return {name: field for name, field in {**FIELDS[kind], **fields}.items() if name not in unseen}


def bounded(query: Query, scope: Scope) -> Query:
    """The query with the scope's filter added; sent to the source like any other condition."""
    if not scope.filter:
        return query
    both: Filter = (*query.filter, *scope.filter)
    return Query(both, query.text, query.sort, query.fields, query.limit)


def admits(scope: Scope, record: Mapping[str, Any]) -> bool:
    """Whether a decoded record is inside the scope; an unreadable field does not admit."""
    return not scope.filter or matches(scope.filter, record)


def shown(scope: Scope, record: dict[str, Any]) -> dict[str, Any]:
    """The record without its hidden fields; a new dict only when something is hidden."""
    hidden = scope.hidden
    if not hidden:
        return record
    seen = {name: value for name, value in record.items() if name not in hidden}
    own = seen.get("ext")
    if own and any(name.startswith(EXT) for name in hidden):
        seen["ext"] = {name: value for name, value in own.items() if EXT + name not in hidden}
    native = seen.get("native")
    if native and not hidden.isdisjoint(native):
        rest = {name: value for name, value in native.items() if name not in hidden}
        if rest:
            seen["native"] = rest
        else:
            del seen["native"]
    return seen


def not_found(ref: Ref | str, field: str = "ref") -> Problem:
    """The same words for a record that is not there and for one outside the scope."""
    return Problem(
        Slug.NOT_FOUND,
        f"there is no record {ref}",
        field=field,
        value=str(ref),
        next_step="Search for it; refs come from search results.",
    )

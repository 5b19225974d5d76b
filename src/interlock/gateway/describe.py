"""What the gateway says of itself: who an agent is, what a tool takes and gives, how sources are."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from interlock.principals.models import Agent
from interlock.quality.gate.quality import Quality
from interlock.quality.profile import UNCHECKED
from interlock.records.filters import AnyOf, Filter
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Source
from interlock.tools.answers import CapabilitiesOut, KindCapabilities
from interlock.tools.catalogue import BY_NAME, GENERAL
from interlock.tools.contracts import errors_of, input_schema, output_schema


def usable(agent: Agent) -> tuple[str, ...]:
    """The tools an agent may use, in the catalogue's order; the general ones belong to every agent."""
    return tuple(name for name in BY_NAME if name in agent.tools or name in GENERAL)


MAX_LISTED = 18
"""Tools that a tool list shows: more cost an agent's context and its aim."""


def listing(agent: Agent) -> tuple[str, ...]:
    """The tools that a tool list shows: the general ones, then in the order of the declaration, as many as fit.

    The others can be called all the same; whoami names them and tool_describe describes them.
    """
    chosen = [name for name in agent.listed if name in agent.tools and name in BY_NAME]
    names = dict.fromkeys((*GENERAL, *(chosen or (name for name in usable(agent)))))
    return tuple(names)[:MAX_LISTED]


def written(clauses: Filter) -> list[dict[str, Any]]:
    """A filter as agents write it."""
    out: list[dict[str, Any]] = []
    for clause in clauses:
        if isinstance(clause, AnyOf):
            out.append({"any": written(clause.conditions)})
        elif clause.value is None:
            out.append({"field": clause.field, "op": clause.op})
        else:
            value = list(clause.value) if isinstance(clause.value, tuple) else clause.value
            out.append({"field": clause.field, "op": clause.op, "value": value})
    return out


def who(agent: Agent) -> dict[str, Any]:
    """The answer of whoami."""
    return {
        "id": agent.id,
        "owner": agent.owner,
        "purpose": agent.purpose,
        "stage": agent.stage,
        "tools": list(usable(agent)),
        "unlisted": sorted(set(usable(agent)) - set(listing(agent))),
        "scopes": {
            kind: {"filter": written(scope.filter), "hidden": sorted(scope.hidden)}
            for kind, scope in sorted(agent.scopes.items())
        },
        "budgets": {
            "calls_per_minute": agent.budgets.calls_per_minute,
            "writes_per_hour": agent.budgets.writes_per_hour,
        },
    }


def describe_tool(name: str, agent: Agent, quality: Quality) -> dict[str, Any]:
    """The answer of tool_describe. Raises not-found for a tool the agent cannot use."""
    names = usable(agent)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        raise Problem(
            Slug.NOT_FOUND,
            f"name: {name} is not a tool of yours",
            field="name",
            value=name,
            next_step=f"Did you mean {near[0]}?" if near else "whoami lists them.",
        )
    tool = BY_NAME[name]
    gates = {}
    if not tool.reads:
        gates = {
            code: effect
            for code in (*quality.level.checks, UNCHECKED)
            if (effect := quality.effect(code, name, tool.effect)) != "allow"
        }
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "effect": tool.effect,
        "input": input_schema(name),
        "output": output_schema(name),
        "errors": list(errors_of(tool)),
        "gates": gates,
    }


def _health(source: Source) -> dict[str, Any]:
    """How a source is, without what its entry says already, and without the words of its last error.

    Those may name records of others.
    """
    said = ("source", "product", "environment")
    health = {name: value for name, value in source.health().items() if name not in said}
    if error := health["last_error"]:
        health["last_error"] = {name: error[name] for name in ("at", "operation", "slug")}
    return health


def capabilities(source: Source) -> dict[str, Any]:
    """What a source can do, as source_list tells it: what it cannot is left out."""
    able = source.abilities
    told = CapabilitiesOut(
        kinds={
            name: KindCapabilities(
                read=kind.read, search=kind.searched, create=kind.create, update=kind.update, note=kind.note
            )
            for name, kind in able.kinds.items()
        },
        offers=list(able.offers),
        version=able.version,
        correlate=able.correlate,
        harvest=able.harvest,
        journal=able.journal,
        choices=able.choices,
        settle_s=source.settle_s,
    )
    return told.model_dump(exclude_defaults=True)


def source_entry(source: Source, agent: Agent | None = None) -> dict[str, Any]:
    """One entry of source_list; ``agent`` sees its fields only."""
    hidden = {kind: agent.scopes[kind].hidden for kind in agent.scopes} if agent else dict.fromkeys(source.kinds, ())
    return {
        "name": source.name,
        "product": source.product,
        "environment": source.environment,
        "kinds": sorted(source.kinds),
        "capabilities": capabilities(source),
        "ext": {
            kind: [
                {"field": name, "type": field.type, "values": list(field.values), "label": field.description}
                for name, field in sorted(source.ext(kind).items())
                if name not in unseen
            ]
            for kind, unseen in sorted(hidden.items())
            if source.ext(kind)
        },
        "health": _health(source),
        "observed_at": None,
    }

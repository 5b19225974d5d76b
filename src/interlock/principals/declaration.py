"""Agents are declared in YAML, reviewed like code, and taken over by ``interlock agents add``.

::

    id: triage
    owner: service-desk@example.com
    purpose: Sorts new incidents and adds notes.
    tools: [triage, incident_resolve]        # tools, or names of tool sets
    listed: [triage-read]                    # of these, what a tool list shows; if left out: as many as fit
    read:
      incident:
        filter: [{field: group, op: eq, value: "snow:group:Service Desk"}]
        hide: [caller]
      ci: {}                                 # all of it; a kind that is not named cannot be read
    stage: reviewed                          # shadow (default), reviewed, autonomous
    budgets: {calls_per_minute: 120, writes_per_hour: 20}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interlock.principals.models import CALLS_PER_MINUTE, WRITES_PER_HOUR, Agent, Budgets, Scope, Stage
from interlock.records import fields as record_fields
from interlock.records.filters import known_field, read_filter
from interlock.records.problems import Problem, invalid

MAX_TEXT = 100_000
ID = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
ID_FORM = "1 to 64 lower-case letters, digits and . _ - @, starting with a letter or digit"

Line = Annotated[str, Field(min_length=1, max_length=500)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ReadDeclaration(_Strict):
    filter: list[dict[str, Any]] = []
    hide: list[str] = []


class BudgetsDeclaration(_Strict):
    calls_per_minute: Count = CALLS_PER_MINUTE
    writes_per_hour: Count = WRITES_PER_HOUR


class AgentDeclaration(_Strict):
    """The shape of a declaration; what its names mean is checked by ``read_declaration``."""

    id: str
    owner: Line
    purpose: Line
    tools: list[str] = []
    listed: list[str] = []
    read: dict[str, ReadDeclaration] = {}
    stage: Stage = "shadow"
    budgets: BudgetsDeclaration = BudgetsDeclaration()


def read_declaration(
    source: str | Mapping[str, Any],
    *,
    tools: Collection[str],
    tool_sets: Mapping[str, Collection[str]],
    fields: Mapping[str, Mapping[str, record_fields.Field]],
) -> Agent:
    """Read a declaration from YAML text or a mapping, against the tools, sets and fields that there are.

    Tool sets are resolved here: an agent does not gain a tool because a set grew later. Raises Problem
    invalid-argument, naming the entry and the nearest valid word.
    """
    shape = _shape(_mapping(source))
    check_id(shape.id)
    granted = _named("tools", shape.tools, tools, tool_sets)
    listed = _named("listed", shape.listed, tools, tool_sets) or granted
    if beyond := [name for name in listed if name not in granted]:
        raise invalid("listed", beyond[0], "is not one of the agent's tools", "Name it in tools too.")
    scopes = {}
    for kind, entry in shape.read.items():
        if kind not in fields:
            raise _unknown(f"read.{kind}", kind, fields, "is not a kind of record")
        scopes[kind] = Scope(
            read_filter(entry.filter, fields[kind], f"read.{kind}.filter"),
            frozenset(
                name
                if re.fullmatch(rf"ext\.{record_fields.EXT_NAME}", name)  # of an instance: not known here
                else known_field(name, fields[kind], f"read.{kind}.hide[{index}]").name
                for index, name in enumerate(entry.hide)
            ),
        )
    budgets = Budgets(shape.budgets.calls_per_minute, shape.budgets.writes_per_hour)
    return Agent(
        shape.id,
        shape.owner,
        shape.purpose,
        frozenset(granted),
        scopes,
        stage=shape.stage,
        budgets=budgets,
        listed=tuple(listed),
    )


def _named(
    key: str, names: Iterable[str], tools: Collection[str], tool_sets: Mapping[str, Collection[str]]
) -> dict[str, None]:
    """The tools behind names of tools and sets, each once, in the order of the declaration."""
    found: dict[str, None] = {}
    for index, name in enumerate(names):
        if name not in tool_sets and name not in tools:
            raise _unknown(f"{key}[{index}]", name, (*tools, *tool_sets), "is neither a tool nor a tool set")
        found.update(dict.fromkeys(tool_sets.get(name, (name,))))
    return found


def check_id(id: str) -> str:  # noqa: A002 - the word of the contract
    """The id of a principal, or Problem invalid-argument."""
    if not ID.fullmatch(id):
        raise invalid("id", id, "is not an id", f"Use {ID_FORM}.")
    return id


def _mapping(source: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(source, str):
        return source
    if len(source) > MAX_TEXT:
        raise invalid("declaration", len(source), f"is longer than {MAX_TEXT} characters")
    try:
        found = yaml.safe_load(source)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise invalid("declaration", place, f"is not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(found, dict):
        raise invalid("declaration", type(found).__name__, "is not a mapping", "Start with id: and owner:.")
    return cast("Mapping[str, Any]", found)


_NAMES: dict[str, tuple[str, ...]] = {
    "": tuple(AgentDeclaration.model_fields),
    "read": tuple(ReadDeclaration.model_fields),
    "budgets": tuple(BudgetsDeclaration.model_fields),
}


def _shape(document: Mapping[str, Any]) -> AgentDeclaration:
    try:
        return AgentDeclaration.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = first["loc"]
        at = ".".join(str(step) for step in place)
        if first["type"] == "extra_forbidden":
            level = str(place[0]) if len(place) > 1 else ""
            raise _unknown(at, str(place[-1]), _NAMES.get(level, ()), "is not part of a declaration") from None
        if first["type"] == "missing":
            raise invalid(at, None, "is missing", "A declaration has id, owner and purpose.") from None
        hint = "Write {} for all of it." if first["input"] is None else None
        raise invalid(at, str(first["input"]), first["msg"], hint) from None


def _unknown(at: str, name: str, words: Iterable[str], why: str) -> Problem:
    known = sorted(words)
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return invalid(at, name, why, hint)

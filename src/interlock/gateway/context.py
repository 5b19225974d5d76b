"""What a call is on its way through the gateway, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from interlock.governance.decide import Verdict
from interlock.principals.models import Agent
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.sources.source import Source
from interlock.tools.catalogue import Tool


@dataclass(slots=True)
class Context:
    """One call. Steps fill it in; the ledger is written from it."""

    call_id: str
    agent: Agent
    tool: Tool
    raw: Mapping[str, Any]
    arguments: Any  # the tool's input model
    now: float
    as_of: float
    face: str = "rest"
    source: Source | None = None
    refs: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    verdict: Verdict | None = None
    outcome: str | None = None
    receipt: dict[str, Any] | None = None  # of a write

    @property
    def kind(self) -> str | None:
        """The kind of record the call is about: the tool's, else what its arguments tell."""
        if self.tool.kind is not None:
            return self.tool.kind
        ref = self.given("ref")
        return Ref.parse(ref).kind if ref is not None else self.given("kind")

    def given(self, name: str) -> Any:
        """An argument, or None where the tool has none of that name."""
        return getattr(self.arguments, name, None)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status and JSON-ready body; ``problem`` says which kind of body it is."""

    status: int
    body: dict[str, Any]
    call_id: str
    problem: bool = False


class Validator(Protocol):
    """Turns raw arguments into a tool's input model."""

    def __call__(self, tool: Tool, raw: Mapping[str, Any]) -> BaseModel: ...


def sources_for(context: Context, sources: Mapping[str, Source], kind: str, named: str | None) -> list[Source]:
    """The sources a call may be for: the one it names, else all that hold the kind, by name.

    Raises not-found when the name is unknown, unsupported when there is none.
    """
    able = sorted(name for name, source in sources.items() if kind in source.kinds)
    if named is not None:
        if named in able:
            return [sources[named]]
        why = f"has no {kind} records" if named in sources else "is not a source"
        raise Problem(
            Slug.NOT_FOUND,
            f"source: {named} {why}",
            field="source",
            value=named,
            next_step=f"Sources with {kind} records: {', '.join(able) or 'none'}.",
        )
    if not able:
        raise Problem(Slug.UNSUPPORTED, f"no source holds {kind} records", next_step="source_list shows what there is.")
    return [sources[name] for name in able]


def source_for(context: Context, sources: Mapping[str, Source], kind: str, named: str | None) -> Source:
    """The source a call is for: the one it names, else the only one that holds the kind.

    Raises invalid-argument when a choice must be made, and what ``sources_for`` raises.
    """
    able = sources_for(context, sources, kind, named)
    if len(able) == 1:
        return able[0]
    raise Problem(
        Slug.INVALID_ARGUMENT,
        f"source: several sources hold {kind} records",
        field="source",
        next_step=f"Pass one of: {', '.join(source.name for source in able)}.",
        layer="argument",
    )

"""Authority: may this principal use this tool? The port that a policy language fills, and its first engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from interlock.governance.decide import Authority


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a policy: who, which tool with what effect, on which source and kind, with what."""

    principal: str
    tools: frozenset[str]
    tool: str
    effect: Literal["read", "write", "destructive"]
    kind: str | None
    source: str | None
    arguments: Mapping[str, Any]


class PolicyEngine(Protocol):
    """Decides authority. Must not raise: an engine that cannot decide refuses."""

    @property
    def version(self) -> str:
        """Changes whenever an answer may change; part of every decision and approval."""

    def authorize(self, request: Request) -> Authority: ...


class DeclaredTools:
    """The tool list of the agent's declaration is its authority; what is not listed is refused."""

    version = "declared-1"

    def authorize(self, request: Request) -> Authority:
        if request.tool in request.tools:
            return _ALLOWED
        detail = f"{request.principal} may not use {request.tool}"
        return Authority("refuse", detail, version=self.version)


_ALLOWED = Authority("allow", version=DeclaredTools.version)

"""Who acts: agents, people, services. Who is not known does not act, and what is not granted is denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal, Protocol

from interlock.records.filters import Filter

PrincipalKind = Literal["agent", "person", "service"]
Stage = Literal["shadow", "reviewed", "autonomous"]
Status = Literal["active", "suspended"]
Role = Literal["viewer", "steward", "approver", "administrator"]

ROLES: tuple[Role, ...] = ("viewer", "steward", "approver", "administrator")


class Principal(Protocol):
    """Whoever acts. ``id`` is unique over all kinds; ``key`` names the key that was shown, never its secret."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> PrincipalKind: ...

    @property
    def status(self) -> Status: ...

    @property
    def key(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What of one kind an agent may read: records that match the filter, without the hidden fields."""

    filter: Filter = ()
    hidden: frozenset[str] = frozenset()


CALLS_PER_MINUTE = 600
WRITES_PER_HOUR = 120


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much an agent may do: calls in any minute, writes in any hour."""

    calls_per_minute: int = CALLS_PER_MINUTE
    writes_per_hour: int = WRITES_PER_HOUR


NO_SCOPES: Mapping[str, Scope] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Agent:
    """An AI agent as its declaration has it. A kind without a scope is not readable at all.

    ``listed``: the tools to show it first, in order; empty: as the catalogue has them.
    """

    kind: ClassVar[PrincipalKind] = "agent"
    id: str
    owner: str
    purpose: str
    tools: frozenset[str] = frozenset()
    scopes: Mapping[str, Scope] = field(default_factory=lambda: NO_SCOPES)
    stage: Stage = "shadow"
    status: Status = "active"
    budgets: Budgets = Budgets()
    listed: tuple[str, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person. Roles say what they may do here; groups who they decide for."""

    kind: ClassVar[PrincipalKind] = "person"
    id: str
    name: str
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()
    status: Status = "active"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """Another program of the house, for example one that fetches metrics or delivers events."""

    kind: ClassVar[PrincipalKind] = "service"
    id: str
    purpose: str
    roles: frozenset[Role] = frozenset()
    status: Status = "active"
    key: str | None = None


AnyPrincipal = Agent | Person | Service

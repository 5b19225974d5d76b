"""What a tool is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

ToolEffect = Literal["read", "write", "destructive"]


@dataclass(frozen=True, slots=True)
class Path:
    """What of the CIs that need the one a write is about weighs on it: flags of these checks, on CIs and relations
    at most ``depth`` relations away and ``most`` in all. ``fields``: only when one of these is written (empty:
    always)."""

    codes: tuple[str, ...]
    fields: frozenset[str] = frozenset()
    depth: int = 2
    most: int = 50


UNSURE_PATHS = ("REL-CYCLE", "REL-DANGLING")
"""Checks that say a list of what depends on a CI is not to be relied on."""


@dataclass(frozen=True, slots=True)
class WriteSpec:
    """How a write tool becomes changes of a record.

    ``takes`` arguments are the changes themselves, each under its own name or the field that ``fields``
    gives it; ``sets`` are added, ``stamps`` are set to the time of the call. ``from_states`` are the states a
    ticket may be in for the tool to make sense (empty: any). ``beside`` is the argument whose source a create
    goes to, where the tool names none. ``links`` gives the field that joins two kinds, by kind, other kind and
    relation. ``asks_next``: the source is asked which states it allows before one is written. ``orders``: what
    is written is no record but an order from the catalogue. ``person``: why a person must decide, whatever
    the agent's stage. ``path``: which flags of what depends on the CI weigh, too.
    """

    op: Literal["create", "update", "note"]
    takes: tuple[str, ...] = ()
    sets: Mapping[str, Any] | None = None
    from_states: tuple[str, ...] = ()
    fields: Mapping[str, str] | None = None
    stamps: tuple[str, ...] = ()
    beside: str | None = None
    links: Mapping[tuple[str, str], Mapping[str, str]] | None = None
    asks_next: bool = False
    orders: bool = False
    person: str | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation an agent can use. ``kind`` None: the arguments tell it, or it is about no record."""

    name: str
    title: str
    description: str
    effect: ToolEffect
    kind: str | None
    arguments: type[BaseModel]
    data: Any  # type of ``data`` in the envelope
    write: WriteSpec | None = None
    general: bool = False  # listed to every agent

    @property
    def reads(self) -> bool:
        return self.effect == "read"

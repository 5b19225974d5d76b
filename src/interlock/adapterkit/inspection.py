"""What an instance tells of itself: its tables, their columns, and the choices of these.

Names are native ones, and so are the words for types. Nothing here is of one product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Entity:
    """One table or form. ``extends``: its parent; ``rows``: records in it and its children, None when not counted;
    ``own``: the site made it."""

    name: str
    label: str
    extends: str | None = None
    rows: int | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """How one value of a list is called in one language."""

    value: str
    label: str
    language: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table that defines it, or that gives it a list of its own.

    ``type``: a type of ``ext`` fields, None for what a mapping cannot hold; ``reference``: the table it points to;
    ``own``: the site made it.
    """

    entity: str
    name: str
    label: str
    type: str | None
    reference: str | None = None
    choices: tuple[Label, ...] = ()
    own: bool = False


@dataclass(frozen=True)
class Instance:
    """Tables of interest, with the columns that each defines itself. ``choices`` of a column count for the
    tables below it, unless one of these has a list of its own."""

    entities: tuple[Entity, ...]
    columns: tuple[Column, ...]

    @cached_property
    def named(self) -> Mapping[str, Entity]:
        """Tables by name."""
        return {entity.name: entity for entity in self.entities}

    def chain(self, name: str) -> Iterator[str]:
        """The table, its parent, and so on."""
        seen: set[str] = set()
        at: str | None = name
        while at is not None and at not in seen:
            seen.add(at)
            yield at
            at = self.named[at].extends if at in self.named else None

    def below(self, name: str) -> list[Entity]:
        """The tables that extend this one, at any depth."""
        return [each for each in self.entities if each.name != name and name in self.chain(each.name)]

    def columns_of(self, name: str) -> dict[str, Column]:
        """All columns of a table, by name; a child's own entry stands before its parent's."""
        found: dict[str, Column] = {}
        for table in self.chain(name):
            for column in self.columns:
                if column.entity == table:
                    found.setdefault(column.name, column)
        return found

    def choices_of(self, name: str, column: str) -> tuple[Label, ...]:
        """The list that holds for a column of a table: its own, else the nearest parent's."""
        for table in self.chain(name):
            for each in self.columns:
                if each.entity == table and each.name == column and each.choices:
                    return each.choices
        return ()


@runtime_checkable
class OffersInspection(Protocol):
    async def inspect(self) -> Instance:
        """What the instance has of the tables that are mapped, and of those a site derived from them."""

"""What a product may offer besides reading and writing records: one small protocol for each.

An adapter that has the methods offers it (as with ``Snapshots``); what it does not offer is told as
unsupported and is missing in the tables of capabilities. Handles are those of the mapping, instants
canonical, and every method raises Problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from interlock.adapterkit.inspection import OffersInspection
from interlock.adapterkit.native import Page, Plan

SlaStage = Literal["in_progress", "paused", "completed", "cancelled", "breached"]
ApprovalState = Literal["requested", "approved", "rejected", "cancelled", "not_required"]
ConflictKind = Literal["same_ci", "blackout", "maintenance", "other"]


@dataclass(frozen=True, slots=True)
class NativeSla:
    """One clock that runs on a ticket. ``percentage`` of the allowed time, as the source counts it."""

    id: str
    name: str
    stage: SlaStage
    breached: bool | None
    started_at: str | None
    due_at: str | None
    ended_at: str | None
    percentage: float | None


@dataclass(frozen=True, slots=True)
class NativeAttachment:
    """What is known of a file without reading it; ``size`` in bytes."""

    id: str
    name: str
    content_type: str | None
    size: int | None
    created_at: str | None
    author: str | None


@dataclass(frozen=True, slots=True)
class NativeApproval:
    """One person's (or group's) word on a record."""

    id: str
    approver: str | None
    state: ApprovalState
    at: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class NativeConflict:
    """Something that speaks against a change's window. ``ci`` and ``change`` are handles."""

    kind: ConflictKind
    ci: str | None
    change: str | None
    from_at: str | None
    to_at: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """Something that can be ordered. ``variables``: JSON Schema of what is asked, only from ``catalog_item``."""

    id: str
    name: str
    description: str | None
    category: str | None
    price: str | None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One line of an order, in the source's words."""

    number: str
    name: str | None
    state: str | None
    stage: str | None
    quantity: int | None
    due_at: str | None


@runtime_checkable
class OffersSlas(Protocol):
    async def slas(self, kind: str, handle: str) -> list[NativeSla]:
        """The clocks of a ticket."""


@runtime_checkable
class OffersAttachments(Protocol):
    async def attachments(self, kind: str, handle: str) -> list[NativeAttachment]:
        """The files of a record, newest first."""

    async def attachment(self, kind: str, handle: str, id: str, most: int) -> bytes:  # noqa: A002 - the word of the wire
        """The bytes of one file of that record. Raises not-found, too-large above ``most`` bytes."""


@runtime_checkable
class OffersApprovals(Protocol):
    async def approvals(self, kind: str, handle: str) -> list[NativeApproval]:
        """Who was asked, and what they said."""


@runtime_checkable
class OffersTransitions(Protocol):
    async def next_states(self, kind: str, handle: str) -> list[str]:
        """The canonical states that the source would let this record go to now."""


@runtime_checkable
class OffersConflicts(Protocol):
    async def conflicts(self, kind: str, handle: str) -> tuple[str | None, list[NativeConflict]]:
        """Have the source check a change's window: its own word for the result, and what it found."""


@runtime_checkable
class OffersCatalog(Protocol):
    async def catalog_search(self, text: str | None, limit: int) -> list[CatalogItem]:
        """Items that our account may order."""

    async def catalog_item(self, id: str) -> CatalogItem:  # noqa: A002 - the word of the wire
        """One item with its variables. Raises not-found."""


@runtime_checkable
class OffersOrderItems(Protocol):
    async def order_items(self, handle: str) -> list[OrderItem]:
        """The lines of an order, by the handle of its request."""


@runtime_checkable
class OffersSweep(Protocol):
    """An adapter whose pages lack what single reads have: it knows how to fill many rows at once."""

    async def sweep(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """As ``page``, of a pass through all rows: each row as whole as a single read of it would be."""


OFFERS: dict[str, type[Any]] = {
    "slas": OffersSlas,
    "attachments": OffersAttachments,
    "approvals": OffersApprovals,
    "transitions": OffersTransitions,
    "conflicts": OffersConflicts,
    "catalog": OffersCatalog,
    "order_items": OffersOrderItems,
    "inspection": OffersInspection,
}
"""Every offer by its name in ``source_list`` and the tables of capabilities."""


def offered(adapter: object) -> tuple[str, ...]:
    """The names of what an adapter (or its class) offers."""
    return tuple(name for name, protocol in OFFERS.items() if _has(adapter, protocol))


def _has(adapter: object, protocol: type[Any]) -> bool:
    # isinstance would do for an object; a class is asked the same way, for documentation without a connection.
    wanted = [name for name in vars(protocol) if not name.startswith("_")]
    return all(callable(getattr(adapter, name, None)) for name in wanted)

"""What passes between a mapping and an adapter: native rows, query plans, pages, writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from interlock.records.filters import Condition, Filter, Sort

Native = Mapping[str, Any]
"""One row as the source gives it, JSON-like."""

Op = Literal["create", "update", "note"]


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several native queries that together find what is asked.

    ``part``: where it is asked, for a kind kept in several places. ``unless``: a row for which one of these
    holds is found by an earlier branch, too, and counts there. ``order_native``: its own words for the
    plan's order; whoever asks merges the branches by it.
    """

    pushed: Any
    part: str | None = None
    unless: tuple[Condition, ...] = ()
    order_native: Any = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A canonical query in a source's own terms.

    ``pushed`` is the native query text or parameter map. ``post`` is what must still be checked on the
    decoded rows, with ``why`` for each clause that was not (or only loosely) pushed. ``empty`` means no
    row can match: no call is made. With ``branches``, each of them is asked and ``pushed`` is not.
    ``contract_order``: rows come in ``order`` as ``records.order`` has it, text and missing values too.
    """

    pushed: Any
    columns: tuple[str, ...]
    post: Filter = ()
    why: tuple[str, ...] = ()
    empty: bool = False
    order: tuple[Sort, ...] = ()
    order_native: Any = None
    text: str | None = None
    branches: tuple[Branch, ...] = ()
    contract_order: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Native rows and where to go on; ``cursor`` None is the end. ``seen`` rows were read to find them.

    ``total``: with the first page, how many rows there are in all, where the source tells it. ``calls``: so many
    calls it took.
    """

    rows: list[Native]
    cursor: Any = None
    seen: int = 0
    warnings: tuple[str, ...] = ()
    total: int | None = None
    calls: int = 1


@dataclass(frozen=True, slots=True)
class NativeWrite:
    """One write in native terms, ready to be sent."""

    kind: str
    op: Op
    handle: str | None
    payload: dict[str, Any]
    correlation: str | None = None
    not_after: float | None = None  # epoch seconds; no byte may leave later than this


@dataclass(frozen=True, slots=True)
class Written:
    """What the source answered to a write: the record's handle, and the row when it was echoed."""

    handle: str | None
    row: Native | None = None


@dataclass(frozen=True, slots=True)
class NativeNote:
    """One journal entry in native terms, times already canonical."""

    id: str
    visibility: Literal["public", "internal"]
    text: str
    author: str | None
    created_at: str | None
    more: Mapping[str, Any] = field(default_factory=dict)

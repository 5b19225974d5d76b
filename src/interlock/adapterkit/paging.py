"""Paging styles, driven by the manifest: what to ask for a page, and where to go on after it.

A cursor is small JSON: it travels to the agent and back, signed. None is the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from interlock.adapterkit.manifest import Paging
from interlock.adapterkit.native import Native
from interlock.records.problems import Problem, Slug

Parameters = dict[str, str]


class PagingStyle(Protocol):
    """One way of going through rows. Both methods are pure."""

    def ask(self, cursor: Any, limit: int) -> Parameters:
        """Parameters of the page at ``cursor`` (None: the first)."""

    def following(self, cursor: Any, limit: int, rows: Sequence[Native], found: Any, total: int | None) -> Any:
        """The cursor after a page of ``rows``; ``found`` is the whole answer, ``total`` what it counted."""


class _Sized:
    def __init__(self, paging: Paging) -> None:
        self.paging = paging

    def size(self, limit: int) -> Parameters:
        size = self.paging.size
        return {size.parameter: str(min(limit, size.max))} if size.parameter else {}


class Offset(_Sized):
    """Rows are skipped by count. The next offset counts what was asked for, since sources hide rows."""

    def ask(self, cursor: Any, limit: int) -> Parameters:
        return self.size(limit) | ({self.paging.offset or "offset": str(cursor)} if cursor else {})

    def following(self, cursor: Any, limit: int, rows: Sequence[Native], found: Any, total: int | None) -> Any:
        after = (cursor or 0) + min(limit, self.paging.size.max)
        if total is not None:
            return after if after < total else None
        return after if rows else None


class Numbered(_Sized):
    """Pages are numbered from 1."""

    def ask(self, cursor: Any, limit: int) -> Parameters:
        return self.size(limit) | {self.paging.page or "page": str(cursor or 1)}

    def following(self, cursor: Any, limit: int, rows: Sequence[Native], found: Any, total: int | None) -> Any:
        page = cursor or 1
        if self.paging.next:
            return page + 1 if isinstance(found, Mapping) and found.get(self.paging.next) else None
        if total is not None:
            return page + 1 if page * min(limit, self.paging.size.max) < total else None
        return page + 1 if rows else None


class Token(_Sized):
    """The answer names the next page; it is sent back as it came."""

    def ask(self, cursor: Any, limit: int) -> Parameters:
        name = self.paging.page or self.paging.next or "cursor"
        return self.size(limit) | ({name: str(cursor)} if cursor is not None else {})

    def following(self, cursor: Any, limit: int, rows: Sequence[Native], found: Any, total: int | None) -> Any:
        token = found.get(self.paging.next or "next") if isinstance(found, Mapping) else None
        if token is not None and token == cursor:
            raise stuck(cursor)
        return token or None


class Single(_Sized):
    """Everything comes in one answer."""

    def ask(self, cursor: Any, limit: int) -> Parameters:
        return self.size(limit)

    def following(self, cursor: Any, limit: int, rows: Sequence[Native], found: Any, total: int | None) -> Any:
        return None


_STYLES: dict[str, type[Offset | Numbered | Token | Single]] = {
    "offset": Offset,
    "page": Numbered,
    "token": Token,
    "none": Single,
}


def paging_style(paging: Paging) -> PagingStyle:
    """The style that the manifest names. ``keyset`` needs the query's own words: the adapter asks (see
    ``keyset``), with offsets where an order was asked for. Raises Problem unsupported."""
    name = "offset" if paging.style == "keyset" else paging.style
    style = _STYLES.get(name)
    if style is None:
        raise Problem(Slug.UNSUPPORTED, f"paging style {name} is not offered", field="paging.style", value=name)
    return style(paging)


def stuck(cursor: Any) -> Problem:
    """A page that does not lead on: going on would repeat rows for ever."""
    return Problem(
        Slug.SOURCE_FAULT,
        "the source's page does not lead on: it repeats what was already read",
        field="cursor",
        value=str(cursor),
        next_step="Narrow the filter; if it stays so, look at the source.",
        layer="source",
        reached="yes",
    )

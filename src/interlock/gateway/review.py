"""The review of flags: what people look at, and what they say of them, as themselves.

An act is in the ledger before it counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from interlock.clock import Clock
from interlock.gateway.aside import Aside
from interlock.principals.models import Person
from interlock.quality.flags import FlagStore
from interlock.quality.flags.export import export
from interlock.quality.flags.listing import Filters
from interlock.quality.flags.showing import shown, shown_event
from interlock.quality.rowlevel import shipped
from interlock.records import times
from interlock.records.problems import Problem, Slug

Recorder = Callable[[str, dict[str, Any], tuple[str, ...], dict[str, Any]], Awaitable[None]]
"""Puts a person's act into the ledger: person, detail, refs, and what goes into the vault."""

LOOK = frozenset({"viewer", "steward", "approver", "administrator"})
ACT = frozenset({"steward", "approver", "administrator"})


class Review:
    """Flags for people. Every method raises refused without a role that may."""

    def __init__(self, folder: Path, clock: Clock, record: Recorder) -> None:
        self._folder = folder
        self._clock = clock
        self._record = record
        self._checks = shipped().checks
        self._aside = Aside(folder, clock)

    def close(self) -> None:
        self._aside.close()

    async def listed(
        self, person: Person, filters: Filters, order: str, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """A page of flags; see ``FlagStore.listed``."""
        _may(person, LOOK)
        page = await self._aside.run(lambda store: store.listed(filters, order, limit, cursor))
        return {"data": [shown(row) for row in page.flags], "cursor": page.cursor}

    async def get(self, person: Person, ref: str, code: str) -> dict[str, Any]:
        """One flag with what lifts it and all that happened to it. Raises not-found."""
        _may(person, LOOK)
        row, events = await self._aside.run(lambda store: (store.get(ref, code), store.events(ref, code)))
        return {**shown(row, self._checks), "events": [shown_event(event) for event in events]}

    async def act(
        self,
        person: Person,
        what: str,
        ref: str,
        code: str,
        reason: str | None = None,
        until: float | None = None,
        assignee: str | None = None,
    ) -> dict[str, Any]:
        """ack, assign, waive, unwaive or reopen; the flag as it is then. Raises what ``FlagStore.act`` raises."""
        _may(person, ACT)
        at = self._clock.now()
        given = (what, ref, code, person.id, reason, until, assignee, at)
        await self._aside.run(lambda store: store.act(*given, rehearse=True))
        detail: dict[str, Any] = {"act": what, "flag": code}
        if until is not None:
            detail["until"] = times.to_text(until)
        said = {name: value for name, value in (("reason", reason), ("assignee", assignee)) if value is not None}
        await self._record(person.id, detail, (ref,), {**detail, **said})
        await self._aside.run(lambda store: store.act(*given))
        return await self.get(person, ref, code)

    def export(self, person: Person, format: str, filters: Filters) -> Iterator[bytes]:  # noqa: A002
        """A file of flags in pieces, read beside everything else. Raises invalid-argument, unsupported."""
        _may(person, LOOK)
        store = FlagStore(self._folder, self._clock)
        try:
            pieces = export(store, format, filters)
        except Problem:
            store.close()
            raise
        return _closing(store, pieces)


def _closing(store: FlagStore, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with closing(store):
        yield from pieces


def _may(person: Person, roles: frozenset[str]) -> None:
    if person.roles.isdisjoint(roles):
        raise Problem(
            Slug.REFUSED,
            f"{person.id} has none of the roles {', '.join(sorted(roles))}",
            next_step="An administrator gives roles.",
        )

"""Flags for agents: of records inside their scope, with evidence that tells nothing from outside it.

A flag on a record that the agent may not read is like one that does not exist. Where the scope has a filter, the
record is read to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interlock.gateway import render
from interlock.gateway.aside import Aside
from interlock.gateway.context import Context
from interlock.gateway.reads import Reads
from interlock.gateway.scopes import admits
from interlock.principals.models import Agent, Scope
from interlock.quality.flags import FlagRow
from interlock.quality.flags.listing import Filters, Page, cursor_of, key_of
from interlock.quality.rowlevel import RowLevel
from interlock.records import times
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.refs import Ref
from interlock.sources.source import Source

_ORDER = "stops"
_MOST = 200  # flags looked at for one answer
_NEAR = 8  # records read at once
_AGE_S = 60.0
_OF_SOURCES = "source"  # the kind in refs of what is found on a source as a whole


class Findings:
    """Answers ``flag_list``."""

    def __init__(self, reads: Reads, aside: Aside, level: RowLevel, sources: Mapping[str, Source]) -> None:
        self._reads = reads
        self._aside = aside
        self._level = level
        self._sources = sources
        reads.add({"flag_list": self._list})

    async def _list(self, context: Context) -> dict[str, Any]:
        arguments = context.arguments
        filters = await self._filters(context)
        question, position = self._reads.go_on(context)
        cursor = cursor_of(_ORDER, position) if position else None
        found: list[FlagRow] = []
        warnings: dict[str, None] = {}
        looked = 0
        while True:
            page = await self._page(filters, arguments.limit - len(found), cursor)
            found += await self._readable(context, page.flags, warnings)
            cursor, looked = page.cursor, looked + len(page.flags)
            if cursor is None or len(found) >= arguments.limit or looked >= _MOST:
                break
        paging, cut = self._reads.page(context, question, key_of(cursor, _ORDER) if cursor else None, False)
        context.refs += dict.fromkeys(row.ref for row in found)
        context.flags += [row.code for row in found]
        return {
            "data": [self._row(context.agent, row) for row in found],
            "provenance": render.gateway_provenance(context.now),
            "page": paging,
            "warnings": [*warnings, *cut],
        }

    async def _page(self, filters: Filters, limit: int, cursor: str | None) -> Page:
        return await self._aside.run(lambda store: store.listed(filters, _ORDER, limit, cursor))

    async def _filters(self, context: Context) -> Filters:
        """What may be looked at. Raises invalid-argument for a source, not-found for a record outside the scope."""
        arguments, scopes = context.arguments, context.agent.scopes
        held = [name for name, source in self._sources.items() if not source.kinds.isdisjoint(scopes)]
        if arguments.source is not None and arguments.source not in held:
            raise invalid("source", arguments.source, "is not a source of yours", f"Yours are {', '.join(held)}.")
        filters = Filters(
            code=(arguments.code,) if arguments.code else (),
            source=(arguments.source,) if arguments.source else (*held, ""),  # an agent without any finds nothing
            kind=(*scopes, _OF_SOURCES),
            status=(arguments.status,) if arguments.status else (),
        )
        if arguments.ref is None:
            return filters
        _, _, fetched = await self._reads.record(context, arguments.ref, None, _AGE_S)
        return replace(filters, ref=(fetched.record["ref"],))

    async def _readable(self, context: Context, rows: list[FlagRow], warnings: dict[str, None]) -> list[FlagRow]:
        gate = asyncio.Semaphore(_NEAR)

        async def may(ref: str) -> bool:
            async with gate:
                return await self._may(context.agent, ref, warnings)

        refs = list(dict.fromkeys(row.ref for row in rows))
        seen = dict(zip(refs, await asyncio.gather(*map(may, refs)), strict=True))
        return [row for row in rows if seen[row.ref]]

    async def _may(self, agent: Agent, ref: str, warnings: dict[str, None]) -> bool:
        scope = _scope(agent, ref)
        if scope is None or not scope.filter:
            return scope is not None
        if ref.split(":", 2)[1] == _OF_SOURCES:
            return True
        try:
            known = Ref.parse(ref)
            fetched = await self._sources[known.source].get(known.kind, known.key, max_age_s=_AGE_S)
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                # Named by what went wrong only: whether the record may be read is not known.
                warnings[f"some records could not be read ({problem.slug}); their flags are left out"] = None
            return False
        return admits(scope, fetched.record)

    def _row(self, agent: Agent, row: FlagRow) -> dict[str, Any]:
        check = self._level.checks.get(row.code)
        out: dict[str, Any] = {
            "ref": row.ref,
            "code": row.code,
            "severity": row.severity,
            "status": row.status,
            "reason": row.evidence.partition(": ")[0],
            "first_at": times.to_text(row.first_at),
            "last_at": times.to_text(row.last_at),
        }
        if check is not None:
            out["lifts"] = check.lifts
        if self._told(agent, row):
            out["evidence"] = render.evidence(row.evidence)
        if row.status == "waived" and row.waived_until is not None:
            out["waived_until"] = times.to_text(row.waived_until)
        return out

    def _told(self, agent: Agent, row: FlagRow) -> bool:
        """Whether the evidence says only what the agent may read.

        That of a check on one record names its fields. That of others may name any record of the kinds they look at,
        so it is for those who may read all of them.
        """
        check, scope = self._level.checks.get(row.code), _scope(agent, row.ref)
        if check is None or scope is None or not scope.hidden.isdisjoint(check.fields):
            return False
        among = self._level.sets.get(row.code)
        if among is None:
            return True
        kinds = (agent.scopes.get(kind) for kind in {row.kind, *among.kinds} - {_OF_SOURCES})
        return not scope.filter and all(each is not None and not each.filter and not each.hidden for each in kinds)


def _scope(agent: Agent, ref: str) -> Scope | None:
    """The scope a flag falls under; of one on a source, that of the kind it is about."""
    _, kind, key = [*ref.split(":", 2), "", ""][:3]
    if kind == _OF_SOURCES:
        kind = "incident" if key.startswith("matrix/") else key
    return agent.scopes.get(kind)

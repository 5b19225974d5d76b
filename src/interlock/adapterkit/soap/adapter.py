"""The base of adapters over SOAP: everything that the manifest, the mappings and a WSDL can say.

Templates are filled, answers read by local name into the rows that the mapping decodes. Reads are tried
again within bounds, writes are sent once.
"""

from __future__ import annotations

import re
from typing import Any

from interlock.adapterkit.forms import instant_form
from interlock.adapterkit.mappingspec import FieldSpec
from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.adapterkit.paging import stuck
from interlock.adapterkit.session import Session
from interlock.adapterkit.soap.declaration import ListPart, NotesPart, WritePart
from interlock.adapterkit.soap.source import CompiledProduct
from interlock.adapterkit.soap.writes import SoapWrites
from interlock.clock import Clock
from interlock.records.problems import Problem, Slug
from interlock.records.taxonomy import Choice

MOST_NOTES = 2000
"""So many journal entries are read to put them in order; the source gives them in its own."""

_PASSING = "(?i)^-+ .* -+$|^=+ .* =+$"
"""Labels that only divide a menu."""

__all__ = ["Clock", "CompiledProduct", "Session", "SoapAdapter"]
"""With the types an adapter's constructor names: adapters import only records and adapterkit."""


class SoapAdapter(SoapWrites):
    """An adapter that is all data. Implements ``interlock.adapterkit.adapter.Adapter``."""

    async def open(self) -> None:
        """Nothing to do: the account travels with every call."""

    async def close(self) -> None:
        await self.session.close()

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """Rows in the source's own order, by how many were read; ``{"start": n, "last": handle}``.

        No list tells how many there are. A page that is not full is the end where a larger answer was seen
        before; else the source may have cut it, and it is asked for more. The last row read is read again
        with the next page: where it stands elsewhere now, rows moved meanwhile, and that is told.
        """
        if plan.empty:
            return Page([])
        ready = self.need(kind, "list", "searches")
        part = ready.part
        assert isinstance(part, ListPart)
        size = max(1, min(limit, self.manifest.paging.size.max))
        start, last = int((cursor or {}).get("start") or 0), (cursor or {}).get("last")
        back = 1 if last is not None and start else 0
        found, repaired = await self.listed(
            kind, ready, self.within(part, str(plan.pushed or "")), plan.columns, start - back, size + back
        )
        warnings: tuple[str, ...] = (f"{repaired} control characters are shown as ⟦U+…⟧.",) if repaired else ()
        seen = len(found)
        if back:
            if found and self._handle(kind, found[0]) == last:
                found = found[1:]
            else:
                warnings += ("Records moved while pages were read: some may be missing or come twice.",)
                found = found[:size] if len(found) > size else found
        handles = [self._handle(kind, each) for each in found]
        if last is not None and found and handles[-1] == last:
            raise stuck(last)
        known = max(self._largest.get(kind, 0), seen)
        whole = seen < size + back and seen < known
        self._largest[kind] = known
        end = not found or whole or part.start is None
        return Page(found, None if end else {"start": start + len(found), "last": handles[-1]}, len(found), warnings)

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        """Entries newest first; the source gives them in its own order, so all are read (up to MOST_NOTES).

        ``cursor`` is ``[created_at, id]`` of the last entry shown.
        """
        ready = self.need(kind, "notes", "a journal")
        part = ready.part
        assert isinstance(part, NotesPart)
        query = part.where.replace("{v}", self.quoted(kind, handle))
        columns = {part.id, part.text, part.created_at, part.author or part.id, part.visibility or part.id}
        found: list[Native] = []
        while len(found) < MOST_NOTES:
            more, _ = await self.listed(kind, ready, query, tuple(columns), len(found), self.manifest.paging.size.max)
            fresh = {str(each.get(part.id)) for each in found}
            more = [each for each in more if str(each.get(part.id)) not in fresh]
            found += more
            if not more or part.start is None:
                break
        else:
            raise Problem(
                Slug.TOO_LARGE, f"the record has more than {MOST_NOTES} journal entries",
                next_step="Look at them in the source.", layer="source", reached="yes",
            )  # fmt: skip
        entries = sorted((self.note(kind, part, each) for each in found), key=_moment, reverse=True)
        if cursor is not None:
            after = (str(cursor[0]), str(cursor[1]))
            entries = [each for each in entries if _moment(each) < after]
        shown = entries[:limit]
        return shown, list(_moment(shown[-1])) if len(entries) > limit else None

    async def write(self, write: NativeWrite) -> Written:
        """Send one write, once. Whatever fails before it is sent says ``reached="no"``."""
        word = write.op
        ready = self.need(write.kind, word, f"writing ({word})")
        part = ready.part
        assert isinstance(part, WritePart)
        try:
            values = await self.values(write, ready, part)
            content = ready.template.fill({**values, **self.always(write, part)})
        except Problem as problem:
            problem.reached = "no"
            raise
        answer = await self.send(ready, content, not_after=write.not_after)
        told = self.row(answer, None).get(part.answer) if part.answer and answer is not None else None
        if word == "create" and part.answer and not told:
            raise self.odd("the key of the new record")
        return Written(str(told) if told else write.handle)

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        spec = self.correlation(kind)
        place = spec.read or spec.create
        assert place is not None
        columns = self.product.mappings[kind].columns(None)
        return await self.equal(kind, place.column, correlation, (*columns, place.column), exact=True)

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """The values that the WSDL lists. Raises unsupported where it lists none."""
        spec = self.field(kind, field)
        place = spec.write or spec.create or spec.read
        names = self._on_wire(kind)
        for word in ("update", "create", "get", "list"):
            ready = self.services.get(kind, word)
            if ready is None or place is None:
                continue
            name = names.get(place.column, place.column)
            node = ready.operation.input.child(name) or (ready.operation.output and ready.operation.output.find(name))
            if node is not None and node.values:
                values = [value for value in node.values if not re.match(_PASSING, value)]
                return [Choice(value, value, _word(spec, value), None, True) for value in values]
        raise self.unsupported(f"a list of choices for {field}")

    def note(self, kind: str, part: NotesPart, found: Native) -> NativeNote:
        """One journal entry."""
        author = found.get(part.author) if part.author else None
        public = not part.visibility or found.get(part.visibility) in part.public
        return NativeNote(
            id=str(found.get(part.id) or ""),
            visibility="public" if public else "internal",
            text=str(found.get(part.text) or ""),
            author=str(author) if author else None,
            created_at=self.instant(kind, str(found.get(part.created_at) or "")),
        )

    def instant(self, kind: str, text: str) -> str | None:
        """A time as the wire writes it, canonical; None when it is none."""
        wire = self.manifest.wire.instant
        try:
            return instant_form(wire.as_, wire.zone).read(text) if text else None
        except ValueError:
            return None


def _moment(note: NativeNote) -> tuple[str, str]:
    return note.created_at or "", note.id


def _word(spec: FieldSpec, value: str) -> str | None:
    found = spec.codes.read(value) if spec.codes else None
    return found if isinstance(found, str) and found != "unmapped" else None

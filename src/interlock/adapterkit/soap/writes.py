"""Writes over SOAP: what is sent with a change, so that the source empties nothing and lacks nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.adapterkit.mappingspec import FieldSpec
from interlock.adapterkit.native import Native, NativeWrite
from interlock.adapterkit.soap.declaration import GetPart, NotePart, WritePart
from interlock.adapterkit.soap.services import Ready
from interlock.adapterkit.soap.source import SoapSource
from interlock.records.problems import Problem, Slug, invalid


class SoapWrites(SoapSource):
    """Elements of a write: merged with the record as it stands, with what goes along, and our key."""

    async def values(self, write: NativeWrite, ready: Ready, part: WritePart) -> dict[str, Any]:
        payload = dict(write.payload) if write.op != "note" else {}
        if write.op == "create":
            payload = self.correlated(write, payload)
        await self._beside(write.kind, payload)
        current: dict[str, Any] = {}
        if part.merge:
            current = await self.current(write.kind, write.handle or "")
            if not current:
                raise self.odd("the record that is to be changed")
        self._cleared(write.kind, payload, current)
        values: dict[str, Any] = dict(part.default)
        if part.merge:
            for name in ready.operation.input.names():
                held = current.get(part.same.get(name, name))
                if held is not None:
                    values[name] = held
        self._unsplit(write.kind, payload, current)
        values.update(payload)
        if part.key is not None:
            values[part.key] = write.handle
        return values

    def _cleared(self, kind: str, payload: dict[str, Any], current: Mapping[str, Any]) -> None:
        """What the mapping says a change empties: here it is we who must send it empty."""
        spec = self.spec(kind)
        for name, others in spec.clears.items():
            place = spec.fields[name].write
            if not current or place is None or place.column not in payload:
                continue
            if payload[place.column] == (current.get(place.column) or ""):
                continue
            for other in others:
                cleared = spec.fields[other].write
                if cleared is not None and cleared.column not in payload:
                    payload[cleared.column] = ""
                    payload.update(dict.fromkeys(self.soap(kind).beside.get(other, ()), ""))

    async def current(self, kind: str, handle: str) -> dict[str, Any]:
        """The record as it stands on the wire, whole: what is not sent back would be emptied."""
        get = self.need(kind, "get", "reading before writing")
        part = get.part
        assert isinstance(part, GetPart)
        return self.row(await self.ask(get, {**part.always, part.key: handle}), None)

    def _unsplit(self, kind: str, payload: dict[str, Any], current: Mapping[str, Any]) -> None:
        for name, each in self.soap(kind).split.items():
            given = {column: payload.pop(column) for column in set(each.into.values()) if column in payload}
            by = payload.get(each.by, current.get(each.by))
            meant = each.into.get(str(by))
            if meant in given:
                payload[name] = given[meant]
            elif any(value for value in given.values()):
                raise invalid(
                    next(iter(given)), next(iter(given.values())), f"cannot be written while {each.by} is {by}",
                    f"It goes with {', '.join(value for value, column in each.into.items() if column in given)}.",
                )  # fmt: skip
            elif each.by in payload and each.into.get(str(current.get(each.by))) != meant:
                payload[name] = ""  # what it said belongs to the state it leaves

    async def _beside(self, kind: str, payload: dict[str, Any]) -> None:
        """Elements that go with a reference, from the record it names."""
        for field, elements in self.soap(kind).beside.items():
            spec = self.spec(kind).fields[field]
            place = spec.write or spec.create
            if place is None or place.column not in payload or spec.ref is None:
                continue
            key = payload[place.column]
            if not key:
                payload.update(dict.fromkeys(elements, ""))
                continue
            found = await self.referred(spec, str(key), tuple(elements.values()))
            payload.update({name: found.get(column) or "" for name, column in elements.items()})

    async def referred(self, spec: FieldSpec, key: str, columns: Sequence[str]) -> Native:
        """The record that a written reference names. Raises invalid-argument when there is none."""
        assert spec.ref is not None
        by_handle = not (spec.key is not None and spec.key == spec.read) and not spec.plain_key
        try:
            return await self.read(spec.ref, key, columns, by_handle=by_handle)
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                raise
            raise invalid(spec.name, key, f"is no {spec.ref} of this source", "Look it up by a search.") from None

    def always(self, write: NativeWrite, part: WritePart) -> dict[str, Any]:
        if write.op != "note":
            return dict(part.always)
        assert isinstance(part, NotePart)
        ((visibility, text),) = write.payload.items()
        if visibility not in part.by:
            raise invalid("visibility", visibility, "is not offered by this source", f"Offered: {', '.join(part.by)}.")
        return {**part.always, **part.by["public" if visibility == "public" else "internal"], part.text: text}

    def correlated(self, write: NativeWrite, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload of a create with our key. Raises Problem when another value stands there already."""
        if write.correlation is None:
            return payload
        probe = self.manifest.write.probe.create
        spec = self.correlation(write.kind)
        place = spec.create or spec.write
        assert place is not None
        if probe is None or payload.get(place.column, write.correlation) != write.correlation:
            raise invalid(spec.name, payload.get(place.column), "is needed for the gateway's own key", "Leave it out.")
        return {**payload, **probe.beside, place.column: write.correlation}

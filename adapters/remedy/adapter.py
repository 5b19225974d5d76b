"""BMC Remedy ITSM: all data but for what its services do not say, which statuses may follow and who asks.

No service of the shipped ones tells the next statuses of a change; the mapping's ``transitions`` are the product's
standard flow [K], and a site's own flow replaces entries of it in an overlay. The server has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from interlock.adapterkit.native import NativeWrite
from interlock.adapterkit.soap.adapter import SoapAdapter
from interlock.adapterkit.soap.declaration import WritePart
from interlock.adapterkit.soap.services import Ready
from interlock.records.problems import invalid


class RemedyAdapter(SoapAdapter):
    """One Remedy over its mid-tier's web services."""

    async def next_states(self, kind: str, handle: str) -> list[str]:
        """Words of the states that the standard flow lets a record go to now. Raises not-found, unsupported."""
        mapping = self.product.mappings.get(kind)
        if mapping is None or not mapping.spec.transitions:
            raise self.unsupported(f"next states of a {kind}")
        state = self.field(kind, "state")
        assert state.read is not None
        assert state.codes is not None
        row = await self.read(kind, handle, (state.read.column,), by_handle=True)
        now = str(row.get(state.read.column) or "")
        return list(dict.fromkeys(self._following(kind, now)))

    def _following(self, kind: str, now: str) -> Iterator[str]:
        """A status that reads as a word but is never written (a step between) can only be reached by people."""
        codes = self.field(kind, "state").codes
        assert codes is not None
        here = codes.read(now)
        for native in self.spec(kind).transitions.get(now, ()):
            word = codes.read(native)
            if isinstance(word, str) and codes.writes.get(word) == native and word != here:
                yield word

    async def values(self, write: NativeWrite, ready: Ready, part: WritePart) -> dict[str, Any]:
        """Elements of a write. A change that nobody is named for is asked for by ``settings.requester``."""
        if (write.kind, write.op) == ("change", "create"):
            write = self._asked_for(write)
        return await super().values(write, ready, part)

    def _asked_for(self, write: NativeWrite) -> NativeWrite:
        place = self.field(write.kind, "requested_by").create
        if place is None or write.payload.get(place.column):
            return write
        login = self.settings.get("requester")
        if not login:
            raise invalid(
                "requested_by", None, "is needed by Remedy, and this source names nobody",
                "Give the person who asks for the change, or have settings.requester set to a login ID.",
            )  # fmt: skip
        return replace(write, payload={**write.payload, place.column: str(login)})

"""A payload of identification and reconciliation: its items, and what is told of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mock_servers.servicenow.answers import SnowError
from mock_servers.servicenow.identification import Match

UNKNOWN = "Unknown"


class ItemError(Exception):
    """One item or relation fails; the others go on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Options:
    """What may be said with ``/enhanced``; the plain address neither keeps partial payloads nor merges."""

    partial_payloads: bool = False
    partial_commits: bool = False
    deduplicate_payloads: bool = False
    generate_summary: bool = False

    @classmethod
    def read(cls, text: str) -> Options:
        """``partial_payloads:false,...``; raises SnowError 500 for a bad chunk."""
        chosen = {name: name != "generate_summary" for name in cls.__slots__}
        for chunk in (part for part in text.split(",") if part.strip()):
            name, _, value = chunk.strip().partition(":")
            if name not in chosen or value not in {"true", "false"}:
                raise SnowError(500, f"Chunk [{chunk}] is not a valid entry")
            chosen[name] = value == "true"
        if chosen["partial_payloads"]:
            chosen["partial_commits"] = chosen["deduplicate_payloads"] = True
        return cls(**chosen)


@dataclass(slots=True)
class Item:
    """One item on its way."""

    place: int
    table: str
    internal_id: str
    values: dict[str, str]
    lookups: list[tuple[str, dict[str, str]]]
    related: list[tuple[str, dict[str, str]]]
    source_info: Mapping[str, Any]
    settings: Mapping[str, Any]
    indices: list[int] = field(default_factory=list)
    sys_id: str = UNKNOWN
    operation: str = ""
    match: Match = field(default_factory=Match)
    errors: list[ItemError] = field(default_factory=list)
    info: list[dict[str, str]] = field(default_factory=list)
    related_ids: list[str | None] = field(default_factory=list)
    host: Item | None = None
    merged_into: Item | None = None

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What fails here is told of this item; the others go on."""
        try:
            yield
        except ItemError as error:
            self.errors.append(error)
            self.operation = ""

    @classmethod
    def read(cls, place: int, given: Mapping[str, Any]) -> Item:
        """The item at a place of the payload."""

        def parts(name: str) -> list[tuple[str, dict[str, str]]]:
            return [(str(p.get("className", "")), _texts(p.get("values"))) for p in given.get(name) or []]

        return cls(
            place,
            str(given.get("className") or ""),
            str(given.get("internal_id") or ""),
            _texts(given.get("values")),
            parts("lookup"),
            parts("related"),
            given.get("sys_object_source_info") or {},
            given.get("settings") or {},
            [place],
        )

    def shown(self) -> dict[str, Any]:
        """What the answer tells of it."""
        told: dict[str, Any] = {
            "className": self.table,
            "operation": self.operation,
            "sysId": UNKNOWN if self.errors else self.sys_id,
            "identifierEntrySysId": self.match.entry or UNKNOWN,
            "identificationAttempts": self.match.attempts,
            "relatedSysIds": self.related_ids,
            "relatedItems": [],
            "additionalRelatedItems": [],
            "inputIndices": self.indices,
            "mergedPayloadIds": [],
            "markers": [],
            "errorCount": len(self.errors),
        }
        if not self.operation:
            del told["operation"]
        if self.errors:
            told["errors"] = [{"error": error.code, "message": error.message} for error in self.errors]
        if self.info:
            told["info"] = self.info
        return told


def end_of(given: Mapping[str, Any], end: str, items: Sequence[Item]) -> Item | None:
    """The item at one end of a relation: by internal_id, or by its place in the payload."""
    if f"{end}_id" in given:
        found = next((item for item in items if item.internal_id and item.internal_id == given[f"{end}_id"]), None)
    else:
        place = given.get(end)
        found = items[place] if isinstance(place, int) and 0 <= place < len(items) else None
    return found.merged_into or found if found is not None else None


def summary_of(items: Sequence[Item]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for item in items:
        if item.operation:
            of_class = counts.setdefault(item.table, {})
            of_class[item.operation] = of_class.get(item.operation, 0) + 1
    return counts


def _texts(values: Any) -> dict[str, str]:
    return {str(k): "" if v is None else str(v) for k, v in values.items()} if isinstance(values, Mapping) else {}

"""What a source's mappings say of its kinds: fields, what they can be asked, and what the source can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.records.fields import Field
from interlock.records.problems import Problem, Slug
from interlock.sources.ports import MappingPort


class MappedKinds:
    """The kinds of one source. All methods raise Problem unsupported for a kind that it does not have."""

    def __init__(self, name: str, mappings: Mapping[str, MappingPort]) -> None:
        self.name = name
        self.kinds = frozenset(mappings)
        self._mappings = dict(mappings)
        self._columns: dict[str, tuple[str, ...]] = {}

    def norm(self, kind: str, changes: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """The changes as this source can hold them: what a read-back is compared with. ``key``: the record's."""
        return self._mapping(kind).norm(changes, key=key)

    def fields(self, kind: str) -> frozenset[str]:
        """Canonical fields that can be read."""
        return frozenset(name for name, use in self._mapping(kind).fields.items() if use.readable)

    def asked_by(self, kind: str, operator: str) -> frozenset[str]:
        """Canonical fields that the source itself can be asked by with this operator."""
        return frozenset(name for name, use in self._mapping(kind).fields.items() if operator in use.operators)

    def ext(self, kind: str) -> Mapping[str, Field]:
        """Fields of this instance that the contract does not know, by their names in filters (``ext.name``)."""
        mapping = self._mappings.get(kind)
        return mapping.ext if mapping is not None else {}

    def writable(self, kind: str) -> frozenset[str]:
        """Canonical fields that can be written, some of them only when the record is created."""
        fields = self._mapping(kind).fields
        return frozenset(name for name, use in fields.items() if use.writable or use.creatable)

    def by_key(self, kind: str, field: str) -> bool:
        """Whether the source writes a reference by its readable key, where others write the handle."""
        use = self._mapping(kind).fields.get(field)
        return use is not None and use.by_key

    def decoder(self, kind: str) -> MappingPort:
        """The kind's mapping, for whoever reads native rows."""
        return self._mapping(kind)

    def missing(self, kind: str, after: Mapping[str, Any]) -> list[str]:
        """Fields the source demands of a record that will look like ``after``, and that it lacks."""
        return self._mapping(kind).require(after)

    def _all_columns(self, kind: str, mapping: MappingPort) -> tuple[str, ...]:
        columns = self._columns.get(kind)
        if columns is None:
            columns = self._columns[kind] = tuple(mapping.columns(None))
        return columns

    def _mapping(self, kind: str) -> MappingPort:
        mapping = self._mappings.get(kind)
        if mapping is None:
            raise Problem(
                Slug.UNSUPPORTED,
                f"{self.name} has no records of kind {kind}",
                field="kind",
                value=kind,
                next_step=f"Kinds of {self.name}: {', '.join(sorted(self.kinds))}.",
                source=self.name,
                reached="no",
            )
        return mapping

"""The answer key in a product's own terms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One planted finding: the row it is on, as the product names it; ``fields`` are native columns."""

    code: str
    reason: str
    table: str
    sys_id: str
    label: str  # the number of a ticket, the name of a CI
    fields: tuple[str, ...]
    collateral: bool


@dataclass(frozen=True, slots=True)
class Key:
    """All that is wrong with an estate, and nothing else is."""

    entries: tuple[KeyEntry, ...]

    def records(self, code: str) -> frozenset[str]:
        """The ids of the rows that a check of this code has to find."""
        return frozenset(entry.sys_id for entry in self.entries if entry.code == code)

    def reasons(self, code: str) -> dict[str, frozenset[str]]:
        """The same by reason."""
        found: dict[str, set[str]] = {}
        for entry in self.entries:
            if entry.code == code:
                found.setdefault(entry.reason, set()).add(entry.sys_id)
        return {reason: frozenset(ids) for reason, ids in found.items()}

    def codes(self) -> dict[str, int]:
        """Codes with the number of rows each is planted on."""
        return {code: len(self.records(code)) for code in sorted({entry.code for entry in self.entries})}

    def as_data(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]

"""Choices: the live values of a field in one source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One value a source allows: native value, the label people see, the canonical word if it is mapped.

    ``depends_on`` names the value of the parent field it belongs to (a subcategory's category).
    """

    value: str
    label: str
    canonical: str | None = None
    depends_on: str | None = None
    active: bool = True

"""Forms, fields and enums of AR System: what the database knows, whatever web services call it.

The labels and enum labels are those of the product's own services; the field ids and enum numbers are common
knowledge, not verified: all of it is data (``data/*.csv``) and may be replaced by an instance's own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

DATA = Path(__file__).with_name("data")

Value = str | int | None
"""As it is stored: text; the number of an enum; whole seconds of the epoch; None for nothing ($NULL$)."""
Kind = Literal["char", "enum", "time", "int"]


@dataclass(frozen=True, slots=True)
class Enum:
    """A selection field's labels by number, in menu order."""

    name: str
    labels: Mapping[int, str]
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``length`` 0 is unlimited. ``display`` fields carry a call's input and are never stored."""

    label: str
    id: int
    kind: Kind
    length: int = 0
    enum: Enum | None = None
    required: bool = False
    system: bool = False
    display: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A form with all its fields, inherited ones too. ``key`` is the field that identifies an entry."""

    name: str
    parent: str
    key: str
    prefix: str
    digits: int
    fields: Mapping[str, Field]
    by_id: Mapping[int, Field] = field(repr=False)

    def find(self, name: str) -> Field | None:
        """A field by label or by id, as a qualification names it."""
        found = self.fields.get(name)
        if found is None and name.isascii() and name.isdigit():
            found = self.by_id.get(int(name))
        return found

    def labelled(self, element: str) -> str | None:
        """The label that an element of this name means: equal but for punctuation, as the product derives it."""
        wanted = element_name(element)
        return next((label for label in self.fields if element_name(label) == wanted), None)


@dataclass(frozen=True, slots=True)
class Schema:
    """All forms of an instance."""

    forms: Mapping[str, Form]
    enums: Mapping[str, Enum]

    def covered(self, form: str) -> tuple[str, ...]:
        """The form and those that inherit from it: a class form shows the instances of its subclasses."""
        names = [form]
        for name in names:
            names += [child.name for child in self.forms.values() if child.parent == name]
        return tuple(names)


def element_name(label: str) -> str:
    """An XML name for a label: every character that cannot stand there becomes an underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "_", label)


@cache
def shipped() -> Schema:
    """The forms this package ships."""
    return read(DATA)


def read(folder: Path) -> Schema:
    """Read ``forms.csv``, ``fields.csv`` and ``enums.csv``. Raises KeyError for a form or an enum that is not there."""
    labels: dict[str, dict[int, str]] = {}
    for row in _rows(folder / "enums.csv"):
        labels.setdefault(row["enum"], {})[int(row["index"])] = row["label"]
    enums = {name: Enum(name, found, {label: n for n, label in found.items()}) for name, found in labels.items()}
    own: dict[str, dict[str, Field]] = {}
    for row in _rows(folder / "fields.csv"):
        own.setdefault(row["form"], {})[row["label"]] = _field(row, enums)
    forms: dict[str, Form] = {}
    for row in _rows(folder / "forms.csv"):  # a parent stands before its children
        inherited = forms[row["parent"]].fields if row["parent"] else {}
        fields = {**inherited, **own.get(row["form"], {})}
        by_id = {one.id: one for one in fields.values()}
        form = Form(row["form"], row["parent"], row["key"], row["prefix"], int(row["digits"]), fields, by_id)
        forms[form.name] = form
    return Schema(forms, enums)


def _field(row: Mapping[str, str], enums: Mapping[str, Enum]) -> Field:
    kind, _, detail = row["type"].partition(":")
    flags = row["flags"].split()
    return Field(
        label=row["label"],
        id=int(row["id"]),
        kind=kind,  # type: ignore[arg-type]
        length=int(detail) if kind == "char" else 0,
        enum=enums[detail] if kind == "enum" else None,
        required="required" in flags,
        system="system" in flags,
        display="display" in flags,
        unique="unique" in flags,
    )


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)

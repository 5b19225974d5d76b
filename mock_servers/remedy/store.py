"""The entries of all forms, in memory, as the database holds them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from mock_servers.remedy.schema import Schema, Value, shipped


class Entry(dict[str, Value]):
    """One entry: values by label; a label that is not there is $NULL$. ``version`` grows with each write."""

    __slots__ = ("form", "version")

    def __init__(self, form: str, values: Mapping[str, Value]) -> None:
        super().__init__({label: value for label, value in values.items() if value is not None and value != ""})
        self.form = form
        self.version = next(_versions)


_versions = itertools.count(1)


class Store:
    """Entries by form and key, in the order of their creation."""

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema or shipped()
        self._entries: dict[str, dict[str, Entry]] = {name: {} for name in self.schema.forms}
        self._last: dict[str, int] = dict.fromkeys(self.schema.forms, 0)

    def load(self, rows: Mapping[str, Iterable[Mapping[str, Value]]]) -> None:
        """Take entries in by form, keys and all, unchecked. Raises KeyError for a form that is not there."""
        for form, entries in rows.items():
            for values in entries:
                self.put(form, values)

    def put(self, form: str, values: Mapping[str, Value]) -> Entry:
        """Insert or replace the entry of this key."""
        shape = self.schema.forms[form]
        entry = Entry(form, values)
        key = str(entry[shape.key])
        self._entries[form][key] = entry
        digits = key.removeprefix(shape.prefix)
        if digits.isascii() and digits.isdigit():
            self._last[form] = max(self._last[form], int(digits))
        return entry

    def next_key(self, form: str) -> str:
        """The key that the next new entry gets."""
        shape = self.schema.forms[form]
        self._last[form] += 1
        return f"{shape.prefix}{self._last[form]:0{shape.digits}d}"

    def get(self, form: str, key: str) -> Entry | None:
        """The entry of this key in the form, or in one that inherits from it."""
        return next((e for name in self.schema.covered(form) if (e := self._entries[name].get(key))), None)

    def rows(self, form: str) -> Iterator[Entry]:
        """All entries that the form shows, those of its subclasses too. Raises KeyError for an unknown form."""
        self.schema.forms[form]
        for name in self.schema.covered(form):
            yield from self._entries[name].values()

    def counts(self) -> dict[str, int]:
        """How many entries each form holds itself."""
        return {form: len(entries) for form, entries in self._entries.items()}

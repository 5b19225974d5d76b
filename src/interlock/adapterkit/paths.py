"""Native places: ``role.name`` is a name in an object, or, where the wire is flat, one dotted column.

A step in single quotes may hold any character. Selecting from lists is not part of the language yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"'([^']+)'|([^.'\[\]]+)")


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a native row. ``text`` is how the mapping writes it, ``steps`` the names on the way."""

    text: str
    steps: tuple[str, ...]

    @property
    def column(self) -> str:
        """The name by which the source is asked for it."""
        return ".".join(self.steps)

    def put(self, row: dict[str, Any], value: Any) -> None:
        """Set the value at this place of a row under construction."""
        for step in self.steps[:-1]:
            row = row.setdefault(step, {})
        row[self.steps[-1]] = value


def parse_path(text: str, *, flat: bool) -> Path:
    """Read a path. Raises ValueError with the reason."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("is not a native name")
    if flat:
        return Path(text, (text,))
    steps = []
    at = 0
    while True:
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError("is not a path; write name.name, odd names in single quotes")
        steps.append(found.group(1) or found.group(2))
        at = found.end()
        if at == len(text):
            return Path(text, tuple(steps))
        if text[at] != ".":
            raise ValueError("is not a path; write name.name, odd names in single quotes")
        at += 1

"""Native places: ``role.name`` is a name in an object, or, where the wire is flat, one dotted column.

A step in single quotes may hold any character. ``[]`` takes the elements of a list, ``[key=value]`` those
whose key has that value; where one value is wanted, the first that is found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"'([^']+)'|([^.'\[\]]+)")
_SELECT = re.compile(r"\[(?:([^\]\[=']+)=([^\]\[]*))?\]")
_SYNTAX = "is not a path; write name.name, odd names in single quotes, list elements as name[] or name[key=value]"


@dataclass(frozen=True, slots=True)
class Select:
    """Elements of a list: those in which every pair of key and value holds; without pairs, all."""

    pairs: tuple[tuple[str, str], ...] = ()

    def takes(self, element: Any) -> bool:
        """Whether an element is meant."""
        if not self.pairs:
            return True
        return isinstance(element, Mapping) and all(str(element.get(key)) == value for key, value in self.pairs)

    def first(self, elements: Any, missing: Any) -> Any:
        """The first element meant: None when there is none, ``missing`` when it is no list at all."""
        if elements is None:
            return None
        if not isinstance(elements, list):
            return missing
        return next((element for element in elements if self.takes(element)), None)


Step = str | Select


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a native row. ``text`` is how the mapping writes it, ``steps`` the names on the way."""

    text: str
    steps: tuple[Step, ...]

    @property
    def column(self) -> str:
        """The name by which the source is asked for it."""
        names = []
        for step in self.steps:
            if isinstance(step, Select):
                break
            names.append(step)
        return ".".join(names)

    @property
    def selects(self) -> bool:
        """Whether it goes through a list: such a place is read, never written."""
        return any(isinstance(step, Select) for step in self.steps)

    def get(self, row: Any, missing: Any = None) -> Any:
        """The value at this place of a row."""
        for step in self.steps:
            if isinstance(step, Select):
                row = step.first(row, missing)
            elif isinstance(row, Mapping):
                row = row.get(step, missing)
            elif row is not None:
                return missing
        return row

    def put(self, row: dict[str, Any], value: Any) -> None:
        """Set the value at this place of a row under construction."""
        node: Any = row
        last = len(self.steps) - 1
        for index, step in enumerate(self.steps):
            if isinstance(step, Select):
                if index == last:
                    node[:] = [value]
                    return
                found = next((element for element in node if step.takes(element)), None)
                if found is None:
                    found = dict(step.pairs)
                    node.append(found)
                node = found
            elif index == last:
                node[step] = value
            else:
                node = node.setdefault(step, {} if isinstance(self.steps[index + 1], str) else [])


def parse_path(text: str, *, flat: bool) -> Path:
    """Read a path. Raises ValueError with the reason."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("is not a native name")
    if flat:
        return Path(text, (text,))
    steps: list[Step] = []
    at = 0
    while True:
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(_SYNTAX)
        steps.append(found.group(1) or found.group(2))
        at = found.end()
        pairs: list[tuple[str, str]] | None = None
        while at < len(text) and text[at] == "[":
            select = _SELECT.match(text, at)
            if select is None:
                raise ValueError(_SYNTAX)
            pairs = (pairs or []) + ([(select.group(1), select.group(2))] if select.group(1) else [])
            at = select.end()
        if pairs is not None:
            steps.append(Select(tuple(pairs)))
        if at == len(text):
            return Path(text, tuple(steps))
        if text[at] != ".":
            raise ValueError(_SYNTAX)
        at += 1

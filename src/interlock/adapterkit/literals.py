"""The one place where a value becomes query text, and where values that cannot are told apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from interlock.adapterkit.manifest import Literals


class Unsafe(Exception):
    """A value that cannot be quoted safely; it is checked afterwards instead."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Quotes values as a manifest declares."""

    quote: str
    escape: Callable[[str], str]
    refuse: re.Pattern[str] | None
    element: re.Pattern[str]
    separator: str

    @classmethod
    def of(cls, spec: Literals) -> Self:
        quote = spec.quote
        escapes: dict[str, Callable[[str], str]] = {
            "none": lambda text: text,
            "backslash": lambda text: text.replace("\\", "\\\\").replace(quote, "\\" + quote) if quote else text,
            "double": lambda text: text.replace(quote, quote * 2) if quote else text,
        }
        patterns = [*spec.refuse, re.escape(quote)] if quote and spec.escape == "none" else list(spec.refuse)
        refuse = re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None
        return cls(quote, escapes[spec.escape], refuse, re.compile(spec.element), spec.separator)

    def one(self, value: str) -> str:
        """The value as query text. Raises Unsafe."""
        if self.refuse is not None and self.refuse.search(value):
            raise Unsafe(value)
        return f"{self.quote}{self.escape(value)}{self.quote}"

    def many(self, values: Sequence[str]) -> str:
        """A list of values as query text. Raises Unsafe."""
        for value in values:
            if not self.element.fullmatch(value):
                raise Unsafe(value)
        return self.separator.join(self.one(value) for value in values)


def fill(template: str, name: str, value: str = "") -> str:
    """A template with a native name and quoted text; neither is ever read as template."""
    return value.join(part.replace("{f}", name) for part in template.split("{v}"))

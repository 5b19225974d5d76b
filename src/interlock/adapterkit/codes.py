"""Code tables: the contract's words and the native values that mean them.

Written canonical to native. All natives of a word are read and asked for, the first is written. A
pattern (``cmdb_ci_*_server``) or a range (``{from, to, write}``) is read, never written. A native value
with two meanings does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.adapterkit.yamlfile import Document, Place
from interlock.records.fields import UNMAPPED

Word = str | bool
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Glob:
    """A native pattern; ``*`` stands for any characters. The longest literal end serves as a loose question."""

    text: str
    expression: re.Pattern[str]

    @property
    def head(self) -> str:
        return self.text.split("*", 1)[0]

    @property
    def tail(self) -> str:
        return self.text.rsplit("*", 1)[1]


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One compiled table. ``writes``: word to native; ``asks``: word to all native texts that mean it."""

    name: str
    exact: Mapping[str, Word]
    writes: Mapping[Word, str]
    asks: Mapping[Word, tuple[str, ...]]
    globs: tuple[tuple[Glob, Word], ...]
    ranges: tuple[tuple[int, int, Word], ...]
    _seen: dict[str, Word] = field(default_factory=dict)

    def read(self, native: str) -> Word:
        """The word of a native text, or ``unmapped``."""
        found = self.exact.get(native)
        if found is None:
            found = self._seen.get(native)
        if found is None:
            found = self._search(native)
            if len(self._seen) < _REMEMBERED:
                self._seen[native] = found
        return found

    def _search(self, native: str) -> Word:
        for glob, word in self.globs:
            if glob.expression.fullmatch(native):
                return word
        if self.ranges and re.fullmatch(r"-?\d{1,18}", native, re.ASCII):
            number = int(native)
            for low, high, word in self.ranges:
                if low <= number <= high:
                    return word
        return UNMAPPED

    def words(self) -> Iterator[Word]:
        """All words the table knows."""
        yield from dict.fromkeys((*self.asks, *self.writes, *(w for _, w in self.globs), *(w for *_, w in self.ranges)))

    def globs_of(self, word: Word) -> list[Glob]:
        return [glob for glob, meant in self.globs if meant == word]

    def ranged(self, word: Word) -> bool:
        return any(meant == word for *_, meant in self.ranges)


def compile_codes(name: str, data: Any, document: Document, place: Place) -> CodeTable:
    """Check and compile one table. Raises MappingError."""
    if not isinstance(data, dict) or not data:
        raise document.fault(place, "must be a table: word: native, or word: [native, ...]")
    exact: dict[str, Word] = {}
    writes: dict[Word, str] = {}
    asks: dict[Word, tuple[str, ...]] = {}
    globs: list[tuple[Glob, Word]] = []
    ranges: list[tuple[int, int, Word]] = []
    for word, code in data.items():
        at = (*place, str(word).lower() if isinstance(word, bool) else str(word))
        if not isinstance(word, str | bool):
            raise document.fault(at, "is not a word of the contract")
        entries = code if isinstance(code, list) else [code]
        plain: list[str] = []
        for entry in entries:
            if isinstance(entry, dict):
                reads = _special(entry, word, writes, ranges, document, at)
            else:
                reads = [_native(entry, document, at)]
                if word not in writes and "*" not in reads[0]:
                    writes[word] = reads[0]
            for native in reads:
                if "*" in native:
                    expression = ".*".join(re.escape(part) for part in native.split("*"))
                    globs.append((Glob(native, re.compile(expression, re.DOTALL)), word))
                    continue
                if exact.get(native, word) != word:
                    raise document.fault(
                        at, f"gives {native!r} a second meaning; it already means {exact[native]}",
                        "Keep it under one word.", native,
                    )  # fmt: skip
                exact[native] = word
                plain.append(native)
        if plain:
            asks[word] = tuple(dict.fromkeys(plain))
    for index, (low, high, word) in enumerate(ranges):
        for other_low, other_high, other in ranges[:index]:
            if low <= other_high and other_low <= high:
                raise document.fault(place, f"has ranges of {other} and {word} that overlap")
    return CodeTable(name, exact, writes, asks, tuple(globs), tuple(ranges))


def _special(
    entry: dict[str, Any],
    word: Word,
    writes: dict[Word, str],
    ranges: list[tuple[int, int, Word]],
    document: Document,
    at: Place,
) -> list[str]:
    for key in entry:
        if key not in ("read", "write", "from", "to"):
            raise document.unknown((*at, key), ("read", "write", "from", "to"), "part of a code")
    if "write" in entry:
        writes.setdefault(word, _native(entry["write"], document, at))
    if ("from" in entry) != ("to" in entry):
        raise document.fault(at, "needs both from and to")
    if "from" in entry:
        low, high = entry["from"], entry["to"]
        if type(low) is not int or type(high) is not int or low > high:
            raise document.fault(at, "needs whole numbers: from at most to")
        ranges.append((low, high, word))
    reads = entry.get("read", [])
    return [_native(native, document, at) for native in (reads if isinstance(reads, list) else [reads])]


def _native(entry: Any, document: Document, at: Place) -> str:
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if isinstance(entry, int):
        return str(entry)
    if isinstance(entry, str) and entry:
        return entry
    raise document.fault(at, "holds a native value that is neither a word nor a number", value=str(entry))

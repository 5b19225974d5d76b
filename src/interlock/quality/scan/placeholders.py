"""Placeholder words in SQL: Python's ``casefold``, which the live judge compares by, said in DuckDB's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from interlock.quality.scan.engine import text


def junk_sets(con: Any) -> dict[int, list[str]]:
    """The lists of placeholder words by their number in ``ci_setting``."""
    found: dict[int, list[str]] = {}
    for number, word in con.execute("SELECT junk_set, value FROM junk_set ORDER BY ALL").fetchall():
        found.setdefault(number, []).append(word)
    return found


def is_junk(value: str, number: str, sets: Mapping[int, Iterable[str]]) -> str:
    """SQL: whether a value is one of the placeholder words of its set; null counts as no.

    A function and not ``IN``, of which DuckDB makes a join, done for every record whether it is asked or not.
    """
    whens = " ".join(
        f"WHEN {which} THEN list_contains([{', '.join(text(word) for word in words)}], {folded(value, words)})"
        for which, words in ((which, list(words)) for which, words in sets.items())
    )
    if not whens:
        return "false"
    if len(sets) == 1:  # nearly always: then nothing is chosen per record
        whole = whens.partition(" THEN ")[2]
        return f"coalesce({whole}, false)"
    return f"coalesce(CASE {number} {whens} ELSE false END, false)"


def folded(value: str, words: Iterable[str]) -> str:
    """SQL: the value case-folded, as far as these words are concerned.

    ``lower`` is the same as ``casefold`` but for some letters; of these, only such matter that could come to
    a letter of the words. Values of ASCII alone are spared the replacing.
    """
    letters = frozenset("".join(words))
    replaced = value
    for letter, folding in _foldings().items():
        if letters.issuperset(folding) or letters.issuperset(letter.lower()[:1]):
            replaced = f"replace({replaced}, {text(letter)}, {text(folding)})"
    if replaced == value:
        return f"lower({value})"
    return f"CASE WHEN strlen({value}) = length({value}) THEN lower({value}) ELSE lower({replaced}) END"


@lru_cache(maxsize=1)
def _foldings() -> dict[str, str]:
    """The letters whose folding is not what ``lower`` makes of them alone."""
    letters = (chr(code) for code in range(0x80, 0x1E944) if not 0xD800 <= code < 0xE000)
    return {c: fold for c in letters if (fold := c.casefold()) != c.lower() or len(fold) > 1}

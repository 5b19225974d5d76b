"""Which declared category a source's own word is a variant of: other case, plural, a slip of the fingers.

Pure and without a data engine: the preparer ``category_match`` and the live judge call the same function, so
a batch and a live record cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

NEAR = 75
"""Least score, in hundredths, at which a word counts as a variant."""

LONGEST = 40
"""Characters; a longer word is declared or not, but a variant of nothing. Bounds what one strange word costs."""

_BETWEEN = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


class Match(NamedTuple):
    """The nearest declared category and how near it is: 100 is the same but for case and punctuation."""

    canonical: str
    score: int


def plain(word: str) -> str:
    """A word without case, and with one space for whatever is neither letter nor digit."""
    return _BETWEEN.sub(" ", word.casefold()).strip()


class Categories:
    """The declared categories of a source, ready to be compared with."""

    def __init__(self, declared: Iterable[str]) -> None:
        self.declared = frozenset(declared)
        self._plain = sorted((plain(word), word) for word in self.declared)

    def match(self, word: str | None) -> Match | None:
        """The nearest declared category, or None when none is near. Of equally near ones the first by name.

        Numbers are names, not spelling: ``Category 42`` is no variant of ``Category 43``.
        """
        if not word:
            return None
        if word in self.declared:
            return Match(word, 100)
        asked = plain(word) if len(word) <= LONGEST else ""
        best: Match | None = None
        for form, canonical in self._plain if asked else ():
            longest = max(len(asked), len(form))
            if abs(len(asked) - len(form)) * 100 > longest * (100 - NEAR) or _DIGITS.findall(asked) != _DIGITS.findall(
                form
            ):
                continue
            score = (longest - distance(asked, form)) * 100 // longest
            if score >= NEAR and (best is None or score > best.score):
                best = Match(canonical, score)
        return best


def distance(one: str, other: str) -> int:
    """Damerau-Levenshtein distance: insertions, deletions, substitutions and swaps of neighbours."""
    last_row: dict[str, int] = {}
    far = len(one) + len(other)
    rows: list[list[int]] = [[far] * (len(other) + 2), [far, *range(len(other) + 1)]]
    for i, left in enumerate(one, 1):
        row = [far, i]
        last_match = 0
        for j, right in enumerate(other, 1):
            seen = last_row.get(right, 0)
            swap = rows[seen][last_match] + (i - seen - 1) + 1 + (j - last_match - 1)
            row.append(min(rows[i][j] + (left != right), row[j] + 1, rows[i][j + 1] + 1, swap))
            if left == right:
                last_match = j
        rows.append(row)
        last_row[left] = i
    return rows[-1][-1]

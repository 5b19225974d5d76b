"""Which word of the contract a choice of an instance means, told by its label; and what a code table must say then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from interlock.adapterkit.codes import CodeTable, Word
from interlock.adapterkit.inspection import Label
from interlock.adapterkit.yamlfile import read_yaml

_LEAD = re.compile(r"^\d+\s*[-–:.)]\s*")
_BETWEEN = re.compile(r"[\W_]+")


@cache
def spoken() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """How ``fields`` and ``words`` are called on screens, besides their own names."""
    said = read_yaml(Path(__file__).parent / "labels.yaml").data
    return {part: {name: tuple(labels) for name, labels in entries.items()} for part, entries in said.items()}


def bare(label: str) -> str:
    """A label as it is compared: ``2 - In Bearbeitung`` is ``in bearbeitung``."""
    return _BETWEEN.sub(" ", _LEAD.sub("", label.strip())).strip().casefold()


def meant(labels: Iterable[str], words: Iterable[str], part: str = "words") -> str | None:
    """The only one of the words that these labels name; None when they name none, or several."""
    wanted = {bare(label) for label in labels}
    known = spoken()[part]
    found = [word for word in words if wanted & {bare(each) for each in (word, *known.get(word, ()))}]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a code table must say of a word: natives, or None to remove it; ``why`` in plain words."""

    word: str
    natives: Any
    why: str


def compare(
    table: CodeTable, words: Sequence[str], choices: Sequence[Label], *, written: bool
) -> tuple[list[Correction], list[str]]:
    """Corrections of a table for the choices an instance offers, and remarks on those that no word fits.

    ``words``: what the contract allows; ``written``: some field writes by this table, so that a native value
    which is no longer a choice must not be sent.
    """
    labels: dict[str, list[Label]] = {}
    for choice in choices:
        labels.setdefault(choice.value, []).append(choice)
    meaning: dict[str, Word] = {}
    remarks: list[str] = []
    for value, said in labels.items():
        shipped = table.read(value)
        word: Word | None = meant([label.label for label in said], words)
        if word is None and shipped == "unmapped":
            remarks.append(f"{_told(value, said)} has no word: add {_native(value)} to one")
        elif word is None:
            word = shipped
            if bare(value) not in {bare(label.label) for label in said}:
                remarks.append(f"{_told(value, said)} is read as {shipped}, as shipped")
        if word is not None:
            meaning[value] = word
    found = [_corrected(table, word, labels, meaning, written) for word in words]
    return [each for each in found if each is not None], remarks


def _corrected(
    table: CodeTable, word: str, labels: Mapping[str, list[Label]], meaning: Mapping[str, Word], written: bool
) -> Correction | None:
    if table.globs_of(word) or table.ranged(word):
        return None  # a pattern or a range says more than single values can
    shipped = table.asks.get(word, ())
    written_now = table.writes.get(word)
    live = [value for value, means in meaning.items() if means == word]
    live.sort(key=lambda value: value != written_now)
    old = [native for native in shipped if native not in labels]
    taken = [native for native in shipped if native in labels and meaning.get(native) != word]
    new = [value for value in live if value not in shipped]
    gone = written and written_now is not None and not live
    stale = written and written_now in old and bool(live)
    if not (new or taken or gone or stale):
        return None
    whys = [_told(value, labels[value]) for value in new]
    whys += [f"{native} is {meaning[native]} here" for native in taken if native in meaning]
    if gone and old:
        whys.append("no choice here: read, never written")
    natives: Any
    if not live:
        natives = {"read": [_native(each) for each in old] if len(old) > 1 else _native(old[0])} if old else None
    else:
        both = [_native(value) for value in (*live, *old)]
        natives = both if len(both) > 1 else both[0]
    return Correction(word, natives, "; ".join(whys) or f"{written_now} is no choice here")


def _told(value: str, said: Sequence[Label]) -> str:
    names = dict.fromkeys(f'"{" ".join(label.label.split())}"' for label in said)
    return f"{value} {' / '.join(names)}"


def _native(value: str) -> str | int:
    """A native value as a mapping writes it: whole numbers bare."""
    return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value


def own_table(choices: Sequence[Label], language: str = "en") -> dict[str, str | int]:
    """A code table of a list that the contract does not know: words made of its labels."""
    labels: dict[str, str] = {}
    for choice in sorted(choices, key=lambda each: each.language != language):
        labels.setdefault(choice.value, choice.label)
    found: dict[str, str | int] = {}
    for value, label in labels.items():
        word = _BETWEEN.sub("_", bare(label)).strip("_") or f"value_{len(found) + 1}"
        found[word if word not in found else f"{word}_{len(found) + 1}"] = _native(value)
    return found

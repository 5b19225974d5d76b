"""How like an element of a customer's service is to one that the mapping names: by words, values and type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache

from interlock.adapterkit.choicewords import spoken
from interlock.adapterkit.soap.model import Node

LEAST = 0.5
"""What is less alike is not proposed."""

_CAMEL = re.compile(r"(?<=[a-zäöüß])(?=[A-Z][a-zäöüß])")
_FOLD = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_ALIKE = 0.8  # of two words, so that Categorization Tier is near Category and a letter may differ
_STEM = 7
_ENUM = 0.6  # shared values of an enumeration say more than any name
_OTHER_TYPE = 0.5


@cache
def _folded() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Words of names in other tongues, and the words they mean."""
    parts = spoken()["parts"].items()
    return {split(other): split(meant) for meant, others in parts for other in others}


@cache
def split(name: str) -> tuple[str, ...]:
    """``Work_Info_Notes`` and ``WorkInfoNotes`` are ``work info notes``; umlauts are written out."""
    return tuple(re.findall(r"[a-z]+|\d+", _CAMEL.sub(" ", name).casefold().translate(_FOLD)))


@cache
def english(name: str) -> tuple[str, ...]:
    """The words of a name, those known in another tongue replaced by what they mean."""
    words = split(name)
    found: list[str] = []
    at = 0
    while at < len(words):
        for length in (2, 1):
            meant = _folded().get(words[at : at + length])
            if meant is not None:
                found += meant
                at += length
                break
        else:
            found.append(words[at])
            at += 1
    return tuple(found)


def named_alike(label: str, name: str) -> float:
    """0 to 1: how much of the words of two names is the same; the better of the plain and the translated."""
    return max(_shared(split(label), split(name)), _shared(english(label), english(name)))


def _shared(ours: tuple[str, ...], theirs: tuple[str, ...]) -> float:
    if not ours or not theirs:
        return 0.0
    left, same = list(theirs), 0.0
    for word in ours:
        best = max(left, key=lambda each: _word(word, each), default=None)
        if best is not None and _word(word, best) >= _ALIKE:
            same += _word(word, best)
            left.remove(best)
    return 2 * same / (len(ours) + len(theirs))


@cache
def _word(one: str, other: str) -> float:
    if one == other:
        return 1.0
    if one[:_STEM] == other[:_STEM] and min(len(one), len(other)) >= _STEM:
        return 0.9
    return SequenceMatcher(None, one, other).ratio()


def alike(labels: Iterable[str], shipped: Node | None, node: Node) -> float:
    """0 to 1. ``labels``: what the mapping calls the element; ``shipped``: the element of the product's WSDL."""
    score = max((named_alike(label, node.name) for label in labels), default=0.0)
    if shipped is None:
        return score
    if shipped.values and node.values:
        ours, theirs = set(shipped.values), set(node.values)
        shared = len(ours & theirs) / len(ours | theirs)
        return (1 - _ENUM) * score + _ENUM * shared
    return score if (shipped.type == node.type) else score * _OTHER_TYPE


def sure(score: float) -> str:
    """The score in words."""
    return "sure" if score >= 0.85 else "likely" if score >= 0.65 else "perhaps"

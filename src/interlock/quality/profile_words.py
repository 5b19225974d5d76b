"""The types that sections of the quality profile are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from interlock.quality.columns import REQUIRABLE
from interlock.quality.matching import KEYS
from interlock.quality.profile_errors import NotOneOf
from interlock.records.ci import CLASSES, RELATION_TYPES
from interlock.records.ticket import Level, Priority

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

ANY = "any"
"""Stands for every class in a rule of relations."""


class Section(BaseModel):
    """A part of the profile. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def seconds(value: Any) -> Any:
    """An age in seconds, from a number with d, h, m or s too."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,9}) ?([dhms])", value)):
        return int(found[1]) * _UNITS[found[2]]
    return value


def one_of(names: Iterable[str], what: str) -> AfterValidator:
    """The validator of a word that has to be one of some names."""
    allowed = tuple(names)

    def check(value: str) -> str:
        if value not in allowed:
            raise NotOneOf(f"is not {what}", allowed)
        return value

    return AfterValidator(check)


def _junk(value: str) -> str:
    word = value.strip().casefold()
    if not word or "|" in word or ";" in word:
        raise ValueError("must have characters, and neither a bar nor a semicolon")
    return word


def _mark(value: str) -> str:
    if not value.isascii() or value != value.lower() or not value.strip():
        raise ValueError("must be ASCII, in small letters")
    return value


Seconds = Annotated[int, BeforeValidator(seconds), Field(strict=True, ge=0, le=10**10)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Rows = Annotated[int, Field(strict=True, ge=0)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
Class = Annotated[str, one_of(CLASSES, "a class of CI")]
ClassKey = Annotated[str, one_of(("default", *CLASSES), "a class of CI")]
RuleClass = Annotated[str, one_of((ANY, *CLASSES), "a class of CI")]
RelationWord = Annotated[str, one_of(RELATION_TYPES, "a type of relation")]
Attribute = Annotated[str, one_of(REQUIRABLE, "an attribute that can be required")]
Key = Annotated[str, one_of(KEYS, "a key of CIs")]
Word = Annotated[str, Field(strict=True, min_length=1)]
Mark = Annotated[Word, AfterValidator(_mark)]
Ages = dict[ClassKey, Seconds | None]
Required = dict[Class, tuple[Attribute, ...]]
Junk = tuple[Annotated[str, Field(strict=True), AfterValidator(_junk)], ...]
Matrix = dict[Level, dict[Level, Priority]]

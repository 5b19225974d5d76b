"""The quality profile: thresholds, demands and the matrix, as data a deployment can change.

The default is ``profile.yaml`` beside this file; a deployment's file holds only what differs. Mistakes are
Problems that name the place, the value and the nearest valid key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from interlock.quality.profile_ci import CiRules, RelationRules
from interlock.quality.profile_errors import NotOneOf, Place, problem_of, read_yaml
from interlock.quality.profile_words import Class, Matrix, Percent, Rows, Seconds, Section, Word
from interlock.quality.rowlevel import Effect, shipped
from interlock.records.problems import invalid

DEFAULT = Path(__file__).with_name("profile.yaml")
UNCHECKED = "unchecked"
"""The pseudo code of the matrix for a record whose demanded checks could not run."""


def _effects(value: Any) -> Any:
    return {"default": value} if isinstance(value, str) else value


ToolKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Role = Literal["cmdb", "monitoring", "asset", "itsm"]
Effects = Annotated[dict[ToolKey, Effect], BeforeValidator(_effects)]


def _code(value: str) -> str:
    return value if value == UNCHECKED else _known_code(value)


def _known_code(value: str) -> str:
    codes = tuple(shipped().checks)
    if value not in codes:
        raise NotOneOf("is not a check", codes)
    return value


S = TypeVar("S", bound=Section)


class IncidentOverride(Section):
    """What one source declares of its incidents; null lists mean it declares none."""

    priority: Matrix = {}
    categories: tuple[Word, ...] | None = None
    pairs: dict[Word, tuple[Word, ...]] | None = None
    subcategory_required: Annotated[bool, Field(strict=True)] = False


class OwnMatrix(Section):
    """When one deviation from the matrix is a source's own matrix: of how many tickets, and what share."""

    tickets: Annotated[int, Field(strict=True, ge=1)]
    percent: Percent


class IncidentRules(Section):
    priority: Matrix
    matrix: OwnMatrix
    clock_skew_s: Seconds
    needs_ci: tuple[Word, ...] = ()
    classes: dict[Word, tuple[Class, ...]] = {}
    repeat_within: Seconds = 86_400
    sources: dict[str, IncidentOverride] = {}


class SourceOverride(Section):
    """What differs for one source."""

    clock_skew_s: Seconds | None = None
    shrink_percent: Percent | None = None
    shrink_rows: Rows | None = None
    roles: tuple[Role, ...] = ()


class SourceRules(Section):
    clock_skew_s: Seconds
    shrink_percent: Percent
    shrink_rows: Rows
    sources: dict[str, SourceOverride] = {}


class Demands(Section):
    ci: tuple[Annotated[str, AfterValidator(_known_code)], ...] = ()
    incident: tuple[Annotated[str, AfterValidator(_known_code)], ...] = ()
    scan_valid: Seconds = 172_800  # how long what a scan did not find is trusted to be absent


class Profile(Section):
    """All settings of the checks and what their flags do. Immutable; changes make a new one."""

    ci: CiRules
    relation: RelationRules
    incident: IncidentRules
    source: SourceRules
    demands: Demands
    matrix: dict[Annotated[str, AfterValidator(_code)], Effects]

    @classmethod
    def default(cls) -> Profile:
        """The profile that ships with Interlock."""
        return _default()

    @classmethod
    def load(cls, path: Path | str) -> Profile:
        """The default with a deployment's YAML file merged over it. Raises Problem invalid-argument."""
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise invalid("profile", str(file), f"{file} cannot be read: {why}") from None
        changes, place = read_yaml(text, str(file))
        return cls.default().merge(changes, place)

    def merge(self, changes: Mapping[str, Any], place: Place | None = None) -> Profile:
        """This profile with changes: mappings merge, lists and single values replace, null is a value.

        Raises Problem invalid-argument that names the key and the nearest valid one.
        """
        return _checked(Profile, _merged(self.model_dump(mode="json"), changes), place or Place("profile"))

    def with_taxonomy(
        self, source: str, categories: Iterable[str] | None, pairs: Iterable[tuple[str, str]] | None
    ) -> Profile:
        """This profile with the categories and (category, subcategory) pairs that a source declares."""
        grouped: dict[str, list[str]] | None = None
        if pairs is not None:
            grouped = {}
            for category, subcategory in pairs:
                grouped.setdefault(category, []).append(subcategory)
        old = self.incident.sources.get(source) or IncidentOverride()
        declared = {"categories": None if categories is None else list(categories), "pairs": grouped}
        new = _checked(IncidentOverride, {**old.model_dump(mode="json"), **declared}, Place("taxonomy"))
        incident = self.incident.model_copy(update={"sources": {**self.incident.sources, source: new}})
        # made anew, not copied: a copy would keep the cached version
        return Profile.model_construct(**{**dict(self), "incident": incident})

    def verify_tools(self, names: Iterable[str]) -> None:
        """Raise Problem invalid-argument when the matrix names a tool that does not exist."""
        tools = (*names, "default")
        for code, effects in self.matrix.items():
            for tool in effects:
                if tool not in tools:
                    raise Place("profile").problem(("matrix", code, tool), tool, "is not a tool", tools)

    def verify_sources(self, names: Iterable[str]) -> None:
        """Raise Problem invalid-argument when the profile sets something for a source that does not exist."""
        sources = tuple(names)
        for section, rules in (("ci", self.ci), ("incident", self.incident), ("source", self.source)):
            for source in rules.sources:
                if source not in sources:
                    raise Place("profile").problem((section, "sources", source), source, "is not a source", sources)

    @cached_property
    def version(self) -> str:
        """Digest of everything the profile says; verdicts and approvals are bound to it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checked(model: type[S], values: Mapping[str, Any], place: Place) -> S:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise problem_of(error, model, place) from None


@lru_cache(maxsize=1)
def _default() -> Profile:
    values, place = read_yaml(DEFAULT.read_text(encoding="utf-8"), str(DEFAULT))
    return _checked(Profile, values, place)


def _merged(base: Any, changes: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(changes, Mapping):
        return changes
    both = dict(base)
    for name, value in changes.items():
        both[name] = _merged(both[name], value) if name in both else value
    return both

"""Settings as columns: what the profile says for one record, looked up by the record's own values.

The statement never changes with the profile; these values are bound beside the record. Rows are made once
for each combination of source, class and environment, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.quality.categories import Categories
from interlock.quality.columns import attributes
from interlock.quality.profile import IncidentOverride, Profile
from interlock.quality.rowlevel import Check, Statement

MAX_KEPT = 4096  # rows, and field sets a row: far above what real sources show, a bound all the same

Values = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """Which fields each check of a kind needs for one row of settings, and which checks lack a setting."""

    fields: tuple[tuple[str, frozenset[str]], ...]
    lacking: frozenset[str]
    kept: dict[str, frozenset[str]] = field(default_factory=dict)

    def unknown(self, known: str) -> frozenset[str]:
        """Codes that could not run, given the bar list of known fields."""
        found = self.kept.get(known)
        if found is None:
            names = set(known.split("|"))
            found = self.lacking | {code for code, needs in self.fields if not needs <= names}
            if len(self.kept) >= MAX_KEPT:
                self.kept.clear()
            self.kept[known] = found
        return found


def _needs(checks: tuple[Check, ...], settings: Mapping[str, Any]) -> Needs:
    fields, lacking = [], set()
    for check in checks:
        if check.applies is not None and settings[check.applies] is None:
            continue
        if check.needs_setting is not None and settings[check.needs_setting] is None:
            lacking.add(check.code)
        listed = settings[check.needs_listed] if check.needs_listed else ""
        fields.append((check.code, check.needs | {name for name in listed.split("|") if name}))
    return Needs(tuple(fields), frozenset(lacking))


def _bars(words: tuple[str, ...]) -> str:
    return f"|{'|'.join(words)}|" if words else ""


@dataclass(frozen=True, slots=True)
class _Limits:
    values: Values
    junk: frozenset[str]
    needs: Needs


class CiSettings:
    """Settings of CIs: by source, class and environment."""

    def __init__(self, profile: Profile, statement: Statement) -> None:
        self._rules = profile.ci
        self._checks = statement.checks
        self._kept: dict[tuple[str, Any, Any], _Limits] = {}

    def of(self, source: str, record: Mapping[str, Any]) -> tuple[Values, Needs]:
        key = (source, record.get("cls"), record.get("environment"))
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = self._kept[key] = self._make(*key)
        return (*found.values, *attributes(record, found.junk), self._os_fits(record)), found.needs

    def junk(self, source: str, environment: str | None) -> frozenset[str]:
        """The placeholder words, case-folded, that count for a source and an environment."""
        return self._make(source, None, environment).junk

    def _os_fits(self, record: Mapping[str, Any]) -> int | None:
        """Whether the operating system is one of the class; None where the profile names none, or it is empty."""
        marks = self._rules.class_os.get(record.get("native_class") or "")
        if marks is None:
            marks = self._rules.class_os.get(record.get("cls") or "")
        os = record.get("os")
        if not marks or not os or os.isspace():
            return None
        written = os.lower()
        return int(any(mark in written for mark in marks))

    def _make(self, source: str, cls: Any, environment: Any) -> _Limits:
        rules = self._rules
        ages, requires, recommends = dict(rules.max_age), dict(rules.requires), dict(rules.recommends)
        junk, days = rules.junk, rules.discovered_within_days
        for override in rules.overrides(source, environment):
            ages |= override.max_age
            requires |= override.requires
            recommends |= override.recommends
            junk = junk if override.junk is None else override.junk
            days = days if override.discovered_within_days is None else override.discovered_within_days
        settings = {
            "max_age": ages.get(cls, ages.get("default")),
            "requires": _bars(requires.get(cls, ())),
            "recommends": _bars(recommends.get(cls, ())),
            "discovered_within": days * 86_400,
        }
        return _Limits(tuple(settings.values()), frozenset(junk), _needs(self._checks, settings))


@dataclass(frozen=True, slots=True)
class _Declared:
    priority: Mapping[tuple[Any, Any], str]
    categories: Categories | None
    pairs: frozenset[tuple[str, str]] | None
    required: int
    needs: Needs
    kept: dict[Any, tuple[int | None, str, int]] = field(default_factory=dict)


class IncidentSettings:
    """Settings of incidents: by source, and by the incident's own impact, urgency and categories."""

    def __init__(self, profile: Profile, statement: Statement) -> None:
        self._rules = profile.incident
        self._checks = statement.checks
        self._kept: dict[str, _Declared] = {}

    def of(self, source: str, record: Mapping[str, Any]) -> tuple[Values, Needs]:
        declared = self._kept.get(source)
        if declared is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            declared = self._kept[source] = self._make(source)
        category, subcategory, pairs = _word(record, "category"), _word(record, "subcategory"), declared.pairs
        return (
            declared.priority.get((record.get("impact"), record.get("urgency")), ""),
            *self._of_category(declared, category),
            None if pairs is None else int((category, subcategory) in pairs),
            declared.required,
            self._rules.clock_skew_s,
        ), declared.needs

    def cells(self, source: str) -> Mapping[tuple[str, str], str]:
        """The priority matrix of a source: priority by impact and urgency."""
        return self._make(source).priority

    def _of_category(self, declared: _Declared, category: str) -> tuple[int | None, str, int]:
        """Whether it is declared, what it is a variant of, whether it needs a CI. Kept: comparing is slow."""
        found = declared.kept.get(category)
        if found is None:
            canonical, categories = "", declared.categories
            if categories is not None and (match := categories.match(category)):
                canonical = match.canonical
            found = (
                None if categories is None else int(category in categories.declared),
                canonical,
                int((canonical or category) in self._rules.needs_ci),
            )
            if len(declared.kept) >= MAX_KEPT:
                declared.kept.clear()
            declared.kept[category] = found
        return found

    def _make(self, source: str) -> _Declared:
        rules, override = self._rules, self._rules.sources.get(source, IncidentOverride())
        cells = {
            (impact, urgency): priority
            for matrix in (rules.priority, override.priority)  # the source's own cells win
            for impact, row in matrix.items()
            for urgency, priority in row.items()
        }
        pairs = override.pairs
        settings = {
            "category_declared": None if override.categories is None else True,
            "pair_declared": None if pairs is None else True,
            "needs_ci": True if rules.needs_ci else None,
        }
        return _Declared(
            priority=cells,
            categories=None if override.categories is None else Categories(override.categories),
            pairs=None if pairs is None else frozenset((c, s) for c, subs in pairs.items() for s in subs),
            required=int(override.subcategory_required),
            needs=_needs(self._checks, settings),
        )


def _word(record: Mapping[str, Any], name: str) -> str:
    return (record.get(name) or "").strip()


SETTINGS: dict[str, type[CiSettings | IncidentSettings]] = {
    "ci": CiSettings,
    "incident": IncidentSettings,
}

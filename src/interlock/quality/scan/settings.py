"""Settings as tables: what the profile says, joined to the records instead of bound beside each one.

Nothing is decided here a second time. The settings of row checks are asked of the same classes that the live
judge asks, once for every combination of values that they depend on. An empty text in a key column stands for
a record without that value, as in the prepared columns. A pure function of the profile, the names of the
sources and (for incidents, whose words are the sources' own) the combinations that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from interlock.quality.columns import RELATIONS, Column
from interlock.quality.matching import keys_of
from interlock.quality.profile import IncidentOverride, Profile, SourceOverride
from interlock.quality.profile_words import ANY
from interlock.quality.rowlevel import shipped
from interlock.quality.settings import CiSettings, IncidentSettings
from interlock.quality.tables import CI_AMONG_OTHERS, SETTINGS
from interlock.records.ci import CLASSES, ENVIRONMENTS

Row = tuple[str | int | bool | None, ...]

COMBINED = {"ci": ("cls", "environment"), "incident": ("impact", "urgency", "category", "subcategory")}
"""Fields, beside the source, that the settings of a kind depend on."""

OF_VALUES = frozenset({"empty", "placeholders", "placeholder_facts", "os_fits"})
"""Settings of CIs that are made of their attributes; the row relation computes them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A small table of settings."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def looked_up(kind: str) -> tuple[Column, ...]:
    """The settings of a kind's row checks that are looked up by ``COMBINED``."""
    return tuple(column for column in RELATIONS[kind].settings if column.name not in OF_VALUES)


def tables(profile: Profile, sources: Sequence[str], words: Iterable[Row] = ()) -> dict[str, Table]:
    """Every settings table by name. ``words``: (source, impact, urgency, category, subcategory) of incidents."""
    junk = _JunkSets(profile)
    made = {
        "ci_setting": _ci_setting(profile, sources, junk),
        "incident_words": _incident_words(profile, words),
        "incident_setting": _incident_setting(profile, sources),
        "priority_cell": _priority_cell(profile, sources),
        "declared_category": _table("source category", _categories(profile)),
        "declared_pair": _table("source category subcategory", _pairs(profile)),
        "needs_ci": _table("category", ((category,) for category in profile.incident.needs_ci)),
        "ticket_class": _table("category cls", _classes(profile)),
        "class_os": _table("cls word", ((c, word) for c, words in profile.ci.class_os.items() for word in words)),
        "shared_address": _table("source ip", ((s, ip) for s in sources for ip in set(profile.ci.addresses(s)))),
        "dependency_type": _table("type", ((word,) for word in profile.relation.dependencies)),
        "relation_rule": _table("subject_cls type object_cls", _relation_rules(profile)),
        "source_role": _table("source role", _roles(profile)),
        "source_setting": Table(SETTINGS["source_setting"], tuple(_source_settings(profile, sources))),
        "junk": _table("source value", ((source, word) for source in sources for word in junk.of(source))),
        "junk_key": _table("source key", ((source, key) for source in sources for key in _junk_keys(junk.of(source)))),
    }
    made["junk_set"] = Table((Column("junk_set", "int64"), Column("value", "string")), tuple(junk.rows()))
    return made


class _JunkSets:
    """The different lists of placeholder words, numbered: nearly always there is one."""

    def __init__(self, profile: Profile) -> None:
        self.settings = CiSettings(profile, shipped().kinds["ci"])
        self._numbers: dict[frozenset[str], int] = {}

    def of(self, source: str) -> list[str]:
        """The words of a source, whatever the environment."""
        return sorted(self.settings.junk(source, None))

    def number(self, words: frozenset[str]) -> int:
        return self._numbers.setdefault(words, len(self._numbers))

    def rows(self) -> Iterable[Row]:
        for words, number in self._numbers.items():
            yield from ((number, word) for word in sorted(words))


def _ci_setting(profile: Profile, sources: Sequence[str], junk: _JunkSets) -> Table:
    lookups = looked_up("ci")
    rows: list[Row] = []
    for source, cls, environment in product(sources, ("", *CLASSES), ("", *ENVIRONMENTS)):
        values, _ = junk.settings.of(source, {"cls": cls or None, "environment": environment or None})
        by_name = dict(zip((column.name for column in RELATIONS["ci"].settings), values, strict=True))
        number = junk.number(junk.settings.junk(source, environment or None))
        among = profile.ci.among_others(source, cls or None, environment or None)
        own = [_typed(by_name[column.name], column) for column in lookups]
        rows.append((source, cls, environment, *own, *(among[c.name] for c in CI_AMONG_OTHERS), number))
    columns = (*_texts("source", *COMBINED["ci"]), *lookups, *CI_AMONG_OTHERS, Column("junk_set", "int64"))
    return Table(columns, tuple(rows))


def _incident_words(profile: Profile, words: Iterable[Row]) -> Table:
    settings = IncidentSettings(profile, shipped().kinds["incident"])
    lookups = looked_up("incident")
    rows: list[Row] = []
    for source, *combination in words:
        record = dict(zip(COMBINED["incident"], (word or None for word in combination), strict=True))
        values, _ = settings.of(str(source), record)
        rows.append((source, *combination, *(_typed(v, c) for v, c in zip(values, lookups, strict=True))))
    return Table((*_texts("source", *COMBINED["incident"]), *lookups), tuple(rows))


def _incident_setting(profile: Profile, sources: Sequence[str]) -> Table:
    skew, rows = profile.incident.clock_skew_s, []
    for source in sources:
        own = profile.incident.sources.get(source, IncidentOverride())
        rows.append((source, own.subcategory_required, skew, own.categories is not None, own.pairs is not None))
    declared = (Column("category_declared", "boolean"), Column("pair_declared", "boolean"))
    columns = (Column("subcategory_required", "boolean"), Column("clock_skew", "int64"), *declared)
    return Table((*_texts("source"), *columns), tuple(rows))


def _priority_cell(profile: Profile, sources: Sequence[str]) -> Table:
    settings = IncidentSettings(profile, shipped().kinds["incident"])
    cells = ((source, *cell, want) for source in sources for cell, want in settings.cells(source).items())
    return _table("source impact urgency want_priority", cells)


def _categories(profile: Profile) -> Iterable[Row]:
    for source, rules in profile.incident.sources.items():
        yield from ((source, category.strip()) for category in rules.categories or ())


def _pairs(profile: Profile) -> Iterable[Row]:
    for source, rules in profile.incident.sources.items():
        for category, subcategories in (rules.pairs or {}).items():
            yield from ((source, category.strip(), subcategory.strip()) for subcategory in subcategories)


def _classes(profile: Profile) -> Iterable[Row]:
    for category, classes in profile.incident.classes.items():
        yield from ((category, cls) for cls in classes)


def _relation_rules(profile: Profile) -> Iterable[Row]:
    """Each allowed sentence, with every class in the place of ``any``."""
    found: set[tuple[str, str, str]] = set()
    for word, subjects in profile.relation.rules.items():
        for subject, objects in subjects.items():
            found.update((s, word, o) for s in _classes_of((subject,)) for o in _classes_of(objects))
    yield from sorted(found)


def _classes_of(words: Sequence[str]) -> Sequence[str]:
    return CLASSES if ANY in words else words


def _roles(profile: Profile) -> Iterable[Row]:
    for source, override in profile.source.sources.items():
        yield from ((source, role) for role in override.roles)


def _source_settings(profile: Profile, sources: Sequence[str]) -> Iterable[Row]:
    rules, matrix = profile.source, profile.incident.matrix
    for source in sources:
        own = rules.sources.get(source, SourceOverride())
        limits = (
            (getattr(own, name), getattr(rules, name)) for name in ("clock_skew_s", "shrink_percent", "shrink_rows")
        )
        yield (
            source,
            *(general if other is None else other for other, general in limits),
            matrix.tickets,
            matrix.percent,
        )


def _junk_keys(words: Iterable[str]) -> list[str]:
    """What a placeholder comes to as a key of any field, and the word itself."""
    found = set(words)
    for word in tuple(found):
        found.update(keys_of(dict.fromkeys(("serial", "cloud_id", "asset_tag", "mac", "fqdn"), word), ()).values())
    return sorted(found)


def _typed(value: str | int | None, column: Column) -> str | int | bool | None:
    return bool(value) if column.type == "boolean" and value is not None else value


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "string") for name in names)


def _table(names: str, rows: Iterable[Row]) -> Table:
    return Table(_texts(*names.split()), tuple(dict.fromkeys(rows)))

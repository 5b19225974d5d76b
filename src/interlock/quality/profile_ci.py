"""What the quality profile says of configuration items and of the relations between them."""

from __future__ import annotations

from interlock.quality.profile_words import (
    Ages,
    Class,
    ClassKey,
    Days,
    Junk,
    Key,
    Mark,
    RelationWord,
    Required,
    RuleClass,
    Section,
    Word,
)
from interlock.records.ci import Environment

Classes = tuple[Class, ...]


class CiOverride(Section):
    """What differs for one environment or one source: mappings merge, lists replace."""

    max_age: Ages = {}
    requires: Required = {}
    recommends: Required = {}
    identified_by: dict[ClassKey, tuple[Key, ...]] = {}
    needs_relation: Classes | None = None
    monitored: Classes | None = None
    needs_asset: Classes | None = None
    owns_address: Classes | None = None
    shared_addresses: tuple[Word, ...] | None = None
    junk: Junk | None = None
    discovered_within_days: Days | None = None


class CiRules(Section):
    max_age: Ages
    requires: Required
    recommends: Required
    identified_by: dict[ClassKey, tuple[Key, ...]]
    needs_relation: Classes
    monitored: Classes
    needs_asset: Classes
    owns_address: Classes
    shared_addresses: tuple[Word, ...]
    class_os: dict[Word, tuple[Mark, ...]]
    junk: Junk
    discovered_within_days: Days
    environments: dict[Environment, CiOverride] = {}
    sources: dict[str, CiOverride] = {}

    def overrides(self, source: str, environment: str | None) -> tuple[CiOverride, CiOverride]:
        """What differs for an environment, then for a source: the source wins."""
        environments: dict[str, CiOverride] = dict(self.environments)  # type: ignore[arg-type]
        return environments.get(environment or "", CiOverride()), self.sources.get(source, CiOverride())

    def among_others(self, source: str, cls: str | None, environment: str | None) -> dict[str, str | bool]:
        """The settings of set checks for a CI, by column of ``tables.CI_AMONG_OTHERS``."""
        overrides = self.overrides(source, environment)
        found: dict[str, str | bool] = {}
        for name in ("needs_relation", "monitored", "needs_asset", "owns_address"):
            told = [getattr(self, name), *(getattr(override, name) for override in overrides)]
            found[name] = cls in [classes for classes in told if classes is not None][-1]
        keys = dict(self.identified_by)
        for override in overrides:
            keys |= override.identified_by
        found["identified_by"] = "".join(f"|{key}" for key in keys.get(cls or "", keys.get("default", ()))) + "|"
        return found

    def addresses(self, source: str) -> tuple[str, ...]:
        """Addresses that several CIs of a source may have."""
        own = self.sources.get(source, CiOverride()).shared_addresses
        return self.shared_addresses if own is None else own


class RelationRules(Section):
    """``dependencies``: types along which one thing needs another. ``rules``: by type and class of the subject,
    the classes the object may have; a type that is not there has no rules."""

    dependencies: tuple[RelationWord, ...]
    rules: dict[RelationWord, dict[RuleClass, tuple[RuleClass, ...]]]

"""Which CI an item of a payload is: identification rules, and how they are tried.

The Hardware Rule is the shipped one (CMDB Meta API's sample). The rules of other classes are practitioner
knowledge: they are data (``data/identifiers.csv``, ``data/hosting.csv``) and may be replaced per instance.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mock_servers.servicenow.clauses import Reading
from mock_servers.servicenow.matching import matcher
from mock_servers.servicenow.schema import DATA
from mock_servers.servicenow.store import Row, Store, derived_id

LOOKUPS = {"cmdb_serial_number": "cmdb_ci", "cmdb_ci_network_adapter": "cmdb_ci"}
"""Tables of records that belong to a CI, with the column that names it."""

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to recognise a CI. ``referenced``: the column of a lookup table that names the CI."""

    order: int
    attributes: tuple[str, ...]
    table: str
    referenced: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How CIs of a class are recognised; a child class without a rule of its own inherits it."""

    name: str
    applies_to: str
    independent: bool
    entries: tuple[Entry, ...]

    def id_of(self, entry: Entry) -> str:
        return derived_id("cmdb_identifier_entry", self.name, str(entry.order))


@dataclass(frozen=True, slots=True)
class Hosting:
    """A dependent class and the relation by which its host is known; the dependent CI is the parent end."""

    dependent: str
    type: str
    host: str


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The identification rules of a new instance."""
    found: dict[str, Rule] = {}
    with (DATA / "identifiers.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            entry = Entry(
                int(row["order"]),
                tuple(row["attributes"].split(",")),
                row["table"],
                row["referenced_field"],
                row["condition"],
            )
            known = found.get(row["rule"])
            entries = (*known.entries, entry) if known else (entry,)
            found[row["rule"]] = Rule(row["rule"], row["applies_to"], row["independent"] == "true", entries)
    return tuple(found.values())


@cache
def shipped_hosting() -> tuple[Hosting, ...]:
    """What runs on what, for dependent classes."""
    with (DATA / "hosting.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(Hosting(row["class"], row["type"], row["host"]) for row in csv.DictReader(lines))


@dataclass(slots=True)
class Match:
    """What identification found: the candidates, oldest first, and each attempt as it is told."""

    found: list[str] = field(default_factory=list)
    entry: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    tried: bool = False


class Identification:
    """Identifies items against the rows of one instance."""

    def __init__(
        self, store: Store, rules: Iterable[Rule] | None = None, hosting: Iterable[Hosting] | None = None
    ) -> None:
        self._store = store
        self.rules = tuple(shipped_rules() if rules is None else rules)
        self.hosting = tuple(shipped_hosting() if hosting is None else hosting)

    def rule_of(self, table: str) -> Rule | None:
        """The rule of a class: its own, else the nearest parent's."""
        for name in self._store.schema.chain(table):
            for rule in self.rules:
                if rule.applies_to == name:
                    return rule
        return None

    def hosts_of(self, table: str) -> tuple[Hosting, ...]:
        """By which relations a dependent class is hosted."""
        chain = self._store.schema.chain(table)
        return tuple(each for each in self.hosting if each.dependent in chain)

    def by_source_key(self, name: str, key: str) -> str | None:
        """The CI that a source is known to call by this key (sys_object_source)."""
        for row in self._store.where("sys_object_source", "id", key):
            target = row.get("target_sys_id", "")
            if row.get("name") == name and row.get("id") == key and self._store.get("cmdb_ci", target) is not None:
                return target
        return None

    def identify(
        self,
        table: str,
        values: Values,
        lookups: Iterable[tuple[str, Values]],
        reading: Reading,
        host: str | None = None,
    ) -> Match:
        """Try the entries of the class's rule by order. ``host``: a dependent CI is looked for there only."""
        rule = self.rule_of(table)
        assert rule is not None
        match = Match()
        given = {**values, "sys_class_name": table}
        for entry in sorted(rule.entries, key=lambda each: each.order):
            sets: list[Values] = [given] if not entry.referenced else [v for t, v in lookups if t == entry.table]
            sets = [each for each in sets if all(each.get(name) for name in entry.attributes)]
            if not sets:
                match.attempts.append(_attempt(rule, entry, "SKIPPED"))
                continue
            match.tried = True
            found = self._matching(entry, sets, reading, table)
            if host is not None:
                found = [each for each in found if self._runs_on(each, host)]
            result = "MATCHED" if len(found) == 1 else "MULTI_MATCH" if found else "NO_MATCH"
            match.attempts.append(_attempt(rule, entry, result))
            if found:
                match.found, match.entry = found, rule.id_of(entry)
                break
        return match

    def _matching(self, entry: Entry, sets: Iterable[Values], reading: Reading, table: str) -> list[str]:
        condition = matcher(entry.condition, entry.table, reading) if entry.condition else None
        found: dict[str, Row] = {}
        for values in sets:
            first, *others = entry.attributes
            for row in self._store.where(entry.table, first, values[first]):
                if any(row.get(name, "").lower() != values[name].lower() for name in others):
                    continue
                if condition is not None and not condition(row):
                    continue
                ci = self._store.get("cmdb_ci", row.get(entry.referenced, "")) if entry.referenced else row
                if ci is not None:
                    found[ci["sys_id"]] = ci
        return sorted(found, key=lambda sys_id: (found[sys_id].get("sys_created_on", ""), sys_id))

    def _runs_on(self, sys_id: str, host: str) -> bool:
        return any(row.get("child") == host for row in self._store.where("cmdb_rel_ci", "parent", sys_id))


def _attempt(rule: Rule, entry: Entry, result: str) -> dict[str, Any]:
    return {
        "identifierName": rule.name,
        "attemptResult": result,
        "attributes": list(entry.attributes),
        "searchOnTable": entry.table,
        "hybridEntryCiAttributes": [],
    }

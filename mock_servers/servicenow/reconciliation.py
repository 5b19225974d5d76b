"""Who may write which attribute of a CI: static reconciliation rules.

A rule authorises one data source for attributes of a class (none named: all of them), with a priority; the
lower number wins. A rule of a child class overrides its parent's, one that names the attribute beats one for
the whole class. What is not authorised is skipped without a word, as the product documents it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Row, Store


class Reconciliation:
    """The rules of one instance: rows of ``cmdb_reconciliation_definition``."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def allowed(self, table: str, values: Mapping[str, str], source: str, before: Row) -> dict[str, str]:
        """What of the values this source may write over a CI as it is."""
        reported = {
            row.get("name", "") for row in self._store.where("sys_object_source", "target_sys_id", before["sys_id"])
        }
        return {
            name: value
            for name, value in values.items()
            if self._may(self._rules(table, name), source, reported, bool(before.get(name)))
        }

    def _rules(self, table: str, attribute: str) -> dict[str, int]:
        """Priority by data source of the rules that count for an attribute; none: everybody may write."""
        for name in self._store.schema.chain(table):
            rows = list(self._store.where("cmdb_reconciliation_definition", "applies_to", name))
            rows = [r for r in rows if r.get("active", "true") == "true"]
            specific = [r for r in rows if attribute in _listed(r)]
            chosen = specific or [r for r in rows if not _listed(r)]
            if chosen:
                return {r.get("discovery_source", ""): int(r.get("priority") or 100) for r in chosen}
        return {}

    def _may(self, rules: Mapping[str, int], source: str, reported: set[str], filled: bool) -> bool:
        if not rules:
            return True
        if source not in rules:
            return False
        if not filled and self._switches.reconcile_empty:
            return True
        return all(rules[source] <= rules[other] for other in reported if other in rules)


def _listed(row: Row) -> set[str]:
    return {name.strip() for name in row.get("attributes", "").split(",") if name.strip()}

"""Identification and reconciliation: a payload of CIs and relations in, one result an item out.

Follows the product's documentation (c_IdentifyReconcileAPI, CI identification, id-engine-error-messages):
HTTP says 200 although items fail. What only practitioners tell is a switch (``ire_...``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mock_servers.servicenow.accounts import Caller
from mock_servers.servicenow.answers import SnowError
from mock_servers.servicenow.clauses import Reading
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.identification import LOOKUPS, Identification, Match
from mock_servers.servicenow.ire_payload import UNKNOWN, Item, ItemError, Options, end_of, summary_of
from mock_servers.servicenow.reconciliation import Reconciliation
from mock_servers.servicenow.rules import Writer
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Row, Store

_PARTIAL = {
    "MISSING_MATCHING_ATTRIBUTES",
    "REQUIRED_ATTRIBUTE_EMPTY",
    "MISSING_DEPENDENCY",
    "INSERT_NOT_ALLOWED_FOR_SOURCE",
}
_CLASS_CHANGES = {"UPGRADE": "updateWithoutUpgrade", "DOWNGRADE": "updateWithoutDowngrade"}


class Engine:
    """The engine over one instance's rows. ``process`` is one transaction, or a rehearsal of one."""

    def __init__(self, store: Store, switches: Switches, clock: InstanceClock, writer: Writer) -> None:
        self._store = store
        self._switches = switches
        self._clock = clock
        self._writer = writer
        self.identification = Identification(store)
        self._reconciliation = Reconciliation(store, switches)

    def process(
        self,
        payload: Mapping[str, Any],
        source: str,
        caller: Caller,
        reading: Reading,
        options: Options,
        *,
        commit: bool,
    ) -> dict[str, Any]:
        """Identify every item, and write them where ``commit``; the ``result`` of the answer."""
        items = [Item.read(place, given) for place, given in enumerate(payload.get("items") or [])]
        relations = list(payload.get("relations") or [])
        self._duplicates(items, options)
        self._dependencies(items, relations)
        for item in sorted(items, key=lambda each: each.host is not None):  # a host before what runs on it
            with item.failing():
                self._identify(item, source, reading)
                self._plan(item, source)
        told = [self._relation(place, relations, items) for place in range(len(relations))]
        failed = any(item.errors for item in items) or any(r["errorCount"] for r in told)
        if commit and (options.partial_commits or not failed):
            self._references(payload, items)
            for item in items:
                with item.failing():
                    self._write(item, source, caller)
            for row in told:
                self._relate(row, caller)
        if options.partial_payloads or not source:
            for item in items:
                if item.errors:
                    self._keep(item, source, payload, options, commit=commit)
        result: dict[str, Any] = {
            "items": [item.shown() for item in items if not item.merged_into],
            "relations": [{k: v for k, v in row.items() if k[:1] != "_"} for row in told],
            "additionalCommittedItems": [],
            "additionalCommittedRelations": [],
        }
        if options.generate_summary:
            result["summary"] = summary_of(items)
        return result

    # -- reading the payload ------------------------------------------------------------------------

    def _duplicates(self, items: Sequence[Item], options: Options) -> None:
        seen: dict[str, Item] = {}
        for item in items:
            key = json.dumps([item.table, item.values, item.source_info], sort_keys=True)
            first = seen.setdefault(key, item)
            if first is item or not item.values:
                continue
            if options.deduplicate_payloads:
                first.indices.append(item.place)
                item.merged_into = first
            else:
                message = f"Found duplicate items in the payload (index {first.place} and {item.place})"
                for each in (first, item):
                    each.errors = [ItemError("DUPLICATE_PAYLOAD_RECORDS", message)]

    def _dependencies(self, items: Sequence[Item], relations: Sequence[Mapping[str, Any]]) -> None:
        """Give every dependent item its host, as the relations of the payload say."""
        for item in items:
            rule = self.identification.rule_of(item.table) if item.table in self._store.schema.tables else None
            if rule is None or rule.independent or item.merged_into:
                continue
            hosts = self.identification.hosts_of(item.table)
            found = []
            for given in relations:
                ends = (end_of(given, "parent", items), end_of(given, "child", items))
                if ends[0] is item and ends[1] is not None and given.get("type") in {h.type for h in hosts}:
                    chain = self._store.schema.chain(ends[1].table)
                    if any(h.host in chain for h in hosts):
                        found.append(ends[1])
            if len(found) == 1:
                item.host = found[0]
            elif found:
                message = f"Class [{item.table}] depends on more than one item of the payload"
                item.errors.append(ItemError("MULTIPLE_DEPENDENCIES", message))

    # -- identifying --------------------------------------------------------------------------------

    def _identify(self, item: Item, source: str, reading: Reading) -> None:
        schema = self._store.schema
        if item.errors or item.merged_into:
            return
        if not source:
            raise ItemError("INVALID_INPUT_DATA", "The data source is empty")
        known = {row.get("value", "") for row in self._store.choices("cmdb_ci", "discovery_source")}
        named = str(item.source_info.get("source_name") or source)
        for each in (source, named):
            if each not in known:
                text = f"Invalid data source [{each}]: it is no choice of discovery_source on [cmdb_ci]"
                raise ItemError("INVALID_INPUT_DATA", text)
        if item.table not in schema.tables or "cmdb" not in schema.chain(item.table):
            raise ItemError("INVALID_INPUT_DATA", f"Class [{item.table}] does not exist in the CMDB")
        if code := self._switches.ire_errors.get(item.table):
            raise ItemError(code, f"Processing of class [{item.table}] failed with {code}")
        if (wanted := item.values.pop("sys_id", "")) and self._switches.ire_sys_id:
            if self._store.get("cmdb_ci", wanted) is None:
                raise ItemError("INVALID_INPUT_DATA", f"No record in [{item.table}] has the sys_id [{wanted}]")
            item.sys_id, item.match = wanted, Match([wanted])
            return
        key = str(item.source_info.get("source_native_key") or "")
        if key and not self._switches.ire_skip_source_matching:
            target = self.identification.by_source_key(named, key)
            if target is not None:
                item.sys_id, item.match = target, Match([target])
                return
        rule = self.identification.rule_of(item.table)
        if rule is None:
            raise ItemError("IDENTIFICATION_RULE_MISSING", f"No identification rule for class [{item.table}]")
        self._check_parts(item, rule.independent, {entry.table for entry in rule.entries if entry.referenced})
        host = None
        if not rule.independent:
            if item.host is None:
                text = f"Class [{item.table}] depends on a host, and no relation of the payload names one"
                raise ItemError("MISSING_DEPENDENCY", text)
            host = item.host.sys_id
        item.match = self.identification.identify(item.table, item.values, item.lookups, reading, host)
        if not item.match.tried:
            wanted = "; ".join(",".join(entry.attributes) for entry in rule.entries)
            text = f"In payload, class [{item.table}] has none of the matching attributes [{wanted}]"
            raise ItemError("MISSING_MATCHING_ATTRIBUTES", text)
        found = item.match.found
        if len(found) > 1 and not (self._switches.skip_duplicates and len(found) < self._switches.duplicates_threshold):
            text = f"Found {len(found)} duplicate records in table [{item.table}]: {', '.join(found[:5])}"
            raise ItemError("MULTIPLE_DUPLICATE_RECORDS", text)
        item.sys_id = found[0] if found else UNKNOWN

    def _check_parts(self, item: Item, independent: bool, tables: set[str]) -> None:
        for table, _ in item.lookups:
            if not independent:
                raise ItemError("NO_LOOKUP_RULES_FOR_DEPENDENT_CI", f"Class [{item.table}] is dependent: no lookups")
            if table not in tables:
                raise ItemError("IDENTIFICATION_RULE_FOR_LOOKUP_MISSING", f"[{item.table}] has no lookup in [{table}]")
        for table, _ in item.related:
            if table not in LOOKUPS:
                text = f"[{item.table}] has no related entry [{table}]"
                raise ItemError("IDENTIFICATION_RULE_FOR_RELATED_ITEM_MISSING", text)
        for name, parts in (("LOOKUP", item.lookups), ("RELATED", item.related)):
            if len({json.dumps(part, sort_keys=True) for part in parts}) < len(parts):
                raise ItemError(f"DUPLICATE_{name}_PAYLOAD", f"The same {name.lower()} record stands twice")

    # -- planning -----------------------------------------------------------------------------------

    def _plan(self, item: Item, source: str) -> None:
        """What would be done: the operation, and what forbids it."""
        if item.errors or item.merged_into:
            return
        if item.host is not None and item.host.errors:
            raise ItemError("ABANDONED", f"Item {item.host.place}, which this one depends on, failed")
        if item.sys_id == UNKNOWN:
            for name in self._store.schema.chain(item.table):
                if source in self._switches.ire_no_insert.get(name, ()):
                    text = f"Data source [{source}] may not insert into class [{item.table}]"
                    raise ItemError("INSERT_NOT_ALLOWED_FOR_SOURCE", text)
            columns = self._store.schema.columns(item.table).values()
            empty = [c.element for c in columns if c.mandatory and not item.values.get(c.element) and not c.default]
            if empty:
                text = f"In payload, required attributes of class [{item.table}] are empty: [{', '.join(empty)}]"
                raise ItemError("REQUIRED_ATTRIBUTE_EMPTY", text)
            item.operation = "INSERT"
            return
        before = self._row(item)
        change = self._class_change(item, before)
        changed = self._changed(item, before, source)
        item.operation = f"UPDATE_WITH_{change}" if change else "UPDATE" if changed else "NO_CHANGE"

    def _row(self, item: Item) -> Row:
        found = self._store.get("cmdb_ci", item.sys_id)
        assert found is not None
        return found

    def _class_change(self, item: Item, before: Row) -> str:
        held = before.get("sys_class_name", "cmdb_ci")
        if held == item.table:
            return ""
        schema = self._store.schema
        down, up = item.table in schema.chain(held), held in schema.chain(item.table)
        change = "DOWNGRADE" if down else "UPGRADE" if up else "SWITCH"
        if item.settings.get(_CLASS_CHANGES.get(change, "updateWithoutSwitch")):
            item.info.append(
                {
                    "code": f"SKIPPED_CLASS_{change}",
                    "message": f"The class stays [{held}]; [{item.table}] was skipped",
                }
            )
            return ""
        if self._switches.ire_reclassification == "refuse" and not item.settings.get(
            "skipReclassificationRestrictionRules"
        ):
            text = f"Reclassification from [{held}] to [{item.table}] is not allowed"
            raise ItemError("RECLASSIFICATION_NOT_ALLOWED", text)
        return change

    def _changed(self, item: Item, before: Row, source: str) -> dict[str, str]:
        """The attributes that would be written and differ; what may not be written is left out silently."""
        table = before.get("sys_class_name", item.table)
        columns = self._store.schema.columns(item.table if item.table in self._store.schema.tables else table)
        values = {name: value for name, value in item.values.items() if name in columns and name not in _SEEN}
        if self._switches.ire_empty == "ignore":
            values = {name: value for name, value in values.items() if value}
        allowed = self._reconciliation.allowed(table, values, source, before)
        return {name: value for name, value in allowed.items() if before.get(name, "") != value}

    # -- writing ------------------------------------------------------------------------------------

    def _references(self, payload: Mapping[str, Any], items: Sequence[Item]) -> None:
        by_id = {item.internal_id: item for item in items if item.internal_id}
        for given in payload.get("referenceItems") or []:
            target, holder = by_id.get(str(given.get("referenced"))), by_id.get(str(given.get("referencedBy")))
            if target is not None and holder is not None and target.sys_id != UNKNOWN:
                holder.values[str(given.get("referenceField"))] = target.sys_id

    def _write(self, item: Item, source: str, caller: Caller) -> None:
        if item.errors or item.merged_into:
            return
        now = self._clock.text()
        if item.operation == "INSERT":
            seen = {"first_discovered": item.values.get("first_discovered") or now}
            values = {**item.values, **seen, "last_discovered": item.values.get("last_discovered") or now}
            values |= {"sys_class_name": item.table, "discovery_source": source}
            try:
                row = self._writer.insert(item.table, values, caller, display=False)
            except SnowError as error:
                raise ItemError("INSERT_FAILED", error.detail or error.message) from None
            item.sys_id = row["sys_id"]
        else:
            self._update(item, source, caller, now)
        self._remember(item, source, now)
        for table, values in (*item.lookups, *item.related):
            item.related_ids.append(self._put_related(table, values, item.sys_id, caller))
        if len(item.match.found) > 1:
            self._report_duplicates(item, caller)

    def _update(self, item: Item, source: str, caller: Caller, now: str) -> None:
        before = self._row(item)
        values = self._changed(item, before, source)
        held = before.get("sys_class_name", "cmdb_ci")
        if item.operation.startswith("UPDATE_WITH_"):
            self._store.remove("cmdb_ci", item.sys_id)
            self._store.put(item.table, {**before, "sys_class_name": item.table})
            held = item.table
        if before.get("duplicate_of") and values:
            values["duplicate_of"] = ""
        # Always moved, also when nothing else changes; a given time counts only when it is newer.
        given = item.values.get("last_discovered", "")
        seen = now if not given else max(given, before.get("last_discovered", ""))
        values |= {"discovery_source": source, "last_discovered": seen}
        self._writer.update(held, item.sys_id, values, caller, display=False)

    def _remember(self, item: Item, source: str, now: str) -> None:
        """The row of sys_object_source that says by which key the source knows this CI."""
        key = str(item.source_info.get("source_native_key") or "")
        if not key:
            return
        name = str(item.source_info.get("source_name") or source)
        rows = self._store.where("sys_object_source", "id", key)
        known = next((row for row in rows if row.get("name") == name and row.get("id") == key), None)
        row = dict(known or {"sys_id": self._writer.new_id(), "sys_created_on": now, "name": name, "id": key})
        row |= {
            "target_sys_id": item.sys_id,
            "target_table": item.table,
            "last_scan": str(item.source_info.get("source_recency_timestamp") or now),
            "source_feed": str(item.source_info.get("source_feed") or ""),
            "sys_updated_on": now,
        }
        self._store.put("sys_object_source", row)

    def _put_related(self, table: str, values: Mapping[str, str], ci: str, caller: Caller) -> str | None:
        column = LOOKUPS.get(table)
        if column is None:
            return None
        keys = {name: value for name, value in values.items() if name in ("serial_number", "name", "mac_address")}
        for row in self._store.where(table, column, ci):
            if all(row.get(name, "") == value for name, value in keys.items()):
                self._writer.update(table, row["sys_id"], values, caller, display=False)
                return row["sys_id"]
        return self._writer.insert(table, {**values, column: ci}, caller, display=False)["sys_id"]

    def _report_duplicates(self, item: Item, caller: Caller) -> None:
        """The oldest was updated; the others point to it, and a task asks people to clear it up."""
        shown = f"{len(item.match.found)} duplicates of {item.values.get('name') or item.sys_id}"
        task = self._writer.insert("reconcile_duplicate_task", {"short_description": shown}, caller, display=False)
        for sys_id in item.match.found:
            row = {"duplicate_ci": sys_id, "follow_on_task": task["sys_id"]}
            self._writer.insert("duplicate_audit_result", row, caller, display=False)
            if sys_id != item.sys_id:
                self._writer.update("cmdb_ci", sys_id, {"duplicate_of": item.sys_id}, caller, display=False)

    def _keep(self, item: Item, source: str, payload: Mapping[str, Any], options: Options, *, commit: bool) -> None:
        partial = bool(source) and options.partial_payloads and item.errors[0].code in _PARTIAL
        item.operation = "INSERT_AS_PARTIAL" if partial else "INSERT_AS_INCOMPLETE"
        if commit:
            table = "cmdb_ire_partial_payloads" if partial else "cmdb_ire_incomplete_payloads"
            text = json.dumps(payload, sort_keys=True)
            row = {"sys_id": self._writer.new_id(), "discovery_source": source, "input_payload": text}
            self._store.put(table, {**row, "error": item.errors[0].code, "sys_created_on": self._clock.text()})

    # -- relations ----------------------------------------------------------------------------------

    def _relation(self, place: int, relations: Sequence[Mapping[str, Any]], items: Sequence[Item]) -> dict[str, Any]:
        given = relations[place]
        row: dict[str, Any] = {
            "className": "cmdb_rel_ci",
            "operation": "INSERT",
            "inputIndices": [place],
            "mergedPayloadIds": [],
            "markers": [],
            "errorCount": 0,
        }
        parent, child = end_of(given, "parent", items), end_of(given, "child", items)
        kind = next(self._store.where("cmdb_rel_type", "name", str(given.get("type") or "")), None)
        error = None
        if parent is None or child is None:
            error = ItemError("INVALID_INPUT_DATA", f"Relation {place} names an item that is not in the payload")
        elif kind is None:
            error = ItemError("INVALID_INPUT_DATA", f"Relation type [{given.get('type')}] does not exist")
        elif given in relations[:place]:
            error = ItemError("DUPLICATE_RELATIONSHIP_TYPES", f"Relation {place} stands in the payload twice")
        elif parent.errors or child.errors:
            error = ItemError("ABANDONED", "An item at the end of the relation failed")
        if error is not None:
            row |= {"errors": [{"error": error.code, "message": error.message}], "errorCount": 1}
            del row["operation"]
            return row
        assert parent is not None
        assert child is not None
        assert kind is not None
        row |= {"_parent": parent, "_child": child, "_type": kind["sys_id"]}
        if self._held(row) is not None:
            row["operation"] = "NO_CHANGE"
        return row

    def _held(self, row: Mapping[str, Any]) -> Row | None:
        for found in self._store.where("cmdb_rel_ci", "parent", row["_parent"].sys_id):
            if found.get("child") == row["_child"].sys_id and found.get("type") == row["_type"]:
                return found
        return None

    def _relate(self, row: dict[str, Any], caller: Caller) -> None:
        if row["errorCount"] or row["operation"] != "INSERT":
            return
        if row["_parent"].errors or row["_child"].errors:
            row |= {"errorCount": 1, "errors": [{"error": "ABANDONED", "message": "An end of the relation failed"}]}
            return
        if self._held(row) is None:
            values = {"parent": row["_parent"].sys_id, "child": row["_child"].sys_id, "type": row["_type"]}
            self._writer.insert("cmdb_rel_ci", values, caller, display=False)


_SEEN = frozenset({"sys_id", "last_discovered", "discovery_source"})

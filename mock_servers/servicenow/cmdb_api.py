"""The CMDB Instance API (single CIs, through identification and reconciliation) and the CMDB Meta API."""

from __future__ import annotations

from typing import Any

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource, not_found
from mock_servers.servicenow.ire import Engine
from mock_servers.servicenow.ire_payload import Options
from mock_servers.servicenow.schema import READ_ONLY
from mock_servers.servicenow.shapes import Shapes, View
from mock_servers.servicenow.store import Row, Store
from mock_servers.servicenow.table_api import Request, TableApi

_ENDS = {"outbound_relations": ("parent", "child"), "inbound_relations": ("child", "parent")}


def _aborted() -> SnowError:
    """What the API says of everything that goes wrong inside."""
    return SnowError(500, "Exception while executing request: null", None)


class CmdbApi:
    """Answers for ``/api/now/cmdb/instance/...`` and ``/api/now/cmdb/meta/...``."""

    def __init__(self, store: Store, engine: Engine, tables: TableApi) -> None:
        self._store = store
        self._engine = engine
        self._tables = tables
        self._shapes = Shapes(store)

    def answer(self, request: Request, rest: list[str]) -> Answer:
        if len(rest) < 2 or rest[0] not in {"instance", "meta"}:
            raise no_resource()
        table = rest[1]
        self._tables.check_table(table, request.caller)
        if "cmdb" not in self._store.schema.chain(table):
            raise SnowError(400, f"Invalid class name {table}")
        if rest[0] == "meta":
            if len(rest) != 2 or request.method != "GET":
                raise no_resource()
            return json_answer(200, {"result": self._meta(table)})
        if not request.caller.roles & {"admin", "itil"}:
            raise SnowError(403, "User Not Authorized", "Failed API level ACL Validation")
        return self._instance(request, table, rest[2:])

    def _instance(self, request: Request, table: str, rest: list[str]) -> Answer:
        method = request.method
        if not rest and method == "GET":
            found, _ = self._tables.find(request, table)
            limit = int(request.parameters.get("sysparm_limit") or 1000)
            rows = [{"sys_id": row["sys_id"], "name": row.get("name", "")} for row in found[:limit]]
            return json_answer(200, {"result": rows})
        if not rest and method == "POST":
            return self._written(request, table, None)
        if len(rest) == 1 and method in {"GET", "PUT", "PATCH"}:
            row = self._store.get(table, rest[0])
            if row is None:
                raise not_found()
            if method == "GET":
                return json_answer(200, {"result": self._shown(row, request)})
            return self._written(request, row.get("sys_class_name", table), rest[0])
        if len(rest) == 2 and rest[1] == "relation" and method == "POST":
            row = self._store.get(table, rest[0])
            if row is None:
                raise not_found()
            self._process(request, row.get("sys_class_name", table), {}, rest[0])
            return json_answer(200, {"result": self._shown(self._again(rest[0]), request)})
        if len(rest) == 3 and rest[1] == "relation" and method == "DELETE":
            row = self._store.get("cmdb_rel_ci", rest[2])
            if row is None or rest[0] not in (row.get("parent"), row.get("child")):
                raise not_found()
            self._store.remove("cmdb_rel_ci", rest[2])
            return Answer(204)
        raise no_resource()

    def _written(self, request: Request, table: str, sys_id: str | None) -> Answer:
        given = request.body.get("attributes")
        made = self._process(request, table, given if isinstance(given, dict) else {}, sys_id)
        return json_answer(200 if sys_id else 201, {"result": self._shown(self._again(made), request)})

    def _process(self, request: Request, table: str, attributes: dict[str, Any], sys_id: str | None) -> str:
        """One CI through the engine, with the relations that the body names; PUT and PATCH ignore those."""
        source = str(request.body.get("source") or "")
        values = {**attributes, "sys_id": sys_id} if sys_id else attributes
        items: list[dict[str, Any]] = [{"className": table, "values": values}]
        relations = []
        for name, (own, other) in _ENDS.items() if request.method == "POST" else ():
            for given in request.body.get(name) or []:
                target = self._store.get("cmdb_ci", str(given.get("target") or ""))
                kind = self._store.get("cmdb_rel_type", str(given.get("type") or ""))
                if target is None or kind is None:
                    raise _aborted()
                relations.append({own: 0, other: len(items), "type": kind.get("name", "")})
                items.append({"className": target["sys_class_name"], "values": {"sys_id": target["sys_id"]}})
        if not source:
            raise _aborted()
        reading = self._tables.reading(request.caller)
        payload = {"items": items, "relations": relations}
        result = self._engine.process(payload, source, request.caller, reading, Options(), commit=True)
        if any(each["errorCount"] for each in (*result["items"], *result["relations"])):
            raise _aborted()
        return str(result["items"][0]["sysId"])

    def _again(self, sys_id: str) -> Row:
        row = self._store.get("cmdb_ci", sys_id)
        assert row is not None
        return row

    def _shown(self, row: Row, request: Request) -> dict[str, Any]:
        view = View("all", True, (), request.base, request.caller.zone)
        shown = self._shapes.show(row, row.get("sys_class_name", "cmdb_ci"), view)
        # References carry their name and link, all else is its value alone.
        attributes = {name: each if each.get("link") else each["value"] for name, each in shown.items()}
        found: dict[str, Any] = {"attributes": attributes}
        for name, (own, other) in _ENDS.items():
            found[name] = [
                {
                    "sys_id": rel["sys_id"],
                    "type": self._named("cmdb_rel_type", rel.get("type", ""), request),
                    "target": self._named("cmdb_ci", rel.get(other, ""), request),
                }
                for rel in self._store.where("cmdb_rel_ci", own, row["sys_id"])
            ]
        return found

    def _named(self, table: str, sys_id: str, request: Request) -> dict[str, str]:
        link = f"{request.base}/api/now/table/{table}/{sys_id}"
        return {"display_value": self._store.display(table, sys_id), "link": link, "value": sys_id}

    # -- meta ---------------------------------------------------------------------------------------

    def _meta(self, table: str) -> dict[str, Any]:
        schema = self._store.schema
        made = schema.tables[table]
        return {
            "name": table,
            "label": made.label,
            "parent": made.parent,
            "is_extendable": True,
            "children": [name for name, each in schema.tables.items() if each.parent == table],
            "attributes": [
                {
                    "element": column.element,
                    "label": column.label,
                    "type": column.type,
                    "max_length": str(column.max_length),
                    "default_value": column.default or None,
                    "is_inherited": "false" if column.element in made.own else "true",
                    "is_mandatory": "true" if column.mandatory else "false",
                    "is_read_only": "true" if column.element in READ_ONLY else "false",
                    "is_display": "true" if column.element == schema.display_column(table) else "false",
                }
                for column in schema.columns(table).values()
            ],
            "relationship_rules": [
                {"parent": each.dependent, "child": each.host, "relation_type": each.type}
                for each in self._engine.identification.hosts_of(table)
            ],
            "identification_rules": self._rules(table),
        }

    def _rules(self, table: str) -> dict[str, Any]:
        rule = self._engine.identification.rule_of(table)
        if rule is None:
            return {}
        return {
            "name": rule.name,
            "applies_to": rule.applies_to,
            "is_independent": rule.independent,
            "identifiers": [
                {
                    "order": entry.order,
                    "attributes": ",".join(entry.attributes),
                    "table": entry.table,
                    "referenced_field": entry.referenced,
                    "condition": entry.condition,
                    "exact_count_match": True,
                    "allow_null_attribute": False,
                    "allow_fallback": False,
                    "active": True,
                }
                for entry in rule.entries
            ],
            "related_rules": [],
        }

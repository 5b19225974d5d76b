"""``/api/now/identifyreconcile`` and its siblings: ``/query`` rehearses, ``/enhanced`` takes options."""

from __future__ import annotations

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource
from mock_servers.servicenow.ire import Engine
from mock_servers.servicenow.ire_payload import Options
from mock_servers.servicenow.table_api import Request, TableApi

_ROLES = frozenset({"admin", "itil", "asset"})
_ADDRESSES = {"": (True, False), "query": (False, False), "enhanced": (True, True), "queryEnhanced": (False, True)}


class IreApi:
    """Answers of the Identification and Reconciliation API."""

    def __init__(self, engine: Engine, tables: TableApi) -> None:
        self._engine = engine
        self._tables = tables

    def answer(self, request: Request, rest: list[str]) -> Answer:
        """One payload processed or rehearsed. Raises SnowError."""
        known = _ADDRESSES.get(rest[0] if rest else "")
        if known is None or len(rest) > 1:
            raise no_resource()
        if request.method != "POST":
            raise SnowError(405, "Method not supported", None, (("Allow", "POST"),))
        if not request.caller.roles & _ROLES:
            raise SnowError(403, "User Not Authorized", "Failed API level ACL Validation")
        commit, enhanced = known
        options = Options.read(request.parameters.get("options", "")) if enhanced else Options()
        source = request.parameters.get("sysparm_data_source", "")
        reading = self._tables.reading(request.caller)
        result = self._engine.process(request.body, source, request.caller, reading, options, commit=commit)
        return json_answer(200, {"result": result})

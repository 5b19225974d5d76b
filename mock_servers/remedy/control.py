"""The control paths of the mock, ``/__mock__/...``: faults, clock, switches, counts. Not part of the product.

They need no credentials and never suffer faults.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

import orjson

from mock_servers.faults import Answer, Faults, Performer, Rule
from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.instance import Call, Instance
from mock_servers.remedy.matching import Asker, select
from mock_servers.remedy.qualification import parse
from mock_servers.remedy.schema import Value
from mock_servers.remedy.times import zone

PREFIX = "/__mock__/"
_MOST = 10_000
_JSON = (("Content-Type", "application/json"),)


class Control:
    """Answers for the control paths."""

    def __init__(self, instance: Instance, faults: Faults, performer: Performer) -> None:
        self._instance = instance
        self._faults = faults
        self._performer = performer
        self.requests: Counter[str] = Counter()

    def answer(self, call: Call) -> Answer:
        """Answer one control request; 400 with the reason for what cannot be read."""
        parameters = dict(parse_qsl(call.query, keep_blank_values=True))
        try:
            given = orjson.loads(call.body) if call.body.strip() else {}
            content = self._do(call.method, call.path.removeprefix(PREFIX), given, parameters)
        except (ValueError, TypeError, KeyError, ArError) as error:
            return Answer(400, _JSON, orjson.dumps({"error": f"{type(error).__name__}: {error}"}))
        if content is None:
            return Answer(404, _JSON, orjson.dumps({"error": f"no such control: {call.method} {call.path}"}))
        return Answer(200, _JSON, orjson.dumps(content))

    def _do(self, method: str, what: str, given: Any, parameters: dict[str, str]) -> dict[str, Any] | None:
        clock = self._instance.clock
        match method, what:
            case "POST", "faults":
                rules = [Rule.read(rule) for rule in given.get("rules", [])]
                self._faults.set(rules, int(given.get("seed", 0)))
                return {"rules": len(rules)}
            case "POST", "reset":
                self._faults.reset()
                self.requests.clear()
                clock.reset()
                return {"reset": True}
            case "GET", "stats":
                return self._stats(parameters)
            case "POST", "clock":
                if "advance" in given:
                    clock.advance(float(given["advance"]))
                elif "now" in given:
                    clock.set(float(given["now"]), bool(given.get("frozen", False)))
                else:
                    clock.reset()
                return {"epoch": clock.now()}
            case "GET", "clock":
                return {"epoch": clock.now()}
            case "POST", "switches":
                self._instance.switches.change(**given)
                return {"changed": sorted(given)}
            case "GET", "records":
                return {"records": self._records(parameters)}
        return None

    def _stats(self, parameters: dict[str, str]) -> dict[str, Any]:
        """What happened, and how many entries carry each external reference: the truth behind every fault.

        ``form`` (HPD:Help Desk) chooses the entries; ``note`` counts the work log entries that hold a text.
        """
        store = self._instance.store
        rows = store.rows(parameters.get("form", "HPD:Help Desk"))
        references = Counter(str(found) for row in rows if (found := row.get("External Reference")))
        stats: dict[str, Any] = {
            "requests": dict(self.requests),
            "faults": dict(self._faults.fired),
            "pending": self._performer.pending,
            "external_references": dict(references),
        }
        if note := parameters.get("note"):
            notes = (str(row.get("Detailed Description") or "") for row in store.rows("HPD:WorkLog"))
            stats["notes"] = sum(note in text for text in notes)
        return stats

    def _records(self, parameters: dict[str, str]) -> list[dict[str, Value]]:
        """Entries as they are stored: no account, no rule, no fault; enums as numbers, times as epoch seconds."""
        form = self._instance.store.schema.forms[parameters["form"]]
        where = zone(self._instance.switches.time_zone) or zone("UTC")
        assert where is not None
        asker = Asker("", int(self._instance.clock.now()), where)
        found = select(parse(parameters.get("query", "")), form, self._instance.store, asker)
        return [dict(entry) for entry, _ in zip(found, range(_MOST), strict=False)]

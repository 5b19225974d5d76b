"""The control paths of the mock, ``/__mock__/...``: faults, clock, switches, counts. Not part of the product.

They need no credentials and never suffer faults.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl

import orjson

from mock_servers.faults import Answer, Faults, Performer, Rule
from mock_servers.servicenow.answers import json_answer
from mock_servers.servicenow.clauses import Reading
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.encoded_query import parse
from mock_servers.servicenow.gs_dates import read
from mock_servers.servicenow.instance import Call, Instance
from mock_servers.servicenow.matching import select

PREFIX = "/__mock__/"


class Control:
    """Answers for the control paths."""

    def __init__(self, instance: Instance, faults: Faults, performer: Performer, clock: InstanceClock) -> None:
        self._instance = instance
        self._faults = faults
        self._performer = performer
        self._clock = clock
        self.requests: Counter[str] = Counter()

    def answer(self, call: Call) -> Answer:
        """Answer one control request; 400 with the reason for what cannot be read."""
        parameters = dict(parse_qsl(call.query, keep_blank_values=True))
        try:
            given = orjson.loads(call.body) if call.body.strip() else {}
            content = self._do(call.method, call.path.removeprefix(PREFIX), given, parameters)
        except (ValueError, TypeError, KeyError) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})
        if content is None:
            return json_answer(404, {"error": f"no such control: {call.method} {call.path}"})
        return json_answer(200, content)

    def _do(self, method: str, what: str, given: Any, parameters: dict[str, str]) -> dict[str, Any] | None:
        match method, what:
            case "POST", "faults":
                rules = [Rule.read(rule) for rule in given.get("rules", [])]
                self._faults.set(rules, int(given.get("seed", 0)))
                return {"rules": len(rules)}
            case "POST", "reset":
                self._faults.reset()
                self.requests.clear()
                self._clock.reset()
                return {"reset": True}
            case "GET", "stats":
                return self._stats(parameters)
            case "POST", "clock":
                return self._set_clock(given)
            case "GET", "clock":
                return {"now": self._clock.text(), "epoch": self._clock.now()}
            case "POST", "switches":
                self._instance.switches.change(**given)
                return {"changed": sorted(given)}
            case "POST", "expire_tokens":
                self._instance.accounts.expire_tokens()
                return {"expired": True}
            case "GET", "records":
                return {"records": self._records(parameters)}
        return None

    def _stats(self, parameters: dict[str, str]) -> dict[str, Any]:
        """What happened, and how many records carry each correlation id: the truth behind every fault.

        ``table`` (task) chooses the records; ``note`` counts the journal entries that hold a text.
        """
        store = self._instance.store
        ids = Counter(i for row in store.rows(parameters.get("table", "task")) if (i := row.get("correlation_id")))
        stats: dict[str, Any] = {
            "requests": dict(self.requests),
            "faults": dict(self._faults.fired),
            "pending": self._performer.pending,
            "correlation_ids": dict(ids),
        }
        if note := parameters.get("note"):
            stats["notes"] = sum(note in row.get("value", "") for row in store.rows("sys_journal_field"))
        return stats

    def _records(self, parameters: dict[str, str]) -> list[dict[str, str]]:
        """Rows as they are stored: no account, no ACL, no fault."""
        reading = Reading(self._instance.store, self._clock.moment(), invalid="empty")
        return select(parse(parameters.get("query", "")), parameters["table"], reading)[:10_000]

    def _set_clock(self, given: dict[str, Any]) -> dict[str, Any]:
        """``{"now": epoch or "YYYY-MM-DD HH:MM:SS", "frozen": bool}``, ``{"advance": s}``, or ``{}``: real time."""
        if "advance" in given:
            self._clock.advance(float(given["advance"]))
        elif "now" in given:
            self._clock.set(_epoch(given["now"]), bool(given.get("frozen", False)))
        else:
            self._clock.reset()
        return {"now": self._clock.text()}


def _epoch(now: Any) -> float:
    if isinstance(now, str):
        moment = read(now)
        if moment is None:
            raise ValueError(f"not a time: {now!r}; write it as 2026-03-01 09:15:00 or epoch seconds")
        return moment.replace(tzinfo=UTC).timestamp()
    return float(now)

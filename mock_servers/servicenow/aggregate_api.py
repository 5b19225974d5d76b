"""The Aggregate API (``/api/now/stats/{table}``): counts, averages, sums, least and most, grouped or not.

Numbers are strings; averages have four decimals; without a group the result is an object, with one a list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import json_answer, xml_answer
from mock_servers.servicenow.shapes import Shapes, View
from mock_servers.servicenow.store import Row, Store
from mock_servers.servicenow.table_api import Request, TableApi

_MEASURES: dict[str, Callable[[list[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "sum": sum,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class AggregateApi:
    """Answers aggregate requests over what the Table API would find."""

    def __init__(self, store: Store, table_api: TableApi) -> None:
        self._table_api = table_api
        self._shapes = Shapes(store)

    def stats(self, request: Request, table: str) -> Answer:
        """``GET /api/now/stats/{table}``."""
        self._table_api.check_table(table, request.caller)
        rows, _ = self._table_api.find(request, table)
        answer = xml_answer if request.as_xml else json_answer
        fields = _listed(request, "sysparm_group_by")
        if not fields:
            return answer(200, {"result": {"stats": self._measures(request, rows)}})
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.get(name, "") for name in fields), []).append(row)
        result = [
            {
                "stats": self._measures(request, members),
                "groupby_fields": self._group(request, table, fields, values, members[0]),
            }
            for values, members in sorted(groups.items())
            if self._has(request, members)
        ]
        return answer(200, {"result": _ordered(request, result)})

    def _measures(self, request: Request, rows: list[Row]) -> dict[str, Any]:
        stats: dict[str, Any] = {}
        if request.flag("sysparm_count"):
            stats["count"] = str(len(rows))
        for measure in _MEASURES:
            found = {name: _measure(measure, name, rows) for name in _listed(request, f"sysparm_{measure}_fields")}
            if found:
                stats[measure] = found
        return stats

    def _group(
        self, request: Request, table: str, fields: list[str], values: tuple[str, ...], row: Row
    ) -> list[dict[str, str]]:
        mode = request.parameters.get("sysparm_display_value", "").lower()
        view = View("all", False, tuple(fields), request.base, request.caller.zone)
        shown = self._shapes.show(row, table, view) if mode in {"true", "all"} else {}
        group = []
        for name, value in zip(fields, values, strict=True):
            seen = shown.get(name, {}).get("display_value", value)
            entry = {"field": name, "value": seen if mode == "true" else value}
            if mode == "all":
                entry["display_value"] = seen
            group.append(entry)
        return group

    def _has(self, request: Request, rows: list[Row]) -> bool:
        """``sysparm_having=count^state^>^3``, several joined by commas."""
        for condition in _listed(request, "sysparm_having"):
            parts = condition.split("^")
            if len(parts) != 4 or parts[2] not in _COMPARE:
                continue
            measured = str(len(rows)) if parts[0] == "count" else _measure(parts[0].lower(), parts[1], rows)
            try:
                if not _COMPARE[parts[2]](float(measured), float(parts[3])):
                    return False
            except ValueError:
                return False
        return True


def _listed(request: Request, name: str) -> list[str]:
    return [part.strip() for part in request.parameters.get(name, "").split(",") if part.strip()]


def _measure(measure: str, name: str, rows: list[Row]) -> str:
    """One measure of one column; dates and text have a least and a most."""
    texts = [value for row in rows if (value := row.get(name, ""))]
    if not texts or measure not in _MEASURES:
        return ""
    try:
        found = _MEASURES[measure]([float(text) for text in texts])
    except ValueError:
        return {"min": min(texts), "max": max(texts)}.get(measure, "")
    if measure == "avg":
        return f"{found:.4f}"
    return str(int(found)) if found == int(found) else str(found)


def _ordered(request: Request, result: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``sysparm_order_by=COUNT^state``, ``AVG^x``, or ``state^DESC``."""
    for wanted in reversed(_listed(request, "sysparm_order_by")):
        name, _, rest = wanted.partition("^")
        measure = name.lower()
        if measure == "count" or measure in _MEASURES:
            field, _, direction = rest.partition("^")
            result.sort(key=lambda g: _measured(g, measure, field), reverse=direction.upper() == "DESC")
        else:
            result.sort(key=lambda g: _value(g, name), reverse=rest.upper() == "DESC")
    return result


def _measured(group: dict[str, Any], measure: str, field: str) -> float:
    stats = group["stats"]
    text = stats.get("count", "0") if measure == "count" else stats.get(measure, {}).get(field, "0")
    try:
        return float(text)
    except ValueError:
        return 0.0


def _value(group: dict[str, Any], name: str) -> str:
    return next((entry["value"] for entry in group["groupby_fields"] if entry["field"] == name), "")

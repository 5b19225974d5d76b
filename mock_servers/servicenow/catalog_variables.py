"""The variables of a catalogue item: how they are told, and what of an order's values is missing or wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mock_servers.servicenow.gs_dates import read
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Row, Store

# item_option_new.type: friendly_type and display_type.
TYPES: dict[str, tuple[str, str]] = {
    "1": ("yes_no", "Yes / No"),
    "2": ("multi_line_text", "Multi Line Text"),
    "3": ("multiple_choice", "Multiple Choice"),
    "4": ("numeric_scale", "Numeric Scale"),
    "5": ("select_box", "Select Box"),
    "6": ("single_line_text", "Single Line Text"),
    "7": ("check_box", "CheckBox"),
    "8": ("reference", "Reference"),
    "9": ("date", "Date"),
    "10": ("date_time", "Date/Time"),
    "11": ("label", "Label"),
    "16": ("wide_single_line_text", "Wide Single Line Text"),
    "19": ("container_start", "Container Start"),
    "20": ("container_end", "Container End"),
    "21": ("list_collector", "List Collector"),
    "26": ("email", "Email"),
    "27": ("url", "URL"),
    "31": ("requested_for", "Requested For"),
}
CHOICES = frozenset({"3", "4", "5"})
LAYOUT = frozenset({"11", "19", "20"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Variables:
    """The variables of the items of one instance."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def of(self, item: str) -> list[Row]:
        """Active variables of an item, in the order of its form."""
        rows = [r for r in self._store.where("item_option_new", "cat_item", item) if r.get("active", "true") == "true"]
        return sorted(rows, key=lambda row: (int(row.get("order") or 100), row.get("name", "")))

    def choices(self, variable: Row) -> list[dict[str, Any]]:
        """What may be chosen: label, value and place."""
        if variable.get("type") == "4":
            low, high = int(variable.get("scale_min") or 1), int(variable.get("scale_max") or 5)
            return [{"label": str(n), "value": str(n), "index": n - low} for n in range(low, high + 1)]
        if variable.get("type") == "1":
            return [{"label": label, "value": label, "index": n} for n, label in enumerate(("Yes", "No"))]
        rows = [
            r
            for r in self._store.where("question_choice", "question", variable["sys_id"])
            if r.get("inactive", "false") != "true"
        ]
        rows.sort(key=lambda row: (int(row.get("order") or 100), row.get("text", "")))
        return [{"label": r.get("text", ""), "value": r.get("value", ""), "index": n} for n, r in enumerate(rows)]

    def shown(self, variable: Row) -> dict[str, Any]:
        """One variable as the item's answer tells it."""
        kind = variable.get("type", "6")
        friendly, display = TYPES.get(kind, ("unknown", "Unknown"))
        default = variable.get("default_value", "")
        told: dict[str, Any] = {
            "active": True,
            "id": variable["sys_id"],
            "name": variable.get("name", ""),
            "label": variable.get("question_text", ""),
            "type": int(kind),
            "friendly_type": friendly,
            "display_type": display,
            "mandatory": variable.get("mandatory") == "true",
            "read_only": variable.get("read_only") == "true",
            "value": default,
            "displayvalue": default,
            "max_length": 0,
            "render_label": kind != "7",
            "attributes": variable.get("attributes", ""),
            "dynamic_value_field": "",
            "help_text": variable.get("help_text", ""),
        }
        if kind in CHOICES or kind == "1":
            told["choices"] = self.choices(variable)
        if kind in ("8", "21", "31"):
            told["reference"] = variable.get("reference", "") or "sys_user"
            told["ref_qualifier"] = variable.get("reference_qual", "")
        if variable.get("validate_regex"):
            told["validate_regex"] = variable["validate_regex"]
        return told

    def filled(self, item: str, given: Mapping[str, Any]) -> dict[str, str]:
        """Values by name as they are kept: given ones, else defaults; unknown names are dropped."""
        kept: dict[str, str] = {}
        for variable in self.of(item):
            name = variable.get("name", "")
            if variable.get("type") in LAYOUT or not name:
                continue
            value = given.get(name)
            fixed = variable.get("read_only") == "true"
            default = variable.get("default_value", "") if fixed or self._switches.order_defaults else ""
            kept[name] = default if value is None or fixed else _text(value)
        return kept

    def missing(self, item: str, values: Mapping[str, str]) -> list[str]:
        """Mandatory variables without a value; a check box counts only when it is ticked."""
        found = [name for name in self._switches.form_mandatory.get(item, ()) if not values.get(name)]
        for variable in self.of(item):
            name, value = variable.get("name", ""), values.get(variable.get("name", ""), "")
            if variable.get("mandatory") != "true" or variable.get("type") in LAYOUT:
                continue
            if value in ("", "false") if variable.get("type") == "7" else value == "":
                found.append(name)
        return found

    def wrong(self, item: str, values: Mapping[str, str]) -> list[str]:
        """Variables whose value their type, list or expression does not take."""
        found = []
        for variable in self.of(item):
            name, kind = variable.get("name", ""), variable.get("type", "6")
            value = values.get(name, "")
            if not value or kind in LAYOUT:
                continue
            if kind in CHOICES or kind == "1":
                fine = value in {choice["value"] for choice in self.choices(variable)}
            elif kind in ("8", "31"):
                fine = self._store.get(variable.get("reference", "") or "sys_user", value) is not None
            elif kind == "9":
                fine = bool(_DAY.fullmatch(value)) and read(value) is not None
            elif kind == "10":
                fine = read(value) is not None
            else:
                expression = variable.get("validate_regex", "")
                fine = not expression or re.fullmatch(expression, value) is not None
            if not fine:
                found.append(name)
        return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

"""The estate as stored rows, by the product's own shape and the gateway's own mapping, without HTTP between.

A native row of the estate is shown as the mock of the product would answer it, decoded by the adapter's compiled
mapping, and stored as a harvest stores it. Rows are made one by one: what is held is the estate and the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from mock_servers.estate import Estate, servicenow
from mock_servers.estate.servicenow_codes import CLASSES
from mock_servers.remedy.from_estate import configuration
from mock_servers.remedy.instance import shown
from mock_servers.remedy.services import Operation, default_services
from mock_servers.servicenow import Store
from mock_servers.servicenow.shapes import Shapes, View

from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.soap.source import shaped
from interlock.places import place
from interlock.quality.stored import Stored, stored

BASE = "https://servicenow.example.com"
KINDS = {
    "cmdb_rel_ci": "relationship",
    "change_request": "change",
    "problem": "problem",
    "incident": "incident",
    "sys_user": "person",
    "sys_user_group": "group",
    **dict.fromkeys(CLASSES.values(), "ci"),
}
_SIGHTING = ("first_discovered", "discovery_source", "sys_class_name", "sys_id")  # as the adapter asks for them


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row of a kind."""

    kind: str
    row: Stored


def servicenow_rows(estate: Estate, source: str) -> Iterator[Row]:
    """Everything that checks are about, as a ServiceNow of the estate would be harvested under this name."""
    product = compile_product(place("adapters") / "servicenow", source=source, settings={"base_url": BASE})
    views = _views(product)
    store = Store()
    store.load(_names(estate))
    shapes = Shapes(store)
    referenced: list[tuple[str, servicenow.Row]] = []
    for table, native in servicenow.records(estate):
        kind = KINDS.get(table)
        if kind not in ("ci", "relationship", "incident"):
            referenced.append((table, native))  # may be named by each other: shown when all are there
            continue
        if referenced:
            store.load(_by_table(referenced))
            yield from _shown(referenced, shapes, product, views, estate.as_of)
            referenced = []
        yield from _shown([(table, native)], shapes, product, views, estate.as_of)


def _shown(
    natives: Iterable[tuple[str, servicenow.Row]],
    shapes: Shapes,
    product: Product,
    views: dict[str, View],
    as_of: float,
) -> Iterator[Row]:
    for table, native in natives:
        kind = KINDS.get(table)
        if kind is None:
            continue
        mapping = product.mappings[kind]
        shown = shapes.show(native, table, views[kind])
        record = mapping.decode(shown)
        yield Row(kind, stored(kind, record, mapping.handle(shown) or "", product.source, as_of))


def _views(product: Product) -> dict[str, View]:
    """What a harvest asks for, by kind."""
    return {
        kind: View("all", False, tuple(dict.fromkeys((*product.mappings[kind].columns(None), *_SIGHTING))), BASE)
        for kind in sorted(set(KINDS.values()))
    }


def _names(estate: Estate) -> dict[str, list[servicenow.Row]]:
    """Of each CI as much as a reference to it shows."""
    found: dict[str, list[servicenow.Row]] = {}
    for ci in estate.cis:
        found.setdefault(CLASSES[ci.form], []).append({"sys_id": ci.id, "name": ci.name})
    return found


def _by_table(natives: Iterable[tuple[str, servicenow.Row]]) -> dict[str, list[servicenow.Row]]:
    found: dict[str, list[servicenow.Row]] = {}
    for table, row in natives:
        found.setdefault(table, []).append(row)
    return found


def remedy_rows(estate: Estate, source: str) -> Iterator[Row]:
    """The CIs and relations of an estate, as a Remedy of it would be harvested under this name."""
    product = compile_product(place("adapters") / "remedy", source=source)
    readers = {kind: _Answers(product.mappings[kind]) for kind in ("ci", "relationship")}
    for form, entry in configuration(estate):
        kind = "relationship" if "Source.InstanceId" in entry else "ci"
        mapping = product.mappings[kind]
        native = readers[kind].native(form, entry)
        yield Row(kind, stored(kind, mapping.decode(native), mapping.handle(native) or "", source, estate.as_of))


class _Answers:
    """Entries of a form as the list operations of a mapping answer them, with the details of some classes."""

    def __init__(self, mapping: Mapping) -> None:
        soap = mapping.spec.soap
        assert soap is not None
        assert soap.list is not None
        self._soap = soap
        self._list = _operation(soap.list.wsdl or soap.wsdl, soap.list.operation)
        self._details = _operation(soap.details.wsdl, soap.details.operation) if soap.details else None

    def native(self, form: str, entry: dict[str, Any]) -> dict[str, Any]:
        details = self._soap.details
        operation = self._list
        if self._details is not None and details is not None and str(entry.get(details.of)) in details.values:
            operation = self._details
        found: dict[str, Any] = {}
        for element in operation.outputs:
            value = entry.get(element.field.label)
            if value is not None and value != "":
                found[element.name] = shown(element.field, value, UTC)
            elif not element.optional:
                found[element.name] = "" if element.field.kind == "char" else None
        return shaped(self._soap, found)


def _operation(wsdl: str | None, name: str) -> Operation:
    assert wsdl is not None
    return default_services()[wsdl.removesuffix(".wsdl")].operations[name]

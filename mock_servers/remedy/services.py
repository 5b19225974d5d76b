"""What an instance publishes: web services with their operations, and which element is which field.

Nothing in the mock knows an operation or an element by name: a customised instance is another file of services,
and ``from_wsdl`` publishes what a customer's own WSDL describes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from mock_servers.remedy.schema import DATA, Field, Form, Schema, element_name, shipped

Kind = Literal["create", "get", "list", "modify"]
LIST_ARGUMENTS = ("Qualification", "startRecord", "maxLimit")


@dataclass(frozen=True, slots=True)
class Element:
    """An XML element and the field it carries. ``text``: a time that this service shows as a string."""

    name: str
    field: Field
    optional: bool = False
    text: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one form. ``action`` is what its element of the field ``z1D Action`` has to say."""

    name: str
    form: Form
    kind: Kind
    inputs: tuple[Element, ...] = ()
    outputs: tuple[Element, ...] = ()
    key: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class WebService:
    """One web service; its namespace is ``urn:`` and its name."""

    name: str
    operations: Mapping[str, Operation]

    @property
    def namespace(self) -> str:
        return f"urn:{self.name}"


Services = Mapping[str, WebService]


@cache
def default_services() -> Services:
    """As the product ships them (``data/services.yaml``)."""
    return read(DATA / "services.yaml", shipped())


@cache
def customised_services() -> Services:
    """A site that renamed operations and fields (``data/customised.yaml``)."""
    return read(DATA / "customised.yaml", shipped())


def read(path: Path, schema: Schema) -> Services:
    """Read a file of services. ``publish`` names those of the shipped file that are there too.

    Raises ValueError for an element that is no field of its form.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {
        name: WebService(name, {each: _operation(name, each, given, schema) for each, given in operations.items()})
        for name, operations in content["services"].items()
    }
    also = {name: default_services()[name] for name in content.get("publish", ())}
    return {**also, **found}


def _operation(service: str, name: str, given: Mapping[str, Any], schema: Schema) -> Operation:
    form = schema.forms[given["form"]]
    try:
        inputs = tuple(_element(each, form) for each in _flat(given.get("in", ())))
        outputs = tuple(_element(each, form) for each in _flat(given.get("out", ())))
    except LookupError as error:
        raise ValueError(f"{service}.{name}: {form.name} has no field for the element {error.args[0]}") from error
    return Operation(name, form, given["kind"], inputs, outputs, given.get("key", ""), given.get("action", ""))


def _flat(given: Iterable[Any]) -> Iterable[Any]:
    for each in given:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _element(given: str | Mapping[str, str], form: Form) -> Element:
    if isinstance(given, str):
        name = given.rstrip("?")
        return element(name, form, optional=given.endswith("?"))
    ((key, label),) = given.items()
    return element(key.rstrip("?"), form, label, optional=key.endswith("?"))


def element(name: str, form: Form, label: str | None = None, *, optional: bool = False, text: bool = False) -> Element:
    """An element of a form's field. Raises LookupError when there is no such field."""
    found = form.fields.get(label) if label else form.fields.get(form.labelled(element_name(name)) or "")
    if found is None:
        raise LookupError(name)
    return Element(name, found, optional, text)

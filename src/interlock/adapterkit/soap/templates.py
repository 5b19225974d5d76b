"""Envelopes: compiled once from a WSDL's elements, filled for each call by escaped values.

Order, namespaces and what must be there come from the WSDL; values enter in one place only (``escape``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.adapterkit.soap.model import Node, Operation
from interlock.adapterkit.soap.xml import escape
from interlock.records.problems import Problem, Slug

ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
_DEPTH = 16


@dataclass(frozen=True, slots=True)
class _Slot:
    """One element to fill: ready tags, and what to write when there is no value."""

    name: str
    open: str
    close: str
    empty: str  # for a value that is empty, or None
    absent: str  # for no value at all
    children: tuple[_Slot, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """One operation's envelope. ``fill`` gives the bytes to send. The header is secret: it is not shown."""

    operation: str
    action: str
    content_type: str
    _start: str = field(repr=False)
    _slots: tuple[_Slot, ...] = field(repr=False)
    _end: str = field(repr=False)
    _known: frozenset[str] = field(repr=False)

    def fill(self, values: Mapping[str, Any]) -> bytes:
        """The envelope with these elements. An element of the WSDL that is not among them is left out where
        it may be, else sent empty. Raises Problem: a name that the operation does not take, or a value that
        XML cannot hold."""
        if not self._known.issuperset(values):
            extra = sorted(set(values) - self._known)
            raise Problem(
                Slug.INTERNAL,
                f"the operation {self.operation} takes no element {', '.join(extra)}",
                field=extra[0],
                next_step="Correct the mapping of this source.",
                reached="no",
            )
        parts = [self._start]
        _fill(parts, self._slots, values)
        parts.append(self._end)
        return "".join(parts).encode("utf-8")

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers of the call."""
        if self.content_type.startswith("application/soap"):
            return {"content-type": self.content_type, "accept": "application/soap+xml, text/xml"}
        return {"content-type": self.content_type, "soapaction": f'"{self.action}"', "accept": "text/xml"}


def _fill(parts: list[str], slots: tuple[_Slot, ...], values: Mapping[str, Any]) -> None:
    for slot in slots:
        if slot.name not in values:
            parts.append(slot.absent)
            continue
        value = values[slot.name]
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is None or each == "":
                parts.append(slot.empty)
            elif slot.children:
                parts.append(slot.open)
                _fill(parts, slot.children, each)
                parts.append(slot.close)
            else:
                parts += (slot.open, escape(each if isinstance(each, str) else _text(each), slot.name), slot.close)


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def template(operation: Operation, version: str, header: Mapping[str, str] | None, element: str | None) -> Template:
    """The template of an operation. ``element`` is the header element that must be there, ``header`` its values.

    Raises Problem when the operation cannot carry that header, or when the header demands more values.
    """
    spaces: dict[str, str] = {}
    envelope = ENVELOPES[version]
    head = ""
    if element is not None:
        head = f"<soap:Header>{_header(operation, element, header or {}, spaces)}</soap:Header>"
    slot = _slot(operation.input, spaces, 0)
    names = "".join(f' xmlns:{prefix}="{_attribute(uri)}"' for uri, prefix in spaces.items())
    names += ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    start = (
        f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{envelope}"{names}>{head}<soap:Body>'
        f"{slot.open}"
    )
    content = "text/xml; charset=utf-8"
    if version == "1.2":
        content = f'application/soap+xml; charset=utf-8; action="{_attribute(operation.action)}"'
    known = frozenset(operation.input.names())
    end = f"{slot.close}</soap:Body></soap:Envelope>"
    return Template(operation.name, operation.action, content, start, slot.children, end, known)


def _header(operation: Operation, element: str, values: Mapping[str, str], spaces: dict[str, str]) -> str:
    node = next((each for each in operation.headers if each.name == element), None)
    if node is None:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"the operation {operation.name} declares no header {element}, so it would run without our account",
            field=f"soap.{operation.name}",
            next_step="Use a WSDL whose operations carry the header, and check the service in the source.",
            reached="no",
        )
    missing = [each.name for each in node.children if each.least and not values.get(each.name)]
    if missing:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"the header {element} needs {' and '.join(missing)}",
            field="auth.basic",
            next_step="Give the source's account: auth.basic with username and password.",
            reached="no",
        )
    slot = _slot(node, spaces, 0)
    parts: list[str] = [slot.open]
    _fill(parts, slot.children, {name: value for name, value in values.items() if value and node.child(name)})
    return "".join([*parts, slot.close])


def _slot(node: Node, spaces: dict[str, str], depth: int) -> _Slot:
    tag = f"{spaces.setdefault(node.namespace, f'n{len(spaces)}')}:{node.name}" if node.namespace else node.name
    children = tuple(_slot(each, spaces, depth + 1) for each in node.children) if depth < _DEPTH else ()
    empty = f'<{tag} xsi:nil="true"/>' if node.nillable else f"<{tag}/>"
    return _Slot(node.name, f"<{tag}>", f"</{tag}>", empty, "" if node.least == 0 else empty, children)


def _attribute(text: str) -> str:
    return escape(text, "namespace")

"""zeep reads a WSDL, at configuration time; what it says is kept as plain data. ``serve`` never needs zeep.

Only document/literal services are compiled: RPC/encoded ones are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from zeep import xsd
from zeep.exceptions import Error as ZeepError
from zeep.settings import Settings
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding
from zeep.wsdl.wsdl import Document
from zeep.xsd.elements.indicators import Indicator

from interlock.adapterkit.soap.bundle import Bundle
from interlock.adapterkit.soap.model import Node, Operation, Service
from interlock.records.problems import Problem, invalid

_DEPTH = 12
_BINDINGS = {"1.1": Soap11Binding, "1.2": Soap12Binding}


class _Disk:
    """What zeep asks for a file: the bundle answers, the network never."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def load(self, url: str) -> bytes:
        return self._bundle.content(url)


def compile_wsdl(bundle: Bundle, version: str = "1.1") -> Service:
    """The operations of a WSDL. Raises Problem: what is wrong with it, and what to do."""
    name = bundle.main.name
    settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=False)
    try:
        document = Document(str(bundle.main), _Disk(bundle), settings=settings)
    except Problem:
        raise
    except (ZeepError, LookupError, AttributeError, TypeError, ValueError) as failure:
        raise invalid("wsdl", name, f"is not understood: {type(failure).__name__}: {str(failure)[:200]}") from None
    kind = _BINDINGS[version]
    bindings = [each for each in document.bindings.values() if type(each) is kind]
    if not bindings:
        raise invalid("wsdl", name, f"has no binding of SOAP {version}", "Use the WSDL of the running service.")
    operations: dict[str, Operation] = {}
    for binding in bindings:
        for found in binding._operations.values():
            if found.style != "document":
                raise invalid(
                    "wsdl", name, f"{found.name} is RPC/encoded, which is not spoken here",
                    "Publish the service as document/literal.",
                )  # fmt: skip
            operations[found.name] = _operation(found, bundle)
    namespace = bindings[0].name.namespace or ""
    return Service(name, namespace, _address(document), operations)


def _operation(found: Any, bundle: Bundle) -> Operation:
    header = getattr(found.input, "header", None)
    parts = () if header is None else tuple(_node(each, bundle, 1) for _, each in header.type.elements)
    output = found.output.body if found.output is not None else None
    answer = _node(output, bundle, 0) if output is not None else None
    return Operation(found.name, found.soapaction or "", _node(found.input.body, bundle, 0), answer, parts)


def _inside(part: Any, optional: bool) -> Iterator[tuple[Any, bool]]:
    """Elements of a sequence or choice, and whether they may be left out: one alternative excludes the others."""
    if isinstance(part, xsd.Element):
        yield part, optional
    elif isinstance(part, Indicator):
        each = optional or isinstance(part, xsd.Choice) or int(part.min_occurs) == 0
        for below in part:
            yield from _inside(below, each)


def _node(element: Any, bundle: Bundle, depth: int, optional: bool = False) -> Node:
    type_ = element.type
    children: tuple[Node, ...] = ()
    complex_ = isinstance(type_, xsd.ComplexType)
    if complex_ and depth < _DEPTH:
        inner = [found for _, each in type_.elements_nested for found in _inside(each, False)]
        children = tuple(
            _node(each, bundle, depth + 1, optional) for each, optional in inner if each.name != "_value_1"
        )
    qname = element.qname
    space = (type_.qname.namespace or "", type_.qname.localname) if type_.qname is not None else ("", "")
    most = element.max_occurs
    return Node(
        name=qname.localname,
        namespace=qname.namespace or "",
        type=space[1] or type(type_).__name__,
        least=0 if optional else int(element.min_occurs),
        most=None if most == "unbounded" else int(most),
        nillable=bool(element.nillable),
        values=tuple(bundle.enums.get(space, ())),
        children=children,
    )


def _address(document: Document) -> str:
    for service in document.services.values():
        for port in service.ports.values():
            parts = urlsplit(str(port.binding_options.get("address") or ""))
            return urlunsplit(("", "", parts.path, parts.query, ""))
    return ""

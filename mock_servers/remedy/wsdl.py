"""WSDLs in the manner of the mid-tier: written from an instance's services, and read to publish a customer's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree
from lxml.builder import ElementMaker

from mock_servers.remedy.envelope import hardened
from mock_servers.remedy.schema import Form
from mock_servers.remedy.services import LIST_ARGUMENTS, Element, Kind, Operation, WebService, element

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
XSD = "http://www.w3.org/2001/XMLSchema"
_TYPES = {"char": "xsd:string", "int": "xsd:int", "time": "xsd:dateTime"}
_X = ElementMaker(namespace=XSD)
_W = ElementMaker(namespace=WSDL)
_S = ElementMaker(namespace=SOAP)


def render(service: WebService, address: str) -> bytes:
    """The WSDL of a service whose endpoint is ``address``."""
    names = {"wsdl": WSDL, "soap": SOAP, "xsd": XSD, "s0": service.namespace}
    stem = service.name.removesuffix("_WS")
    operations = service.operations.values()
    schema = _X.schema(*_types(operations), elementFormDefault="qualified", targetNamespace=service.namespace)
    binding = _W.binding(
        _S.binding(style="document", transport="http://schemas.xmlsoap.org/soap/http"),
        *(_bound(service, operation) for operation in operations),
        name=f"{stem}SoapBinding",
        type=f"s0:{stem}PortType",
    )
    port = _W.port(_S.address(location=address), binding=f"s0:{stem}SoapBinding", name=f"{stem}Soap")
    root = etree.Element(f"{{{WSDL}}}definitions", {"targetNamespace": service.namespace}, nsmap=names)
    root.append(_W.types(schema))
    for operation in operations:
        root.append(_message(f"{operation.name}SoapIn", operation.name))
        root.append(_message(f"{operation.name}SoapOut", f"{operation.name}Response"))
    root.append(_message("ARAuthenticate", "AuthenticationInfo"))
    root.append(_W.portType(*(_offered(operation) for operation in operations), name=f"{stem}PortType"))
    root.append(binding)
    root.append(_W.service(port, name=f"{service.name}Service"))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _message(name: str, of: str) -> etree._Element:
    return _W.message(_W.part(element=f"s0:{of}", name="parameters"), name=name)


def _offered(operation: Operation) -> etree._Element:
    return _W.operation(
        _W.input(message=f"s0:{operation.name}SoapIn"),
        _W.output(message=f"s0:{operation.name}SoapOut"),
        name=operation.name,
    )


def _bound(service: WebService, operation: Operation) -> etree._Element:
    return _W.operation(
        _S.operation(soapAction=f"{service.namespace}/{operation.name}", style="document"),
        _W.input(_S.header(message="s0:ARAuthenticate", part="parameters", use="literal"), _S.body(use="literal")),
        _W.output(_S.body(use="literal")),
        name=operation.name,
    )


def _types(operations: Iterable[Operation]) -> Iterable[etree._Element]:
    enums: dict[str, etree._Element] = {}
    for n, operation in enumerate(operations, 1):
        yield _X.element(name=operation.name, type=f"s0:InputMapping{n}")
        yield _X.complexType(_X.sequence(*_inputs(operation, enums)), name=f"InputMapping{n}")
        yield _X.element(name=f"{operation.name}Response", type=f"s0:OutputMapping{n}")
        yield _X.complexType(_X.sequence(*_outputs(operation, enums)), name=f"OutputMapping{n}")
    yield from enums.values()
    yield _X.element(name="AuthenticationInfo", type="s0:AuthenticationInfo")
    optional = (_X.element(name=name, type="xsd:string", minOccurs="0") for name in AUTHENTICATION[2:])
    needed = (_X.element(name=name, type="xsd:string") for name in AUTHENTICATION[:2])
    yield _X.complexType(_X.sequence(*needed, *optional), name="AuthenticationInfo")


AUTHENTICATION = ("userName", "password", "authentication", "locale", "timeZone")


def _inputs(operation: Operation, enums: dict[str, etree._Element]) -> list[etree._Element]:
    if operation.kind == "list":
        return [_X.element(name=name, type="xsd:string") for name in LIST_ARGUMENTS]
    return [_typed(one, enums) for one in operation.inputs]


def _outputs(operation: Operation, enums: dict[str, etree._Element]) -> list[etree._Element]:
    fields = [_typed(one, enums) for one in operation.outputs]
    if operation.kind != "list":
        return fields
    return [_X.element(_X.complexType(_X.sequence(*fields)), name="getListValues", maxOccurs="unbounded")]


def _typed(one: Element, enums: dict[str, etree._Element]) -> etree._Element:
    extra = {"minOccurs": "0"} if one.optional else {}
    if one.field.enum is None:
        return _X.element(
            name=one.name, type="xsd:string" if one.text else _TYPES[one.field.kind], nillable="true", **extra
        )
    name = "".join(word.title() for word in one.field.enum.name.split("_")) + "Type"
    if name not in enums:
        values = (_X.enumeration(value=label) for label in one.field.enum.numbers)
        enums[name] = _X.simpleType(_X.restriction(*values, base="xsd:string"), name=name)
    return _X.element(name=one.name, type=f"s0:{name}", nillable="true", **extra)


def from_wsdl(wsdl: bytes, forms: Mapping[str, Form], labels: Mapping[str, str] | None = None) -> WebService:
    """The service that a mid-tier's WSDL describes, to be published here with its names and its order.

    ``forms`` says of each operation which form it is on; ``labels`` which field an element is where its name
    does not tell (``Summary`` is ``Description``; ``Operation.Element`` where that differs between operations).
    An operation is a list if it takes a qualification, a modify if it answers nothing, a get if it takes the
    key, else a create. Raises ValueError: no such document, an element without a field.
    """
    try:
        root = hardened(wsdl)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not a WSDL: {error}") from error
    namespace = root.get("targetNamespace", "")
    types = {node.get("name"): node for node in root.iterfind(f".//{{{XSD}}}complexType[@name]")}
    elements = {
        node.get("name"): node.get("type", "") for node in root.iterfind(f".//{{{XSD}}}schema/{{{XSD}}}element")
    }

    def children(name: str) -> list[etree._Element]:
        shape = types[elements[name].rpartition(":")[2]]
        return list(shape.iterfind(f"{{{XSD}}}sequence/{{{XSD}}}element"))

    def fields(nodes: Iterable[etree._Element], operation: str) -> tuple[Element, ...]:
        return tuple(_told(node, operation, forms[operation], labels or {}) for node in nodes)

    operations: dict[str, Operation] = {}
    for name, form in forms.items():
        given, answered = children(name), children(f"{name}Response")
        listed = {node.get("name") for node in given} == set(LIST_ARGUMENTS)
        if listed:
            given = []
            answered = list(answered[0].iterfind(f"{{{XSD}}}complexType/{{{XSD}}}sequence/{{{XSD}}}element"))
        inputs, outputs = fields(given, name), fields(answered, name)
        key = next((one.name for one in inputs if one.field.label == form.key), "")
        kind: Kind = "list" if listed else "modify" if not outputs else "get" if key else "create"
        acts = any(one.field.label == "z1D Action" for one in inputs)
        action = {"create": "CREATE", "modify": "MODIFY"}.get(kind, "") if acts else ""
        operations[name] = Operation(name, form, kind, inputs, outputs, key if kind == "modify" else "", action)
    return WebService(namespace.removeprefix("urn:"), operations)


def _told(node: etree._Element, operation: str, form: Form, labels: Mapping[str, str]) -> Element:
    name = str(node.get("name"))
    label = labels.get(f"{operation}.{name}") or labels.get(name)
    label = label if label in form.fields else None
    optional = node.get("minOccurs") == "0"
    try:
        one = element(name, form, label, optional=optional)
    except LookupError as error:
        raise ValueError(f"{form.name} has no field for the element {name}; say which in labels") from error
    text = one.field.kind == "time" and node.get("type") == "xsd:string"
    return element(name, form, one.field.label, optional=optional, text=text)

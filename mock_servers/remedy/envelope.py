"""SOAP 1.1 envelopes: requests read by a parser that loads nothing and expands nothing, answers written as text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)
_START = (
    f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}" '
    f'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="{XSI}"><soapenv:Body>'
)
_END = "</soapenv:Body></soapenv:Envelope>"


class Malformed(ValueError):
    """Not a SOAP request; the message is what the server's parser would say."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call: the operation's element, its children's texts (None: empty or nil), and the header of this namespace."""

    namespace: str
    operation: str
    values: Mapping[str, str | None]
    authentication: Mapping[str, str | None] | None


def hardened(document: bytes, encoding: str | None = None) -> etree._Element:
    """Parse without DTD, entities and network, within the parser's own bounds of depth and text.

    Raises etree.XMLSyntaxError, Malformed for a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=encoding,
    )
    root = etree.fromstring(document, parser)
    if root.getroottree().docinfo.doctype:
        raise Malformed("DOCTYPE is disallowed")
    return root


def read(body: bytes, content_type: str) -> Request:
    """The call in a request body. Raises Malformed."""
    if "xml" not in content_type.lower():
        raise Malformed(f"unsupported content type: {content_type or 'none'}")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Malformed("DOCTYPE is disallowed")
    given = _CHARSET.search(content_type)
    encoding = given[1] if given else None
    try:
        if encoding:
            codecs.lookup(encoding)
        root = hardened(body, encoding)
    except LookupError as error:
        raise Malformed(f"unsupported encoding: {encoding}") from error
    except etree.XMLSyntaxError as error:
        raise Malformed(error.msg or "not well-formed") from error
    if root.tag != f"{{{SOAP}}}Envelope":
        raise Malformed("not a SOAP 1.1 envelope")
    content = root.find(f"{{{SOAP}}}Body")
    if content is None or len(content) != 1:
        raise Malformed("the body holds no single element")
    name = etree.QName(content[0])
    namespace = name.namespace or ""
    header = root.find(f"{{{SOAP}}}Header/{{{namespace}}}AuthenticationInfo")
    return Request(namespace, name.localname, _texts(content[0]), _texts(header) if header is not None else None)


def _texts(node: etree._Element) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for child in node:
        nil = child.get(f"{{{XSI}}}nil") in ("true", "1")
        found[etree.QName(child).localname] = None if nil else (child.text or None)
    return found


def escape(text: str) -> str:
    """Text as XML content. Control characters go out as they are: so does the product."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def response(namespace: str, operation: str, content: str) -> bytes:
    """An answer around the elements' text."""
    name = f"ns0:{operation}Response"
    return f'{_START}<{name} xmlns:ns0="{namespace}">{content}</{name}>{_END}'.encode("utf-8", "surrogatepass")


def fault(text: str, code: str = "soapenv:Server.userException", host: str = "midtier.example.internal") -> bytes:
    """A fault as the mid-tier's SOAP stack writes it."""
    return (
        f"{_START}<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{escape(text)}</faultstring><detail>"
        f'<ns1:hostname xmlns:ns1="http://xml.apache.org/axis/">{host}</ns1:hostname></detail></soapenv:Fault>{_END}'
    ).encode()


def fault_12(text: str) -> bytes:
    """The same as a SOAP 1.2 fault: what some proxies in front make of it."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
        f'<e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang="en">{escape(text)}'
        "</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>"
    ).encode()

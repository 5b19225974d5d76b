"""SOAP answers: each layer that can say no, what it becomes, and whether the call can have taken effect."""

from __future__ import annotations

import re

import pytest

from interlock.adapterkit.manifest import ErrorRule
from interlock.adapterkit.soap.answers import ODD, UNREADABLE, Rows, read_soap
from interlock.adapterkit.soap.xml import XmlReader
from interlock.adapterkit.wire import Answer
from interlock.records.problems import Problem, Slug

CODES = re.compile(r"ERROR \((\d+)\)")
RULES = tuple(
    ErrorRule.model_validate(rule)
    for rule in (
        {"code": "302", "type": "not-found", "reached": "yes"},
        {"code": "623", "type": "source-denied", "reached": "no"},
        {"code": "92", "type": "source-unavailable", "reached": "maybe"},
        {"message": r"ERROR \(\d{5,}\)", "type": "source-rejected", "reached": "yes"},
    )
)


def soap(body: str) -> bytes:
    space = "http://schemas.xmlsoap.org/soap/envelope/"
    return f'<e:Envelope xmlns:e="{space}"><e:Header/><e:Body>{body}</e:Body></e:Envelope>'.encode()


def fault(text: str, code: str = "e:Server.userException") -> bytes:
    return soap(f"<e:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></e:Fault>")


def answer(status: int, body: bytes, kind: str = "text/xml") -> Answer:
    return Answer(status, {"content-type": kind}, body, 0.1)


def problem(status: int, body: bytes, kind: str = "text/xml") -> Problem:
    with pytest.raises(Problem) as caught:
        read_soap(answer(status, body, kind), XmlReader(), RULES, CODES, "GetResponse")
    return caught.value


@pytest.mark.parametrize("status", [200, 500])
def test_a_fault_is_a_fault_with_any_status(status: int) -> None:
    found = problem(status, fault("ERROR (302): Entry does not exist; "))
    assert (found.slug, found.reached, found.native_code) == (Slug.NOT_FOUND, "yes", "302")
    assert found.native_message == "ERROR (302): Entry does not exist;"


@pytest.mark.parametrize(
    ("text", "slug", "reached", "code"),
    [
        ("ERROR (9130): Error executing web service; ERROR (302): no entry", Slug.NOT_FOUND, "yes", "302"),
        ("FEHLER, übersetzt: ERROR (623): Authentifizierung fehlgeschlagen", Slug.SOURCE_DENIED, "no", "623"),
        ("ERROR (92): Timeout", Slug.SOURCE_UNAVAILABLE, "maybe", "92"),
        ("ERROR (45001): a site's rule", Slug.SOURCE_REJECTED, "yes", "45001"),
        ("ERROR (552): SQL", Slug.SOURCE_FAULT, "maybe", "552"),
        ("something else", Slug.SOURCE_FAULT, "maybe", "Server.userException"),
    ],
)
def test_native_codes_decide_and_words_do_not(text: str, slug: Slug, reached: str, code: str) -> None:
    found = problem(500, fault(text))
    assert (found.slug, found.reached, found.native_code) == (slug, reached, code)
    assert found.next_step


def test_our_own_mistake_is_a_rejection() -> None:
    found = problem(500, fault("unknown element", "e:Client"))
    assert (found.slug, found.reached) == (Slug.SOURCE_REJECTED, "yes")


def test_soap_12_faults() -> None:
    body = (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>e:Receiver'
        '</e:Value></e:Code><e:Reason><e:Text xml:lang="en">ERROR (302): none</e:Text></e:Reason></e:Fault></e:Body>'
        "</e:Envelope>"
    )
    assert problem(500, body.encode()).slug is Slug.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "body", "slug", "reached"),
    [
        (200, b"<html><body>Please log in <input type=password></body></html>", Slug.SOURCE_DENIED, "no"),
        (200, b"<!DOCTYPE html><html><p>Sign in</html>", Slug.SOURCE_DENIED, "no"),
        (200, b"<html><br>maintenance</html>", Slug.SOURCE_UNAVAILABLE, "maybe"),
        (503, b"<html>Service Unavailable</html>", Slug.SOURCE_UNAVAILABLE, "maybe"),
        (502, b"Bad gateway", Slug.SOURCE_UNAVAILABLE, "maybe"),
        (401, b"<html>no</html>", Slug.SOURCE_DENIED, "no"),
        (403, b"", Slug.SOURCE_DENIED, "yes"),
        (200, b"", Slug.SOURCE_FAULT, "maybe"),
        (202, b"", Slug.SOURCE_UNAVAILABLE, "maybe"),
        (429, b"slow down", Slug.RATE_LIMITED, "maybe"),
        (500, b"<err>x</err>", Slug.SOURCE_FAULT, "maybe"),
        (200, b'{"a": 1}', Slug.SOURCE_FAULT, "maybe"),
    ],
)
def test_what_is_not_soap_is_told_as_what_it_is(status: int, body: bytes, slug: Slug, reached: str) -> None:
    found = problem(status, body, "text/html")
    assert (found.slug, found.reached) == (slug, reached)


@pytest.mark.parametrize(
    ("body", "slug", "code"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + soap("<GetResponse>&a;</GetResponse>"), Slug.SOURCE_FAULT, UNREADABLE),
        (soap("<GetResponse><x>")[:-20], Slug.SOURCE_FAULT, "broken-answer"),
        (soap("<GetResponse>" + "<a>" * 3000 + "</a>" * 3000 + "</GetResponse>"), Slug.TOO_LARGE, UNREADABLE),
        (soap("<GetResponse>ä</GetResponse>").decode().encode("latin-1"), Slug.SOURCE_FAULT, UNREADABLE),
        (soap("<Other/>"), Slug.SOURCE_FAULT, ODD),
        (soap(""), Slug.SOURCE_FAULT, ODD),
    ],
)
def test_hostile_and_broken_xml_is_a_clear_problem(body: bytes, slug: Slug, code: str) -> None:
    found = problem(200, body, "text/xml; charset=utf-8")
    assert (found.slug, found.native_code, found.reached) == (slug, code, "maybe")
    assert "passwd" not in found.detail


def test_a_server_error_that_is_not_soap_keeps_its_status() -> None:
    assert problem(503, soap("<Other/>")).slug is Slug.SOURCE_UNAVAILABLE


def test_rows_by_local_name() -> None:
    body = soap(
        '<GetResponse xmlns="urn:a" xmlns:x="http://www.w3.org/2001/XMLSchema-instance"><v><A>1</A><B x:nil="true"/>'
        "<C/><D><E>2</E><E>3</E></D><Z>no</Z></v><v xmlns='urn:b'><A>4</A></v><other/></GetResponse>"
    )
    found = read_soap(answer(200, body), XmlReader(), (), None, "GetResponse")
    assert Rows({"A", "B", "C", "D"}).rows(found.element, "v") == [
        {"A": "1", "B": None, "C": "", "D": {"E": ["2", "3"]}},
        {"A": "4"},
    ]
    assert set(Rows().row(found.element[0])) == {"A", "B", "C", "D", "Z"}

"""What goes wrong below SOAP: broken answers, hostile requests, commits that nobody hears of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from lxml import etree
from mock_servers.faults import Rule
from mock_servers.remedy import MockRemedy, Store, Switches
from mock_servers.remedy.dialect import BROKEN, HUGE_TEXT

SERVICE = "HPD_IncidentInterface_WS"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.fixture
async def mock() -> AsyncIterator[MockRemedy]:
    store = Store()
    incident: dict[str, Any] = {"Incident Number": "INC000000000001", "Status": 1, "Description": "ü", "Impact": 4000}
    incident |= {"Urgency": 4000, "Service Type": 0, "First Name": "A", "Last Name": "B", "Assigned Group": "G"}
    store.load(
        {"HPD:Help Desk": [incident], "CTM:People": [{"Person ID": "PPL1", "First Name": "A", "Last Name": "B"}]}
    )
    async with MockRemedy(store, switches=Switches(assignment_rules=False)) as served:
        yield served


@pytest.fixture
async def client(mock: MockRemedy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mock.url, timeout=0.3) as made:
        yield made


def envelope(operation: str, inner: str, service: str = SERVICE, head: str = "") -> bytes:
    return (
        f'{head}<e:Envelope xmlns:e="{SOAP}" xmlns:u="urn:{service}"><e:Header><u:AuthenticationInfo>'
        "<u:userName>integration</u:userName><u:password>integration</u:password></u:AuthenticationInfo></e:Header>"
        f"<e:Body><u:{operation}>{inner}</u:{operation}></e:Body></e:Envelope>"
    ).encode()


async def post(
    client: httpx.AsyncClient, mock: MockRemedy, body: bytes, service: str = SERVICE, **headers: str
) -> httpx.Response:
    sent = {"Content-Type": "text/xml; charset=utf-8", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await client.post(mock.endpoint(service), content=body, headers=sent)


GET = envelope("HelpDesk_Query_Service", "<u:Incident_Number>INC000000000001</u:Incident_Number>")
CREATE = "HPD_IncidentInterface_Create_WS"


async def create(client: httpx.AsyncClient, mock: MockRemedy, reference: str) -> httpx.Response:
    inner = (
        "<u:Action>CREATE</u:Action><u:First_Name>A</u:First_Name><u:Last_Name>B</u:Last_Name>"
        "<u:Impact>4-Minor/Localized</u:Impact><u:Urgency>4-Low</u:Urgency><u:Status>New</u:Status>"
        "<u:Service_Type>User Service Request</u:Service_Type><u:Reported_Source>Phone</u:Reported_Source>"
        f"<u:Summary>made</u:Summary><u:External_Reference>{reference}</u:External_Reference>"
    )
    return await post(client, mock, envelope("HelpDesk_Submit_Service", inner, CREATE), CREATE)


async def committed(client: httpx.AsyncClient, reference: str) -> int:
    stats = (await client.get("/__mock__/stats")).json()
    return int(stats["external_references"].get(reference, 0))


def faultstring(answer: httpx.Response) -> str:
    root = etree.fromstring(answer.content)
    return str(root.findtext(f".//{{{SOAP}}}Fault/faultstring"))


@pytest.mark.parametrize(
    ("fault", "error", "many"),
    [
        ("drop_before", httpx.RemoteProtocolError, 0),
        ("drop_after", httpx.RemoteProtocolError, 1),
        ("timeout_before", httpx.ReadTimeout, 0),
        ("timeout_after", httpx.ReadTimeout, 1),
        ("truncate", httpx.RemoteProtocolError, 1),
    ],
)
async def test_what_breaks_the_connection(
    mock: MockRemedy, client: httpx.AsyncClient, fault: Any, error: type[Exception], many: int
) -> None:
    mock.faults.set([Rule(fault, methods=("POST",), body="HelpDesk_Submit")])
    with pytest.raises((error, httpx.ReadError)):
        await create(client, mock, "r1")
    assert await committed(client, "r1") == many


async def test_a_late_commit(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    mock.faults.set([Rule("late_commit", methods=("POST",), seconds=0.1, count=1)])
    with pytest.raises(httpx.ReadTimeout):
        await create(client, mock, "r2")
    assert await committed(client, "r2") == 0
    await asyncio.sleep(0.3)
    assert await committed(client, "r2") == 1


@pytest.mark.parametrize(("fault", "many"), [("error_before", 0), ("error_after", 1)])
async def test_faults_before_and_after(mock: MockRemedy, client: httpx.AsyncClient, fault: Any, many: int) -> None:
    mock.faults.set([Rule(fault, methods=("POST",), variant="timed_out")])
    answer = await create(client, mock, "r3")
    assert (answer.status_code, faultstring(answer)[:11]) == (500, "ERROR (92):")
    assert await committed(client, "r3") == many


async def test_pages_and_sessions(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    for rule, status, words in (
        (Rule("html"), 200, "Mid Tier - Login"),
        (Rule("html", variant="maintenance"), 503, "Service Unavailable"),
        (Rule("session_expired"), 500, "ERROR (9201): Session is invalid"),
        (Rule("rate_limit", seconds=7), 503, "HTTP Status 503"),
        (Rule("dropped_202"), 202, ""),
    ):
        mock.faults.set([rule])
        answer = await post(client, mock, GET)
        assert (answer.status_code, words in answer.text) == (status, True), rule
    mock.faults.set([Rule("latency", seconds=0.1, count=1)])
    assert (await post(client, mock, GET)).elapsed.total_seconds() >= 0.1


async def test_broken_answers(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    async def broken(variant: str) -> httpx.Response:
        mock.faults.set([Rule("broken", variant=variant)])
        return await post(client, mock, GET)

    unreadable = {"encoding", "utf16", "control", "unclosed", "newline", "empty", "huge"}
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
    for variant in BROKEN:
        answer = await broken(variant)
        if variant in unreadable:
            with pytest.raises(etree.XMLSyntaxError):
                etree.fromstring(answer.content, parser)
        else:
            root = etree.fromstring(answer.content, parser)
            assert bool(root.getroottree().docinfo.doctype) == (variant in ("doctype", "entities"))
    assert len((await broken("huge")).content) > HUGE_TEXT
    assert (await broken("fault200")).status_code == 200
    assert "ERROR (93)" in faultstring(await broken("fault200"))
    assert "2003/05/soap-envelope" in (await broken("soap12")).text
    first = re.findall(r"<ns0:(\w+)", (await broken("reordered")).text)[1]
    assert first == "Last_Modified_Date"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "SAXException"),
        (b"{}", "SAXException"),
        (b"<a/>", "not a SOAP 1.1 envelope"),
        (GET.replace(b"<e:Envelope", b'<!DOCTYPE e [<!ENTITY x "y">]><e:Envelope'), "DOCTYPE is disallowed"),
        (GET[:-20], "SAXException"),
        (GET.replace(b"INC000000000001", b"<a>" * 400 + b"</a>" * 400), "SAXException"),
        (GET.replace(b"INC000000000001", b"\x0b"), "SAXException"),
        (GET.replace(b"HelpDesk_Query_Service", b"HelpDesk_Delete_Service"), "No such operation"),
        (GET.replace(b"urn:HPD_IncidentInterface_WS", b"urn:Other"), "No such operation"),
    ],
)
async def test_bad_requests(mock: MockRemedy, client: httpx.AsyncClient, body: bytes, words: str) -> None:
    answer = await post(client, mock, body)
    assert answer.status_code == 500
    assert words in faultstring(answer)


async def test_a_doctype_in_another_charset_is_seen(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    body = GET.decode().replace("<e:Envelope", "<!DOCTYPE e><e:Envelope").encode("utf-16")
    answer = await post(client, mock, body, Content_Type="text/xml")
    assert "DOCTYPE is disallowed" in faultstring(answer)


async def test_charsets_of_requests(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    latin = envelope("HelpDesk_QueryList_Service", "<u:Qualification>'Description' = \"ü\"</u:Qualification>")
    body = latin.decode().encode("latin-1")
    answer = await post(client, mock, body, Content_Type="text/xml; charset=ISO-8859-1")
    assert (answer.status_code, "INC000000000001" in answer.text) == (200, True)
    answer = await post(client, mock, body)
    assert "SAXException" in faultstring(answer)
    answer = await post(client, mock, GET, Content_Type="text/xml; charset=klingon")
    assert "unsupported encoding" in faultstring(answer)
    answer = await post(client, mock, GET, Content_Type="application/json")
    assert "unsupported content type" in faultstring(answer)


async def test_addresses_and_actions(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    action = f"urn:{SERVICE}/HelpDesk_Query_Service"
    assert (await post(client, mock, GET, SOAPAction=f'"{action}"')).status_code == 200
    assert (await post(client, mock, GET, SOAPAction='""')).status_code == 200
    assert "SOAPAction" in faultstring(await post(client, mock, GET, SOAPAction='"urn:x/y"'))
    mock.switches.soap_action = "ignore"
    assert (await post(client, mock, GET, SOAPAction='"urn:x/y"')).status_code == 200
    assert "ERROR (9130)" in faultstring(await post(client, mock, GET, "No_Such_WS"))
    mock.switches.server = "other"
    there = mock.endpoint(SERVICE).replace("server=other", "server=arserver")
    answer = await client.post(there, content=GET, headers={"Content-Type": "text/xml"})
    assert "ERROR (9280)" in faultstring(answer)
    assert (await client.get("/arsys/services/ARService")).status_code == 200
    assert (await client.get("/arsys/WSDL/public/other/None")).status_code == 404
    assert (await client.post("/other", content=GET)).status_code == 404


async def test_a_body_too_long(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    mock.switches.max_body = 1000
    assert (await post(client, mock, GET + b" " * 1000)).status_code == 413


async def test_control_characters_come_through(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    """What was pasted from a mail is stored and sent as it is: not XML any more."""
    mock.store.put("HPD:Help Desk", {"Incident Number": "INC000000000001", "Description": "a\x1fb"})
    assert b"a\x1fb" in (await post(client, mock, GET)).content


async def test_unknown_elements_are_ignored_or_refused(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    more = GET.replace(b"</u:Incident_Number>", b"</u:Incident_Number><u:Nope>1</u:Nope>")
    assert (await post(client, mock, more)).status_code == 200
    mock.switches.unknown_element = "fault"
    assert "Unexpected element Nope" in faultstring(await post(client, mock, more))


async def test_control_at_run_time(mock: MockRemedy, client: httpx.AsyncClient) -> None:
    rules = [{"fault": "html", "count": 1}]
    assert (await client.post("/__mock__/faults", json={"rules": rules})).json() == {"rules": 1}
    assert "Login" in (await post(client, mock, GET)).text
    stats = (await client.get("/__mock__/stats")).json()
    assert (stats["faults"], stats["requests"]) == ({"html": 1}, {"POST": 1})
    query = {"form": "HPD:Help Desk", "query": "'Status' = 1"}
    (record,) = (await client.get("/__mock__/records", params=query)).json()["records"]
    assert record["Description"] == "ü"
    await client.post("/__mock__/clock", json={"now": 1000, "frozen": True})
    assert (await client.get("/__mock__/clock")).json() == {"epoch": 1000.0}
    assert (await client.post("/__mock__/switches", json={"empty_list": "empty"})).json() == {"changed": ["empty_list"]}
    assert mock.switches.empty_list == "empty"
    for path, given in (("faults", {"rules": [{"fault": "nope"}]}), ("switches", {"nope": 1})):
        assert (await client.post(f"/__mock__/{path}", json=given)).status_code == 400
    assert (await client.get("/__mock__/records", params={"form": "Nope"})).status_code == 400
    assert (await client.get("/__mock__/nope")).status_code == 404
    assert (await client.post("/__mock__/reset")).json() == {"reset": True}

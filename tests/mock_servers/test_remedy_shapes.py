"""Web services as real mid-tiers describe them, published by the mock and called by zeep over their own WSDLs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from mock_servers.estate import Size, generate
from mock_servers.remedy import MockRemedy, Store, customised_services, default_services
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.schema import shipped
from mock_servers.remedy.services import WebService
from mock_servers.remedy.wsdl import from_wsdl, render
from zeep.exceptions import Fault

SHARED = Path(os.environ.get("INTERLOCK_SHARED", "")) / "wsdl/remedy/xmatters"
LABELS = {
    "Action": "z1D Action",
    "Summary": "Description",
    "Notes": "Detailed Decription",
    "Work_Info_Types": "Work Info Type",
    "Internet_Email": "Internet E-mail",
    "Corporate_Email": "Corporate E-Mail",
}
FORMS = {
    "XM_HPD_HelpDesk_WSService": {"GetIncident": "HPD:Help Desk"},
    "XM_HPD_IncidentInterface_WSService": dict.fromkeys(
        ("AddWorkLog", "Resolve", "UpdateAssignee", "UpdateStatus"), "HPD:Help Desk"
    ),
    "XM_CTM_Support_Group_WS": {"GroupList": "CTM:Support Group"},
    "XM_CTM_People_WSService": {"PeopleList": "CTM:People"},
    "XM_CTM_SupportGroupAssoc_join_People_WSService": {"GroupMemberList": "CTM:Support Group Association"},
    "XM_SupportGrp_SupportGrpAssoci_WSService": {"GroupMemberInfoList": "CTM:Support Group Association"},
}


def of(wsdl: bytes, forms: dict[str, str]) -> WebService:
    return from_wsdl(wsdl, {name: shipped().forms[form] for name, form in forms.items()}, LABELS)


@pytest.mark.parametrize("services", [default_services(), customised_services()], ids=["shipped", "customised"])
def test_what_is_written_is_read_back(services: dict[str, WebService]) -> None:
    for service in services.values():
        forms = {name: operation.form for name, operation in service.operations.items()}
        labels = {
            f"{name}.{one.name}": one.field.label
            for name, operation in service.operations.items()
            for one in (*operation.inputs, *operation.outputs)
        }
        read = from_wsdl(render(service, "http://x/"), forms, labels)
        assert read == service


@pytest.mark.parametrize("document", [b"no xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_wsdl(document: bytes) -> None:
    with pytest.raises(ValueError):
        of(document, {"GetIncident": "HPD:Help Desk"})


def test_an_element_without_a_field_is_named() -> None:
    (service, *_) = [s for s in default_services().values() if s.name == "CTM_People_WS"]
    wsdl = render(service, "http://x/").replace(b"Corporate_ID", b"Shoe_Size")
    with pytest.raises(ValueError, match="no field for the element Shoe_Size"):
        of(wsdl, dict.fromkeys(service.operations, "CTM:People"))


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[MockRemedy, dict[str, zeep.Client]]]:
    services: dict[str, WebService] = {}
    for stem, forms in FORMS.items():
        service = of((SHARED / f"{stem}.wsdl").read_bytes(), forms)
        services[service.name] = service
    store = Store()
    store.load(entries(generate(3, Size.of(200, 100), 1_793_491_200)))
    with MockRemedy(store, services={**default_services(), **services}).in_thread() as mock:
        clients: dict[str, zeep.Client] = {}
        for stem, name in zip(FORMS, services, strict=True):
            client = zeep.Client(str(SHARED / f"{stem}.wsdl"))  # the real document, not ours
            (binding,) = client.wsdl.bindings
            proxy = client.create_service(binding, mock.endpoint(name))  # its own address is a private host
            clients[name] = proxy
        yield mock, clients


def header() -> dict[str, Any]:
    return {"parameters": {"userName": "integration", "password": "integration"}}


needs_shared = pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no WSDLs")


@pytest.mark.shared
@needs_shared
def test_real_lists(real: tuple[MockRemedy, dict[str, Any]]) -> None:
    _, services = real
    page = {"Qualification": "", "startRecord": "0", "maxLimit": "5", "_soapheaders": header()}
    people = services["XM_CTM_People_WS"].PeopleList(**page)
    assert (len(people), people[0].Profile_Status) == (5, "Enabled")
    groups = services["XM_CTM_Support_Group_WS"].GroupList(**page)
    query = f"'Support Group ID' = \"{groups[0].Support_Group_ID}\""
    members = services["XM_CTM_SupportGroupAssoc_join_People_WS"].GroupMemberList(**(page | {"Qualification": query}))
    told = services["XM_SupportGrp_SupportGrpAssoci_WS"].GroupMemberInfoList(**(page | {"Qualification": query}))
    logins = [m if isinstance(m, str) else m.Login_ID for m in members]
    assert logins == [m.Login_ID for m in told]
    assert {m.Support_Group_Name for m in told} == {groups[0].Support_Group_Name}


@pytest.mark.shared
@needs_shared
def test_real_incident_services(real: tuple[MockRemedy, dict[str, Any]]) -> None:
    mock, services = real
    number = "INC000000009004"
    desk, interface = services["XM_HPD_HelpDesk_WS"], services["XM_HPD_IncidentInterface_WS"]
    log = {
        "Action": "MODIFY",
        "Work_Info_Summary": "from zeep",
        "Work_Info_Notes": "first",
        "Work_Info_Type": "General Information",
        "Work_Info_Source": "Other",
        "Work_Info_Locked": "No",
        "Work_Info_View_Access": "Internal",
        "Incident_Number": number,
    }
    before = desk.GetIncident(Incident_Number=number, _soapheaders=header())
    assert isinstance(before.Reported_Date, str)  # this service shows it as text
    interface.AddWorkLog(**log, _soapheaders=header())
    after = desk.GetIncident(Incident_Number=number, _soapheaders=header())
    assert (after.Notes, after.Status) == (before.Notes, before.Status) == (before.Notes, "In Progress")
    given = {**log, "Resolution": "done", "Status": "Resolved", "Status_Reason": "No Further Action Required"}
    rest = ("Resolution_Category", "Resolution_Category_Tier_2", "Resolution_Category_Tier_3", "Resolution_Method")
    interface.Resolve(**given, **dict.fromkeys(rest, ""), _soapheaders=header())
    after = desk.GetIncident(Incident_Number=number, _soapheaders=header())
    assert (after.Status, after.Resolution, after.Status_Reason) == ("Resolved", "done", "No Further Action Required")
    with pytest.raises(Fault, match=r"ERROR \(302\)"):
        interface.AddWorkLog(**(log | {"Incident_Number": "INC1"}), _soapheaders=header())
    notes = [row for row in mock.store.rows("HPD:WorkLog") if row.get("Description") == "from zeep"]
    assert len(notes) == 2


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("stem", FORMS)
def test_our_wsdl_of_a_real_service_says_the_same(stem: str) -> None:
    """Operations, elements and their order; the actions; the header and its part."""

    def shape(wsdl: bytes) -> dict[str, Any]:
        root = etree.fromstring(wsdl)
        xsd, soap = "{http://www.w3.org/2001/XMLSchema}", "{http://schemas.xmlsoap.org/wsdl/soap/}"
        kinds = {node.get("name"): node for node in root.iter(f"{xsd}complexType") if node.get("name")}
        return {
            "namespace": root.get("targetNamespace"),
            "elements": {
                node.get("name"): [
                    e.get("name") for e in kinds[node.get("type").partition(":")[2]].iter(f"{xsd}element")
                ]
                for node in root.iterfind(f".//{xsd}schema/{xsd}element")
            },
            "actions": {node.get("soapAction") for node in root.iter(f"{soap}operation")},
            "header": {(node.get("message"), node.get("part")) for node in root.iter(f"{soap}header")},
        }

    real = (SHARED / f"{stem}.wsdl").read_bytes()
    assert shape(render(of(real, FORMS[stem]), "http://x/")) == shape(real)

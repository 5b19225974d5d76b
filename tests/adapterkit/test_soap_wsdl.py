"""WSDLs: compiled once from disk, compared with the mapping, never fetched; templates as zeep writes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from interlock.adapterkit.product import compile_product
from interlock.adapterkit.soap.compiled import load_service
from interlock.adapterkit.soap.declaration import SoapHabits
from interlock.adapterkit.soap.services import open_services
from interlock.adapterkit.soap.templates import template
from interlock.config.model import Basic
from interlock.places import place
from interlock.records.problems import Problem

REMEDY = place("adapters") / "remedy"
WSDLS = sorted((REMEDY / "wsdl").glob("*.wsdl"))
LOGIN = {"userName": "svc", "password": "p<&>\"'", "timeZone": "GMT"}


def known(element: Any) -> Any:
    """An element without what does not count: prefixes and blanks."""
    return element.tag, (element.text or "").strip(), [known(each) for each in element]


@pytest.mark.parametrize("path", WSDLS, ids=lambda path: path.stem)
def test_a_filled_template_is_what_zeep_sends(path: Path) -> None:
    service = load_service(path)
    client = zeep.Client(str(path))
    for name, operation in service.operations.items():
        values = {child.name: f"v{n} <&ü>" for n, child in enumerate(operation.input.children)}
        ours = template(operation, "1.1", LOGIN, "AuthenticationInfo").fill(values)
        theirs = client.create_message(client.service, name, _soapheaders={"parameters": LOGIN}, **values)
        assert known(etree.fromstring(ours)) == known(theirs), name


def test_elements_are_ordered_left_out_or_empty_as_the_wsdl_says() -> None:
    operation = load_service(REMEDY / "wsdl" / "HPD_IncidentInterface_Create_WS.wsdl").operations[
        "HelpDesk_Submit_Service"
    ]
    filled = template(operation, "1.1", LOGIN, "AuthenticationInfo")
    root = etree.fromstring(filled.fill({"Summary": "x", "Action": "CREATE", "Notes": None}))
    sent = {etree.QName(each).localname: each for each in root.find("{*}Body")[0]}
    assert list(sent)[:3] == ["Action", "First_Name", "Last_Name"]
    assert "Company" not in sent  # may be left out
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    assert sent["First_Name"].get(nil) == sent["Notes"].get(nil) == "true"
    assert filled.headers["soapaction"] == '"urn:HPD_IncidentInterface_Create_WS/HelpDesk_Submit_Service"'
    assert "p<" not in repr(filled)
    with pytest.raises(Problem, match="takes no element Sumary"):
        filled.fill({"Sumary": "x"})


def test_a_value_never_becomes_markup() -> None:
    operation = load_service(REMEDY / "wsdl" / "HPD_IncidentInterface_WS.wsdl").operations["HelpDesk_Query_Service"]
    body = template(operation, "1.1", LOGIN, "AuthenticationInfo").fill({"Incident_Number": "</n0:x><evil/>]]>&lt;"})
    (only,) = etree.fromstring(body).find("{*}Body")[0]
    assert (only.text, len(only)) == ("</n0:x><evil/>]]>&lt;", 0)


def test_an_operation_without_the_header_is_refused(tmp_path: Path) -> None:
    text = (REMEDY / "wsdl" / "CTM_People_WS.wsdl").read_text()
    bare = text.replace('<soap:header message="s0:ARAuthenticate" part="parameters" use="literal"/>', "")
    assert bare != text
    (tmp_path / "CTM_People_WS.wsdl").write_text(bare)
    with pytest.raises(Problem, match="declares no header AuthenticationInfo, so it would run without our account"):
        services(settings={"wsdl_folder": str(tmp_path)})


def test_a_source_without_account_does_not_start() -> None:
    with pytest.raises(Problem, match="AuthenticationInfo needs userName and password"):
        services(login=None)


def services(overlay: Any = None, settings: Any = None, login: Any = ..., cache: Path | None = None) -> Any:
    given = {"server": "arserver", **(settings or {})}
    product = compile_product(REMEDY, source="rem", settings=given, overlay=overlay or {})
    specs = {kind: mapping.spec for kind, mapping in product.mappings.items()}
    account = Basic(username="svc", password="pw") if login is ... else login  # type: ignore[arg-type]
    habits = product.manifest.soap
    assert isinstance(habits, SoapHabits)
    return open_services(REMEDY, specs, habits, given, account, "rem", cache)


def test_the_address_is_ours() -> None:
    ready = services(settings={"server": "ar&server"}).get("incident", "get")
    assert ready.path == "/arsys/services/ARService?server=ar%26server&webService=HPD_IncidentInterface_WS"
    with pytest.raises(Problem, match=r"settings\.server: is needed"):
        services(settings={"server": ""})


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({"soap": {"get": {"operation": "HelpDesk_Query_Servce"}}}, "Did you mean HelpDesk_Query_Service?"),
        ({"soap": {"get": {"key": "IncidentNumber"}}}, "Did you mean Incident_Number?"),
        ({"soap": {"wsdl": "HPD_IncidentInterfce_WS.wsdl"}}, "Did you mean HPD_IncidentInterface_WS.wsdl?"),
        ({"soap": {"list": {"rows": "getListValue"}}}, "Did you mean getListValues?"),
        ({"soap": {"note": {"text": "Work_Info_Note"}}}, "Did you mean Work_Info_Notes?"),
        ({"soap": {"update": {"unread": []}}}, "Say under same which element holds it"),
        ({"soap": {"beside": {"caller": {"First_Name": "Firstname"}}}}, "Did you mean First_Name?"),
        ({"fields": {"title": {"at": "Sumary", "filter": "no"}}}, "Did you mean Summary?"),
        ({"fields": {"due_at": {"at": "Closed_Date", "filter": "no"}, "closed_at": None}}, "Or set it apart"),
        ({"codes": {"impact": {"low": "4-Minor/Localised"}}}, "Did you mean 4-Minor/Localized?"),
    ],
)
def test_what_does_not_fit_the_wsdl_is_named_with_the_nearest(overlay: Any, says: str) -> None:
    with pytest.raises(Problem) as caught:
        services({"incident": overlay})
    assert says in (caught.value.next_step or ""), (caught.value.detail, caught.value.next_step)
    assert "incident" in caught.value.detail


def test_a_modify_that_would_empty_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(Problem, match="HelpDesk_Modify_Service would empty Work_Info_Summary"):
        services({"incident": {"soap": {"update": {"unread": ["Work_Info_Notes"]}}}})


START = """
import sys
from pathlib import Path
from interlock.adapterkit.soap.compiled import load_service
for path in sorted(Path(sys.argv[1]).glob("*.wsdl")):
    load_service(path, cache=Path(sys.argv[2]))
print("zeep" in sys.modules)
"""


def test_a_known_wsdl_needs_no_zeep_and_a_changed_one_does(tmp_path: Path) -> None:
    folder, cache = tmp_path / "wsdl", tmp_path / "cache"
    folder.mkdir()
    file = folder / "people.wsdl"
    file.write_bytes((REMEDY / "wsdl" / "CTM_People_WS.wsdl").read_bytes())

    def imports_zeep() -> bool:
        done = subprocess.run([sys.executable, "-c", START, str(folder), str(cache)], capture_output=True, check=True)
        return done.stdout.strip() == b"True"

    assert imports_zeep() is True
    assert imports_zeep() is False
    (kept,) = cache.glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("{damaged")
    assert imports_zeep() is True
    assert imports_zeep() is False
    file.write_text(file.read_text().replace('"JobTitle"', '"Job_Title"'))
    assert imports_zeep() is True


def test_a_state_folder_that_keeping_makes_is_private(tmp_path: Path) -> None:
    state = tmp_path / "state"
    load_service(WSDLS[0], cache=state / "wsdl")
    assert list((state / "wsdl").glob("*.json"))
    assert [folder.stat().st_mode & 0o777 for folder in (state, state / "wsdl")] == [0o700, 0o700]


def test_kept_and_fresh_are_equal(tmp_path: Path) -> None:
    for path in WSDLS:
        assert load_service(path, cache=tmp_path) == load_service(path, cache=tmp_path) == load_service(path)


IMPORTING = """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 targetNamespace="urn:x"><wsdl:types><xsd:schema><xsd:import namespace="urn:y" schemaLocation="{0}"/></xsd:schema>
</wsdl:types></wsdl:definitions>"""


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/types.xsd", "../../etc/types.xsd", "file:///etc/types.xsd"])
def test_imports_are_read_beside_the_wsdl_or_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "main.wsdl").write_text(IMPORTING.format(address))
    with pytest.raises(Problem, match="not beside it; nothing is fetched") as caught:
        load_service(tmp_path / "main.wsdl")
    assert caught.value.next_step == "Save that file as types.xsd beside main.wsdl."
    (tmp_path / "types.xsd").write_text(
        '<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:y"/>'
    )
    with pytest.raises(Problem, match=r"has no binding of SOAP 1\.1"):
        load_service(tmp_path / "main.wsdl")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares a document type"),
        ("<wsdl:definitions", "breaks off"),
        ("no xml", "is no XML"),
        ('<a xmlns="urn:x"/>', "is not understood|has no binding"),
    ],
)
def test_a_file_that_is_no_wsdl_is_told(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "main.wsdl").write_text(text)
    with pytest.raises(Problem, match=why) as caught:
        load_service(tmp_path / "main.wsdl")
    assert "main.wsdl" in caught.value.body()["value"]


def test_rpc_services_are_refused_by_name(tmp_path: Path) -> None:
    text = (REMEDY / "wsdl" / "CTM_People_WS.wsdl").read_text().replace('style="document"', 'style="rpc"')
    (tmp_path / "main.wsdl").write_text(text)
    with pytest.raises(Problem, match=r"RPC/encoded|is not understood"):
        load_service(tmp_path / "main.wsdl")


CHOICE = """<xsd:choice><xsd:element name="UserLogin" type="xsd:string"/><xsd:sequence minOccurs="0">
<xsd:element name="SessionID" type="xsd:string"/></xsd:sequence></xsd:choice>
<xsd:element name="Qualification"""


def test_of_a_choice_nothing_is_sent_that_was_not_given(tmp_path: Path) -> None:
    text = (REMEDY / "wsdl" / "CTM_People_WS.wsdl").read_text()
    (tmp_path / "main.wsdl").write_text(text.replace('<xsd:element name="Qualification', CHOICE))
    operation = load_service(tmp_path / "main.wsdl").operations["People_QueryList_Service"]
    body = template(operation, "1.1", LOGIN, "AuthenticationInfo").fill({"UserLogin": "u", "Qualification": "q"})
    sent = [etree.QName(each).localname for each in etree.fromstring(body).find("{*}Body")[0]]
    assert sent == ["UserLogin", "Qualification", "startRecord", "maxLimit"]


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["remedy/xmatters", "hpsm", "otrs"])
def test_real_wsdls_compile_and_their_requests_are_zeeps(folder: str) -> None:
    given = os.environ.get("INTERLOCK_SHARED")
    if not given or not (Path(given) / "wsdl").is_dir():
        pytest.skip("INTERLOCK_SHARED is not set")
    compiled = 0
    for path in sorted((Path(given) / "wsdl" / folder).glob("*.wsdl")):
        service = load_service(path)
        client = zeep.Client(str(path))
        for name, operation in service.operations.items():
            flat = {child.name: f"v<{n}>" for n, child in enumerate(operation.input.children) if not child.children}
            header = next((each.name for each in operation.headers), None)
            ours = template(operation, "1.1", LOGIN if header else None, header).fill(flat)
            compiled += 1
            if all(not child.children and child.least for child in operation.input.children):
                more = {"_soapheaders": {"parameters": LOGIN}} if header else {}
                theirs = client.create_message(client.service, name, **more, **flat)
                assert known(etree.fromstring(ours)) == known(theirs), name
    assert compiled

"""The mock Remedy as zeep sees it: an independent client, over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import zeep
from mock_servers.estate import Estate, Size, generate
from mock_servers.remedy import MockRemedy, Store, Switches, User, customised_services
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.settings import DEFAULT_USERS
from zeep import xsd
from zeep.exceptions import Fault

from interlock.clock import ManualClock

AS_OF = 1_793_491_200
CREATE, INCIDENT, WORK_LOG = "HPD_IncidentInterface_Create_WS", "HPD_IncidentInterface_WS", "HPD:WorkLog"


@pytest.fixture(scope="module")
def estate() -> Estate:
    return generate(3, Size.of(200, 100), AS_OF)


@pytest.fixture
def store(estate: Estate) -> Store:
    store = Store()
    store.load(entries(estate, raw=True))
    return store


@pytest.fixture
def mock(store: Store) -> Iterator[MockRemedy]:
    viewer = User("narrow", "narrow")
    with MockRemedy(store, clock=ManualClock(AS_OF), users=(*DEFAULT_USERS, viewer)).in_thread() as served:
        yield served


def header(user: str = "integration", password: str | None = None, **more: str) -> dict[str, Any]:
    return {"parameters": {"userName": user, "password": user if password is None else password, **more}}


class Caller:
    """zeep with the header in every call."""

    def __init__(self, mock: MockRemedy, service: str, **more: str) -> None:
        self.client = zeep.Client(mock.wsdl(service))
        self._header = header(**more)

    def __call__(self, operation: str, **values: Any) -> Any:
        return self.client.service[operation](**values, _soapheaders=self._header)

    def rows(self, operation: str, qualification: str, start: int | str = "0", most: int | str = "0") -> list[Any]:
        return list(self(operation, Qualification=qualification, startRecord=str(start), maxLimit=str(most)))


def code(error: pytest.ExceptionInfo[Fault]) -> int:
    assert error.value.code == "soapenv:Server.userException"
    found = re.match(r"ERROR \((\d+)\): [^;]+; ", error.value.message)
    assert found, error.value.message
    return int(found[1])


def customer(estate: Estate) -> dict[str, str]:
    person = next(p for p in estate.people if p.active)
    return {"First_Name": person.first_name, "Last_Name": person.last_name, "Login_ID": person.user_name}


def make(mock: MockRemedy, estate: Estate, **more: Any) -> str:
    values = {
        **customer(estate),
        "Action": "CREATE",
        "Impact": "2-Significant/Large",
        "Urgency": "2-High",
        "Status": "New",
        "Service_Type": "User Service Restoration",
        "Reported_Source": "Phone",
        "Summary": "VPN <drops> & \u201cfails\u201d",
        **more,
    }
    return str(Caller(mock, CREATE)("HelpDesk_Submit_Service", **values))


def member(estate: Estate) -> tuple[str, str, str]:
    """A group's name, and a member's name and login."""
    group = estate.groups[0]
    found = next(m for m in estate.memberships if m.group == group.id)
    person = next(p for p in estate.people if p.id == found.person)
    return group.name, person.name, person.user_name


MERGED = """
    Incident_Number Summary Notes Status Status_Reason Impact Urgency Service_Type Reported_Source
    Company Categorization_Tier_1 Categorization_Tier_2 Categorization_Tier_3
    Product_Categorization_Tier_1 Product_Categorization_Tier_2 Product_Categorization_Tier_3
    Product_Name Product_Model_Version Manufacturer Assigned_Support_Company
    Assigned_Support_Organization Assigned_Group Assignee Assignee_Login_ID Resolution
    Resolution_Category Resolution_Category_Tier_2 Resolution_Category_Tier_3 Resolution_Method
    ServiceCI ServiceCI_ReconID HPD_CI HPD_CI_ReconID Required_Resolution_DateTime
    Vendor_Ticket_Number External_Reference
""".split()  # noqa: SIM905 -- a list as one reads it


def merge(mock: MockRemedy, number: str, **changes: Any) -> None:
    """What a careful client does: read, merge, write all."""
    caller = Caller(mock, INCIDENT)
    was = caller("HelpDesk_Query_Service", Incident_Number=number)
    values = {name: getattr(was, name) for name in MERGED} | changes
    values = {name: xsd.Nil if value is None else value for name, value in values.items()}
    caller("HelpDesk_Modify_Service", Action="MODIFY", **values)


def test_create_then_get(mock: MockRemedy, estate: Estate) -> None:
    number = make(mock, estate, External_Reference="req-1", Notes="zwei\nZeilen ü")
    assert re.fullmatch(r"INC\d{12}", number)
    found = Caller(mock, INCIDENT)("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Summary, found.Notes) == ("VPN <drops> & \u201cfails\u201d", "zwei\nZeilen ü")
    assert (found.Status, found.Priority, found.Priority_Weight) == ("New", "High", 20)
    assert found.Login_ID == customer(estate)["Login_ID"]
    assert found.Submitter == "integration"
    assert found.Submit_Date.timestamp() == found.Last_Modified_Date.timestamp() == AS_OF
    assert found.External_Reference == "req-1"


def test_create_assigns_by_the_rules(mock: MockRemedy, estate: Estate) -> None:
    group, name, login = member(estate)
    caller = Caller(mock, INCIDENT)
    found = caller("HelpDesk_Query_Service", Incident_Number=make(mock, estate, Assigned_Group=group))
    assert (found.Status, found.Assigned_Support_Organization) == ("Assigned", "IT Operations")
    number = make(mock, estate, Assigned_Group=group, Assignee_Login_ID=login, Status="In Progress")
    found = caller("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Status, found.Assignee, found.Assigned_Group_ID) == ("In Progress", name, "SGP000000000001")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Summary": ""}, 307),
        ({"Impact": xsd.Nil}, 307),
        ({"Impact": "1-Huge"}, 306),
        ({"Summary": "x" * 101}, 306),
        ({"Last_Name": "Nobody"}, 44801),
        ({"Assigned_Group": "No Such Group"}, 44802),
        ({"Status": "Assigned"}, 44804),
        ({"Reported_Date": "soon"}, 306),
    ],
)
def test_create_is_refused(mock: MockRemedy, estate: Estate, values: dict[str, Any], expected: int) -> None:
    before = mock.store.counts()
    with pytest.raises(Fault) as error:
        make(mock, estate, **values)
    assert code(error) == expected
    assert mock.store.counts() == before


def test_an_external_reference_is_unique(mock: MockRemedy, estate: Estate) -> None:
    first = make(mock, estate, External_Reference="req-7")
    with pytest.raises(Fault, match=f"External Reference .{first}") as error:
        make(mock, estate, External_Reference="req-7")
    assert code(error) == 382
    mock.switches.unique_external = False
    assert make(mock, estate, External_Reference="req-7") != first


def test_get_of_nothing_is_fault_302(mock: MockRemedy) -> None:
    caller = Caller(mock, INCIDENT)
    with pytest.raises(Fault) as error:
        caller("HelpDesk_Query_Service", Incident_Number="INC000099999999")
    assert error.value.message == "ERROR (302): Entry does not exist in database; "
    with pytest.raises(Fault) as error:
        caller.rows("HelpDesk_QueryList_Service", "'Incident Number' = \"INC000099999999\"")
    assert code(error) == 302
    mock.switches.empty_list = "empty"
    assert caller.rows("HelpDesk_QueryList_Service", "'Incident Number' = \"INC000099999999\"") == []


def test_lists_page_without_a_total(mock: MockRemedy, estate: Estate) -> None:
    caller = Caller(mock, INCIDENT)
    every = [row.Incident_Number for row in caller.rows("HelpDesk_QueryList_Service", "")]
    assert len(every) == len(estate.incidents)
    paged: list[str] = []
    while page := caller.rows("HelpDesk_QueryList_Service", "1 = 1", len(paged), 30):
        paged += [row.Incident_Number for row in page]
        if len(page) < 30:
            break
    assert paged == every
    mock.switches.max_entries = 40  # the server's limit wins, without a word
    assert len(caller.rows("HelpDesk_QueryList_Service", "", 0, 1000)) == 40
    with pytest.raises(Fault) as error:
        caller.rows("HelpDesk_QueryList_Service", "", "first")
    assert code(error) == 306


def test_a_wrong_qualification_is_a_fault(mock: MockRemedy) -> None:
    caller = Caller(mock, INCIDENT)
    for qualification, expected in (("'Nope' = 1", 1587), ("'Status' =", 1584), ("'Status' = \"Nope\"", 1586)):
        with pytest.raises(Fault) as error:
            caller.rows("HelpDesk_QueryList_Service", qualification)
        assert code(error) == expected


def test_modify_nulls_what_is_left_out(mock: MockRemedy, estate: Estate) -> None:
    number = make(mock, estate, Notes="keep me", Categorization_Tier_1="Network", External_Reference="req-2")
    caller = Caller(mock, INCIDENT)
    given = dict.fromkeys(MERGED, xsd.SkipValue) | {
        "Incident_Number": number,
        "Summary": "new",
        "Status": "New",
        "Impact": "4-Minor/Localized",
        "Urgency": "4-Low",
        "Service_Type": "User Service Request",
        "Notes": "",
    }
    caller("HelpDesk_Modify_Service", Action="MODIFY", **given)
    found = caller("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Summary, found.Priority) == ("new", "Low")
    assert (found.Notes, found.Categorization_Tier_1, found.External_Reference) == (None, None, None)
    assert found.First_Name == customer(estate)["First_Name"]  # not mapped by this operation
    with pytest.raises(Fault) as error:
        caller("HelpDesk_Modify_Service", Action="MODIFY", **(given | {"Summary": ""}))
    assert code(error) == 326


def test_modify_merged_keeps_the_rest(mock: MockRemedy, estate: Estate) -> None:
    number = make(mock, estate, Notes="keep me", Categorization_Tier_1="Network", External_Reference="req-3")
    merge(mock, number, Urgency="1-Critical")
    found = Caller(mock, INCIDENT)("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Urgency, found.Priority) == ("1-Critical", "Critical")
    assert (found.Notes, found.Categorization_Tier_1, found.External_Reference) == ("keep me", "Network", "req-3")


def test_two_merges_lose_an_update(mock: MockRemedy, estate: Estate) -> None:
    """No optimistic lock: who read before the other wrote, writes the old value back."""
    number = make(mock, estate)
    caller = Caller(mock, INCIDENT)
    was = caller("HelpDesk_Query_Service", Incident_Number=number)
    merge(mock, number, Notes="from A")
    stale = {name: getattr(was, name) for name in MERGED} | {"Summary": "from B"}
    stale = {name: xsd.Nil if value is None else value for name, value in stale.items()}
    caller("HelpDesk_Modify_Service", Action="MODIFY", **stale)
    found = caller("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Summary, found.Notes) == ("from B", None)


def test_the_life_of_an_incident(mock: MockRemedy, estate: Estate) -> None:
    group, name, login = member(estate)
    number = make(mock, estate, Assigned_Group=group)

    def refused(**changes: Any) -> int:
        with pytest.raises(Fault) as error:
            merge(mock, number, **changes)
        return code(error)

    assert refused(Status="In Progress") == 44805
    outsider = next(
        p.user_name
        for p in estate.people
        if p.id not in {m.person for m in estate.memberships if m.group == estate.groups[0].id}
    )
    assert refused(Assignee_Login_ID=outsider, Assignee=None) == 44803
    merge(mock, number, Status="In Progress", Assignee_Login_ID=login)
    assert refused(Status="Pending") == 44806
    assert refused(Status="Pending", Status_Reason="No Further Action Required") == 44807
    merge(mock, number, Status="Pending", Status_Reason="Client Action Required")
    assert refused(Status="Resolved", Status_Reason="No Further Action Required") == 44808
    mock.clock.advance(3600)
    merge(mock, number, Status="Resolved", Status_Reason="No Further Action Required", Resolution="rebooted")
    caller = Caller(mock, INCIDENT)
    found = caller("HelpDesk_Query_Service", Incident_Number=number)
    assert found.Last_Resolved_Date.timestamp() == AS_OF + 3600
    merge(mock, number, Status="In Progress", Resolution=None)
    found = caller("HelpDesk_Query_Service", Incident_Number=number)
    assert (found.Reopen_Count, found.Status_Reason, found.Assignee) == (1, None, name)
    merge(mock, number, Status="Resolved", Status_Reason="Temporary Corrective Action", Resolution="again")
    merge(mock, number, Status="Closed")
    assert refused(Summary="too late") == 44809
    mock.switches.status_model = False
    merge(mock, number, Summary="in time")


def test_work_log(mock: MockRemedy, estate: Estate) -> None:
    number = make(mock, estate)
    caller = Caller(mock, INCIDENT)
    with pytest.raises(Fault):
        caller.rows("HelpDesk_GetWorkInfoList", f"'Incident Number' = \"{number}\"")
    merge(mock, number, Work_Info_Notes="first <note>", Work_Info_View_Access="Public")
    mock.clock.advance(5)
    merge(mock, number, Work_Info_Summary="sum", Work_Info_Notes="second", Work_Info_Type="Working Log")
    rows = caller.rows("HelpDesk_GetWorkInfoList", f"'Incident Number' = \"{number}\"")
    assert [(r.Work_Info_Notes, r.Work_Info_View_Access, r.Work_Info_Type) for r in rows] == [
        ("first <note>", "Public", "General Information"),
        ("second", "Internal", "Working Log"),
    ]
    assert [r.Work_Log_Submit_Date.timestamp() - AS_OF for r in rows] == [0, 5]
    assert {r.Work_Log_Submitter for r in rows} == {"integration"}


def test_another_action_does_nothing(mock: MockRemedy, estate: Estate) -> None:
    number = make(mock, estate)
    caller = Caller(mock, INCIDENT)
    given = dict.fromkeys(MERGED, xsd.SkipValue) | {"Incident_Number": number, "Summary": "lost"}
    caller("HelpDesk_Modify_Service", Action="UPDATE", **given)
    assert caller("HelpDesk_Query_Service", Incident_Number=number).Summary != "lost"
    mock.switches.wrong_action = "fault"
    with pytest.raises(Fault) as error:
        caller("HelpDesk_Modify_Service", Action="UPDATE", **given)
    assert code(error) == 306


def test_authentication(mock: MockRemedy) -> None:
    client = zeep.Client(mock.wsdl("CTM_SupportGroup_WS"))

    def groups(*headers: Any) -> Any:
        listed = client.service.SupportGroup_QueryList_Service
        return listed(Qualification="", startRecord="0", maxLimit="1", _soapheaders=headers[0] if headers else None)

    for given, expected in ((header("integration", "wrong"), 623), (header("nobody"), 623), (header("", ""), 149)):
        with pytest.raises(Fault) as error:
            groups(given)
        assert code(error) == expected
    with pytest.raises(Fault) as error:
        groups()
    assert code(error) == 149
    mock.switches.anonymous_user = "reader"  # what many mid-tiers are configured to do
    assert len(groups()) == 1


def test_a_locale_translates_the_words_and_not_the_number(mock: MockRemedy) -> None:
    caller = Caller(mock, INCIDENT, locale="de_DE")
    with pytest.raises(Fault, match="nicht vorhanden") as error:
        caller("HelpDesk_Query_Service", Incident_Number="INC1")
    assert code(error) == 302


def test_rights(mock: MockRemedy, estate: Estate) -> None:
    reader = Caller(mock, INCIDENT, user="reader")
    assert len(reader.rows("HelpDesk_QueryList_Service", "", 0, 3)) == 3
    number = reader.rows("HelpDesk_QueryList_Service", "")[0].Incident_Number
    given = dict.fromkeys(MERGED, xsd.SkipValue) | {"Incident_Number": number}
    with pytest.raises(Fault) as error:
        reader("HelpDesk_Modify_Service", Action="MODIFY", **given)
    assert code(error) == 330
    hidden = mock.store.get("HPD:Help Desk", "INC000000009003")
    assert hidden is not None
    mock.switches.row_access["HPD:Help Desk"] = f"'Assigned Group' != \"{hidden['Assigned Group']}\""
    with pytest.raises(Fault) as error:
        Caller(mock, INCIDENT)("HelpDesk_Query_Service", Incident_Number="INC000000009003")
    assert code(error) == 302
    admin = Caller(mock, INCIDENT, user="Demo", password="demo")
    assert admin("HelpDesk_Query_Service", Incident_Number="INC000000009003").Summary
    mock.switches.denied_forms.append("CTM:People")
    with pytest.raises(Fault) as error:
        Caller(mock, "CTM_People_WS").rows("People_QueryList_Service", "")
    assert code(error) == 353


def test_times_are_shown_in_the_callers_zone(mock: MockRemedy) -> None:
    def reported(**more: str) -> Any:
        return Caller(mock, INCIDENT, **more)("HelpDesk_Query_Service", Incident_Number="INC000000009001").Reported_Date

    own, utc, india = reported(), reported(timeZone="GMT"), reported(timeZone="Asia/Kolkata")
    assert own == utc == india
    assert [t.utcoffset().total_seconds() for t in (own, utc, india)] == [3600, 0, 19800]


def test_people_and_groups(mock: MockRemedy, estate: Estate) -> None:
    people = Caller(mock, "CTM_People_WS")
    person = estate.people[0]
    (found,) = people.rows("People_QueryList_Service", f"'Remedy Login ID' = \"{person.user_name}\"")
    assert (found.Full_Name, found.Internet_Email) == (person.name, person.email)
    assert people("People_Query_Service", Person_ID=found.Person_ID).Last_Name == person.last_name
    groups = Caller(mock, "CTM_SupportGroup_WS")
    name, full, login = member(estate)
    (group,) = groups.rows("SupportGroup_QueryList_Service", f"'Support Group Name' = \"{name}\"")
    rows = groups.rows("SupportGroupMember_QueryList_Service", f"'Support Group ID' = \"{group.Support_Group_ID}\"")
    assert (full, login) in {(r.Full_Name, r.Login_ID) for r in rows}


def test_configuration_items(mock: MockRemedy, estate: Estate) -> None:
    base, computers = Caller(mock, "BMC_CORE_BaseElement_WS"), Caller(mock, "BMC_CORE_ComputerSystem_WS")
    ci = next(ci for ci in estate.cis if ci.form == "linux_server" and ci.last_seen_at and ci.serial)
    twice = base.rows("BaseElement_QueryList_Service", f"'Name' = \"{ci.name}\"")
    assert [row.DatasetId for row in twice] == ["BMC.ASSET", "BMC.ADDM"]
    assert len({row.ReconciliationIdentity for row in twice}) == 1
    assert {row.SerialNumber for row in twice} == {ci.serial}
    key = {"InstanceId": twice[0].InstanceId, "DatasetId": "BMC.ASSET"}
    full = computers("ComputerSystem_Query_Service", **key)
    assert (full.PrimaryCapability, full.Primary_IP_Address) == ("Server", ci.ip or None)
    with pytest.raises(Fault) as error:
        computers("ComputerSystem_Query_Service", **(key | {"DatasetId": "BMC.SAMPLE"}))
    assert code(error) == 302
    classes = {row.ClassId for row in base.rows("BaseElement_QueryList_Service", "'DatasetId' = \"BMC.ASSET\"")}
    assert {"BMC_COMPUTERSYSTEM", "BMC_MAINFRAME", "BMC_DATABASE", "BMC_BUSINESSSERVICE"} <= classes
    subclasses = {row.ClassId for row in computers.rows("ComputerSystem_QueryList_Service", "")}
    assert subclasses == {"BMC_COMPUTERSYSTEM", "BMC_MAINFRAME", "BMC_PRINTER"}


def test_relations(mock: MockRemedy, estate: Estate) -> None:
    computers, relations = Caller(mock, "BMC_CORE_ComputerSystem_WS"), Caller(mock, "BMC_CORE_BaseRelationship_WS")
    relation = next(r for r in estate.relations if r.type == "hosted_on")
    query = f"'Destination.InstanceId' = \"OI-{relation.subject.upper()}\" AND 'Name' = \"HOSTEDON\""
    (row,) = relations.rows("BaseRelationship_QueryList_Service", query)
    assert (row.Source_InstanceId, row.ClassId) == (f"OI-{relation.object.upper()}", "BMC_DEPENDENCY")
    made = str(computers("ComputerSystem_Create_Service", Name="new01", DatasetId="BMC.ASSET", isVirtual="No"))
    ends = {"Source_InstanceId": made, "Destination_InstanceId": row.Source_InstanceId}
    link = str(relations("Dependency_Create_Service", Name="DEPENDENCY", DatasetId="BMC.ASSET", **ends))
    found = relations("BaseRelationship_Query_Service", InstanceId=link)
    assert (found.Source_ClassId, found.Source_ReconciliationIdentity) == ("BMC_COMPUTERSYSTEM", "0")
    ends["Destination_InstanceId"] = "OI-NONE"
    with pytest.raises(Fault) as error:
        relations("Dependency_Create_Service", Name="DEPENDENCY", DatasetId="BMC.ASSET", **ends)
    assert code(error) == 44812


def test_changes(mock: MockRemedy, estate: Estate) -> None:
    person = customer(estate)
    values = {
        "Action": "CREATE",
        "First_Name": person["First_Name"],
        "Last_Name": person["Last_Name"],
        "Change_Timing": "Normal",
        "Impact": "4-Minor/Localized",
        "Urgency": "4-Low",
        "Summary": "Patch",
        "External_Reference": "chg-1",
    }
    number = str(Caller(mock, "CHG_ChangeInterface_Create_WS")("Change_Submit_Service", **values))
    changes = Caller(mock, "CHG_ChangeInterface_WS")
    found = changes("Change_Query_Service", Infrastructure_Change_ID=number)
    assert (found.Change_Request_Status, found.Priority) == ("Draft", "Low")
    names = [
        name
        for name, _ in changes.client.get_element("{urn:CHG_ChangeInterface_WS}Change_Modify_Service").type.elements
    ]

    def modify(**given: Any) -> None:
        every = {n: getattr(found, n, None) for n in names} | {"Action": "MODIFY", **given}
        every = {n: xsd.SkipValue if v is None else v for n, v in every.items()}
        changes("Change_Modify_Service", **every)

    with pytest.raises(Fault) as error:
        modify(Change_Request_Status="Completed", Scheduled_Start_Date="2026-11-05T20:00:00Z")
    assert code(error) == 44810
    modify(Change_Request_Status="Planning In Progress")
    with pytest.raises(Fault) as error:
        modify(Change_Request_Status="Scheduled")
    assert code(error) == 44811
    times = {"Scheduled_Start_Date": "2026-11-05T20:00:00Z", "Scheduled_End_Date": "2026-11-05T22:00:00Z"}
    modify(Change_Request_Status="Scheduled", Work_Info_Notes="CAB agreed", **times)
    (note,) = changes.rows("Change_GetWorkInfoList", f"'Infrastructure Change ID' = \"{number}\"")
    assert note.Work_Info_Notes == "CAB agreed"
    assert {"chg-1"} == {
        row.External_Reference for row in changes.rows("Change_QueryList_Service", "'External Reference' = \"chg-1\"")
    }


def test_a_customised_instance(store: Store, estate: Estate) -> None:
    with MockRemedy(store, services=customised_services(), clock=ManualClock(AS_OF)).in_thread() as mock:
        assert httpx.get(mock.wsdl(INCIDENT)).status_code == 404
        person = customer(estate)
        number = Caller(mock, "XX_Ticket_Create_WS")(
            "TicketAnlegen",
            Aktion="CREATE",
            Kunde_Vorname=person["First_Name"],
            Kunde_Nachname=person["Last_Name"],
            Kunde_Login=person["Login_ID"],
            Auswirkung="4-Minor/Localized",
            Dringlichkeit="4-Low",
            TicketStatus="New",
            Service_Type="User Service Request",
            Reported_Source="Phone",
            Kurzbeschreibung="Maus klemmt",
            Ext_Ref="abc",
        )
        tickets = Caller(mock, "XX_Ticket_WS")
        (row,) = tickets.rows("TicketSuchen", "'External Reference' = \"abc\"")
        assert (row.TicketNo, row.Kurzbeschreibung, row.Prioritaet) == (number, "Maus klemmt", "Low")
        tickets("TicketNotiz", Aktion="MODIFY", TicketNo=number, Notiz_Text="Treiber geprüft")
        (note,) = tickets.rows("TicketNotizen", f"'Incident Number' = \"{number}\"")
        assert note.Notiz_Text == "Treiber geprüft"
        assert tickets("TicketLesen", TicketNo=number).Kurzbeschreibung == "Maus klemmt"  # nothing else was mapped


def test_the_wsdl_says_another_address_if_told(mock: MockRemedy) -> None:
    here = f"{mock.url}/arsys/services/ARService?server=arserver&amp;webService={INCIDENT}"
    also = mock.endpoint(INCIDENT) + "&wsdl"
    assert here in httpx.get(mock.wsdl(INCIDENT)).text
    assert httpx.get(also).text == httpx.get(mock.wsdl(INCIDENT)).text
    mock.switches.advertised_address = "http://10.77.0.5:8080"
    assert 'location="http://10.77.0.5:8080/arsys/services/' in httpx.get(also).text


def test_switches_are_known_by_name() -> None:
    with pytest.raises(ValueError, match="no such switch: empty_lists"):
        Switches().change(empty_lists="fault")

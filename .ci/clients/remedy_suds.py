"""suds, unchanged, against the mock: ``python remedy_suds.py READY`` in an environment of its own.

``READY`` is the file with the line that the mock printed. Prints ``N passed, 0 failed``; exits 1 otherwise.
"""

# ruff: noqa: PT017, T201 -- a script that prints
from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from suds import WebFault
from suds.client import Client

READY = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
CREATE, INCIDENT = "HPD_IncidentInterface_Create_WS", "HPD_IncidentInterface_WS"


def client(service: str, password: str = "integration", **options: Any) -> Client:  # noqa: S107 -- a mock's account
    made = Client(f"{READY['services'][service]}&wsdl", cache=None, **options)
    login = made.factory.create("ns0:AuthenticationInfo")
    login.userName, login.password = "integration", password
    made.set_options(soapheaders=login)
    return made


def rows(service: str, operation: str, query: str, most: str = "50") -> list[Any]:
    """The rows of one list; suds gives a single element without its wrapper."""
    found = getattr(client(service).service, operation)(query, "0", most)
    return list(getattr(found, "getListValues", found))


def person() -> Any:
    return rows("CTM_People_WS", "People_QueryList_Service", "'Profile Status' = \"Enabled\"", "1")[0]


def make(reference: str) -> str:
    caller = person()
    return str(
        client(CREATE).service.HelpDesk_Submit_Service(
            Action="CREATE",
            First_Name=caller.First_Name,
            Last_Name=caller.Last_Name,
            Login_ID=caller.Remedy_Login_ID,
            Impact="2-Significant/Large",
            Urgency="2-High",
            Status="New",
            Service_Type="User Service Restoration",
            Reported_Source="Phone",
            Summary="made by suds: ü < & >",
            External_Reference=reference,
        )
    )


def every_wsdl_is_read() -> None:
    for service in READY["services"]:
        (found,) = client(service).sd
        assert found.ports[0][1], service


def create_then_get() -> None:
    number = make("suds-1")
    found = client(INCIDENT).service.HelpDesk_Query_Service(number)
    assert found.Summary == "made by suds: ü < & >", found.Summary
    assert found.Priority == "High", found.Priority


def list_by_reference() -> None:
    number = make("suds-2")
    (found,) = rows(INCIDENT, "HelpDesk_QueryList_Service", "'External Reference' = \"suds-2\"")
    assert found.Incident_Number == number


def modify_blanks_what_is_not_sent() -> None:
    number = make("suds-3")
    service = client(INCIDENT).service
    service.HelpDesk_Modify_Service(
        Action="MODIFY",
        Incident_Number=number,
        Summary="after",
        Status="New",
        Impact="4-Minor/Localized",
        Urgency="4-Low",
        Service_Type="User Service Restoration",
        Work_Info_Notes="noted by suds",
    )
    found = service.HelpDesk_Query_Service(number)
    assert (found.Summary, found.External_Reference) == ("after", None), found
    notes = rows(INCIDENT, "HelpDesk_GetWorkInfoList", f"'Incident Number' = \"{number}\"")
    assert notes[0].Work_Info_Notes == "noted by suds"


def faults_are_faults() -> None:
    for call, number in (
        (lambda: client(INCIDENT).service.HelpDesk_Query_Service("INC0"), 302),
        (lambda: client(INCIDENT, password="wrong").service.HelpDesk_Query_Service("INC0"), 623),  # noqa: S106
        (lambda: rows(INCIDENT, "HelpDesk_QueryList_Service", "'Nope' = 1"), 1587),
    ):
        try:
            call()
        except WebFault as error:
            assert f"ERROR ({number}):" in str(error), error
        else:
            raise AssertionError(f"no fault {number}")


CHECKS: tuple[Callable[[], None], ...] = (
    every_wsdl_is_read,
    create_then_get,
    list_by_reference,
    modify_blanks_what_is_not_sent,
    faults_are_faults,
)


def main() -> int:
    """Run every check; the number of failures."""
    failed = 0
    for check in CHECKS:
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}")
            traceback.print_exc()
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)

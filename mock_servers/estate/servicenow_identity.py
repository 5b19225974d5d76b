"""How ServiceNow knows the estate's CIs: serial numbers, and the sources' own keys."""

from __future__ import annotations

from collections.abc import Iterator

from mock_servers.estate import servicenow_codes as codes
from mock_servers.estate.forms import BY_NAME
from mock_servers.estate.model import Ci, Estate, ident
from mock_servers.estate.servicenow_codes import when

Row = dict[str, str]


def identity(estate: Estate) -> Iterator[tuple[str, Row]]:
    """What identification looks at besides the CIs: lookup rows, and who reported which CI by which key."""
    for ci in estate.cis:
        if ci.serial and "hw" in BY_NAME[ci.form].facts and BY_NAME[ci.form].product != "vm":
            yield "cmdb_serial_number", _serial(estate, ci)
        if ci.discovery_source != "Manual Entry" and ci.last_seen_at is not None:
            yield (
                "sys_object_source",
                {
                    "sys_id": ident(estate.seed, "object source", ci.id),
                    "name": ci.discovery_source,
                    "id": ident(estate.seed, "native key", ci.id)[:12],
                    "source_feed": "",
                    "target_table": codes.CLASSES[ci.form],
                    "target_sys_id": ci.id,
                    "last_scan": when(ci.last_seen_at),
                    "sys_created_on": when(ci.first_seen_at or ci.created_at),
                    "sys_created_by": "discovery",
                    "sys_updated_on": when(ci.last_seen_at),
                    "sys_updated_by": "discovery",
                    "sys_mod_count": "1",
                },
            )


def _serial(estate: Estate, ci: Ci) -> Row:
    return {
        "sys_id": ident(estate.seed, "serial number", ci.id),
        "cmdb_ci": ci.id,
        "serial_number": ci.serial,
        "serial_number_type": "system",
        "valid": "true",
        "absent": "false",
        "sys_created_on": when(ci.created_at),
        "sys_created_by": ci.created_by,
        "sys_updated_on": when(ci.created_at),
        "sys_updated_by": ci.created_by,
        "sys_mod_count": "0",
    }

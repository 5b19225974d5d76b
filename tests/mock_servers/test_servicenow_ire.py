"""Identification and reconciliation on the mock: matching in the documented order, errors an item, rules, relations."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mock_servers.servicenow import MockServiceNow, Store

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NOW = 1_772_356_500.0  # 2026-03-01 09:15:00
LX, TWIN, TWIN2, SW = "a" * 32, "b" * 32, "c" * 32, "d" * 32
RUNS = "e" * 32
Row = dict[str, Any]


def store() -> Store:
    found = Store()
    seen = {"discovery_source": "ServiceNow", "last_discovered": "2026-02-01 00:00:00", "os": "Linux", "ram": "1"}
    found.load(
        {
            "cmdb_ci_linux_server": [
                {"sys_id": LX, "name": "lx01", "serial_number": "SN1", "sys_mod_count": "4", **seen},
                {"sys_id": TWIN, "name": "twin", "serial_number": "SN2", "sys_created_on": "2025-01-01 00:00:00"},
                {"sys_id": TWIN2, "name": "twin", "serial_number": "SN3", "sys_created_on": "2026-01-01 00:00:00"},
            ],
            "cmdb_ci_ip_switch": [{"sys_id": SW, "name": "sw01"}],
            "cmdb_serial_number": [
                {
                    "cmdb_ci": SW,
                    "serial_number": "CHASSIS7",
                    "serial_number_type": "chassis",
                    "valid": "true",
                    "absent": "false",
                },
                {
                    "cmdb_ci": LX,
                    "serial_number": "OLD1",
                    "serial_number_type": "system",
                    "valid": "false",
                    "absent": "false",
                },
            ],
            "cmdb_rel_type": [{"sys_id": RUNS, "name": "Runs on::Runs"}],
            "sys_object_source": [
                {"name": "ServiceNow", "id": "disc-1", "target_sys_id": LX, "target_table": "cmdb_ci_linux_server"}
            ],
        }
    )
    return found


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    async with MockServiceNow(store()) as running:
        running.clock.set(NOW, frozen=True)
        yield running


class Ire:
    """Sends payloads to one mock."""

    def __init__(self, mock: MockServiceNow, client: httpx.AsyncClient) -> None:
        self.mock, self.client = mock, client

    async def send(self, payload: Row, address: str = "", source: str | None = "SG-SCCM", **more: str) -> Row:
        params = {**more, **({"sysparm_data_source": source} if source is not None else {})}
        path = "/api/now/identifyreconcile" + address
        answer = await self.client.post(path, json=payload, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]  # type: ignore[no-any-return]

    async def one(self, table: str, address: str = "", source: str | None = "SG-SCCM", **item: Any) -> Row:
        result = await self.send({"items": [{"className": table, **item}]}, address, source)
        return result["items"][0]  # type: ignore[no-any-return]

    def row(self, sys_id: str) -> Row:
        found = self.mock.store.get("cmdb_ci", sys_id)
        assert found is not None
        return found


@pytest.fixture
async def ire(mock: MockServiceNow) -> AsyncIterator[Ire]:
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url, auth=("integration", "integration")) as client:
        yield Ire(mock, client)


def code(item: Row) -> str:
    assert item["errorCount"] == 1
    assert item.get("sysId", "Unknown") == "Unknown"
    return str(item["errors"][0]["error"])


def results(item: Row) -> list[str]:
    return [attempt["attemptResult"] for attempt in item["identificationAttempts"]]


async def test_the_hardware_rule_is_tried_in_its_order(ire: Ire) -> None:
    lookup = [
        {
            "className": "cmdb_serial_number",
            "values": {
                "serial_number": "chassis7",
                "serial_number_type": "chassis",
                "valid": "true",
                "absent": "false",
            },
        }
    ]
    by_lookup = await ire.one("cmdb_ci_ip_switch", "/query", values={"name": "lx01"}, lookup=lookup)
    assert (by_lookup["sysId"], results(by_lookup)) == (SW, ["MATCHED"])
    by_serial = await ire.one("cmdb_ci_linux_server", "/query", values={"name": "other", "serial_number": "sn1"})
    assert (by_serial["sysId"], by_serial["operation"]) == (LX, "UPDATE")
    assert results(by_serial) == ["SKIPPED", "MATCHED"]
    assert by_serial["identificationAttempts"][1]["searchOnTable"] == "cmdb_ci_hardware"
    by_name = await ire.one("cmdb_ci_linux_server", "/query", values={"name": "LX01", "serial_number": "new"})
    assert (by_name["sysId"], results(by_name)) == (LX, ["SKIPPED", "NO_MATCH", "MATCHED"])
    none = await ire.one("cmdb_ci_linux_server", "/query", values={"name": "lx99"})
    assert (none["sysId"], none["operation"]) == ("Unknown", "INSERT")
    assert results(none) == ["SKIPPED", "SKIPPED", "NO_MATCH", "SKIPPED"]


async def test_an_invalid_serial_does_not_identify(ire: Ire) -> None:
    values = {"serial_number": "OLD1", "serial_number_type": "system", "valid": "true"}
    lookup = [{"className": "cmdb_serial_number", "values": values}]
    found = await ire.one("cmdb_ci_linux_server", "/query", values={"name": "n"}, lookup=lookup)
    assert found["operation"] == "INSERT"


async def test_a_rehearsal_writes_nothing_and_a_commit_does(ire: Ire) -> None:
    before = dict(ire.row(LX))
    info = {"source_name": "SG-SCCM", "source_native_key": "k1"}
    item = {"values": {"name": "lx77", "serial_number": "S77", "os": "AIX"}, "sys_object_source_info": info}
    await ire.one("cmdb_ci_linux_server", "/query", **item)
    assert (dict(ire.row(LX)), len(ire.mock.store.table("cmdb_ci_linux_server").rows)) == (before, 3)
    made = await ire.one("cmdb_ci_linux_server", **item)
    row = ire.row(made["sysId"])
    assert (made["operation"], row["name"], row["sys_class_name"]) == ("INSERT", "lx77", "cmdb_ci_linux_server")
    assert row["discovery_source"] == "SG-SCCM"
    assert row["first_discovered"] == row["last_discovered"] == "2026-03-01 09:15:00"
    again = await ire.one("cmdb_ci_linux_server", values={"name": "renamed"}, sys_object_source_info=info)
    assert (again["sysId"], again["operation"], again["identificationAttempts"]) == (made["sysId"], "UPDATE", [])


async def test_a_source_key_is_matched_first_unless_that_is_switched_off(ire: Ire) -> None:
    info = {"source_name": "ServiceNow", "source_native_key": "disc-1"}
    item = {"values": {"name": "nobody"}, "sys_object_source_info": info}
    assert (await ire.one("cmdb_ci_linux_server", "/query", **item))["sysId"] == LX
    ire.mock.switches.change(ire_skip_source_matching=True)
    assert (await ire.one("cmdb_ci_linux_server", "/query", **item))["operation"] == "INSERT"


async def test_sys_id_identifies_or_is_ignored(ire: Ire) -> None:
    by_id = await ire.one("cmdb_ci_linux_server", "/query", values={"sys_id": LX, "name": "renamed"})
    assert (by_id["sysId"], by_id["operation"]) == (LX, "UPDATE")
    assert code(await ire.one("cmdb_ci_linux_server", values={"sys_id": "f" * 32})) == "INVALID_INPUT_DATA"
    ire.mock.switches.change(ire_sys_id=False)
    ignored = await ire.one("cmdb_ci_linux_server", "/query", values={"sys_id": LX, "name": "renamed"})
    assert ignored["operation"] == "INSERT"


async def test_last_discovered_moves_always_but_never_back(ire: Ire) -> None:
    same = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "Linux"})
    assert same["operation"] == "NO_CHANGE"
    assert ire.row(LX)["last_discovered"] == "2026-03-01 09:15:00"
    assert ire.row(LX)["discovery_source"] == "SG-SCCM"
    assert ire.row(LX)["sys_mod_count"] == "5"
    older = {"sys_id": LX, "os": "AIX", "last_discovered": "2026-02-01 00:00:00"}
    await ire.one("cmdb_ci_linux_server", values=older)
    assert ire.row(LX)["last_discovered"] == "2026-03-01 09:15:00"
    ire.mock.clock.advance(3600)
    await ire.one("cmdb_ci_linux_server", values={**older, "last_discovered": "2026-03-01 09:15:00"})
    assert ire.row(LX)["last_discovered"] == "2026-03-01 09:15:00"


async def test_errors_are_told_an_item(ire: Ire) -> None:
    ire.mock.switches.change(
        ire_no_insert={"cmdb_ci_hardware": ["SG-SCCM"]}, ire_errors={"cmdb_ci_printer": "LOCK_TIMEOUT"}
    )
    cases = {
        "INVALID_INPUT_DATA": ("cmdb_ci_no_such", {"name": "x"}),
        "MISSING_MATCHING_ATTRIBUTES": ("cmdb_ci_linux_server", {"os": "x"}),
        "IDENTIFICATION_RULE_MISSING": ("cmdb_ci_rack_of_mine", {"name": "x"}),
        "MISSING_DEPENDENCY": ("cmdb_ci_app_server_tomcat", {"name": "tc"}),
        "INSERT_NOT_ALLOWED_FOR_SOURCE": ("cmdb_ci_ip_switch", {"name": "sw99"}),
        "LOCK_TIMEOUT": ("cmdb_ci_printer", {"name": "p"}),
    }
    ire.mock.store.schema.add_table("cmdb_ci_rack_of_mine", parent="cmdb_ci")
    for wanted, (table, values) in cases.items():
        assert code(await ire.one(table, values=values)) == wanted
    unknown = await ire.one("cmdb_ci_linux_server", source="Nobody", values={"name": "x"})
    assert code(unknown) == "INVALID_INPUT_DATA"
    assert "Nobody" in unknown["errors"][0]["message"]
    assert not ire.mock.store.table("cmdb_ci_ire_partial_payloads").rows


async def test_required_attributes_are_named(ire: Ire) -> None:
    info = {"source_name": "SG-SCCM", "source_native_key": "k"}
    rules = ire.mock.instance.engine.identification
    assert rules.rule_of("cmdb_ci_service_business") is not None
    made = await ire.one("cmdb_ci_service", values={"name": "Mail"}, sys_object_source_info=info)
    assert made["operation"] == "INSERT"
    ire.mock.switches.change(ire_skip_source_matching=True)
    columns = ire.mock.store.schema.tables["cmdb_ci_linux_server"].own
    from mock_servers.servicenow.schema import Column

    columns["asset_tag"] = Column("asset_tag", "Asset tag", mandatory=True)
    ire.mock.store.schema.add_columns("cmdb_ci_linux_server", ["u_new"])
    failed = await ire.one("cmdb_ci_linux_server", values={"name": "lx5"})
    assert code(failed) == "REQUIRED_ATTRIBUTE_EMPTY"
    assert "[asset_tag]" in failed["errors"][0]["message"]


async def test_duplicates_update_the_oldest_and_leave_a_task(ire: Ire) -> None:
    found = await ire.one("cmdb_ci_linux_server", values={"name": "twin", "os": "Linux"})
    assert (found["sysId"], results(found)[-1]) == (TWIN, "MULTI_MATCH")
    assert ire.row(TWIN2)["duplicate_of"] == TWIN
    assert len(ire.mock.store.table("reconcile_duplicate_task").rows) == 1
    assert len(ire.mock.store.table("duplicate_audit_result").rows) == 2
    ire.mock.switches.change(duplicates_threshold=2)
    assert code(await ire.one("cmdb_ci_linux_server", values={"name": "twin"})) == "MULTIPLE_DUPLICATE_RECORDS"
    ire.mock.switches.change(duplicates_threshold=5, skip_duplicates=False)
    assert code(await ire.one("cmdb_ci_linux_server", values={"name": "twin"})) == "MULTIPLE_DUPLICATE_RECORDS"


def rule(source: str, priority: int, table: str = "cmdb_ci_hardware", attributes: str = "") -> Row:
    return {"applies_to": table, "discovery_source": source, "priority": str(priority), "attributes": attributes}


async def test_what_a_source_may_not_write_is_skipped_silently(ire: Ire) -> None:
    ire.mock.store.load({"cmdb_reconciliation_definition": [rule("ServiceNow", 10, attributes="os,os_version")]})
    skipped = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "AIX"})
    assert (skipped["operation"], skipped["errorCount"], ire.row(LX)["os"]) == ("NO_CHANGE", 0, "Linux")
    some = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "AIX", "ram": "2"})
    assert (some["operation"], ire.row(LX)["os"], ire.row(LX)["ram"]) == ("UPDATE", "Linux", "2")


async def test_priorities_hold_against_sources_that_reported_the_ci(ire: Ire) -> None:
    rules = [rule("ServiceNow", 10), rule("SG-SCCM", 200), {**rule("SG-Intune", 5), "sys_id": "1" * 32}]
    rules = [{**each, "sys_id": f"{n:032x}"} for n, each in enumerate(rules)]
    ire.mock.store.load({"cmdb_reconciliation_definition": rules})
    low = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "AIX"})
    assert (low["operation"], ire.row(LX)["os"]) == ("NO_CHANGE", "Linux")
    high = await ire.one("cmdb_ci_linux_server", source="SG-Intune", values={"sys_id": LX, "os": "AIX"})
    assert (high["operation"], ire.row(LX)["os"]) == ("UPDATE", "AIX")
    child = {**rule("SG-SCCM", 1, table="cmdb_ci_linux_server"), "sys_id": "9" * 32}
    ire.mock.store.load({"cmdb_reconciliation_definition": [child]})
    own = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "Linux"})
    assert (own["operation"], ire.row(LX)["os"]) == ("UPDATE", "Linux")


@pytest.mark.parametrize(("fill", "expected"), [(True, "UPDATE"), (False, "NO_CHANGE")])
async def test_empty_attributes_may_be_filled_or_not(ire: Ire, fill: bool, expected: str) -> None:
    ire.mock.switches.change(reconcile_empty=fill)
    rules = [{**rule("ServiceNow", 10), "sys_id": "1" * 32}, {**rule("SG-SCCM", 20), "sys_id": "2" * 32}]
    ire.mock.store.load({"cmdb_reconciliation_definition": rules})
    assert (await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "fqdn": "a.b"}))["operation"] == expected


@pytest.mark.parametrize(("mode", "held"), [("clear", ""), ("ignore", "Linux")])
async def test_an_empty_value_clears_or_is_ignored(ire: Ire, mode: str, held: str) -> None:
    ire.mock.switches.change(ire_empty=mode)
    await ire.one("cmdb_ci_linux_server", values={"sys_id": LX, "os": "", "ram": "8"})
    assert (ire.row(LX).get("os"), ire.row(LX)["ram"]) == (held, "8")


async def test_classes_change_by_the_flags_and_rules(ire: Ire) -> None:
    down = {"className": "cmdb_ci_server", "values": {"sys_id": LX}, "settings": {"updateWithoutDowngrade": True}}
    kept = (await ire.send({"items": [down]}))["items"][0]
    assert kept["info"][0]["code"] == "SKIPPED_CLASS_DOWNGRADE"
    assert ire.row(LX)["sys_class_name"] == "cmdb_ci_linux_server"
    switched = await ire.one("cmdb_ci_win_server", values={"sys_id": LX})
    assert (switched["operation"], ire.row(LX)["sys_class_name"]) == ("UPDATE_WITH_SWITCH", "cmdb_ci_win_server")
    ire.mock.switches.change(ire_reclassification="refuse")
    refused = await ire.one("cmdb_ci_linux_server", values={"sys_id": LX})
    assert code(refused) == "RECLASSIFICATION_NOT_ALLOWED"


def hosted(name: str = "tc", **more: Any) -> Row:
    return {
        "items": [
            {"className": "cmdb_ci_app_server_tomcat", "internal_id": "a", "values": {"name": name}},
            {"className": "cmdb_ci_linux_server", "internal_id": "s", "values": {"sys_id": LX}},
        ],
        "relations": [{"parent_id": "a", "child_id": "s", "type": "Runs on::Runs"}],
        **more,
    }


async def test_dependent_cis_are_known_by_their_host(ire: Ire) -> None:
    made = await ire.send(hosted())
    assert [item["operation"] for item in made["items"]] == ["INSERT", "NO_CHANGE"]
    assert made["relations"][0]["operation"] == "INSERT"
    again = await ire.send(hosted())
    assert again["items"][0]["sysId"] == made["items"][0]["sysId"]
    assert again["relations"][0]["operation"] == "NO_CHANGE"
    elsewhere = hosted()
    elsewhere["items"][1]["values"]["sys_id"] = TWIN
    assert (await ire.send(elsewhere, "/query"))["items"][0]["operation"] == "INSERT"
    broken = hosted("other")
    broken["items"][1]["values"]["sys_id"] = "f" * 32
    items = (await ire.send(broken))["items"]
    assert [code(item) for item in items] == ["ABANDONED", "INVALID_INPUT_DATA"]


async def test_relations_by_index_and_their_errors(ire: Ire) -> None:
    ends = [{"className": "cmdb_ci_linux_server", "values": {"sys_id": each}} for each in (LX, TWIN)]
    good = {"parent": 0, "child": 1, "type": "Runs on::Runs"}
    for bad in ({**good, "type": "Nonsense::Nonsense"}, {**good, "child": 7}, {"parent": 0, "type": "Runs on::Runs"}):
        told = (await ire.send({"items": ends, "relations": [bad]}))["relations"][0]
        assert (told["errorCount"], told["errors"][0]["error"]) == (1, "INVALID_INPUT_DATA")
    twice = (await ire.send({"items": ends, "relations": [good, good]}))["relations"]
    assert [each["errorCount"] for each in twice] == [0, 1]
    assert twice[1]["errors"][0]["error"] == "DUPLICATE_RELATIONSHIP_TYPES"
    assert not ire.mock.store.table("cmdb_rel_ci").rows
    assert (await ire.send({"items": ends, "relations": [good]}))["relations"][0]["operation"] == "INSERT"
    rows = ire.mock.store.table("cmdb_rel_ci").rows.values()
    assert [(row["parent"], row["child"], row["type"]) for row in rows] == [(LX, TWIN, RUNS)]


async def test_enhanced_keeps_what_it_could_not_use(ire: Ire) -> None:
    item = {"className": "cmdb_ci_linux_server", "values": {"os": "x"}}
    fine = {"className": "cmdb_ci_linux_server", "values": {"name": "lx50"}}
    result = await ire.send({"items": [item, fine, fine]}, "/enhanced", options="generate_summary:true")
    assert [each["operation"] for each in result["items"]] == ["INSERT_AS_PARTIAL", "INSERT"]
    assert result["items"][1]["inputIndices"] == [1, 2]
    assert result["summary"]["cmdb_ci_linux_server"] == {"INSERT_AS_PARTIAL": 1, "INSERT": 1}
    assert len(ire.mock.store.table("cmdb_ire_partial_payloads").rows) == 1
    off = "partial_payloads:false,partial_commits:false,deduplicate_payloads:false"
    all_or_none = await ire.send({"items": [item, {**fine, "values": {"name": "lx51"}}]}, "/enhanced", options=off)
    assert all_or_none["items"][0]["errorCount"] == 1
    assert not list(ire.mock.store.where("cmdb_ci", "name", "lx51"))
    twice = await ire.send({"items": [fine, fine]}, "/enhanced", options=off)
    assert [code(each) for each in twice["items"]] == ["DUPLICATE_PAYLOAD_RECORDS"] * 2
    bad = await ire.client.post("/api/now/identifyreconcile/enhanced", json={}, params={"options": "nonsense"})
    assert bad.status_code == 500
    assert bad.json()["error"]["message"] == "Chunk [nonsense] is not a valid entry"


async def test_without_a_source_the_payload_is_incomplete(ire: Ire) -> None:
    told = await ire.one("cmdb_ci_linux_server", source=None, values={"name": "x"})
    assert told["operation"] == "INSERT_AS_INCOMPLETE"
    assert len(ire.mock.store.table("cmdb_ire_incomplete_payloads").rows) == 1


async def test_readers_may_not(ire: Ire) -> None:
    answer = await ire.client.post("/api/now/identifyreconcile", json={}, auth=("reader", "reader"))
    assert answer.status_code == 403


async def test_the_instance_api_goes_the_same_way(ire: Ire) -> None:
    base = "/api/now/cmdb/instance/cmdb_ci_linux_server"
    shown = (await ire.client.get(f"{base}/{LX}")).json()["result"]
    assert shown["attributes"]["name"] == "lx01"
    made = await ire.client.post(base, json={"source": "SG-SCCM", "attributes": {"name": "lx60"}})
    assert made.status_code == 201
    sys_id = made.json()["result"]["attributes"]["sys_id"]
    assert ire.row(sys_id)["discovery_source"] == "SG-SCCM"
    relation = {"source": "SG-SCCM", "outbound_relations": [{"type": RUNS, "target": LX}]}
    related = (await ire.client.post(f"{base}/{sys_id}/relation", json=relation)).json()["result"]
    (out,) = related["outbound_relations"]
    assert (out["target"]["value"], out["type"]["display_value"]) == (LX, "Runs on::Runs")
    patched = await ire.client.patch(f"{base}/{sys_id}", json={"source": "SG-SCCM", "attributes": {"os": "AIX"}})
    assert patched.json()["result"]["attributes"]["os"] == "AIX"
    assert (await ire.client.delete(f"{base}/{sys_id}/relation/{out['sys_id']}")).status_code == 204
    nameless = await ire.client.post(base, json={"attributes": {"name": "x"}})
    assert (nameless.status_code, nameless.json()["error"]["message"]) == (
        500,
        "Exception while executing request: null",
    )
    listed = (await ire.client.get(base, params={"sysparm_query": "name=lx60"})).json()["result"]
    assert listed == [{"sys_id": sys_id, "name": "lx60"}]


async def test_meta_tells_the_rules(ire: Ire) -> None:
    meta = (await ire.client.get("/api/now/cmdb/meta/cmdb_ci_linux_server")).json()["result"]
    rules = meta["identification_rules"]
    assert (rules["name"], rules["applies_to"], rules["is_independent"]) == ("Hardware Rule", "cmdb_ci_hardware", True)
    assert [(i["order"], i["attributes"], i["table"]) for i in rules["identifiers"]] == [
        (100, "serial_number,serial_number_type", "cmdb_serial_number"),
        (200, "serial_number", "cmdb_ci_hardware"),
        (300, "name", "cmdb_ci_hardware"),
        (400, "ip_address,mac_address", "cmdb_ci_network_adapter"),
    ]
    tomcat = (await ire.client.get("/api/now/cmdb/meta/cmdb_ci_app_server_tomcat")).json()["result"]
    assert tomcat["identification_rules"]["is_independent"] is False
    assert {rule["child"] for rule in tomcat["relationship_rules"]} == {"cmdb_ci_computer", "cmdb_ci_vm_object"}

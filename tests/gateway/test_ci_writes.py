"""CIs and relations written by agents, end to end: through identification and reconciliation, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mock_servers.servicenow import Store
from tests.gateway.servicenow_bench import SnowBench, servicenow

LX, TWIN, TWIN2, SVC, VM = "a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32
GROUP = "6" * 32
SEEN = {"discovery_source": "ServiceNow", "last_discovered": "2026-02-28 00:00:00", "install_status": "1"}
KNOWN = {"support_group": GROUP, "operational_status": "1", **SEEN, "first_discovered": "2025-01-01 00:00:00"}
TABLE_WRITES = r"/table/cmdb"


def store(source: str = "Interlock") -> Store:
    found = Store()
    found.load(
        {
            "sys_user_group": [{"sys_id": GROUP, "name": "Linux", "active": "true"}],
            "cmdb_ci_linux_server": [
                {"sys_id": LX, "name": "lx01", "serial_number": "SN1", "os": "Linux", "sys_mod_count": "4", **KNOWN},
                {"sys_id": TWIN, "name": "twin", "serial_number": "SN2", "os": "Linux", **KNOWN},
                {"sys_id": TWIN2, "name": "twin", "serial_number": "SN3", "os": "Linux", **KNOWN},
            ],
            "cmdb_ci_vmware_instance": [{"sys_id": VM, "name": "vm01", "serial_number": "V1", **KNOWN}],
            "cmdb_ci_service": [{"sys_id": SVC, "name": "Mail", "install_status": "1", "operational_status": "1"}],
            "cmdb_serial_number": [
                {
                    "cmdb_ci": LX,
                    "serial_number": "CHASSIS1",
                    "serial_number_type": "system",
                    "valid": "true",
                    "absent": "false",
                }
            ],
            "cmdb_rel_type": [
                {"sys_id": "1" * 32, "name": "Runs on::Runs"},
                {"sys_id": "2" * 32, "name": "Members::Member of"},
            ],
            "sys_choice": [
                {"name": "cmdb_ci", "element": "discovery_source", "value": value, "label": value, "language": "en"}
                | {"sys_id": f"{n:032x}"}
                for n, value in enumerate(("ServiceNow", source))
            ],
        }
    )
    return found


@pytest.fixture
async def snow(tmp_path: Path) -> AsyncIterator[SnowBench]:
    async with servicenow(store(), tmp_path) as found:
        yield found


def rule(attributes: str, source: str = "ServiceNow") -> dict[str, str]:
    return {"applies_to": "cmdb_ci_hardware", "attributes": attributes, "discovery_source": source, "priority": "10"}


NEW = {"cls": "server", "name": "lx77", "serial": "SN77", "status": "live", "support_group": "snow:group:Linux"}


# --- adding -----------------------------------------------------------------------------------------


async def test_a_new_ci_is_identified_added_and_read_back(snow: SnowBench) -> None:
    reply = await snow.call("ci_create", **NEW)
    receipt, data = reply.body["receipt"], reply.body["data"]
    assert (receipt["outcome"], receipt["verified"], receipt["found_by"]) == ("applied", True, "answer")
    handle = receipt["ref"].removeprefix("snow:ci:")
    row = snow.row("cmdb_ci", handle)
    assert (row["sys_class_name"], row["name"], row["support_group"]) == ("cmdb_ci_server", "lx77", GROUP)
    assert row["discovery_source"] == "Interlock"
    (known,) = snow.named("sys_object_source", "target_sys_id", handle)
    assert (known["name"], known["id"].startswith("interlock:")) == ("Interlock", True)
    assert [each["serial_number"] for each in snow.named("cmdb_serial_number", "cmdb_ci", handle)] == ["SN77"]
    # The instance says "discovered just now"; nobody has seen this machine.
    assert row["last_discovered"]
    assert data["last_seen_at"] is None
    listed = (await snow.call("ci_search", filter=[{"field": "name", "value": "lx77"}])).body["data"]
    assert [each["last_seen_at"] for each in listed] == [None]
    for op, names in (("gt", []), ("lt", []), ("empty", ["lx77"])):
        seen = {"field": "last_seen_at", "op": op, **({} if op == "empty" else {"value": "2026-03-01T00:00:00Z"})}
        mine = {"field": "name", "op": "starts", "value": "lx7"}
        found = (await snow.call("ci_search", filter=[mine, seen])).body["data"]
        assert [each["name"] for each in found] == names


@pytest.mark.parametrize(
    "known", [{"serial": "sn1"}, {"name": "LX01", "serial": "OTHER"}, {"serial": "CHASSIS1"}], ids=str
)
async def test_a_ci_that_is_there_is_named_and_left_alone(snow: SnowBench, known: dict[str, str]) -> None:
    before = dict(snow.row("cmdb_ci", LX))
    problem = await snow.refused("ci_create", **{**NEW, **known, "cls": "server"})
    assert (problem["slug"], problem["existing"]) == ("source-rejected", f"snow:ci:{LX}")
    assert problem["receipt"]["outcome"] == "not_applied"
    assert f"snow:ci:{LX}" in problem["receipt"]["detail"]
    assert dict(snow.row("cmdb_ci", LX)) == before
    assert not snow.named("cmdb_ci", "discovery_source", "Interlock")


async def test_one_that_appears_between_rehearsal_and_write_is_not_called_ours(snow: SnowBench) -> None:
    def appear() -> None:
        snow.mock.store.put("cmdb_ci_server", {"sys_id": "9" * 32, "sys_class_name": "cmdb_ci_server", "name": "lx77"})

    engine = snow.mock.instance.engine
    process = engine.process

    def slow(*args: Any, commit: bool, **more: Any) -> Any:
        if commit:
            appear()
        return process(*args, commit=commit, **more)

    engine.process = slow  # type: ignore[method-assign]
    problem = await snow.refused("ci_create", **NEW)
    assert (problem["existing"], problem["receipt"]["outcome"]) == (f"snow:ci:{'9' * 32}", "not_applied")
    assert "written over it" in problem["detail"]


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "truncate"])
async def test_a_lost_create_is_found_by_the_sources_key(snow: SnowBench, fault: str) -> None:
    snow.fail(fault, r"/identifyreconcile\?")
    receipt = (await snow.call("ci_create", **NEW)).body["receipt"]
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")
    assert len(snow.named("cmdb_ci", "name", "lx77")) == 1


async def test_a_lost_create_that_never_arrived_stays_unknown(snow: SnowBench) -> None:
    snow.fail("drop_before", r"/identifyreconcile\?")
    receipt = (await snow.call("ci_create", **NEW)).body["receipt"]
    assert receipt["outcome"] == "unknown"
    assert not snow.named("cmdb_ci", "name", "lx77")


async def test_a_create_that_commits_after_we_gave_up_is_found_and_not_sent_again(tmp_path: Path) -> None:
    async with servicenow(store(), tmp_path, timeout_s=0.4) as snow:
        snow.fail("late_commit", r"/identifyreconcile\?", seconds=0.3)
        receipt = (await snow.call("ci_create", **NEW)).body["receipt"]
        assert receipt["outcome"] == "unknown"
        row = await snow.ended(receipt["id"])
        assert (row.state, row.receipt and row.receipt["found_by"], row.attempts) == ("applied", "probe", 1)
        assert len(snow.named("cmdb_ci", "name", "lx77")) == 1


async def test_a_lost_rehearsal_wrote_nothing(snow: SnowBench) -> None:
    snow.fail("drop_after", r"/identifyreconcile/query")
    problem = await snow.refused("ci_create", **NEW)
    assert (problem["slug"], problem["receipt"]["outcome"]) == ("source-unavailable", "not_applied")
    assert not snow.named("cmdb_ci", "name", "lx77")


async def test_what_the_engine_refuses_is_told_with_its_code(snow: SnowBench) -> None:
    snow.mock.switches.change(
        ire_no_insert={"cmdb_ci_server": ["Interlock"]},
        ire_errors={"cmdb_ci_printer": "LOCK_TIMEOUT", "cmdb_ci_ups": "METADATA_RULE_MISSING"},
    )
    cases = {
        "server": ("INSERT_NOT_ALLOWED_FOR_SOURCE", "source-denied"),
        "printer": ("LOCK_TIMEOUT", "source-unavailable"),
        "ups": ("METADATA_RULE_MISSING", "source-rejected"),
        "middleware": ("MISSING_DEPENDENCY", "source-rejected"),
        "rack": ("IDENTIFICATION_RULE_MISSING", "source-rejected"),
    }
    snow.mock.store.schema.tables["cmdb_ci_rack"].parent = "cmdb_ci"
    snow.mock.store.schema.add_columns("cmdb_ci_rack", ["u_touch"])
    for cls, (code, slug) in cases.items():
        problem = await snow.refused("ci_create", cls=cls, name=f"new-{cls}")
        assert (problem["native_code"], problem["slug"]) == (code, slug)
        assert problem["next_step"]
        assert problem["receipt"]["outcome"] == "not_applied"


async def test_required_and_matching_attributes_are_named_as_fields(snow: SnowBench) -> None:
    from mock_servers.servicenow.schema import Column

    own = snow.mock.store.schema.tables["cmdb_ci_server"].own
    own["asset_tag"] = Column("asset_tag", "Asset tag", mandatory=True)
    snow.mock.store.schema.add_columns("cmdb_ci_server", ["u_touch"])
    problem = await snow.refused("ci_create", **NEW)
    assert (problem["native_code"], problem["field"]) == ("REQUIRED_ATTRIBUTE_EMPTY", "asset_tag")
    assert problem["next_step"] == "Also give: asset_tag."
    lacking = await snow.refused("ci_create", cls="certificate", name=" ")
    assert lacking["slug"] in ("invalid-argument", "source-rejected")


async def test_many_that_match_are_ambiguous(snow: SnowBench) -> None:
    snow.mock.switches.change(skip_duplicates=False)
    problem = await snow.refused("ci_create", **{**NEW, "name": "twin"})
    assert (problem["slug"], problem["native_code"]) == ("ambiguous-ref", "MULTIPLE_DUPLICATE_RECORDS")


async def test_an_unknown_data_source_says_what_to_add(tmp_path: Path) -> None:
    async with servicenow(store(source="Other"), tmp_path) as snow:
        problem = await snow.refused("ci_create", **NEW)
        assert (problem["native_code"], problem["slug"]) == ("INVALID_INPUT_DATA", "source-rejected")
        assert "discovery_source" in problem["next_step"]
    (tmp_path / "b").mkdir()
    async with servicenow(store(source="Other"), tmp_path / "b", settings={"data_source": "Other"}) as snow:
        receipt = (await snow.call("ci_create", **NEW)).body["receipt"]
        assert receipt["outcome"] == "applied"
        assert len(snow.named("cmdb_ci", "discovery_source", "Other")) == 1


# --- changing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks_at_sys_id", [True, False])
async def test_an_update_changes_exactly_the_ci_asked_for(snow: SnowBench, looks_at_sys_id: bool) -> None:
    snow.mock.switches.change(ire_sys_id=looks_at_sys_id)
    reply = await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"environment": "test", "os_version": "9"})
    receipt = reply.body["receipt"]
    assert (receipt["outcome"], receipt["ref"]) == ("applied", f"snow:ci:{LX}")
    row = snow.row("cmdb_ci", LX)
    assert (row["environment"], row["os_version"], row["sys_mod_count"]) == ("Test", "9", "5")
    # Our edit is no sighting: discovery's time stays.
    assert row["last_discovered"] == "2026-02-28 00:00:00"
    assert reply.body["data"]["last_seen_at"] == "2026-02-28T00:00:00Z"


async def test_an_edit_of_a_ci_that_nobody_saw_is_no_sighting_either(snow: SnowBench) -> None:
    assert (await snow.call("ci_get", ref=f"snow:ci:{SVC}")).body["data"]["last_seen_at"] is None
    reply = await snow.call("ci_update", ref=f"snow:ci:{SVC}", changes={"environment": "test"})
    assert reply.body["receipt"]["outcome"] == "applied"
    assert snow.row("cmdb_ci", SVC)["last_discovered"]
    assert reply.body["data"]["last_seen_at"] is None
    await snow.call("ci_relate", subject=f"snow:ci:{SVC}", type="runs_on", object=f"snow:ci:{LX}")
    assert (await snow.call("ci_get", ref=f"snow:ci:{SVC}")).body["data"]["last_seen_at"] is None


async def test_an_update_that_would_hit_another_ci_is_refused(snow: SnowBench) -> None:
    snow.mock.switches.change(ire_sys_id=False)
    snow.mock.store.put("cmdb_ci_linux_server", dict(snow.row("cmdb_ci", TWIN2), serial_number="SN2"))
    before = dict(snow.row("cmdb_ci", TWIN))
    problem = await snow.refused("ci_update", ref=f"snow:ci:{TWIN2}", changes={"environment": "test"})
    assert problem["native_code"] == "IDENTIFIED_ANOTHER"
    assert f"snow:ci:{TWIN}" in problem["detail"]
    assert dict(snow.row("cmdb_ci", TWIN)) == before
    snow.mock.switches.change(ire_sys_id=True)
    fine = await snow.call("ci_update", ref=f"snow:ci:{TWIN2}", changes={"environment": "test"})
    assert fine.body["receipt"]["outcome"] == "applied"


async def test_fields_that_belong_to_another_source_are_said_not_to_be_applied(snow: SnowBench) -> None:
    snow.mock.store.load({"cmdb_reconciliation_definition": [rule("os,os_version")]})
    some = await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"os": "AIX", "environment": "test"})
    receipt = some.body["receipt"]
    assert receipt["outcome"] == "partial"
    assert {each["field"]: each["outcome"] for each in receipt["fields"]} == {"os": "differs", "environment": "applied"}
    assert "reconciliation rules" in receipt["detail"]
    none = (await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"os": "AIX"})).body["receipt"]
    assert (none["outcome"], snow.row("cmdb_ci", LX)["os"]) == ("not_applied", "Linux")
    assert "reconciliation rules" in none["detail"]


@pytest.mark.parametrize(("mode", "outcome"), [("clear", "applied"), ("ignore", "not_applied")])
async def test_a_field_is_cleared_or_said_not_to_be(snow: SnowBench, mode: str, outcome: str) -> None:
    snow.mock.switches.change(ire_empty=mode)
    receipt = (await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"support_group": None})).body["receipt"]
    assert receipt["outcome"] == outcome


async def test_versions_are_held_to(snow: SnowBench) -> None:
    shown = (await snow.call("ci_get", ref=f"snow:ci:{LX}")).body["data"]
    snow.mock.store.put("cmdb_ci_linux_server", dict(snow.row("cmdb_ci", LX), environment="Test", sys_mod_count="5"))
    problem = await snow.refused(
        "ci_update", ref=f"snow:ci:{LX}", changes={"environment": "staging"}, expected_version=shown["version"]
    )
    assert problem["slug"] == "version-conflict"


async def test_a_lost_update_is_settled_by_reading(snow: SnowBench) -> None:
    snow.fail("drop_after", r"/identifyreconcile\?")
    receipt = (await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"environment": "test"})).body["receipt"]
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")


async def test_the_class_is_never_changed(snow: SnowBench) -> None:
    problem = await snow.refused("ci_update", ref=f"snow:ci:{LX}", changes={"cls": "storage"})
    assert problem["status"] in (409, 422)
    assert snow.row("cmdb_ci", LX)["sys_class_name"] == "cmdb_ci_linux_server"
    snow.mock.switches.change(ire_reclassification="refuse")
    other = await snow.refused("ci_create", **{**NEW, "cls": "printer", "serial": "SN1"})
    assert other["native_code"] == "RECLASSIFICATION_NOT_ALLOWED"


async def test_an_attestation_is_a_persons_word(snow: SnowBench) -> None:
    snow.mock.store.put("cmdb_ci_linux_server", dict(snow.row("cmdb_ci", LX), attested_by="7" * 32))
    held = await snow.call("ci_attest", ref=f"snow:ci:{LX}", comment="saw it in rack 7")
    assert snow.row("cmdb_ci", LX).get("attested", "false") != "true"
    row = await snow.decide(held)
    assert row.state == "applied", row.receipt
    now = snow.row("cmdb_ci", LX)
    assert (now["attested"], now["attested_by"]) == ("true", "")
    assert now["attested_date"]


# --- relating ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "ends"), [("runs_on", (LX, VM)), ("member_of", (VM, LX))], ids=["as told", "from the other end"]
)
async def test_a_relation_is_added_once(snow: SnowBench, word: str, ends: tuple[str, str]) -> None:
    asked = {"subject": f"snow:ci:{LX}", "type": word, "object": f"snow:ci:{VM}"}
    receipt = (await snow.call("ci_relate", **asked)).body["receipt"]
    assert receipt["outcome"] == "applied", receipt
    rows = list(snow.mock.store.rows("cmdb_rel_ci"))
    assert [(row["parent"], row["child"]) for row in rows] == [ends]
    assert snow.row("cmdb_ci", LX)["last_discovered"] == "2026-02-28 00:00:00"
    related = (await snow.call("ci_related", ref=f"snow:ci:{LX}")).body["data"]
    assert [(each["type"], each["ci"]["ref"]) for each in related] == [(word, f"snow:ci:{VM}")]
    again = await snow.refused("ci_relate", **asked, idempotency_key="another-call-0001")
    assert again["existing"] == receipt["ref"]
    assert len(list(snow.mock.store.rows("cmdb_rel_ci"))) == 1


async def test_a_lost_relation_is_found_by_what_it_says(snow: SnowBench) -> None:
    asked = {"subject": f"snow:ci:{LX}", "type": "member_of", "object": f"snow:ci:{VM}"}
    snow.fail("drop_after", r"/identifyreconcile\?")
    receipt = (await snow.call("ci_relate", **asked)).body["receipt"]
    assert (receipt["outcome"], receipt["found_by"]) == ("applied", "probe")
    assert len(list(snow.mock.store.rows("cmdb_rel_ci"))) == 1


async def test_a_type_the_instance_lacks_is_refused(snow: SnowBench) -> None:
    asked = {"subject": f"snow:ci:{LX}", "type": "depends_on", "object": f"snow:ci:{VM}"}
    problem = await snow.refused("ci_relate", **asked)
    assert (problem["native_code"], problem["receipt"]["outcome"]) == ("INVALID_INPUT_DATA", "not_applied")
    assert "Depends on::Used by" in problem["detail"]


async def test_nothing_of_the_cmdb_is_written_over_the_table_api(snow: SnowBench) -> None:
    from mock_servers.faults import Rule

    snow.mock.faults.set([Rule("error_before", methods=("POST", "PATCH", "PUT", "DELETE"), path=TABLE_WRITES)])
    await snow.call("ci_create", **NEW)
    await snow.call("ci_update", ref=f"snow:ci:{LX}", changes={"environment": "test"})
    await snow.call("ci_relate", subject=f"snow:ci:{LX}", type="runs_on", object=f"snow:ci:{VM}")
    assert snow.named("cmdb_ci", "name", "lx77")
    assert snow.row("cmdb_ci", LX)["environment"] == "Test"
    assert len(list(snow.mock.store.rows("cmdb_rel_ci"))) == 1

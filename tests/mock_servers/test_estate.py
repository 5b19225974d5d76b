"""The estate: the same every time, whole in its references, and like an enterprise."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest
from mock_servers.estate import Estate, Size, assumptions, generate, servicenow, stories
from mock_servers.estate.__main__ import main
from mock_servers.estate.servicenow_codes import CLASSES, CUSTOM_COLUMNS, when
from mock_servers.estate.stories import NUMBERS, SCOPE_GROUPS

AS_OF = assumptions.DEFAULT_AS_OF
DAY = 86_400
ROOT = Path(__file__).resolve().parents[2]

REFERENCES = {
    "caller_id": "sys_user",
    "opened_by": "sys_user",
    "assigned_to": "sys_user",
    "resolved_by": "sys_user",
    "closed_by": "sys_user",
    "owned_by": "sys_user",
    "attested_by": "sys_user",
    "manager": "sys_user",
    "user": "sys_user",
    "assignment_group": "sys_user_group",
    "support_group": "sys_user_group",
    "group": "sys_user_group",
    "location": "cmn_location",
    "company": "core_company",
    "vendor": "core_company",
    "manufacturer": "core_company",
    "department": "cmn_department",
    "model_id": "cmdb_model",
    "business_service": "ci",
    "service_offering": "ci",
    "cmdb_ci": "ci",
    "child": "ci",
    "type": "cmdb_rel_type",
    "parent_incident": "incident",
    "element_id": "incident",
}


@pytest.fixture(scope="module")
def estate() -> Estate:
    return generate(7, 2000, AS_OF)


@pytest.fixture(scope="module")
def native(estate: Estate) -> dict[str, list[dict[str, str]]]:
    return servicenow.tables(estate)


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def test_the_same_bytes_under_every_hash_seed(tmp_path: Path) -> None:
    digests = set()
    for hash_seed in ("0", "4711"):
        out = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-m", "mock_servers.estate", "--size", "300", "--seed", "3", "--out", str(out)],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.DEVNULL,
        )
        digests.add(digest(out))
    assert len(digests) == 1


def test_seeds_differ() -> None:
    first, second = generate(1, 200, AS_OF), generate(2, 200, AS_OF)
    assert not {ci.id for ci in first.cis} & {ci.id for ci in second.cis}
    assert [i.title for i in first.incidents] != [i.title for i in second.incidents]


@pytest.mark.parametrize(("cis", "incidents"), [(200, None), (777, None), (2000, 150), (250, 1500)])
def test_sizes_are_kept(cis: int, incidents: int | None) -> None:
    estate = generate(5, Size.of(cis, incidents), AS_OF)
    assert len(estate.cis) == cis
    assert len(estate.incidents) == (incidents or cis // 2)
    assert len({ci.form for ci in estate.cis}) == len(CLASSES)


def test_an_estate_too_small_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 200"):
        generate(1, 199, AS_OF)
    assert main(["--size", "10", "--out", str(tmp_path)]) == 2
    assert "at least 200" in capsys.readouterr().err
    assert main(["--as-of", "yesterday", "--out", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


def test_everything_on_the_wire_is_text(native: dict[str, list[dict[str, str]]]) -> None:
    stamp = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
    for table, rows in native.items():
        columns = set(rows[0])
        for row in rows:
            assert set(row) == columns, table
            assert all(type(value) is str for value in row.values())
            assert re.fullmatch("[0-9a-f]{32}", row["sys_id"])
            assert stamp.fullmatch(row["sys_created_on"])
    for column in ("opened_at", "resolved_at", "closed_at", "due_date", "sys_updated_on"):
        assert all(not row[column] or stamp.fullmatch(row[column]) for row in native["incident"])


def test_orders_name_items_people_and_lines_that_exist(estate: Estate, native: dict[str, list[dict[str, str]]]) -> None:
    there = {table: {row["sys_id"] for row in rows} for table, rows in native.items()}
    there["ci"] = {ci.id for ci in estate.cis}
    there["approvable"] = there["sc_request"] | there["change_request"]
    names = (
        ("sc_req_item", "request", "sc_request"),
        ("sc_req_item", "cat_item", "sc_cat_item"),
        ("sc_task", "request_item", "sc_req_item"),
        ("sc_task", "parent", "sc_req_item"),
        ("sysapproval_approver", "sysapproval", "approvable"),
        ("sysapproval_approver", "approver", "sys_user"),
        ("item_option_new", "cat_item", "sc_cat_item"),
        ("question_choice", "question", "item_option_new"),
        ("sc_cat_item", "category", "sc_category"),
        ("kb_knowledge", "kb_category", "kb_category"),
        ("kb_knowledge", "author", "sys_user"),
        ("cmdb_serial_number", "cmdb_ci", "ci"),
        ("sys_object_source", "target_sys_id", "ci"),
    )
    for table, column, target in names:
        assert native[table], table
        assert all(row[column] in there[target] for row in native[table]), (table, column)
    states = {row["request_state"] for row in native["sc_request"]}
    assert {"requested", "in_process", "closed_complete"} <= states


@pytest.mark.parametrize(
    "epoch", [0, 951_782_400, 951_868_799, 1_709_164_800, 1_735_689_599, 1_793_491_200, 4_107_542_399]
)
def test_times_are_civil_times(epoch: int) -> None:
    assert when(epoch) == datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")


def test_ids_and_numbers_are_unique(native: dict[str, list[dict[str, str]]]) -> None:
    ids = [row["sys_id"] for rows in native.values() for row in rows]
    assert len(ids) == len(set(ids))
    for table, column in (("incident", "number"), ("sys_user", "user_name"), ("sys_user_group", "name")):
        values = [row[column] for row in native[table]]
        assert len(values) == len(set(values))


def test_references_hold_ids_of_rows_that_exist(estate: Estate, native: dict[str, list[dict[str, str]]]) -> None:
    there = {table: {row["sys_id"] for row in rows} for table, rows in native.items()}
    there["ci"] = {ci.id for ci in estate.cis}
    key = servicenow.answer_key(estate)
    dangling = key.records("REL-DANGLING") | key.reasons("REF-DANGLING")["gone"]
    checked: Counter[str] = Counter()
    gone = 0  # CIs that only tickets which are over remember
    for table, rows in native.items():
        if table in ("core_company", "item_option_new", "sc_req_item", "sc_task"):
            continue  # columns of other meanings: flags, a kind of variable, parents that are tasks
        for row in rows:
            if row["sys_id"] in dangling:
                continue
            columns = {**REFERENCES, "parent": "ci"} if table == "cmdb_rel_ci" else REFERENCES
            if table == "change_request":
                columns = {name: target for name, target in columns.items() if name != "type"}  # a word there
            for column, target in columns.items():
                if column == "cmdb_ci" and table == "incident" and row["active"] == "false":
                    gone += row["cmdb_ci"] != "" and row["cmdb_ci"] not in there["ci"]
                elif row.get(column):
                    assert row[column] in there[target], (table, column)
                    checked[column] += 1
            if table == "cmdb_rel_ci":
                assert row["parent"]
                assert row["child"]
                assert row["parent"] != row["child"]
    assert set(checked) == {*REFERENCES, "parent"}
    assert 0 < gone < 10


def test_thirty_classes_each_in_its_table(native: dict[str, list[dict[str, str]]]) -> None:
    classes = {
        table: rows for table, rows in native.items() if "sys_class_name" in rows[0] and "install_status" in rows[0]
    }
    assert len(classes) >= 30
    for table, rows in classes.items():
        assert {row["sys_class_name"] for row in rows} == {table}


def test_a_customised_instance_in_several_languages_and_zones(native: dict[str, list[dict[str, str]]]) -> None:
    assert len({row["time_zone"] for row in native["sys_user"]}) >= 8
    names = "".join(row["name"] for row in native["sys_user"])
    for letters in "üößåłéãō":
        assert letters in names
    assert all(row["user_name"].isascii() for row in native["sys_user"])
    assert any(not row["short_description"].isascii() for row in native["incident"])
    for column in CUSTOM_COLUMNS["incident"]:
        assert any(row[column] for row in native["incident"])
    assert any(row["u_patch_window"] for row in native["cmdb_ci_linux_server"])


def test_a_service_stands_on_machines_in_racks_in_a_data_centre(estate: Estate) -> None:
    """Follow the sentences down from a service: the whole chain is there."""
    form = {ci.id: ci.form for ci in estate.cis}
    down: dict[str, list[str]] = {}
    for relation in estate.relations:
        if relation.type in ("depends_on", "runs_on", "hosted_on"):
            down.setdefault(relation.subject, []).append(relation.object)
        elif relation.type == "contains" and form[relation.subject] in ("rack", "data_centre"):
            down.setdefault(relation.object, []).append(relation.subject)
    reached: set[str] = set()
    start = next(ci.id for ci in estate.cis if ci.name == "Order Management")
    edge = [start]
    while edge:
        node = edge.pop()
        if node not in reached:
            reached.add(node)
            edge += down.get(node, [])
    forms = {form[node] for node in reached if node in form}
    assert {"business_service", "service_instance", "vmware_instance", "esx_server", "rack", "data_centre"} <= forms
    assert forms & {"linux_server", "windows_server"}


def test_relations_are_written_in_the_products_direction(
    estate: Estate, native: dict[str, list[dict[str, str]]]
) -> None:
    types = {row["sys_id"]: row["name"] for row in native["cmdb_rel_type"]}
    cls = {ci.id: ci.cls for ci in estate.cis}
    seen: Counter[str] = Counter()
    for row in native["cmdb_rel_ci"]:
        name, parent, child = types[row["type"]], cls.get(row["parent"]), cls.get(row["child"])
        seen[name] += 1
        if name == "Provides power for::Receives power from":
            assert (parent, child) == ("ups", "rack")
        elif name == "Members::Member of":
            assert (parent, child) == ("cluster", "server")
        elif name == "Hosted on::Hosts":
            assert (parent, child) in {("virtual_machine", "server"), ("server", "virtual_machine")}
    assert len(seen) >= 7


def test_work_goes_to_members_of_the_group(estate: Estate) -> None:
    members: dict[str, set[str]] = {}
    for membership in estate.memberships:
        members.setdefault(membership.group, set()).add(membership.person)
    left = servicenow.answer_key(estate).reasons("REF-DANGLING")["inactive"]
    active = {person.id for person in estate.people if person.active}
    worked = [i for i in estate.incidents if i.assignee and i.id not in left]
    assert len(worked) > 900
    since = [i for i in worked if i.assignee not in active and not i.active]  # left after the work was done
    assert 0 < len(since) < 0.01 * len(worked)
    for incident in worked:
        if incident not in since:
            assert incident.assignee in members[incident.group]
            assert incident.assignee in active
    for ids in members.values():
        assert ids <= active
        assert len(ids) >= 3


def test_incidents_look_like_two_years_of_work() -> None:
    estate = generate(11, Size.of(400, 6000), AS_OF)
    tickets = estate.incidents
    assert AS_OF - 735 * DAY < min(i.opened_at for i in tickets) < AS_OF - 700 * DAY
    count = Counter(i.priority for i in tickets)
    assert count["p1"] < 0.06 * 6000 < count["p4"]
    assert count["p5"] + count["p4"] + count["p3"] > 0.8 * 6000
    states = Counter(i.state for i in tickets)
    assert set(states) == {"new", "in_progress", "on_hold", "resolved", "closed", "cancelled"}
    assert states["closed"] > 0.85 * 6000
    still = [i for i in tickets if i.state in ("new", "in_progress", "on_hold")]
    assert median(AS_OF - i.opened_at for i in still) < 30 * DAY
    assert all((i.state == "on_hold") == bool(i.hold_reason) for i in tickets)
    wrong = {defect.record for defect in estate.defects}
    spent = {
        p: median(
            i.resolved_at - i.opened_at for i in tickets if i.resolved_at and i.priority == p and i.id not in wrong
        )
        for p in ("p1", "p2", "p3", "p4", "p5")
    }
    assert sorted(spent, key=spent.__getitem__) == ["p1", "p2", "p3", "p4", "p5"]
    assert 3600 < spent["p1"] < 10 * 3600
    weekend = sum(datetime.fromtimestamp(i.opened_at, UTC).weekday() > 4 for i in tickets)
    assert 0.02 * 6000 < weekend < 0.2 * 6000


def test_journals_keep_public_and_internal_apart_and_in_time(estate: Estate) -> None:
    when_opened = {i.id: i.opened_at for i in estate.incidents}
    accounts = {person.user_name for person in estate.people}
    assert len(estate.notes) > 2 * len(estate.incidents)
    for note in estate.notes:
        assert when_opened[note.incident] <= note.created_at <= AS_OF
        assert note.author in accounts
    share = sum(note.visibility == "public" for note in estate.notes) / len(estate.notes)
    assert 0.3 < share < 0.6


@pytest.mark.parametrize(("seed", "size"), [(7, 2000), (1, 200), (99, 450)])
def test_the_stories_are_told_in_every_estate(seed: int, size: int) -> None:
    estate = generate(seed, size, AS_OF)
    told = stories(estate)
    assert told == NUMBERS
    by_number = {i.number: i for i in estate.incidents}
    cis = {ci.id: ci for ci in estate.cis}
    groups = {group.id: group.name for group in estate.groups}
    flags: dict[str, list[str]] = {}
    for defect in estate.defects:
        flags.setdefault(defect.record, []).append(defect.code)
    p1, p2, away, plain = (by_number[told[n]] for n in ("p1_caution", "p2_stale_ci", "out_of_scope", "resolvable"))
    assert (p1.priority, p2.priority, plain.priority) == ("p1", "p2", "p4")
    assert not any(flags.get(i.id) for i in (p1, p2, away, plain))
    assert all(i.state == "in_progress" and i.ci for i in (p1, p2, away, plain))
    assert flags[p1.ci or ""] == ["CI-PLACEHOLDER"]
    assert cis[p1.ci or ""].cls == "service"
    assert flags[p2.ci or ""] == ["CI-STALE"]
    assert cis[p2.ci or ""].last_seen_at == AS_OF - 200 * DAY
    assert not flags.get(plain.ci or "")
    assert not flags.get(away.ci or "")
    assert {groups[i.group] for i in (p1, p2, plain)} <= set(SCOPE_GROUPS)
    assert groups[away.group] == "HR Payroll Support"
    assert [i for i in estate.incidents if groups[i.group] == "HR Payroll Support"] == [away]


def test_the_choice_list_is_the_declared_taxonomy(native: dict[str, list[dict[str, str]]]) -> None:
    rows = [row for row in native["sys_choice"] if row["name"] == "incident"]
    assert {r["value"] for r in rows if r["element"] == "category"} == set(assumptions.TAXONOMY)
    pairs = {(r["dependent_value"], r["value"]) for r in rows if r["element"] == "subcategory"}
    assert pairs == {(c, s) for c, subs in assumptions.TAXONOMY.items() for s in subs}
    offered = {element: {r["value"] for r in rows if r["element"] == element} for element in ("state", "close_code")}
    for ticket in native["incident"]:
        assert ticket["state"] in offered["state"]
        assert ticket["close_code"] in offered["close_code"] | {""}


def test_the_command_writes_tables_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "220", "--seed", "4", "--as-of", "2026-05-01T00:00:00Z", "--out", str(tmp_path)]) == 0
    answer = json.loads((tmp_path / "answer_key.json").read_text(encoding="utf-8"))
    assert answer["cis"] == 220
    assert answer["stories"] == NUMBERS
    assert answer["assumptions"]["as_of"] == 1_777_593_600
    for entry in answer["entries"]:
        lines = (tmp_path / f"{entry['table']}.jsonl").read_text(encoding="utf-8").splitlines()
        assert any(json.loads(line)["sys_id"] == entry["sys_id"] for line in lines)
    assert "incident" in capsys.readouterr().out


def test_the_estate_needs_only_the_records_of_the_product() -> None:
    for path in (ROOT / "mock_servers" / "estate").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not name.startswith("interlock") or name.startswith(("interlock.records", "interlock.clock"))


def test_two_thousand_cis_are_quick() -> None:
    start = time.process_time()
    servicenow.tables(generate(8, 2000, AS_OF))
    assert time.process_time() - start < 1.5


@pytest.mark.slow
def test_two_hundred_thousand_cis_within_a_minute() -> None:
    start = time.process_time()
    rows = sum(1 for _ in servicenow.rows(generate(8, 200_000, AS_OF)))
    assert rows > 800_000
    assert time.process_time() - start < 60

"""The answer key against an oracle that knows nothing of the planter.

The oracle reads finished ServiceNow rows with plain Python and finds by itself what is wrong with each. It has to
find exactly the rows of the key: nothing planted is missed or ineffective, and nothing is wrong that was not planted.
"""

from __future__ import annotations

import calendar
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from mock_servers.estate import Estate, assumptions, generate, servicenow, stories
from mock_servers.estate.key import Key
from mock_servers.estate.model import Ci, Incident
from mock_servers.estate.servicenow_codes import CLASSES

from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records import times

AS_OF = assumptions.DEFAULT_AS_OF
DAY = 86_400
Row = dict[str, str]
Finding = tuple[str, str, str]  # code, reason, sys_id

# What each native class is, said again: the oracle takes nothing from the generator's tables of forms.
SERVERS = {f"cmdb_ci_{kind}_server" for kind in ("linux", "win", "aix", "solaris", "esx")}
DATABASES = {f"cmdb_ci_db_{kind}_instance" for kind in ("mssql", "ora", "mysql", "postgresql")}
NETWORK = {"cmdb_ci_ip_switch", "cmdb_ci_ip_router", "cmdb_ci_wap_network"}
STORAGE = {"cmdb_ci_storage_device", "cmdb_ci_storage_volume"}
MACHINES = {"cmdb_ci_vmware_instance"}
LOOPBACK = "127.0.0.1"
RACK = "cmdb_ci_rack"
NEEDY = SERVERS | DATABASES | NETWORK | STORAGE | MACHINES
REQUIRED = {
    **dict.fromkeys(NEEDY, ("name", "support_group")),
    **dict.fromkeys(NETWORK | STORAGE, ("name", "serial_number", "support_group")),
    **dict.fromkeys(SERVERS, ("name", "serial_number", "os", "support_group")),
    **dict.fromkeys(("cmdb_ci_ip_firewall", "cmdb_ci_lb", "cmdb_ci_mainframe"), ("serial_number",)),
    "cmdb_ci_computer": ("name", "serial_number", "assigned_to"),
}
RECOMMENDING = (
    SERVERS
    | DATABASES
    | {*("cmdb_ci_service_business", "cmdb_ci_service_technical", "cmdb_ci_service_auto", "cmdb_ci_business_app")}
)
ABOUT = {
    "database": DATABASES | SERVERS,
    "network": NETWORK | {"cmdb_ci_ip_firewall", "cmdb_ci_computer"},
    "hardware": SERVERS | {"cmdb_ci_computer", "cmdb_ci_printer", "cmdb_ci_peripheral", "cmdb_ci_ip_phone"},
}
MEANT = {
    "Hardware": "hardware",
    "hardwares": "hardware",
    "NETWORK": "network",
    "netork": "network",
    "sofwtare": "software",
    "Software ": "software",
    "databases": "database",
    "data-base": "database",
}
UNSEEN = {
    "cmdb_ci_datacenter",
    "cmdb_ci_rack",
    "cmdb_ci_email_server",
    "cmdb_ci_appl",
    "cmdb_ci_ip_phone",
    "cmdb_ci_peripheral",
    "cmdb_ci_spkg",
    "cmdb_ci_certificate",
    "cmdb_ci_service_business",
    "cmdb_ci_service_technical",
    "cmdb_ci_service_auto",
    "service_offering",
    "cmdb_ci_business_app",
}
JUNK = set(assumptions.JUNK)
PAIRS = {(c, s) for c, subs in assumptions.TAXONOMY.items() for s in subs}


def epoch(text: str) -> int | None:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) if text else None


def blank(value: str) -> bool:
    return not value.strip() or value.strip().lower() in JUNK


def ci_findings(ci: Row) -> Iterator[Finding]:
    cls, key = ci["sys_class_name"], ci["sys_id"]
    seen, attested = epoch(ci["last_discovered"]), epoch(ci["attested_date"])
    if cls not in UNSEEN:
        if seen is None and attested is None:
            yield "CI-STALE", "never_seen", key
        elif AS_OF - max(seen or 0, attested or 0) > 60 * DAY:
            yield "CI-STALE", "stale", key
    if any(blank(ci[column]) for column in REQUIRED.get(cls, ())):
        yield "CI-MISS-REQ", "missing", key
    if cls in RECOMMENDING and blank(ci["owned_by"]):
        yield "CI-MISS-REC", "missing", key
    texts = ("name", "serial_number", "asset_tag", "fqdn", "ip_address", "mac_address", "os", "os_version")
    if any(ci.get(column) and blank(ci[column]) for column in texts):
        yield "CI-PLACEHOLDER", "placeholder", key
    retired, gone = ci["install_status"] == "7", ci["operational_status"] == "6"
    works = ci["operational_status"] == "1"
    if (retired or gone) and seen is not None and AS_OF - seen <= 30 * DAY:
        yield "CI-STATUS-CONTRA", "retired_seen", key
    if (retired and works) or (gone and ci["install_status"] == "1"):
        yield "CI-STATUS-CONTRA", "retired_operational", key
    if ci["install_status"] == "6" and works:
        yield "CI-STATUS-CONTRA", "in_stock_operational", key
    if (cls == "cmdb_ci_linux_server" and "Windows" in ci["os"]) or (
        cls == "cmdb_ci_win_server" and ci["os"] and "Windows" not in ci["os"]
    ):
        yield "CI-CLASS", "os", key


def ticket_findings(ticket: Row, active_users: set[str], cis: dict[str, str]) -> Iterator[Finding]:
    key = ticket["sys_id"]
    if int(ticket["priority"]) != int(ticket["impact"]) + int(ticket["urgency"]) - 1:
        yield "TKT-PRIO", "differs", key
    opened, resolved, closed = (epoch(ticket[c]) for c in ("opened_at", "resolved_at", "closed_at"))
    assert opened is not None
    if ticket["state"] in "67":
        if not ticket["close_code"]:
            yield "TKT-CLOSE", "code", key
        if not ticket["close_notes"]:
            yield "TKT-CLOSE", "notes", key
        if resolved is None:
            yield "TKT-CLOSE", "resolved_time", key
    if resolved is not None and resolved < opened:
        yield "TKT-TIME", "resolved_before_opened", key
    if closed is not None and resolved is not None and closed < resolved:
        yield "TKT-TIME", "closed_before_resolved", key
    if closed is not None and closed < opened:
        yield "TKT-TIME", "closed_before_opened", key
    if max(opened, resolved or 0, closed or 0) > AS_OF:
        yield "TKT-TIME", "future", key
    category, subcategory = ticket["category"], ticket["subcategory"]
    if not category:
        yield "TKT-CAT-UNKNOWN", "missing", key
    else:
        if category in MEANT:
            yield "TKT-CAT-CANON", "variant", key
        elif category not in assumptions.TAXONOMY:
            yield "TKT-CAT-UNKNOWN", "unknown", key
        if not subcategory:
            yield "TKT-SUBCAT", "missing", key
        elif (category, subcategory) not in PAIRS:
            yield "TKT-SUBCAT", "not_of_category", key
    meant = MEANT.get(category, category)
    if meant in ("database", "network") and not ticket["cmdb_ci"]:
        yield "TKT-NO-CI", "missing", key
    if meant in ABOUT and ticket["cmdb_ci"] in cis and cis[ticket["cmdb_ci"]] not in ABOUT[meant]:
        yield "TKT-CI-CLASS", "impossible", key
    if ticket["state"] in "78":
        return  # what is over may name what is gone
    if ticket["cmdb_ci"] and ticket["cmdb_ci"] not in cis:
        yield "REF-DANGLING", "gone", key
    if any(ticket[c] and ticket[c] not in active_users for c in ("assigned_to", "caller_id", "opened_by")):
        yield "REF-DANGLING", "inactive", key


def shared(rows: list[Row], column: str, fits: Callable[[Row], bool]) -> Iterator[str]:
    owners: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if fits(row) and not blank(row[column]):
            owners[row[column].lower()].append(row["sys_id"])
    for ids in owners.values():
        if len(ids) > 1:
            yield from ids


def repeated(tickets: list[Row]) -> Iterator[str]:
    asked: dict[tuple[str, ...], list[tuple[int, str]]] = defaultdict(list)
    for row in tickets:
        words = tuple(row[column] for column in ("caller_id", "cmdb_ci", "short_description", "description"))
        asked[words].append((epoch(row["opened_at"]) or 0, row["sys_id"]))
    for words, times_of in asked.items():
        for (one, _), (two, second) in pairwise(sorted(times_of)):
            if words[1] and two - one <= DAY:
                yield second


def on_cycles(edges: set[tuple[str, str]]) -> set[str]:
    """Nodes that reach themselves; what cannot be on a cycle is peeled off first."""
    while True:
        starts, ends = {a for a, _ in edges}, {b for _, b in edges}
        kept = {(a, b) for a, b in edges if a in ends and b in starts}
        if kept == edges:
            break
        edges = kept
    after: dict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        after[a].add(b)
    found = set()
    for start in list(after):
        reached: set[str] = set()
        edge = list(after[start])
        while edge:
            node = edge.pop()
            if node not in reached:
                reached.add(node)
                edge += after.get(node, ())
        if start in reached:
            found.add(start)
    return found


def oracle(estate: Estate) -> set[Finding]:
    """Everything that is wrong, found by looking."""
    native = servicenow.tables(estate)
    items = [row for rows in native.values() for row in rows if "install_status" in row]
    ids = {row["sys_id"]: row["sys_class_name"] for row in items}
    found = {finding for row in items for finding in ci_findings(row)}
    active = {row["sys_id"] for row in native["sys_user"] if row["active"] == "true"}
    found |= {finding for row in native["incident"] for finding in ticket_findings(row, active, ids)}
    found |= {("TKT-REOPEN-DUP", "repeat", key) for key in repeated(native["incident"])}
    found |= {("CI-DUP-IN", "serial", key) for key in shared(items, "serial_number", lambda ci: True)}
    found |= {
        ("CI-IP-SHARED", "ip", key)
        for key in shared(items, "ip_address", lambda ci: ci["install_status"] == "1" and ci["ip_address"] != LOOPBACK)
    }
    relations = native["cmdb_rel_ci"]
    related = {row[side] for row in relations for side in ("parent", "child")}
    found |= {
        ("CI-ORPHAN", "unrelated", row["sys_id"])
        for row in items
        if row["sys_class_name"] in NEEDY and row["sys_id"] not in related
    }
    stale = {key for code, _, key in found if code == "CI-STALE"}
    sentences = Counter((row["parent"], row["child"], row["type"]) for row in relations)
    names = {row["sys_id"]: row["name"] for row in native["cmdb_rel_type"]}
    edges = set()
    for row in relations:
        parent, child, key = row["parent"], row["child"], row["sys_id"]
        if not parent or not child:
            found.add(("REL-DANGLING", "empty", key))
        elif parent not in ids or child not in ids:
            found.add(("REL-DANGLING", "gone", key))
        if parent in stale or child in stale:
            found.add(("REL-STALE", "side", key))
        if sentences[parent, child, row["type"]] > 1:
            found.add(("REL-DUP", "repeated", key))
        if names[row["type"]] == "Contains::Contained by" and ids.get(parent) in SERVERS and ids.get(child) == RACK:
            found.add(("REL-RULE", "not_allowed", key))
        if names[row["type"]].split("::")[0] in ("Depends on", "Runs on", "Hosted on", "Uses"):
            edges.add((parent, child))
    return found | {("REL-CYCLE", "cycle", key) for key in on_cycles(edges)}


def keyed(key: Key) -> set[Finding]:
    return {(entry.code, entry.reason, entry.sys_id) for entry in key.entries}


CODES = {
    "CI-STALE": {"stale", "never_seen"},
    "CI-MISS-REQ": {"missing"},
    "CI-MISS-REC": {"missing"},
    "CI-PLACEHOLDER": {"placeholder"},
    "CI-STATUS-CONTRA": {"retired_seen", "retired_operational", "in_stock_operational"},
    "CI-CLASS": {"os"},
    "CI-ORPHAN": {"unrelated"},
    "CI-DUP-IN": {"serial"},
    "CI-IP-SHARED": {"ip"},
    "REL-DANGLING": {"gone"},
    "REL-DUP": {"repeated"},
    "REL-RULE": {"not_allowed"},
    "REL-STALE": {"side"},
    "REL-CYCLE": {"cycle"},
    "REF-DANGLING": {"gone", "inactive"},
    "TKT-PRIO": {"differs"},
    "TKT-CLOSE": {"code", "notes", "resolved_time"},
    "TKT-TIME": {"resolved_before_opened", "closed_before_resolved", "future"},
    "TKT-CAT-CANON": {"variant"},
    "TKT-CAT-UNKNOWN": {"unknown", "missing"},
    "TKT-SUBCAT": {"not_of_category", "missing"},
    "TKT-CI-CLASS": {"impossible"},
    "TKT-NO-CI": {"missing"},
    "TKT-REOPEN-DUP": {"repeat"},
}


@pytest.mark.parametrize(
    ("seed", "size"), [(7, 2000), (1, 200), (2, 200), (3, 260), (42, 600), (5, 1100), (1234, 5000)]
)
def test_the_oracle_finds_exactly_the_key(seed: int, size: int) -> None:
    estate = generate(seed, size, AS_OF)
    found, key = oracle(estate), keyed(servicenow.answer_key(estate))
    assert found - key == set(), "wrong, but nobody planted it"
    assert key - found == set(), "planted without effect"


def test_every_code_and_reason_is_planted() -> None:
    key = servicenow.answer_key(generate(7, 2000, AS_OF))
    assert set(key.codes()) == set(CODES)
    for code, reasons in CODES.items():
        assert reasons <= set(key.reasons(code)), code
        assert len(key.records(code)) >= 2
        assert key.codes()[code] == len(key.records(code))


def test_most_of_the_estate_is_sound() -> None:
    estate = generate(7, 2000, AS_OF)
    key = servicenow.answer_key(estate)
    wrong = {entry.sys_id for entry in key.entries}
    assert 0.02 * 2000 < sum(ci.id in wrong for ci in estate.cis) < 0.12 * 2000
    assert 0.05 * 1000 < sum(i.id in wrong for i in estate.incidents) < 0.2 * 1000


def test_entries_name_the_row_and_the_columns() -> None:
    estate = generate(7, 2000, AS_OF)
    native = {(table, row["sys_id"]): row for table, rows in servicenow.tables(estate).items() for row in rows}
    entries = servicenow.answer_key(estate).entries
    assert len({(e.code, e.reason, e.sys_id) for e in entries}) == len(entries)
    for entry in entries:
        row = native[entry.table, entry.sys_id]
        assert set(entry.fields) <= set(row)
        if entry.table == "incident":
            assert entry.label == row["number"]
        elif entry.table != "cmdb_rel_ci":
            assert entry.label == row["name"]


def test_the_rules_allow_every_relation_but_the_turned_ones() -> None:
    estate = generate(7, 2000, AS_OF)
    cls = {ci.id: ci.cls for ci in estate.cis}
    rules = set(assumptions.RELATION_RULES)
    forbidden = {
        relation.id
        for relation in estate.relations
        if relation.object in cls and (cls[relation.subject], relation.type, cls[relation.object]) not in rules
    }
    assert forbidden == servicenow.answer_key(estate).records("REL-RULE")


def test_near_misses_stand_at_the_edge_of_their_rules() -> None:
    estate = generate(7, 2000, AS_OF)
    seen = [AS_OF - ci.last_seen_at for ci in estate.cis if ci.status == "live" and ci.last_seen_at]
    assert seen.count(assumptions.DEFAULT_MAX_AGE_S) >= 2
    retired = [AS_OF - ci.last_seen_at for ci in estate.cis if ci.status == "retired" and ci.last_seen_at]
    assert retired.count(assumptions.RETIRED_SEEN_WITHIN_S + 1) >= 2
    assert [ci.ip for ci in estate.cis].count(LOOPBACK) >= 2
    ends = {(r.subject, r.object) for r in estate.relations if r.type == "connects_to"}
    assert len({(one, other) for one, other in ends if (other, one) in ends}) >= 4
    asked: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for ticket in estate.incidents:
        asked[ticket.caller, ticket.ci, ticket.title].append(ticket.opened_at)
    apart = [two - one for times_of in asked.values() for one, two in pairwise(sorted(times_of))]
    assert sum(DAY < each < 3 * DAY for each in apart) >= 2


def test_what_follows_from_another_defect_is_declared_so() -> None:
    entries = servicenow.answer_key(generate(7, 2000, AS_OF)).entries
    own = {e.sys_id for e in entries if not e.collateral}
    assert {e.code for e in entries if e.collateral} == {"CI-MISS-REQ", "TKT-SUBCAT", "REL-STALE"}
    assert all(e.sys_id in own for e in entries if e.collateral and e.code != "REL-STALE")


def test_a_ticket_spoilt_behind_the_planters_back_is_noticed() -> None:
    """The oracle itself: it sees one change that is not in the key."""
    estate = generate(3, 200, AS_OF)
    spoilt = {defect.record for defect in estate.defects}
    at = next(n for n, i in enumerate(estate.incidents) if i.id not in spoilt and i.state == "closed")
    incidents = list(estate.incidents)
    incidents[at] = replace(incidents[at], close_notes="")
    changed = replace(estate, incidents=tuple(incidents))
    assert oracle(changed) - keyed(servicenow.answer_key(changed)) == {("TKT-CLOSE", "notes", incidents[at].id)}


ROW_CHECKS = {
    "CI-STALE",
    "CI-MISS-REQ",
    "CI-MISS-REC",
    "CI-CLASS",
    "CI-PLACEHOLDER",
    "CI-STATUS-CONTRA",
    "TKT-PRIO",
    "TKT-CLOSE",
    "TKT-TIME",
    "TKT-CAT-CANON",
    "TKT-CAT-UNKNOWN",
    "TKT-SUBCAT",
    "TKT-NO-CI",
}


def canonical(row: Ci | Incident) -> dict[str, object]:
    """The record an adapter would make of a row: instants as text, references as links, empty as None."""
    found: dict[str, object] = {"ref": f"estate:{type(row).__name__.lower()}:{row.id}"}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name.endswith("_at"):
            value = None if value is None else times.to_text(value)
        elif field.name in ("owner", "assigned_to", "support_group"):
            value = value and {"ref": f"estate:person:{value}", "name": "Some One"}
        found[field.name] = None if value == "" else value
    if isinstance(row, Ci):
        found["native_class"] = CLASSES[row.form]
    return found


@pytest.mark.parametrize("seed", [7, 8])
def test_the_products_checks_find_exactly_the_key(seed: int) -> None:
    """Under a profile made of the exported assumptions."""
    estate = generate(seed, 2000, AS_OF)
    judge = Judge(Profile.default().merge(assumptions.profile("estate")))
    found = {
        (flag.code, reason, row.id)
        for kind, rows in (("ci", estate.cis), ("incident", estate.incidents))
        for row in rows
        for flag in judge.judge(kind, canonical(row), AS_OF).flags
        for reason in flag.reasons
    }
    planted = {finding for finding in keyed(servicenow.answer_key(estate)) if finding[0] in ROW_CHECKS}
    assert found - planted == set()
    assert planted - found == set()
    told = {incident.number: incident for incident in estate.incidents}
    cis = {ci.id: ci for ci in estate.cis}
    standing = {
        name: judge.judge("ci", canonical(cis[told[number].ci or ""]), AS_OF).standing
        for name, number in stories(estate).items()
    }
    assert standing == {
        "p1_caution": "caution",
        "p2_stale_ci": "flagged",
        "out_of_scope": "trusted",
        "resolvable": "trusted",
    }
    judge.close()

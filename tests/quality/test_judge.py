"""The judge: flags, standing, what could not run, and what flags do to calls."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.quality.quality_records import DAY, NOW, ci, incident

from interlock.quality.columns import RELATIONS
from interlock.quality.judge import Flag, Judge, repairs
from interlock.quality.profile import UNCHECKED, Profile
from interlock.quality.rowlevel import shipped
from interlock.records.problems import Problem
from interlock.records.times import to_text
from interlock.tools.catalogue import TOOLS


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def flags(judge: Judge, kind: str, record: dict[str, Any], now: float = NOW) -> dict[str, str]:
    return {flag.code: flag.evidence for flag in judge.judge(kind, record, now).flags}


def test_a_good_record_is_trusted(judge: Judge) -> None:
    for kind, record in (("ci", ci()), ("incident", incident())):
        judged = judge.judge(kind, record, NOW)
        assert judged.flags == ()
        assert judged.standing == "trusted"


def test_a_flag_says_all_that_a_caller_needs(judge: Judge) -> None:
    seen = NOW - 60 * DAY - 1
    (flag,) = judge.judge("ci", ci(last_seen_at=to_text(seen)), NOW + 0.9).flags
    assert flag == Flag(
        code="CI-STALE",
        severity="medium",
        ref="snow:ci:srv1",
        reason="stale",
        evidence=f"stale: cls server; last_seen_at @{seen}; allowed_s {60 * DAY}",
        lifts=flag.lifts,
        fields=frozenset({"cls", "last_seen_at", "attested_at"}),
    )
    assert "re-discovery" in flag.lifts or "newer sighting" in flag.lifts


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"last_seen_at": to_text(NOW - 60 * DAY)}, None),
        ({"last_seen_at": to_text(NOW - 60 * DAY - 1)}, "stale"),
        ({"last_seen_at": None}, "never_seen"),
        ({"last_seen_at": ""}, "never_seen"),
        ({"last_seen_at": None, "attested_at": to_text(NOW - DAY)}, None),
        ({"last_seen_at": None, "attested_at": to_text(NOW - 90 * DAY)}, "stale"),
        ({"last_seen_at": ...}, None),
        ({"last_seen_at": "yesterday"}, None),
        ({"last_seen_at": None, "cls": "service"}, None),
        ({"last_seen_at": None, "cls": "unmapped"}, None),
        ({"last_seen_at": None, "cls": ...}, None),
        ({"last_seen_at": None, "cls": "other"}, "never_seen"),
        # an edit proves nothing about the machine
        ({"last_seen_at": to_text(NOW - 90 * DAY), "updated_at": to_text(NOW)}, "stale"),
    ],
)
def test_staleness(judge: Judge, changes: dict[str, Any], found: str | None) -> None:
    raised = {f.code: f.reason for f in judge.judge("ci", ci(**changes), NOW).flags}
    assert raised.get("CI-STALE") == found


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({}, set()),
        ({"last_seen_at": ...}, {"CI-STALE", "CI-STATUS-CONTRA"}),
        ({"last_seen_at": "broken"}, {"CI-STALE", "CI-STATUS-CONTRA"}),
        ({"cls": "unmapped"}, {"CI-STALE", "CI-MISS-REQ", "CI-MISS-REC", "CI-CLASS"}),
        ({"status": "unmapped"}, {"CI-STATUS-CONTRA"}),
        ({"operational_status": ...}, {"CI-STATUS-CONTRA"}),
        ({"os": ...}, {"CI-MISS-REQ"}),  # required of servers, and not readable
        ({"os": ..., "cls": "computer"}, set()),  # not required of computers
        ({"last_seen_at": ..., "cls": "service"}, {"CI-STATUS-CONTRA"}),  # staleness does not apply
    ],
)
def test_what_could_not_run_on_a_ci(judge: Judge, changes: dict[str, Any], unknown: set[str]) -> None:
    judged = judge.judge("ci", ci(**changes), NOW)
    assert judged.unknown == unknown
    assert judged.flags == ()
    assert judged.standing == ("unchecked" if "CI-STALE" in unknown else "trusted")


def test_membership_could_not_be_checked_where_nothing_is_declared(judge: Judge) -> None:
    assert judge.judge("incident", incident(), NOW).unknown == {"TKT-CAT-CANON", "TKT-CAT-UNKNOWN", "TKT-SUBCAT"}
    told = Judge(Profile.default().with_taxonomy("snow", ["network"], [("network", "vpn")]))
    assert told.judge("incident", incident(), NOW).unknown == set()


def test_absent_raises_nothing_and_empty_does(judge: Judge) -> None:
    closed = {"state": "closed", "resolved_at": None, "close_code": None, "close_notes": None}
    assert flags(judge, "incident", incident(**closed)) == {"TKT-CLOSE": "code,notes,resolved_time: state closed"}
    (flag,) = judge.judge("incident", incident(**closed), NOW).flags
    assert flag.reasons == ("code", "notes", "resolved_time")
    absent = {"resolved_at": ..., "close_code": ..., "close_notes": ...}
    judged = judge.judge("incident", incident(**(closed | absent)), NOW)
    assert judged.flags == ()
    assert "TKT-CLOSE" in judged.unknown
    for kind, record in (("ci", ci()), ("incident", incident())):
        assert flags(judge, kind, {"ref": record["ref"]}) == {}


@given(dropped=st.sets(st.sampled_from(sorted(RELATIONS["ci"].reads))), seen=st.booleans())
def test_taking_fields_away_never_raises_more_on_a_ci(dropped: set[str], seen: bool) -> None:
    judge = _SHARED
    record = ci(last_seen_at=to_text(NOW - DAY) if seen else None, serial="n/a", os=None, status="retired")
    kept = {name: value for name, value in record.items() if name not in dropped}
    assert set(flags(judge, "ci", kept)) <= set(flags(judge, "ci", record))


@given(dropped=st.sets(st.sampled_from(sorted(RELATIONS["incident"].reads))))
def test_taking_fields_away_never_raises_more_on_an_incident(dropped: set[str]) -> None:
    judge = _SHARED
    record = incident(state="closed", priority="p1", category=None, resolved_at=to_text(NOW - 2 * DAY), close_notes=" ")
    kept = {name: value for name, value in record.items() if name not in dropped}
    assert set(flags(judge, "incident", kept)) <= set(flags(judge, "incident", record))


_SHARED = Judge()


def test_required_attributes_by_class(judge: Judge) -> None:
    found = judge.judge("ci", ci(serial=" To Be Filled By O.E.M. ", os="  "), NOW).flags
    assert [(f.code, f.evidence, f.fields) for f in found] == [
        (
            "CI-MISS-REQ",
            "missing: cls server; serial placeholder; os empty",
            frozenset({"cls", "serial", "os"}),
        ),
        ("CI-PLACEHOLDER", "placeholder: serial To Be Filled By O.E.M.", frozenset({"serial"})),
    ]


def test_a_link_is_filled_by_its_ref_or_its_name() -> None:
    judge = Judge(Profile.default().merge({"ci": {"requires": {"server": ["owner"]}}}))
    assert flags(judge, "ci", ci(owner={"ref": "snow:person:~1"})) == {}
    assert set(flags(judge, "ci", ci(owner={"ref": "snow:person:~1", "name": "Unknown"}))) == {
        "CI-MISS-REQ",
        "CI-PLACEHOLDER",
    }
    assert set(flags(judge, "ci", ci(owner=None))) == {"CI-MISS-REQ"}


def test_a_category_is_declared_a_variant_or_unknown() -> None:
    profile = Profile.default().with_taxonomy("snow", ["network", "a|b"], [("network", "vpn")])
    judge = Judge(profile)
    cases = {
        ("network", "vpn"): set(),
        ("Network", "vpn"): {"TKT-CAT-CANON", "TKT-SUBCAT"},
        ("netowrk", None): {"TKT-CAT-CANON"},
        ("plumbing", "vpn"): {"TKT-CAT-UNKNOWN", "TKT-SUBCAT"},
        ("network ", None): set(),
        ("a|b", None): set(),
        ("a", None): {"TKT-CAT-UNKNOWN"},
        ("network", "disk"): {"TKT-SUBCAT"},
        (None, "disk"): {"TKT-CAT-UNKNOWN"},
        (" ", "disk"): {"TKT-CAT-UNKNOWN"},
        ("network", None): set(),
    }
    for (category, subcategory), codes in cases.items():
        assert set(flags(judge, "incident", incident(category=category, subcategory=subcategory))) == codes
    other = incident(ref="other:incident:1", category="netork", subcategory="x")
    assert flags(judge, "incident", other) == {}
    empty = Judge(Profile.default().with_taxonomy("snow", [], []))
    assert set(flags(empty, "incident", incident())) == {"TKT-CAT-UNKNOWN", "TKT-SUBCAT"}


def test_a_category_that_needs_a_ci() -> None:
    needs = Profile.default().merge({"incident": {"needs_ci": ["network"]}})
    judge = Judge(needs.with_taxonomy("snow", ["network", "inquiry"], None))
    with_ci = incident(ci={"ref": "snow:ci:srv1"})
    assert flags(judge, "incident", with_ci) == {}
    for category, codes in {
        "network": {"TKT-NO-CI"},
        "netork": {"TKT-NO-CI", "TKT-CAT-CANON"},
        "inquiry": set(),
        None: {"TKT-CAT-UNKNOWN"},
    }.items():
        assert set(flags(judge, "incident", incident(ci=None, category=category))) == codes
    unread = judge.judge("incident", incident(category="network"), NOW)
    assert (unread.flags, "TKT-NO-CI" in unread.unknown) == ((), True), "the source does not export the CI"
    undeclared = incident(ref="other:incident:1", ci=None, category="network")
    assert set(flags(judge, "incident", undeclared)) == {"TKT-NO-CI"}


def test_a_long_word_is_matched_whole_and_shown_short() -> None:
    word = "x" * 300
    judge = Judge(Profile.default().with_taxonomy("snow", [word], None))
    assert flags(judge, "incident", incident(category=word)) == {}
    shown = flags(judge, "incident", incident(category=word + "y"))["TKT-CAT-UNKNOWN"]
    assert shown == f"unknown: category {'x' * 100}"


def test_half_a_surrogate_pair_does_not_stop_the_judge(judge: Judge) -> None:
    assert set(flags(judge, "incident", incident(category="\ud800", priority="p1"))) == {"TKT-PRIO"}


@pytest.mark.parametrize(
    ("kind", "changes", "standing"),
    [
        ("ci", {"last_seen_at": None}, "flagged"),
        ("ci", {"serial": "n/a", "cls": "printer"}, "caution"),
        ("ci", {"last_seen_at": ..., "serial": "n/a", "cls": "printer"}, "unchecked"),
        ("ci", {"last_seen_at": ..., "serial": None}, "flagged"),  # a hold weighs more than not knowing
        ("ci", {"status": "retired"}, "flagged"),
        ("incident", {"priority": "p1"}, "caution"),
        ("incident", {"priority": ...}, "unchecked"),
        ("incident", {"impact": "unmapped"}, "unchecked"),
        ("incident", {"category": None}, "caution"),  # holds only the assignment
        ("person", {}, "trusted"),  # nothing is demanded
    ],
)
def test_standing(judge: Judge, kind: str, changes: dict[str, Any], standing: str) -> None:
    record = {"ci": ci, "incident": incident}.get(kind, dict)(**changes)
    assert judge.judge(kind, record, NOW).standing == standing


def test_standing_follows_the_profile() -> None:
    held = Judge(Profile.default().merge({"matrix": {"TKT-PRIO": "hold"}}))
    assert held.judge("incident", incident(priority="p1"), NOW).standing == "flagged"
    demanding = Judge(Profile.default().merge({"demands": {"incident": ["TKT-PRIO", "TKT-CLOSE"]}}))
    assert demanding.judge("incident", incident(close_notes=...), NOW).standing == "unchecked"


EFFECTS = {
    "CI-STALE": "hold",
    "CI-MISS-REQ": "hold",
    "CI-STATUS-CONTRA": "refuse",
    "CI-PLACEHOLDER": "allow",
    "TKT-PRIO": "allow",
    "TKT-CLOSE": "allow",
    "TKT-TIME": "allow",
    "TKT-SUBCAT": "allow",
    "TKT-CAT-CANON": "allow",
    "TKT-CAT-UNKNOWN": "allow",
    "TKT-NO-CI": "allow",
    "CI-DUP-IN": "refuse",
    "CI-ORPHAN": "hold",
    "REL-DANGLING": "hold",
    "TKT-CI-CLASS": "hold",
    "TKT-REOPEN-DUP": "allow",
    "TKT-LABEL": "allow",
    "TKT-MATRIX": "allow",
    "SRC-LATE": "allow",
    "SRC-SCHEMA": "refuse",
    "SRC-CLOCK": "allow",
    "CI-CLASS": "allow",
    "CI-MISS-REC": "allow",
    "CI-IP-SHARED": "hold",
    "CI-CONFLICT": "hold",
    "CI-DUP-X": "hold",
    "CI-DUP-MAYBE": "allow",
    "CI-UNMONITORED": "allow",
    "CI-NO-ASSET": "allow",
    "MON-NO-CI": "allow",
    "AST-NO-CI": "allow",
    "ALR-RETIRED": "hold",
    "REL-STALE": "allow",
    "REL-DUP": "allow",
    "REL-RULE": "allow",
    "REL-CYCLE": "hold",
    "REF-DANGLING": "hold",
}

SINGLE = {
    ("TKT-CAT-UNKNOWN", "incident_assign"): "hold",
    ("SRC-LATE", "ci_create"): "refuse",
    ("SRC-LATE", "ci_relate"): "hold",
}


def test_the_default_matrix(judge: Judge) -> None:
    assert set(EFFECTS) == set(shipped().checks)
    for tool in TOOLS:
        for code, effect in EFFECTS.items():
            expected = SINGLE.get((code, tool.name), effect)
            wanted = "allow" if tool.effect == "read" else expected
            assert judge.effect(code, tool.name, tool.effect) == wanted, (code, tool.name)
    assert {tool for _, tool in SINGLE} <= {tool.name for tool in TOOLS}


def test_unchecked_informs_reads_holds_writes_and_refuses_destruction(judge: Judge) -> None:
    assert judge.effect(UNCHECKED, "ci_get", "read") == "allow"
    assert judge.effect(UNCHECKED, "incident_update", "write") == "hold"
    assert judge.effect(UNCHECKED, "ci_retire", "destructive") == "refuse"


def test_the_matrix_of_a_profile_wins_by_tool_then_by_code() -> None:
    changes = {
        "CI-STALE": {"incident_add_note": "allow"},
        "TKT-CAT-UNKNOWN": "refuse",
        "unchecked": {"incident_add_note": "allow", "default": "refuse"},
    }
    judge = Judge(Profile.default().merge({"matrix": changes}))
    assert judge.effect("CI-STALE", "incident_add_note", "write") == "allow"
    assert judge.effect("CI-STALE", "incident_resolve", "write") == "hold"
    assert judge.effect("TKT-CAT-UNKNOWN", "incident_assign", "write") == "refuse"
    assert judge.effect("TKT-CAT-UNKNOWN", "incident_get", "read") == "allow"
    assert judge.effect(UNCHECKED, "incident_add_note", "write") == "allow"
    assert judge.effect(UNCHECKED, "incident_resolve", "write") == "refuse"


def test_a_code_that_does_not_exist_is_never_allowed(judge: Judge) -> None:
    with pytest.raises(Problem, match="CI-STAIL"):
        judge.effect("CI-STAIL", "incident_update", "write")


def test_a_write_of_the_flagged_fields_repairs(judge: Judge) -> None:
    (flag,) = judge.judge("incident", incident(category=None), NOW).flags
    assert flag.code == "TKT-CAT-UNKNOWN"
    assert repairs(flag, ["category"])
    assert repairs(flag, ["category"], "snow:incident:INC1")
    assert not repairs(flag, ["category"], "snow:incident:INC2")  # another record
    assert not repairs(flag, ["category", "state"])  # more than a repair
    assert not repairs(flag, ["state"])
    assert not repairs(flag, [])


def test_findings_of_many_records(judge: Judge) -> None:
    records = [incident(ref=f"snow:incident:{n}", priority="p1" if n % 3 else "p3") for n in range(9)]
    found = [flag.ref for flag in judge.findings(iter(records), "incident", NOW)]
    assert found == [f"snow:incident:{n}" for n in range(9) if n % 3]


def test_the_fields_to_read_are_named(judge: Judge) -> None:
    assert {"last_seen_at", "cls", "environment", "serial"} <= judge.fields("ci")
    assert {"state", "close_notes", "impact"} <= judge.fields("incident")
    assert judge.fields("person") == frozenset()


def test_the_version_changes_with_the_profile(judge: Judge) -> None:
    assert judge.version == Judge().version
    other = Judge(Profile.default().merge({"ci": {"discovered_within_days": 31}}))
    assert other.version != judge.version


def test_a_judge_may_serve_from_another_thread_than_its_maker(judge: Judge) -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(judge.judge("incident", incident(), NOW).standing))
    thread.start()
    thread.join()
    assert found == ["trusted"]

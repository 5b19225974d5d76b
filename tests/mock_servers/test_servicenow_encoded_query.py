"""The query language: grammar, meaning against a plain reading of it, and the three modes for invalid clauses."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mock_servers.servicenow.clauses import DYNAMIC_ME, DYNAMIC_MY_GROUPS, InvalidMode, Reading
from mock_servers.servicenow.encoded_query import OPERATORS, SYNONYMS, Condition, Join, Related, parse
from mock_servers.servicenow.matching import ForbiddenQueryError, select
from mock_servers.servicenow.store import Store

NOW = datetime.fromisoformat("2026-03-10 12:00:00")
ANN, BOB = "a" * 32, "b" * 32
DESK = "d" * 32


def one(i: int, **values: str) -> dict[str, str]:
    return {"sys_id": f"{i:032x}", "number": f"INC{i:07d}", "sys_class_name": "incident", **values}


ROWS = [
    one(1, state="1", active="true", short_description="VPN is down", assigned_to=ANN, impact="1", urgency="1",
        opened_at="2026-03-10 08:00:00", resolved_at="", reopen_count="2", reassignment_count="1"),
    one(2, state="2", active="true", short_description="vpn slow", assigned_to=BOB, impact="2", urgency="1",
        opened_at="2026-03-09 08:00:00", assignment_group=DESK, reopen_count="10", reassignment_count="10"),
    one(3, state="6", active="true", short_description="Mail lost", impact="3", urgency="3",
        opened_at="2026-02-20 08:00:00", resolved_at="2026-02-20 12:00:00", cmdb_ci="c" * 32),
    one(4, state="7", active="false", short_description="Printer", assigned_to=ANN, impact="2",
        opened_at="2025-12-24 18:00:00", resolved_at="2025-12-24 18:30:00"),
    one(5, short_description="", opened_at=""),
]  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store()
    store.load(
        {
            "incident": ROWS,
            "sys_user": [
                {"sys_id": ANN, "user_name": "ann", "name": "Ann Arbor", "location": "1" * 32},
                {"sys_id": BOB, "user_name": "bob", "name": "Bob Hope"},
            ],
            "sys_user_group": [{"sys_id": DESK, "name": "Service Desk"}],
            "sys_user_grmember": [{"sys_id": "e" * 32, "user": BOB, "group": DESK}],
            "cmn_location": [
                {"sys_id": "1" * 32, "name": "Oslo", "parent": "2" * 32},
                {"sys_id": "2" * 32, "name": "Norway"},
            ],
            "cmdb_ci_server": [{"sys_id": "c" * 32, "name": "srv1", "location": "1" * 32}],
        }
    )
    return store


def found(store: Store, query: str, table: str = "incident", invalid: InvalidMode = "ignore") -> list[int]:
    rows = select(parse(query), table, Reading(store, NOW, BOB, "bob", invalid))
    return [int(row["sys_id"], 16) for row in rows]


MEANINGS = {
    "": [1, 2, 3, 4, 5],
    "state=1": [1],
    "state=1^ORstate=2": [1, 2],
    "active=true^state=1^ORstate=6": [1, 3],
    "state=1^active=true^ORactive=false": [1],
    "state=7^NQstate=1": [4, 1],
    "state=1^NQstate=1^NQactive=true": [1, 2, 3],
    "active=true^ORDERBYDESCnumber^EQ": [3, 2, 1],
    "active!=true": [4, 5],
    "state!=1": [2, 3, 4, 5],
    "short_descriptionLIKEvpn": [1, 2],
    "short_description*VPN": [1, 2],
    "short_descriptionCONTAINSvpn": [1, 2],
    "short_descriptionNOT LIKEvpn": [3, 4, 5],
    "short_description!*vpn^short_descriptionISNOTEMPTY": [3, 4],
    "short_descriptionSTARTSWITHvpn": [1, 2],
    "short_descriptionENDSWITHLOST": [3],
    "short_description%lost": [3],
    "short_description=vpn SLOW": [2],
    "stateIN1, 7": [1, 4],
    "stateNOT IN1,7": [2, 3, 5],
    "assigned_toISEMPTY": [3, 5],
    "assigned_toISNOTEMPTY": [1, 2, 4],
    "assigned_toEMPTYSTRING": [3, 5],
    "assigned_toANYTHING": [1, 2, 3, 4, 5],
    f"assigned_to={ANN}": [1, 4],
    "assigned_to=Ann Arbor": [],
    "assigned_toLIKEarbor": [1, 4],
    "assigned_toSTARTSWITHbob": [2],
    "assigned_to.user_name=ann": [1, 4],
    "assigned_to.location.name=oslo": [1, 4],
    "cmdb_ci.location.name=Oslo": [3],
    "reopen_count>2": [2],
    "reopen_count>=2": [1, 2],
    "reopen_countBETWEEN3@20": [2],
    "opened_at>2026-03-01": [1, 2],
    "opened_at<2026-01-01 00:00:00": [4],
    "opened_atBETWEEN2026-02-01@2026-02-28": [3],
    "opened_at>=javascript:gs.daysAgoStart(1)": [1, 2],
    "opened_atONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()": [1],
    "opened_atON2026-02-20": [3],
    "opened_atNOTON2026-02-20": [1, 2, 4],
    "opened_atRELATIVEGT@hour@ago@5": [1],
    "opened_atRELATIVELT@dayofweek@ago@10": [3, 4],
    "opened_atDATEPARTDecember@javascript:gs.datePart('month','december','EE')": [4],
    "opened_atDATEPARTFriday@javascript:gs.datePart('dayofweek','friday','EE')": [3],
    "resolved_atMORETHANopened_at@hour@after@1": [3],
    "resolved_atLESSTHANopened_at@hour@after@1": [4],
    "impactSAMEASurgency": [1, 3, 5],
    "impactNSAMEASurgency": [2, 4],
    "reopen_countGT_FIELDreassignment_count": [1],
    "reopen_countGT_OR_EQUALS_FIELDreassignment_count": [1, 2],
    "impactLT_FIELDurgency": [],
    f"assigned_toDYNAMIC{DYNAMIC_ME}": [2],
    f"assignment_groupDYNAMIC{DYNAMIC_MY_GROUPS}": [2],
    "assigned_to=javascript:gs.getUserID()": [2],
    "123TEXTQUERY321=vpn down": [1],
    "sys_id>" + f"{2:032x}" + "^ORDERBYsys_id": [3, 4, 5],
    "GROUPBYstate^state=1": [1],
    "sys_class_nameINSTANCEOFtask": [1, 2, 3, 4, 5],
    "ORDERBYreopen_count": [3, 4, 5, 1, 2],
    "assigned_toISNOTEMPTY^ORDERBYDESCassigned_to": [2, 1, 4],
}


@pytest.mark.parametrize("query", MEANINGS)
def test_a_query_finds(store: Store, query: str) -> None:
    assert found(store, query) == MEANINGS[query]


def test_queries_over_other_tables(store: Store) -> None:
    users = {ANN: "ann", BOB: "bob"}

    def names(query: str) -> list[str]:
        return [users[row["sys_id"]] for row in select(parse(query), "sys_user", Reading(store, NOW))]

    assert names("RLQUERYincident.assigned_to,>=2^ENDRLQUERY") == ["ann"]
    assert names("RLQUERYincident.assigned_to,>=1,m2m^active=true^ENDRLQUERY^user_name=bob") == ["bob"]
    assert names(f"JOINsys_user.sys_id=sys_user_grmember.user!group={DESK}") == ["bob"]
    assert names("locationIN_HIERARCHY" + "2" * 32) == ["ann"]


BAD = ["no_such=1", "assigned_to.no_such=1", "state.name=1", "statePLUS1", "Nonsense", "reopen_count>many",
       "opened_at=javascript:gs.evil()", "opened_atRELATIVEGT@aeon@ago@1", "assigned_toDYNAMICx"]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_an_invalid_clause_is_dropped_or_finds_nothing_or_is_refused(store: Store, bad: str) -> None:
    assert found(store, bad) == [1, 2, 3, 4, 5]  # the dangerous default: it widens to everything
    assert found(store, f"state=1^{bad}") == [1]
    assert found(store, f"state=1^{bad}", invalid="empty") == []
    assert found(store, f"state=7^NQstate=1^{bad}", invalid="empty") == [4]
    with pytest.raises(ForbiddenQueryError):
        found(store, f"state=1^{bad}", invalid="403")


def test_javascript_evaporates_where_it_is_locked(store: Store) -> None:
    query = parse("assigned_to=javascript:gs.getUserID()")
    rows = select(query, "incident", Reading(store, NOW, BOB, "bob", run_javascript=False))
    assert len(rows) == len(ROWS)


def test_not_equal_may_leave_empty_values_out(store: Store) -> None:
    reading = Reading(store, NOW, not_equal_matches_empty=False)
    assert [r["number"] for r in select(parse("state!=1"), "incident", reading)] == [
        "INC0000002",
        "INC0000003",
        "INC0000004",
    ]
    assert len(select(parse("active!=true"), "incident", reading)) == 2  # documented for booleans: always


def test_related_and_join_are_read_whole() -> None:
    ((related,), (other,)) = parse("RLQUERYa.b,>0,m2m^c=1^d=2^ENDRLQUERY^e=3").filters[0]
    assert related == Related("a", "b", ">", 0, "c=1^d=2")
    assert other == Condition("e", "=", "3")
    assert parse("JOINa.b=c.d!e=1").filters == (((Join("b", "c", "d", "e=1"),),),)


def test_an_index_finds_what_a_scan_finds_after_changes() -> None:
    store = Store()
    store.load({"incident": [dict(row) for row in ROWS]})
    assert found(store, "number=inc0000002") == [2]
    store.put("incident", {**ROWS[1], "number": "INC0000099"})
    assert found(store, "number=INC0000002") == []
    assert found(store, "numberININC0000099,INC0000001^ORDERBYnumber") == [1, 2]
    store.put("incident", one(9, number="INC0000098"))
    assert found(store, "sys_id>" + f"{4:032x}") == [5, 9]
    store.remove("incident", f"{9:032x}")
    assert found(store, "sys_id>" + f"{4:032x}") == [5]
    assert found(store, "number=INC0000098") == []


names = st.from_regex(r"[a-z][a-z_]{0,8}(\.[a-z_]{1,8})?", fullmatch=True)
values = st.text(st.characters(exclude_characters="^"), max_size=12)


@given(names, st.sampled_from(OPERATORS), values)
def test_every_condition_is_read_back(name: str, operator: str, value: str) -> None:
    """Any name, operator and value, unless the value continues the operator into a longer one."""
    text = f"{name}{operator}{value}"
    longer = [o for o in OPERATORS if len(o) > len(operator) and text[len(name) :].startswith(o)]
    condition = parse(f"x=1^{text}").filters[0][1][0]
    if not longer:
        assert condition == Condition(name, SYNONYMS.get(operator, operator), value)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser_or_the_search(text: str) -> None:
    store = Store()
    store.load({"incident": [dict(row) for row in ROWS]})
    assert isinstance(select(parse(text), "incident", Reading(store, NOW)), list)


clauses = st.tuples(st.sampled_from(["state", "impact"]), st.sampled_from(["=", "!="]), st.sampled_from("1237"))


@given(st.lists(st.lists(st.lists(clauses, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_or_binds_to_the_condition_before_it(filters: list[list[list[tuple[str, str, str]]]]) -> None:
    """Any query of this form means any of all of any, compared with that written in Python."""
    text = "^NQ".join("^".join("^OR".join("".join(c) for c in group) for group in groups) for groups in filters)
    store = Store()
    store.load({"incident": [dict(row) for row in ROWS]})

    def holds(row: dict[str, str], clause: tuple[str, str, str]) -> bool:
        return (row.get(clause[0], "") == clause[2]) is (clause[1] == "=")

    wanted = {
        row["sys_id"]
        for row in ROWS
        if any(all(any(holds(row, c) for c in group) for group in groups) for groups in filters)
    }
    assert {row["sys_id"] for row in select(parse(text), "incident", Reading(store, NOW))} == wanted

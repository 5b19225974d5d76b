"""Queries: hostile values never change the structure, and pushed plus checked afterwards is a full scan."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.adapterkit import encoded_query
from tests.adapterkit.mapping_samples import INCIDENT, servicenow

from interlock.records.filters import AnyOf, Condition, Query, Sort, matches, read_filter
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem

PRODUCT = servicenow()
MAPPING = PRODUCT.mappings["incident"]
NASTY = [
    "^", "a^b", "x^ORactive=true", "^NQactive=true", "^EQ", "=", "=x", "!=x", ">1", "<1", "@", "a@b", "%", "*", "_",
    "javascript:gs.getUserID()", "JavaScript:x", "DYNAMIC90d1", "NULL", "null", "STANCEOF,0", "_HIERARCHYx", ",", "a,b",
    " x", "x ", "", "\n", "x\x00y", "\u200b", "ORDERBYnumber", "ISEMPTY", "INa,b", "LIKEa", "ß", "İ", "'", '"', "\\",
    "{v}", "{f}", "é", "E", "⟦U+200B⟧", "-1", "0",
]  # fmt: skip
HOSTILE = st.sampled_from(NASTY) | st.text(max_size=12) | st.text("^=<>!@%*,ORNQINLKE_ aé", max_size=12)
TEXT_FIELDS = [name for name, use in MAPPING.fields.items() if use.type in ("text", "word") and use.readable]


def shape_of(groups):
    return [[(atom.field, atom.op) for atom in group] for group in groups]


@given(name=st.sampled_from(TEXT_FIELDS), op=st.sampled_from(["eq", "contains", "starts"]), value=HOSTILE)
def test_a_hostile_value_never_changes_the_structure(name, op, value):
    if op not in FIELDS["incident"][name].operators:
        return
    plan = MAPPING.plan(Query(filter=(Condition("state", "eq", "new"), Condition(name, op, value))))
    if plan.empty or (Condition(name, op, value) in plan.post and plan.pushed == "state=1"):
        return  # never sent
    benign = MAPPING.plan(Query(filter=(Condition("state", "eq", "new"), Condition(name, op, "zz"))))
    read = encoded_query.read(plan.pushed)
    assert shape_of(read) == shape_of(encoded_query.read(benign.pushed))
    assert read[1][0].value == value


@given(values=st.lists(HOSTILE, min_size=1, max_size=4), op=st.sampled_from(["in", "not_in"]))
@example(values=["STANCEOF", "0"], op="in")
def test_a_hostile_list_never_changes_the_structure(values, op):
    clause = Condition("category", op, tuple(values))
    plan = MAPPING.plan(Query(filter=(clause,)))
    if plan.empty or not plan.pushed:
        return
    sent = []
    for group in encoded_query.read(plan.pushed):
        for atom in group:
            assert (atom.field, atom.op) in {("category", w) for w in ("=", "IN")}
            sent += atom.value.split(",") if atom.op == "IN" else [atom.value] if atom.value else []
    assert sent == [value for value in values if value] or sent == list(dict.fromkeys(v for v in values if v))


@given(text=HOSTILE)
def test_hostile_search_words_and_refs_stay_values(text):
    plan = MAPPING.plan(Query(text=text))
    assert (plan.pushed == "" and plan.text == text) or [
        (a.op, a.value) for group in encoded_query.read(plan.pushed) for a in group
    ] == [("TEXT", text)]
    try:
        clause = read_filter([{"field": "caller", "value": f"snow:person:{text}"}], FIELDS["incident"])
    except Problem:
        return
    plan = MAPPING.plan(Query(filter=clause))
    if plan.pushed:
        [[atom]] = encoded_query.read(plan.pushed)
        assert atom == encoded_query.Atom(
            *(("caller_id", "=", text[1:]) if text[:1] == "~" else ("caller_id.user_name", "=", text))
        )


POOL: dict[str, list[str]] = {
    "state": ["1", "2", "3", "6", "7", "8", "9", ""],
    "priority": ["1", "2", "5", ""],
    "close_code": ["Solution provided", "Solved (Permanently)", "duplicate", "Duplicate", "code 6", ""],
    "contact_type": ["phone", "chat", "virtual_agent", "fax", ""],
    "active": ["true", "false"],
    "short_description": ["Mail", "mail down", "café", "cafe", "100%", "a^b", ""],
    "category": ["network", "Network", "nétwork", "a,b", ""],
    "opened_at": ["2026-01-01 00:00:00", "2026-03-14 08:12:44", "2026-03-14 08:12:45", ""],
    "reopen_count": ["0", "2", "10", ""],
}
PEOPLE = [("u1", "ann"), ("u2", "Bo"), ("u3", ""), ("", "")]


@st.composite
def rows(draw):
    made = []
    for number in range(draw(st.integers(1, 6))):
        row = {**INCIDENT, "number": f"INC{number}", **{c: draw(st.sampled_from(v)) for c, v in POOL.items()}}
        row["caller_id"], row["caller_id.user_name"] = draw(st.sampled_from(PEOPLE))
        made.append(row)
    return made


VALUES = {
    "title": ["Mail", "mail", "cafe", "CAFÉ", "100%", "a^b", "x", "⟦"],
    "category": ["network", "NETWORK", "a,b", "^", "none"],
    "caller": ["snow:person:ann", "snow:person:ANN", "snow:person:bo", "snow:person:~u3", "other:person:ann"],
    "opened_at": ["2026-01-01T00:00:00Z", "2026-03-14T08:12:44Z", "2030-01-01T00:00:00Z"],
    "reopen_count": [0, 2, 9],
    "active": [True, False],
    "hold_reason": ["caller", "unmapped"],
}


@st.composite
def conditions(draw):
    name = draw(st.sampled_from(["state", "priority", "close_code", "channel", *VALUES]))
    field = FIELDS["incident"][name]
    op = draw(st.sampled_from(field.operators))
    pool = VALUES.get(name) or [*field.values, "unmapped"]
    if op in ("empty", "not_empty"):
        return Condition(name, op)
    if op in ("in", "not_in"):
        return Condition(name, op, tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique=True))))
    return Condition(name, op, draw(st.sampled_from(pool)))


CLAUSES = conditions() | st.lists(conditions(), min_size=1, max_size=3).map(lambda found: AnyOf(tuple(found)))


@given(rows=rows(), filter=st.lists(CLAUSES, max_size=3).map(tuple))
def test_pushed_and_checked_afterwards_is_a_full_scan(rows, filter):  # noqa: A002
    plan = MAPPING.plan(Query(filter=filter))
    decoded = [MAPPING.decode(row) for row in rows]
    full = [record["number"] for record in decoded if matches(filter, record)]
    found: list[str] = []
    if not plan.empty:
        groups = encoded_query.read(plan.pushed)
        found = [
            record["number"]
            for row, record in zip(rows, decoded, strict=True)
            if encoded_query.finds(groups, row) and matches(plan.post, record)
        ]
    assert found == full


def plan_of(kind, *clauses, **more):
    return PRODUCT.mappings[kind].plan(Query(filter=read_filter(clauses, FIELDS[kind]), **more))


@pytest.mark.parametrize(
    ("kind", "clause", "pushed", "checked"),
    [
        ("incident", {"field": "state", "value": "new"}, "state=1", False),
        ("incident", {"field": "state", "op": "in", "value": ["new", "on_hold"]}, "stateIN1,3", False),
        ("incident", {"field": "state", "op": "ne", "value": "closed"}, "state!=7^ORstateISEMPTY", False),
        ("incident", {"field": "caller", "value": "snow:person:ann"}, "caller_id.user_name=ann", False),
        ("incident", {"field": "caller", "value": "snow:person:~u1"}, "caller_id=u1", False),
        ("incident", {"field": "ci", "value": "snow:ci:c1"}, "cmdb_ci=c1", False),
        ("incident", {"field": "ci", "op": "empty"}, "cmdb_ciISEMPTY", False),
        ("incident", {"field": "active", "value": True}, "active=true", False),
        ("incident", {"field": "opened_at", "op": "gt", "value": "2026-03-14"}, "opened_at>2026-03-14 00:00:00", False),
        ("incident", {"field": "title", "op": "contains", "value": "mail"}, "short_descriptionLIKEmail", True),
        ("incident", {"field": "title", "op": "ne", "value": "mail"}, "", True),
        ("incident", {"field": "state", "value": "unmapped"}, "", True),
        ("ci", {"field": "cls", "value": "container"},
         "sys_class_nameINcmdb_ci_oslv_container,cmdb_ci_docker_container,cmdb_ci_kubernetes_pod"
         "^ORsys_class_nameSTARTSWITHcmdb_ci_kubernetes_", True),
        ("relationship", {"field": "subject", "value": "snow:ci:c1"}, "parent=c1^ORchild=c1", True),
        ("relationship", {"field": "type", "value": "contains"},
         "type.name=Contains::Contained by^ORtype.name=Contained by::Contains", True),
    ],
)  # fmt: skip
def test_plans_in_words(kind, clause, pushed, checked):
    plan = plan_of(kind, clause)
    assert plan.pushed == pushed
    assert bool(plan.post) is checked
    assert bool(plan.why) is checked


@pytest.mark.parametrize(
    ("kind", "clause"),
    [
        ("incident", {"field": "channel", "value": "other"}),
        ("incident", {"field": "caller", "value": "other:person:ann"}),
        ("incident", {"any": [{"field": "channel", "value": "other"}, {"field": "category", "value": ""}]}),
    ],
)
def test_what_cannot_be_there_makes_no_call(kind, clause):
    plan = plan_of(kind, clause)
    assert plan.empty
    assert plan.why


def test_order_text_and_columns():
    plan = plan_of("incident", sort=(Sort("priority", True), Sort("title")), text="mail server", fields=("state",))
    assert plan.pushed == "123TEXTQUERY321=mail server"
    assert plan.text is None
    assert plan.order_native == "ORDERBYDESCpriority^ORDERBYsys_id"
    assert plan.order == (Sort("priority", True),)
    assert any("title" in why for why in plan.why)
    assert set(plan.columns) == {"sys_id", "number", "sys_mod_count", "state", "priority", "short_description"}
    assert plan_of("ci", sort=(Sort("cls"),)).order == ()
    assert plan_of("incident", text="a^b").text == "a^b"
    assert plan_of("relationship", text="x").text == "x"
    record = {"title": "Mail is down", "category": "network"}
    assert MAPPING.holds_text("NETWORK mail", record)
    assert not MAPPING.holds_text("mail up", record)


def test_columns_of_what_is_checked_afterwards_are_asked_for():
    plan = plan_of("incident", {"field": "title", "op": "contains", "value": "a^b"}, fields=("state",))
    assert "short_description" in plan.columns
    with pytest.raises(Problem, match="not a field") as caught:
        MAPPING.columns(["colour"])
    assert caught.value.value == "colour"


def test_plans_are_remembered_within_bounds():
    query = Query(filter=(Condition("number", "eq", "INC1"),))
    assert MAPPING.plan(query) is MAPPING.plan(query)
    for number in range(600):
        asked = MAPPING.plan(Query(filter=(Condition("number", "eq", f"INC{number}"),)))
        assert asked.pushed == f"number=INC{number}"
    assert len(MAPPING._plans) <= 256
    long = Query(filter=(Condition("category", "in", tuple(f"c{n:030}" for n in range(100))),))
    assert MAPPING.plan(long) == MAPPING.plan(long)
    assert long not in MAPPING._plans

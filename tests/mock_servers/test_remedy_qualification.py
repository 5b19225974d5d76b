"""The mock's own reading of qualifications: grammar, types, nulls, and that quoting holds against any text."""

from __future__ import annotations

from typing import Any as Anything

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.matching import Asker, like, select
from mock_servers.remedy.qualification import (
    MAX_LENGTH,
    All,
    Any,
    Compare,
    FieldName,
    Keyword,
    Not,
    Number,
    Text,
    parse,
)
from mock_servers.remedy.store import Store
from mock_servers.remedy.times import parsed, written, zone

NOW = 1_772_356_500  # 2026-03-01T09:15:00Z
BERLIN = zone("Europe/Berlin")
FORM = "HPD:Help Desk"
ROWS: list[dict[str, Anything]] = [
    {"Incident Number": "INC000000000001", "Status": 1, "Description": "Disk 96% full", "Reported Date": NOW - 7200},
    {"Incident Number": "INC000000000002", "Status": 4, "Description": 'He said "no"', "Reported Date": NOW - 60},
    {"Incident Number": "INC000000000003", "Status": 5, "Description": "O'Brien_x", "Assigned Group": "Network"},
    {"Incident Number": "INC000000000004", "Status": 1, "Assigned Group": "Netware", "Reopen Count": 2},
]


def numbers(query: str) -> list[int]:
    store = Store()
    store.load({FORM: ROWS})
    assert BERLIN is not None
    asker = Asker("integration", NOW, BERLIN)
    found = select(parse(query), store.schema.forms[FORM], store, asker)
    return [int(str(entry["Incident Number"])[3:]) for entry in found]


def refused(query: str) -> str:
    with pytest.raises(ArError) as error:
        numbers(query)
    return error.value.name


def test_the_tree() -> None:
    a = Compare(FieldName("Status"), "<", Text("Resolved"))
    assert parse("'Status' < \"Resolved\"") == a
    assert parse("") == parse("  \n") == All(())
    assert parse('NOT (\'Status\' < "Resolved") or 7 = 7 && $USER$ != "x"') == Any(
        (
            Not(a),
            All((Compare(Number(7), "=", Number(7)), Compare(Keyword("USER"), "!=", Text("x")))),
        )
    )
    assert parse("'3' >= $TIMESTAMP$ - 86400") == Compare(FieldName("3"), ">=", Keyword("TIMESTAMP", -86400))
    assert parse('\'It\'\'s\' = "a ""b"""') == Compare(FieldName("It's"), "=", Text('a "b"'))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("'Status' < \"Resolved\"", [1, 4]),
        ("'Status' = 4", [2]),
        ("'7' = \"4\"", [2]),
        ("'1000000161' = \"INC000000000003\"", [3]),
        ("'Incident Number' = \"INC000000000003\" AND 'Status' = \"New\"", []),
        ("'Incident Number' > \"INC000000000002\"", [3, 4]),
        ("'Assigned Group' LIKE \"Net%\"", [3, 4]),
        ("'Assigned Group' LIKE \"Netw_re\"", [4]),
        ("'Description' LIKE \"%[%]%\"", [1]),
        ("'Description' LIKE \"%[_]x\"", [3]),
        ('\'Description\' = "He said ""no"""', [2]),
        ("'Description' = $NULL$", [4]),
        ("'Description' = \"\"", [4]),
        ("'Description' != $NULL$", [1, 2, 3]),
        ("'Assigned Group' != \"Network\"", [4]),  # not the empty ones
        ("NOT 'Assigned Group' = \"Network\"", [1, 2, 4]),
        ("'Reported Date' > $TIMESTAMP$ - 3600", [2]),
        ("'Reported Date' >= \"2026-03-01T09:14:00+00:00\"", [2]),
        ("'Reported Date' >= \"2026-03-01T10:14:00\"", [2]),  # no zone: the caller's
        ("'Reported Date' < \"03/01/2026 09:00:00 AM\"", [1]),
        ("'Reported Date' >= $DATE$", [1, 2]),
        (f"'Reported Date' = {NOW - 60}", [2]),
        ("\"Network\" = 'Assigned Group'", [3]),
        ("1 < 'Reopen Count'", [4]),
        ("'Incident Number' != 'Description'", [1, 2, 3]),
        ("1 = 2", []),
        ("('Status' = \"Closed\" OR 'Status' = \"Resolved\") AND 'Assigned Group' != $NULL$", [3]),
        ("'Status' = \"Closed\" OR 'Status' = \"Resolved\" AND 'Assigned Group' != $NULL$", [3]),
    ],
)
def test_what_is_found(query: str, expected: list[int]) -> None:
    assert numbers(query) == expected


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("'Incident_Number' = \"x\"", "unknown_field"),  # an element's name is no label
        ("'4711' = \"x\"", "unknown_field"),
        ("'z1D Action' = \"MODIFY\"", "unknown_field"),
        ("'Status' = \"Nonsense\"", "bad_type"),
        ("'Status' LIKE \"R%\"", "bad_type"),
        ("'Description' = 5", "bad_type"),
        ("'Reported Date' > \"yesterday\"", "bad_type"),
        ("'Description' < $NULL$", "bad_type"),
        ("'Status'", "syntax"),
        ("'Status' = ", "syntax"),
        ("'Status' = \"New", "syntax"),
        ("'Status' == \"New\"", "syntax"),
        ("('Status' = \"New\"", "syntax"),
        ("'Status' = \"New\" 'Status' = \"New\"", "syntax"),
        ("'Status' = \"New\"; drop", "syntax"),
        ("'Status' = $NOPE$", "syntax"),
        ('Status = "New"', "syntax"),
        ("(" * 80 + "1 = 1" + ")" * 80, "syntax"),
        ("'Status' = \"" + "x" * MAX_LENGTH + '"', "syntax"),
    ],
)
def test_what_is_refused(query: str, name: str) -> None:
    assert refused(query) == name


@given(st.text(max_size=40))
def test_a_quoted_text_stays_one_text(value: str) -> None:
    doubled = value.replace('"', '""')
    assert parse(f"'Description' = \"{doubled}\" AND 'Status' = \"New\"") == All(
        (
            Compare(FieldName("Description"), "=", Text(value)),
            Compare(FieldName("Status"), "=", Text("New")),
        )
    )


@given(st.text(alphabet="'\"$ANDORNOT()=<>!&|1 aLIKE%", max_size=60))
def test_any_query_is_read_or_refused(query: str) -> None:
    refusal = ""
    try:
        parse(query)
    except ArError as error:
        refusal = error.name
    assert refusal in ("", "syntax")


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_bracketed_pattern_finds_the_text_itself_only(value: str, other: str) -> None:
    literal = "".join(f"[{c}]" if c in "%_[" else c for c in value)
    assert like(literal).fullmatch(value)
    assert bool(like(literal).fullmatch(other)) == (other == value)


def test_times() -> None:
    assert BERLIN is not None
    assert written(NOW, BERLIN) == "2026-03-01T10:15:00+01:00"
    assert parsed("2026-07-01T10:00:00", BERLIN) == parsed("2026-07-01T08:00:00Z", BERLIN)
    assert parsed("13/45/2026", BERLIN) is None
    offset = zone("GMT+05:30")
    assert offset is not None
    assert written(NOW, offset).endswith("+05:30")
    assert zone("Middle/Earth") is None
    assert zone("GMT+99:00") is None

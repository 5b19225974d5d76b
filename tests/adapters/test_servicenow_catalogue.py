"""What the ServiceNow adapter makes of variables and of HTML, without a connection."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from interlock.adapterkit.loader import adapter_class
from interlock.places import place

FOLDER = place("adapters") / "servicenow"


def sibling(name: str) -> ModuleType:
    """A file beside adapter.py, as the loader imports it."""
    import sys

    package = adapter_class(FOLDER).__module__.rpartition(".")[0]
    return sys.modules[f"{package}.{name}"]


plain_text = sibling("plain_text").plain_text
MOST = sibling("plain_text").MOST_TEXT
schema_of = sibling("catalogue").schema_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two &amp; three</p>", "one\n\ntwo & three"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<script>alert(1)</script>x<style>p{}</style>", "x"),
        ("<iframe src='x'>hidden</iframe>shown", "shown"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("&lt;b&gt; stays text", "<b> stays text"),
        ("no markup at all", "no markup at all"),
        ("<svg/>after", "after"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
    ],
)
def test_html_as_a_person_reads_it(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(alphabet="<>/&;!- \nabscriptdiv\"'", max_size=200))
def test_any_html_is_read_without_an_error_and_scripts_never_show(html: str) -> None:
    plain_text(html)
    hidden = plain_text(f"<p>start</p><script>{html}SECRET</script><p>end</p>")
    assert "SECRET" not in hidden or "</script" in html.lower().replace(" ", "")


def test_html_is_bounded() -> None:
    assert len(plain_text("<p>" + "word " * 1_000_000)) <= MOST
    assert plain_text("<div>" * 50_000 + "x") == "x"


def variable(kind: int, **more: Any) -> dict[str, Any]:
    return {"name": "v", "label": "Question", "type": kind, "mandatory": False, "read_only": False, "value": "", **more}


def choices(*values: str) -> list[dict[str, Any]]:
    return [{"label": value.upper(), "value": value, "index": n} for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("asked", "takes", "refuses"),
    [
        (variable(6), ["x", ""], [1, True]),
        (variable(6, mandatory=True), ["x"], [""]),
        (variable(6, validate_regex="[A-Z]{3}"), ["ABC"], ["ABCD", "abc"]),
        (variable(2, max_length=3), ["abc"], ["abcd"]),
        (variable(5, choices=choices("a", "b")), ["a"], ["A", "c"]),
        (variable(1, choices=choices("Yes", "No")), ["Yes"], ["maybe", True]),
        (variable(4, choices=choices("1", "2", "3")), [1, 3], [0, 4, "2", 1.5]),
        (variable(4, choices=choices("low", "high")), ["low"], ["1"]),
        (variable(7), [True, False], ["true"]),
        (variable(7, mandatory=True), [True], [False]),
        (variable(8, reference="sys_user"), ["snow:person:kim"], [7]),
        (variable(21, reference="sys_user"), [["snow:person:kim"]], ["snow:person:kim"]),
    ],
    ids=lambda value: str(value.get("type")) if isinstance(value, dict) else "",
)
def test_variables_as_json_schema(asked: dict[str, Any], takes: list[Any], refuses: list[Any]) -> None:
    schema = schema_of([asked], {"sys_user": "person"})
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert schema["properties"]["v"]["title"] == "Question"
    assert [value for value in takes if not validator.is_valid({"v": value})] == []
    assert [value for value in refuses if validator.is_valid({"v": value})] == []
    assert validator.is_valid({}) is not bool(asked["mandatory"])
    assert not validator.is_valid({"other": 1})


def test_defaults_are_of_their_type_and_spare_an_answer() -> None:
    scale = variable(4, choices=choices("1", "2"), value="2", mandatory=True)
    box = variable(7, value="true", name="w")
    schema = schema_of([scale, box], {})
    assert (schema["properties"]["v"]["default"], schema["properties"]["w"]["default"]) == (2, True)
    assert "required" not in schema


def test_references_say_what_they_are() -> None:
    kinds = {"sys_user": "person", "cmdb_ci": "ci"}
    refers = [
        schema_of([variable(8, reference=table)], kinds)["properties"]["v"].get("x-refers")
        for table in ("sys_user", "cmdb_ci", "cmdb_ci_computer", "cmn_location")
    ]
    assert refers == [["person"], ["ci"], ["ci"], None]
    assert schema_of([variable(31)], kinds)["properties"]["v"]["x-refers"] == ["person"]

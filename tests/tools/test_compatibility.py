"""What breaks and what does not: values prove the verdict, and each rule has a case of its own."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.tools.schema_pairs import fitting, pairs

from interlock.places import place
from interlock.tools.changes import Finding, Use, compare_schemas
from interlock.tools.compatibility import breaking, compare, read_contracts
from interlock.tools.contracts import VERSION
from interlock.tools.shapes import Node, accepts

QUIET = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def valid(schema: Any, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def breaks(old: Any, new: Any, use: Use) -> bool:
    return bool(breaking(compare_schemas("f", old, new, use)))


def opened(schema: Any) -> Any:
    """As a reader takes it: members it does not know are passed over."""
    if isinstance(schema, list):
        return [opened(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: opened(value) for key, value in schema.items() if (key, value) != ("additionalProperties", False)}


def closed(schema: Any) -> Any:
    """As a writer means it: it gives no members that it does not declare."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and schema.get("properties") and "anyOf" not in schema:
        found.setdefault("additionalProperties", False)
    return found


@QUIET
@given(pair=pairs(), data=st.data())
def test_an_input_that_was_right_and_is_no_more_is_reported(pair: Any, data: st.DataObject) -> None:
    old, new = pair
    verdict = breaks(old, new, "input")
    for value in data.draw(st.lists(fitting(old, old), min_size=4, max_size=4)):
        assert verdict or not valid(old, value) or valid(new, value), value


@QUIET
@given(pair=pairs(), data=st.data())
def test_an_output_that_the_old_schema_excluded_is_reported(pair: Any, data: st.DataObject) -> None:
    old, new = (opened(pair[0]), closed(pair[1]))
    verdict = breaks(old, new, "output")
    for value in data.draw(st.lists(fitting(new, new), min_size=4, max_size=4)):
        assert verdict or not valid(new, value) or valid(old, value), value


@QUIET
@given(pair=pairs())
def test_a_schema_is_compatible_with_itself(pair: Any) -> None:
    assume("oneOf" not in str(pair[0]))  # behind a reference, alternatives that overlap are not shown to be taken
    for use in ("input", "output"):
        assert not breaks(pair[0], copy.deepcopy(pair[0]), use)


@QUIET
@given(pair=pairs(), data=st.data())
def test_values_are_taken_as_an_independent_validator_takes_them(pair: Any, data: st.DataObject) -> None:
    schema = pair[0]
    assume("oneOf" not in str(schema))
    value = data.draw(fitting(schema, schema))
    assert accepts((Node(schema, "", schema),), value) == valid(schema, value)


def _object(required: list[str] | None = None, **members: Any) -> dict[str, Any]:
    found = {"type": "object", "properties": members, "additionalProperties": False}
    return {**found, "required": required} if required else found


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
NULLABLE = {"anyOf": [TEXT, {"type": "null"}]}
SELF = {
    "$ref": "#/$defs/N",
    "$defs": {"N": _object(["v"], v=WHOLE, next={"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]})},
}
SELF_TEXT = copy.deepcopy(SELF)
SELF_TEXT["$defs"]["N"]["properties"]["v"] = TEXT  # type: ignore[index]
TAGGED = [_object(["kind"], kind={"const": word}, value=TEXT) for word in ("a", "b", "c")]

RULES: list[tuple[str, Any, Any, bool, bool]] = [
    # what, old, new, whether it breaks as an input, whether it breaks as an output
    ("a member is gone", _object(a=TEXT, b=TEXT), _object(a=TEXT), True, True),
    ("a member of any value is gone", _object(a=TEXT, b={}), _object(a=TEXT), True, True),
    ("a new optional member", _object(a=TEXT), _object(a=TEXT, b=TEXT), False, False),
    ("a new required member", _object(a=TEXT), _object(["b"], a=TEXT, b=TEXT), True, False),
    ("an optional member becomes required", _object(a=TEXT), _object(["a"], a=TEXT), True, False),
    ("a required member becomes optional", _object(["a"], a=TEXT), _object(a=TEXT), False, True),
    ("a value of an enum is gone", {"enum": ["a", "b"]}, {"enum": ["a"]}, True, False),
    ("a new value of an enum", {"enum": ["a"]}, {"enum": ["a", "unmapped"]}, False, True),
    ("any text becomes an enum", TEXT, {"enum": ["a"]}, True, False),
    ("a constant becomes an enum", {"const": "a"}, {"enum": ["a", "b"]}, False, True),
    ("null is no longer there", NULLABLE, TEXT, True, False),
    ("null is new", TEXT, NULLABLE, False, True),
    ("null is new, in another spelling", TEXT, {"type": ["string", "null"]}, False, True),
    ("null in another spelling", NULLABLE, {"type": ["string", "null"]}, False, False),
    ("a number becomes whole", {"type": "number"}, WHOLE, True, False),
    ("a whole number becomes any", WHOLE, {"type": "number"}, False, True),
    ("another type", TEXT, WHOLE, True, True),
    ("a lower maximum", {**WHOLE, "maximum": 9}, {**WHOLE, "maximum": 8}, True, False),
    ("a higher minimum", {**WHOLE, "minimum": 1}, {**WHOLE, "minimum": 2}, True, False),
    ("above four is five", {**WHOLE, "exclusiveMinimum": 4}, {**WHOLE, "minimum": 5}, False, False),
    ("a shorter text", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}, True, False),
    ("a bound is gone", {**TEXT, "maxLength": 9}, TEXT, False, True),
    ("a new pattern", TEXT, {**TEXT, "pattern": "^a"}, True, False),
    ("another pattern", {**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^b"}, True, True),
    ("one more choice in a pattern", {**TEXT, "pattern": "^(?:a|b):"}, {**TEXT, "pattern": "^(?:a|b|c):"}, False, True),
    ("a choice where there was one", {**TEXT, "pattern": "^x:a:"}, {**TEXT, "pattern": "^x:(?:a|b):"}, False, True),
    ("one more choice excluded", {**TEXT, "pattern": "^(?!(?:a))"}, {**TEXT, "pattern": "^(?!(?:a|b))"}, True, True),
    ("a new format", TEXT, {**TEXT, "format": "date"}, True, False),
    ("items of another type", {"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}, True, True),
    ("fewer items", {"type": "array", "maxItems": 3}, {"type": "array", "maxItems": 2}, True, False),
    ("each only once", {"type": "array"}, {"type": "array", "uniqueItems": True}, True, False),
    ("a map of fewer values", {"type": "object", "additionalProperties": NULLABLE},
     {"type": "object", "additionalProperties": TEXT}, True, False),
    ("a free object is closed", {"type": "object"}, _object(a=TEXT), True, False),
    ("one alternative less", {"anyOf": [TEXT, WHOLE]}, TEXT, True, False),
    ("one alternative more", TEXT, {"anyOf": [TEXT, WHOLE]}, False, True),
    ("one tagged alternative less", {"oneOf": TAGGED}, {"oneOf": TAGGED[:2]}, True, False),
    ("one tagged alternative more", {"oneOf": TAGGED[:2]}, {"oneOf": TAGGED}, False, True),
    ("alternatives in another order", {"oneOf": TAGGED}, {"oneOf": TAGGED[::-1]}, False, False),
    ("a member of an alternative is gone", {"anyOf": [_object(["a"], a=TEXT, b=TEXT), {"type": "null"}]},
     {"anyOf": [_object(["a"], a=TEXT), {"type": "null"}]}, True, True),
    ("a definition in place of a reference", {"$ref": "#/$defs/T", "$defs": {"T": TEXT}}, TEXT, False, False),
    ("a definition that comes back to itself", SELF, copy.deepcopy(SELF), False, False),
    ("such a definition changes inside", SELF, SELF_TEXT, True, True),
    ("a keyword that is not understood", TEXT, {**TEXT, "contentEncoding": "base64"}, True, False),
    ("a not changes", {"not": {"const": 1}}, {"not": {"const": 2}}, True, True),
    ("a default changes", _object(a={**WHOLE, "default": 20}), _object(a={**WHOLE, "default": 50}), True, False),
    ("a default is new", _object(a=NULLABLE), _object(a={**NULLABLE, "default": "x"}), True, False),
    ("words change", {**TEXT, "description": "one"}, {**TEXT, "description": "two", "x-note": 1}, False, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "as_input", "as_output"), [rule[1:] for rule in RULES], ids=[r[0] for r in RULES]
)
def test_a_rule(old: Any, new: Any, as_input: bool, as_output: bool) -> None:
    assert breaks(old, new, "input") == as_input
    assert breaks(old, new, "output") == as_output


def test_a_finding_says_where_what_why_and_for_whom() -> None:
    old = _object(state={"enum": ["new", "closed"]}, ref=TEXT)
    new = _object(["why"], state={"enum": ["new"]}, ref=TEXT, why=TEXT)
    said = {
        (one.pointer, one.breaking, one.whom, one.what) for one in compare_schemas("f", old, new, "input", "/input")
    }
    assert said == {
        ("/input/properties/state/enum", True, "agent", 'no longer takes "closed"'),
        ("/input/properties/why", True, "agent", "no longer takes objects without `why`"),
        ("/input/properties/why", False, "agent", "now also takes `why`"),
    }
    (one,) = breaking(compare_schemas("f", _object(**{"a/b": TEXT}), _object(), "output"))
    assert (one.pointer, one.whom, one.why) == ("/properties/a~1b", "reader", "readers rely on it")


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return read_contracts(place("contracts") / VERSION)


def _changed(published: dict[str, Any], file: str, *steps: Any, to: Any = None) -> list[Finding]:
    """Findings when one place of one file is changed; ``to`` None takes it away."""
    new = {**published, file: copy.deepcopy(published[file])}
    holder: Any = new
    for step in (file, *steps)[:-1]:
        holder = holder[step]
    if to is None:
        del holder[(file, *steps)[-1]]
    else:
        holder[(file, *steps)[-1]] = to
    return compare(published, new)


GET = "tools/incident_get.json"
TOOL_PATH = ("paths", "/v1/tools/incident_get", "post")


@pytest.mark.parametrize(
    ("breaks_", "whom", "file", "steps", "to"),
    [
        (True, "reader", GET, (), None),
        (True, "agent", GET, ("effect",), "write"),
        (True, "agent", GET, ("errors", 0), "invalid"),
        (True, "agent", GET, ("input", "required"), ["ref", "fields"]),
        (False, "agent", GET, ("description",), "Other words."),
        (False, "agent", GET, ("input", "properties", "more"), TEXT),
        (True, "reader", GET, ("output", "$defs", "Incident", "properties", "state"), None),
        (False, "reader", GET, ("output", "$defs", "Incident", "properties", "more"), TEXT),
        (True, "reader", "records/incident.json", ("properties", "title", "anyOf", 0, "type"), "integer"),
        (True, "agent", "problem.json", ("x-slugs", "not-found"), None),
        (True, "agent", "problem.json", ("x-slugs", "not-found"), {"status": 410, "retryable": False}),
        (False, "agent", "problem.json", ("x-slugs", "more"), {"status": 400, "retryable": False}),
        (True, "reader", "problem.json", ("properties", "slug"), None),
        (True, "agent", "mcp-tools.json", ("tools", 1), None),
        (True, "agent", "mcp-tools.json", ("tools", 1, "inputSchema", "required"), ["ref", "fields"]),
        (True, "agent", "mcp-tools.json", ("tools", 1, "annotations"), {"destructiveHint": True}),
        (True, "agent", "functions-strict.json", (1,), None),
        (True, "agent", "functions-strict.json", (1, "parameters", "properties", "ref", "type"), "integer"),
        (True, "agent", "openapi.json", ("paths", "/v1/receipts/{id}"), None),
        (True, "agent", "openapi.json", TOOL_PATH, None),
        (True, "agent", "openapi.json", (*TOOL_PATH, "operationId"), "get_incident"),
        (True, "agent", "openapi.json", (*TOOL_PATH, "security"), [{"other": []}]),
        (True, "reader", "openapi.json", (*TOOL_PATH, "responses", "404"), None),
        (True, "reader", "openapi.json", (*TOOL_PATH, "responses", "206"), {"description": "Part."}),
        (False, "reader", "openapi.json", (*TOOL_PATH, "responses", "410"), {"description": "Gone."}),
        (True, "agent", "openapi.json", ("paths", "/v1/approvals", "get", "parameters", 0, "schema", "enum"), ["held"]),
        (True, "agent", "openapi.json", ("paths", "/v1/approvals", "get", "parameters", 0, "required"), True),
        (True, "reader", "openapi.json", ("components", "schemas", "Incident", "properties", "state"), None),
        (False, "agent", "openapi.json", ("paths", "/v1/more"), {"get": {"responses": {}}}),
        (True, "reader", "other.json", (), {"a": 1}),
    ],
)
def test_each_published_file_is_compared(
    published: dict[str, Any], breaks_: bool, whom: str, file: str, steps: tuple[Any, ...], to: Any
) -> None:
    before = {**published, "other.json": {}}
    if not steps:
        after = {name: body for name, body in before.items() if name != file} if to is None else {**before, file: to}
        found = compare(before, after)
    else:
        found = _changed(before, file, *steps, to=to)
    assert found
    assert whom in {one.whom for one in found if one.breaking == breaks_}, found
    assert bool(breaking(found)) == breaks_
    assert {one.file for one in found} == {file}


def test_a_strict_function_may_gain_an_argument_that_null_leaves_out(published: dict[str, Any]) -> None:
    new = copy.deepcopy(published["functions-strict.json"])
    new[1]["parameters"]["properties"]["more"] = {"anyOf": [TEXT, {"type": "null"}]}
    new[1]["parameters"]["required"].append("more")
    found = compare(published, {**published, "functions-strict.json": new})
    assert [(one.breaking, one.what) for one in found] == [(False, "now also takes `more`")]


def test_what_is_published_is_compatible_with_itself_and_any_removal_is_not(published: dict[str, Any]) -> None:
    assert compare(published, copy.deepcopy(published)) == []
    choose = random.Random(7)
    for file in choose.sample([name for name in published if name.startswith("tools/")], 8):
        members = published[file]["output"]["properties"]
        name = choose.choice(sorted(members))
        assert breaking(_changed(published, file, "output", "properties", name)), (file, name)

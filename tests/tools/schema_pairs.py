"""Pairs of JSON Schemas, the second made from the first by a few changes, and values near both."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c")
WORDS = ("", "x", "ab", "ab1", "zz", "longer text")
PATTERNS = ("^[a-z]+$", "^[a-z0-9]+$", "^(?:ab|zz)$", "^(?:ab|x|zz)$")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 6), st.sampled_from((0.5, 2.0)), st.sampled_from(WORDS))

numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(("integer", "number"))},
    optional={
        "minimum": st.integers(-2, 2),
        "maximum": st.integers(2, 5),
        "exclusiveMaximum": st.integers(3, 5),
    },
)
texts = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": st.integers(0, 2), "maxLength": st.integers(2, 5), "pattern": st.sampled_from(PATTERNS)},
)
words = st.lists(SCALARS, min_size=1, max_size=3, unique_by=repr).map(lambda values: {"enum": values})
typed = st.sampled_from(({"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}, {"const": "x"}, {}))
leaves = st.one_of(numbers, texts, words, typed)


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)},
        optional={
            "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "minProperties": st.integers(0, 2),
        },
    )


def _bigger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={"items": inner, "minItems": st.integers(0, 1), "maxItems": st.integers(1, 3)},
    )
    choices = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _object(inner),
        lists,
        st.builds(lambda each: {"anyOf": each}, choices),
        st.builds(lambda each: {"oneOf": each}, choices),
        st.builds(lambda one, each: {**one, "anyOf": each}, _object(inner), st.lists(_object(inner), min_size=1)),
        st.just({"$ref": "#/$defs/D"}),
    )


schemas = st.recursive(leaves, _bigger, max_leaves=6)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """An old schema and a new one; most of it is the same in both, as between two versions."""
    old = {**draw(schemas), "$defs": {"D": draw(leaves)}}
    new = copy.deepcopy(old)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(new))
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(("replace", "drop", "null", "open")))
        there = holder[key]
        if change == "replace" or not isinstance(there, dict):
            holder[key] = draw(schemas if key != "D" else leaves)
        elif change == "drop":
            plain = [word for word in there if word not in ("type", "$defs", "$ref", "properties")]
            if plain:
                there.pop(draw(st.sampled_from(plain)))
        elif change == "null":
            holder[key] = {"anyOf": [there, {"type": "null"}]}
        else:
            there["additionalProperties"] = draw(st.booleans())
    return old, new


def _places(schema: Any, top: bool = True) -> Any:
    """Where a schema stands inside another: the holder and its key."""
    if not isinstance(schema, dict):
        return
    if top:
        yield {"top": schema}, "top"  # changed in place only: the holder is thrown away
        yield schema["$defs"], "D"
    for name in schema.get("properties", {}):
        yield schema["properties"], name
        yield from _places(schema["properties"][name], False)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield schema, keyword
            yield from _places(schema[keyword], False)
    for keyword in ("anyOf", "oneOf"):
        for index in range(len(schema.get(keyword, ()))):
            yield schema[keyword], index
            yield from _places(schema[keyword][index], False)


values = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from((*NAMES, "d")), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def fitting(draw: st.DrawFn, schema: Any, root: dict[str, Any], depth: int = 0) -> Any:
    """A value made after a schema; often valid, and where it is not, close."""
    if not isinstance(schema, dict) or depth > 6 or draw(st.integers(0, 19)) == 0:
        return draw(values)
    if "$ref" in schema:
        return draw(fitting(root["$defs"]["D"], root, depth + 1))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and "properties" not in schema:
            return draw(fitting(draw(st.sampled_from(schema[keyword])), root, depth + 1))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    kind = draw(st.sampled_from(kind)) if isinstance(kind, list) else kind
    if kind == "object":
        each = [schema, *schema.get("anyOf", [])]
        chosen = draw(st.sampled_from(each))
        members = {**chosen.get("properties", {}), **schema["properties"]}
        needed = {*schema.get("required", ()), *chosen.get("required", ())}
        found = {}
        for name in (*NAMES, "d"):
            if name in needed or draw(st.booleans()):
                rest = schema.get("additionalProperties", True)
                if name not in members and name not in needed and rest is False:
                    continue
                found[name] = draw(fitting(members.get(name, rest), root, depth + 1))
        return found
    if kind == "array":
        return draw(st.lists(fitting(schema.get("items", True), root, depth + 1), max_size=3))
    plain = {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": st.integers(-3, 6),
        "number": st.one_of(st.integers(-3, 6), st.sampled_from((0.5, 2.0))),
        "string": st.sampled_from(WORDS),
    }
    return draw(plain.get(kind, values))

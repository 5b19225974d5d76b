"""Laws of a mapping: what is written can be read, and what the source holds does not change by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapterkit.mapping_samples import servicenow, shape_all, shape_plain

from interlock.records.problems import Problem, Slug
from interlock.records.text import visible
from interlock.records.times import to_text

PRODUCT = servicenow()


def _values(mapping, name, text):
    spec = mapping.spec.fields[name]
    kind = spec.field.type
    if kind in ("enum", "bool"):
        return st.sampled_from(sorted(spec.codes.writes, key=str))
    if kind == "ref":
        return st.text("0123456789abcdef", min_size=1, max_size=32).map(
            lambda handle: f"snow:{spec.ref}:{'' if spec.plain_key else '~'}{handle}"
        )
    if kind == "instant":
        return st.integers(0, 4_000_000_000).map(to_text)
    if kind == "int":
        return st.integers(-(2**53), 2**53)
    return text


@st.composite
def changes_of(draw, kind, text=st.text(max_size=40)):  # noqa: B008
    mapping = PRODUCT.mappings[kind]
    able = sorted(name for name, use in mapping.fields.items() if use.writable)
    chosen = draw(st.lists(st.sampled_from(able), unique=True))
    return {name: draw(st.none() | _values(mapping, name, text)) for name in chosen}


NORMAL = st.text(max_size=40).map(visible).filter(bool)


@pytest.mark.parametrize("kind", ["incident", "ci"])
@pytest.mark.parametrize("shape", [shape_plain, shape_all])
@given(data=st.data())
def test_what_is_encoded_decodes_to_the_same(kind, shape, data):
    mapping = PRODUCT.mappings[kind]
    changes = data.draw(changes_of(kind, NORMAL))
    payload = mapping.encode(changes, "update")
    record = mapping.decode({"sys_id": "x" * 32, **shape(payload)})
    found = {
        name: value["ref"] if isinstance(value, dict) else value for name, value in record.items() if name in changes
    }
    assert found == changes
    assert "native" not in record


@pytest.mark.parametrize("kind", ["incident", "ci"])
@given(data=st.data())
def test_norm_is_what_the_source_will_hold(kind, data):
    mapping = PRODUCT.mappings[kind]
    changes = data.draw(changes_of(kind))
    held = mapping.norm(changes)
    assert held.keys() == changes.keys()
    assert mapping.norm(held) == held
    row = {"sys_id": "x", **mapping.encode(changes, "update")}
    assert {name: value for name, value in mapping.decode(row).items() if name in changes} == held
    again = mapping.encode(held, "update")
    assert mapping.norm({n: v for n, v in mapping.decode({"sys_id": "x", **again}).items() if n in changes}) == held


def test_norm_keeps_a_readable_ref():
    mapping = PRODUCT.mappings["incident"]
    changes = {"caller": "snow:person:ann", "group": "snow:group:~g1", "ci": "snow:ci:~c1"}
    assert {name: str(ref) for name, ref in mapping.to_resolve(changes).items()} == {"caller": "snow:person:ann"}
    handles = {"snow:person:ann": "u1"}
    assert mapping.encode(changes, "update", handles) == {"caller_id": "u1", "assignment_group": "g1", "cmdb_ci": "c1"}
    refs = {name: value["ref"] for name, value in mapping.norm(changes, handles).items()}
    assert refs == {"caller": "snow:person:ann", "group": "snow:group:~g1", "ci": "snow:ci:c1"}


@pytest.mark.parametrize(
    ("changes", "op", "slug", "field"),
    [
        ({"channel": "other"}, "update", Slug.UNMAPPED_VALUE, "channel"),
        ({"hold_reason": "evidence"}, "update", Slug.UNMAPPED_VALUE, "hold_reason"),
        ({"state": "unmapped"}, "update", Slug.INVALID_ARGUMENT, "state"),
        ({"state": "resolvd"}, "update", Slug.INVALID_ARGUMENT, "state"),
        ({"priority": "p1"}, "create", Slug.INVALID_ARGUMENT, "priority"),
        ({"opened_at": "2026-03-14T08:12:44Z"}, "update", Slug.INVALID_ARGUMENT, "opened_at"),
        ({"titel": "x"}, "update", Slug.INVALID_ARGUMENT, "titel"),
        ({"title": 3}, "update", Slug.INVALID_ARGUMENT, "title"),
        ({"due_at": "tomorrow"}, "update", Slug.INVALID_ARGUMENT, "due_at"),
        ({"caller": "snow:person:ann"}, "update", Slug.INVALID_ARGUMENT, "caller"),
        ({"caller": "other:person:~1"}, "update", Slug.INVALID_ARGUMENT, "caller"),
        ({"caller": "snow:group:~1"}, "update", Slug.INVALID_ARGUMENT, "caller"),
        ({"caller": {"name": "Ann"}}, "update", Slug.INVALID_ARGUMENT, "caller"),
    ],
)
def test_what_cannot_be_written_is_told_with_the_way_out(changes, op, slug, field):
    with pytest.raises(Problem) as caught:
        PRODUCT.mappings["incident"].encode(changes, op)
    assert (caught.value.slug, caught.value.field) == (slug, field)
    assert caught.value.next_step or slug is Slug.INVALID_ARGUMENT


def test_created_is_not_updated():
    mapping = PRODUCT.mappings["incident"]
    assert mapping.encode({"external_id": "k1", "opened_at": "2026-03-14T08:12:44Z"}, "create") == {
        "correlation_id": "k1",
        "opened_at": "2026-03-14 08:12:44",
    }
    assert mapping.encode({"title": None, "state": None}, "update") == {"short_description": "", "state": ""}
    assert mapping.encode_note("internal", "seen") == {"work_notes": "seen"}
    with pytest.raises(Problem):
        mapping.encode_note("secret", "seen")


def test_rules_name_what_is_missing():
    mapping = PRODUCT.mappings["incident"]
    assert mapping.require({"state": "resolved", "close_code": "unmapped"}) == ["close_code", "close_notes"]
    assert mapping.require({"state": "resolved", "close_code": "fixed", "close_notes": "done"}) == []
    assert mapping.require({"state": "on_hold"}) == ["hold_reason"]
    assert mapping.clears == {"group": ("assignee",)}


@given(
    st.sampled_from(sorted(PRODUCT.mappings["relationship"].spec.fields["type"].codes.writes)),
    st.text("0123456789abcdef", min_size=1, max_size=32),
    st.text("0123456789abcdef", min_size=1, max_size=32),
)
def test_a_relation_is_created_as_it_is_read_also_where_the_source_tells_it_from_the_other_end(word, one, other):
    mapping = PRODUCT.mappings["relationship"]
    changes = {"type": word, "subject": f"snow:ci:{one}", "object": f"snow:ci:{other}"}
    payload = mapping.encode(changes, "create")
    turned = payload["type.name"] in mapping.spec.inverse.natives
    assert (payload["parent"], payload["child"]) == ((other, one) if turned else (one, other))
    record = mapping.decode({"sys_id": "r", **payload})
    told = {name: record[name] if name == "type" else record[name]["ref"] for name in changes}
    assert told == changes
    norm = mapping.norm(changes)
    assert {name: norm[name] if name == "type" else norm[name]["ref"] for name in changes} == changes
    with pytest.raises(Problem):
        mapping.encode(changes, "update")

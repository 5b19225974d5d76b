"""Adapter files: what they may say, and that every mistake is told with file, line and the nearest key."""

from __future__ import annotations

import re
import shutil

import pytest

from interlock.adapterkit.forms import instant_form
from interlock.adapterkit.manifest import load_manifest
from interlock.adapterkit.mappingspec import FieldPart, MappingPart
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.yamlfile import MappingError, parse_yaml
from interlock.places import place
from interlock.records.filters import AnyOf, Condition, Query, Sort

MANIFEST = """
adapter: desk
title: Desk
versions: any
transport: {protocol: http-json}
wire: {scalars: json, absent: empty, unset: [], instant: {as: iso, zone: UTC}}
query: {style: rows}
"""
INCIDENT = """
kind: incident
entity: ticket
key: no
id: uid
fields:
  title: subject
  state: {at: status.name, codes: state}
  priority: {at: rank, codes: priority}
  opened_at: {read: opened}
codes:
  state: {new: 1, closed: {write: 9}, resolved: [5, 9]}
  priority: {p1: {from: 90, to: 100, write: 95}, p2: {from: 0, to: 89, write: 50}}
"""


@pytest.fixture
def desk(tmp_path):
    def made(mapping=INCIDENT, manifest=MANIFEST, **more):
        folder = tmp_path / "desk"
        (folder / "mapping").mkdir(parents=True, exist_ok=True)
        (folder / "adapter.yaml").write_text(manifest)
        (folder / "mapping" / "incident.yaml").write_text(mapping)
        return compile_product(folder, source="desk", **more).mappings["incident"]

    return made


def test_only_true_false_null_and_whole_numbers_are_more_than_words():
    found = parse_yaml("[no, yes, 1.10, 007, 2026-03-14, 1e3, ~, true, null, -3, 0, 'true', 0x1f, 1_000]", "x").data
    assert found == ["no", "yes", "1.10", "007", "2026-03-14", "1e3", "~", True, None, -3, 0, "true", "0x1f", "1_000"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "twice"),
        ("a: {b: 1, 'b': 2}", 1, "twice"),
        ("a: &x 1\nb: *x", 1, "alias"),
        ("a: !!python/object/apply:os.system [ls]", 1, "tag"),
        ("a: 1\n b: 2", 2, "YAML"),
        ("? [a, b]\n: 1", 1, "key"),
    ],
)
def test_what_yaml_may_not_hold(text, line, words):
    with pytest.raises(MappingError, match=words) as caught:
        parse_yaml(text, "adapters/desk/x.yaml")
    assert f"x.yaml line {line}" in caught.value.detail


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "hint"),
    [
        ("title: subject", "titel: subject", 7, "fields.titel", "title"),
        ("{read: opened}", "{reed: opened}", 10, "fields.opened_at.reed", "read"),
        ("entity: ticket", "entitty: ticket", 3, "entitty", "entity"),
        ("entity: ticket", "entity: [ticket]", 3, "entity", ""),
        ("kind: incident", "kind: incidents", 2, "kind", ""),
        ("{read: opened}", "{read: opened, as: YYYY}", 10, "form of instants", ""),
        ("{read: opened}", "{read: opened, zone: Europe/Olso}", 10, "time zone", ""),
        ("{read: opened}", "{}", 10, "must say one of", ""),
        ("codes: state}", "codes: states}", 8, "code table", "state"),
        ("{at: status.name, codes: state}", "status", 8, "needs codes", "state"),
        ("new: 1", "nu: 1", 12, "codes.state.nu", "new"),
        ("new: 1", "new: 5", 12, "second meaning", ""),
        ("from: 0", "from: 90", 13, "needs whole numbers", ""),
        ("to: 89", "to: 95", 13, "overlap", ""),
        ("title: subject", "title: rank", 9, "which title writes too", ""),
        ("title: subject", "title: status", 8, "which title writes too", ""),
        ("title: subject", "title: {at: subject, ref: person}", 7, "no reference", ""),
        ("title: subject", "title: subject\n  caller: who", 8, "needs ref", "person"),
        ("title: subject", "title: 'a..b'", 7, "path", ""),
        ("title: subject", "title: {at: subject, const: x}", 7, "must say one of", ""),
        ("codes:\n", "codes:\n  extra: {p1: 1}\n", 12, "used by no field", ""),
        ("codes:\n", "require: [{when: {state: nu}, fields: [title]}]\ncodes:\n", 11, "not a value", "new"),
        ("codes:\n", "require: [{when: {state: new}, fields: [titles]}]\ncodes:\n", 11, "mapped field", "title"),
    ],
)
def test_every_mistake_names_file_line_and_the_nearest_key(desk, old, new, line, words, hint):
    assert old in INCIDENT
    with pytest.raises(MappingError, match=words) as caught:
        desk(INCIDENT.replace(old, new, 1))
    assert f"incident.yaml line {line}:" in caught.value.detail
    assert hint in (caught.value.next_step or "")


def test_a_manifest_is_checked_too(desk):
    with pytest.raises(MappingError, match=r"adapter\.yaml line 7: query\.stile") as caught:
        desk(manifest=MANIFEST.replace("{style: rows}", "{stile: rows}"))
    assert "style" in caught.value.next_step
    with pytest.raises(MappingError, match="regular expression"):
        desk(manifest=MANIFEST.replace("{style: rows}", "{style: rows, field: '['}"))
    with pytest.raises(MappingError, match=r"adapter\.yaml: cannot be read"):
        load_manifest(place("adapters") / "nothing")


def test_nested_json_ranges_and_codes_that_are_only_written(desk):
    mapping = desk()
    row = {"no": 7, "status": {"name": 9}, "rank": 91, "opened": "2026-03-14T09:12:44+01:00"}
    assert mapping.decode(row) == {
        "ref": "desk:incident:7",
        "title": None,
        "state": "resolved",
        "priority": "p1",
        "opened_at": "2026-03-14T08:12:44Z",
    }
    assert mapping.encode({"state": "closed", "priority": "p2", "title": None}, "update") == {
        "status": {"name": 9},
        "rank": 50,
        "subject": None,
    }
    assert mapping.norm({"state": "closed", "priority": "p2"}) == {"state": "resolved", "priority": "p2"}
    plan = mapping.plan(Query(filter=(Condition("state", "eq", "new"),), sort=(Sort("priority"),), text="x"))
    assert (plan.pushed, plan.post, plan.order, plan.text) == (
        None,
        (Condition("state", "eq", "new"),),
        (Sort("priority"),),
        "x",
    )


def test_overlays_replace_entries_and_null_removes(desk):
    overlay = {
        "incident": {
            "entity": "u_ticket",
            "fields": {"title": "u_subject", "opened_at": None, "category": {"at": "u_category"}},
            "codes": {"state": {"new": [1, 10], "closed": None}},
        }
    }
    mapping = desk(overlay=overlay)
    assert mapping.entity == "u_ticket"
    assert set(mapping.fields) == {"title", "state", "priority", "category"}
    assert mapping.decode({"no": "1", "u_subject": "x", "status": {"name": 10}})["state"] == "new"
    assert "closed" not in mapping.spec.fields["state"].codes.writes
    for wrong, words in [
        ({"incidnet": {}}, "incidnet"),
        ({"incident": {"fields": {"titel": "x"}}}, "overlay of desk.*fields.titel"),
        ({"incident": {"codes": {"state": {"new": 5}}}}, "second meaning"),
        ({"incident": 3}, "keys and values"),
    ]:
        with pytest.raises(MappingError, match=words):
            desk(overlay=wrong)


def test_two_words_for_one_native_of_servicenow_do_not_compile():
    with pytest.raises(MappingError, match="second meaning"):
        compile_product(
            place("adapters") / "servicenow",
            source="snow",
            overlay={"incident": {"codes": {"state": {"on_hold": [3, 2]}}}},
        )


def test_data_never_becomes_code(desk):
    nasty = "x'] = 1; raise SystemExit #"
    mapping = desk(INCIDENT.replace("title: subject", f"title: \"'{nasty.replace(chr(39), '`')}'\""))
    assert mapping.decode({"no": "1", nasty.replace("'", "`"): "seen"})["title"] == "seen"


def test_every_shipped_product_compiles(tmp_path):
    for folder in sorted(path.parent for path in place("adapters").glob("*/adapter.yaml")):
        copy = shutil.copytree(folder, tmp_path / folder.name)
        product = compile_product(copy, source="x", settings={"base_url": "https://x.example"})
        assert product.manifest.adapter == folder.name
        assert product.mappings


TEXT = MANIFEST.replace(
    "query: {style: rows}",
    """query:
  style: text
  literal: {quote: "'", escape: backslash, refuse: ['[\\x00-\\x1f]']}
  instant: {as: "YYYY-MM-DD hh:mm"}
  operators:
    eq: "{f} = {v}"
    ne: "{f} != {v}"
    in: {any: eq}
    not_in: {all: ne}
    contains: {write: "{f} LIKE {v}", escape: {"%": "\\\\%"}}
    ge: "{f} >= {v}"
    le: "{f} <= {v}"
    empty: "{f} IS NULL"
  order: {asc: "{f}", desc: "{f} DESC"}""",
)


def test_a_quoting_language_with_groups(desk):
    mapping = desk(manifest=TEXT)

    def plan(*clauses):
        return mapping.plan(Query(filter=clauses))

    assert plan(Condition("title", "eq", "it's \\ {v}")).pushed == r"subject = 'it\'s \\ {v}'"
    assert plan(Condition("title", "contains", "5%")).pushed == r"subject LIKE '5\\%'"
    assert plan(Condition("state", "eq", "resolved"), Condition("title", "empty")).pushed == (
        "(status.name = '5' OR status.name = '9') AND subject IS NULL"
    )
    assert plan(Condition("state", "ne", "resolved")).pushed == "status.name != '5' AND status.name != '9'"
    assert plan(AnyOf((Condition("state", "ne", "resolved"), Condition("title", "empty")))).post
    assert plan(Condition("priority", "eq", "p1")).post
    assert plan(Condition("state", "eq", "closed")).empty
    low, high = (
        Condition("opened_at", "ge", "2026-03-14T08:12:44Z"),
        Condition("opened_at", "le", "2026-03-14T08:12:44Z"),
    )
    both = plan(low, high)
    assert both.pushed == "opened >= '2026-03-14 08:12' AND opened <= '2026-03-14 08:13'"
    assert both.post == (low, high)


def test_parameters_are_given_once(desk):
    query = """query:
  style: params
  operators:
    eq: "{f}"
    in: {write: "{f}", repeat: true}
    ge: "{f}_from"
    le: "{f}_to"
    contains: {write: "{f}__ic", loose: true}"""
    mapping = desk(manifest=MANIFEST.replace("query: {style: rows}", query))
    clauses = (
        Condition("title", "eq", "a&b=c"),
        Condition("title", "eq", "other"),
        Condition("state", "in", ("new", "resolved")),
        Condition("title", "contains", "x"),
        AnyOf((Condition("title", "eq", "a"), Condition("state", "eq", "new"))),
    )
    plan = mapping.plan(Query(filter=clauses))
    assert plan.pushed == {"subject": "a&b=c", "status.name": ("1", "5", "9"), "subject__ic": "x"}
    assert plan.post == (clauses[1], clauses[3], clauses[4])


@pytest.mark.parametrize(
    ("form", "zone", "native", "canonical"),
    [
        ("epoch", "UTC", "1773475964", "2026-03-14T08:12:44Z"),
        ("D/M/YYYY hh:mm", "UTC", "29/2/2016 01:16", "2016-02-29T01:16:00Z"),
        ("YYYY-MM-DD hh:mm:ss", "Europe/Oslo", "2026-07-14 10:12:44", "2026-07-14T08:12:44Z"),
        ("iso", "Europe/Oslo", "2026-01-14T09:12:44", "2026-01-14T08:12:44Z"),
    ],
)
def test_forms_of_instants(form, zone, native, canonical):
    made = instant_form(form, zone)
    assert made.read(native) == canonical
    assert made.read(made.write(canonical)) == canonical
    assert made.bound(canonical, False) <= made.bound(canonical, True) or form.startswith("D")


@pytest.mark.parametrize("bad", ["31/2/2016 01:16", "29/2/2016", "29-2-2016 01:16", "", "29/2/2016 25:00"])
def test_what_is_no_instant_is_refused(bad):
    with pytest.raises(ValueError):
        instant_form("D/M/YYYY hh:mm", "UTC").read(bad)


def test_the_page_on_the_language_tells_every_key_and_its_overlay_compiles():
    page = (place("adapters").parent / "docs" / "mapping.md").read_text()
    told = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))
    keys = [info.alias or name for part in (FieldPart, MappingPart) for name, info in part.model_fields.items()]
    assert told == set(keys)
    [example] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    changes = parse_yaml(example, "docs/mapping.md").data
    assert changes.pop("extends") == "servicenow/incident"
    overlay = {"incident": changes}
    product = compile_product(place("adapters") / "servicenow", source="snow", overlay=overlay)
    assert product.mappings["incident"].decode({"number": "1", "state": "10"})["state"] == "on_hold"

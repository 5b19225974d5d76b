"""What the language says of lists, shapes, parts and alternatives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapterkit.forms import instant_form
from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.native import Branch
from interlock.adapterkit.paths import parse_path
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.yamlfile import MappingError
from interlock.records.filters import AnyOf, Condition, Query, Sort
from interlock.records.problems import Problem, Slug

MANIFEST = """
adapter: store
title: Store
versions: any
transport: {protocol: http-json}
wire: {scalars: json, unset: []}
query:
  style: params
  branches: true
  field: "[a-z_]+"
  operators: {eq: "{f}", in: {write: "{f}", repeat: true}, ge: "{f}__gte"}
  order: {asc: "{f}", desc: "-{f}"}
"""
CI = """
kind: ci
entity: boxes
key: id
by: model
always: {depth: 1}
fields:
  name: name
  status: {read: status.name, codes: status, write: status, write_as: {name: "{v}"}, filter: status}
  updated_at: {read: changed}
parts:
  box:
    entity: boxes
    write: {create: {rack: {name: R1}}}
    fields:
      cls: {at: role, codes: role}
      serial: serial
      ip: {read: "addresses[kind=main][up=true].host", filter: no}
      mac: {read: "macs[]", filter: no}
  cloud:
    entity: clouds
    always: {depth: 2}
    fields: {cls: {const: virtual_machine}, status: null}
codes:
  status: {live: Active, retired: [Gone, Scrapped]}
  role: {server: Server, storage: [Disk, Tape]}
"""
RELATION = """
kind: relationship
entity: links
key: id
fields:
  type: {at: what, codes: type}
  subject: {at: a_id, by: a_model, ref: ci}
  object: {at: b_id, by: b_model, ref: ci}
codes: {type: {depends_on: needs}}
"""


@pytest.fixture
def store(tmp_path: File) -> Callable[..., dict[str, Mapping]]:
    def made(ci: str = CI, relation: str = RELATION, **more: Any) -> dict[str, Mapping]:
        folder = tmp_path / "store"
        (folder / "mapping").mkdir(parents=True, exist_ok=True)
        (folder / "adapter.yaml").write_text(MANIFEST)
        (folder / "mapping" / "ci.yaml").write_text(ci)
        (folder / "mapping" / "relationship.yaml").write_text(relation)
        return dict(compile_product(folder, source="st", **more).mappings)

    return made


BOX = {
    "id": "1", "model": "box", "name": "b", "status": {"name": "Gone"}, "role": "Tape", "changed": None, "serial": "",
    "addresses": [
        {"kind": "side", "host": "10.0.0.9"},
        {"kind": "main", "up": "false", "host": "10.0.0.1"},
        {"kind": "main", "up": "true", "host": "10.0.0.2"},
    ],
    "macs": ["aa", "bb"],
}  # fmt: skip


# --- paths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "row", "value"),
    [
        ("a[].b", {"a": [{"b": 1}, {"b": 2}]}, 1),
        ("a[].b", {"a": []}, None),
        ("a[].b", {"a": None}, None),
        ("a[].b", {"a": {"b": 1}}, "missing"),
        ("a[].b", {}, "missing"),
        ("a[k=v].b.c", {"a": [{"k": "w"}, {"k": "v", "b": {"c": 3}}]}, 3),
        ("a[k=].b", {"a": [{"k": "", "b": 4}]}, 4),
        ("a[k=x y][l=2].b", {"a": [{"k": "x y", "l": 1}, {"k": "x y", "l": 2, "b": 5}]}, 5),
        ("'a[]'", {"a[]": 6}, 6),
    ],
)
def test_a_path_takes_the_first_element_that_is_meant(path: str, row: dict[str, Any], value: Any) -> None:
    assert parse_path(path, flat=False).get(row, "missing") == value


@pytest.mark.parametrize("path", ["a[", "a[]]", "[]", "a[]b", "a[=v]", "a[k]", "a[k=v", "a.[k=v]", "a[].", "a['k'=v]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(path, flat=False)


STEP = st.text("abc", min_size=1, max_size=2)
SELECT = st.just("[]") | st.builds("[{}={}]".format, STEP, STEP)


@given(first=STEP, rest=st.lists(st.tuples(st.just("") | SELECT, STEP), max_size=3), value=st.integers())
def test_what_is_put_at_a_place_is_got_there(first: str, rest: list[tuple[str, str]], value: int) -> None:
    path = parse_path(first + "".join(f"{select}.{name}" for select, name in rest), flat=False)
    if any(select[1:-1].partition("=")[0] == name for select, name in rest if select):
        return  # the value would take the place of what its element is known by
    row: dict[str, Any] = {}
    path.put(row, value)
    assert path.get(row) == value
    assert path.column == path.text.partition("[")[0]


def test_what_goes_through_a_list_is_decoded_and_never_written(store: Callable[..., dict[str, Mapping]]) -> None:
    record = store()["ci"].decode(BOX)
    assert (record["ip"], record["mac"], record["serial"]) == ("10.0.0.2", "aa", None)
    assert store()["ci"].decode({**BOX, "macs": [], "addresses": 3})["mac"] is None
    assert "ip" not in store()["ci"].decode({**BOX, "addresses": 3})
    with pytest.raises(MappingError, match="goes through a list"):
        store(CI.replace("serial: serial", "serial: 'serials[].no'"))


# --- parts ----------------------------------------------------------------------------------------------


def test_a_handle_tells_the_part(store: Callable[..., dict[str, Mapping]]) -> None:
    ci = store()["ci"]
    assert ci.decode(BOX)["ref"] == "st:ci:box/1"
    assert ci.handle(BOX) == "box/1"
    assert ci.decode({"id": "2", "model": "cloud", "name": "c"}) == {
        "ref": "st:ci:cloud/2", "name": "c", "cls": "virtual_machine",
    }  # fmt: skip
    with pytest.raises(Problem) as told:
        ci.decode({"id": "2", "model": "shelf"})
    assert told.value.slug is Slug.SOURCE_FAULT


def test_a_create_goes_where_it_fits_and_an_update_where_the_record_is(
    store: Callable[..., dict[str, Mapping]],
) -> None:
    ci = store()["ci"]
    assert ci.encode({"cls": "server", "status": "retired", "name": "x"}, "create") == {
        "model": "box", "rack": {"name": "R1"}, "role": "Server", "status": {"name": "Gone"}, "name": "x",
    }  # fmt: skip
    assert ci.encode({"cls": "virtual_machine", "name": "x"}, "create") == {"model": "cloud", "name": "x"}
    assert ci.encode({"name": "x"}, "update", key="~cloud/2") == {"model": "cloud", "name": "x"}
    assert ci.encode({"status": None}, "update", key="box/1") == {"model": "box", "status": None}
    assert ci.norm({"cls": "virtual_machine", "name": "x"}) == {"cls": "virtual_machine", "name": "x"}
    assert ci.norm({"status": "live", "name": "x"}) == {"status": "live", "name": "x"}
    for changes, key, slug, word in [
        ({"name": "x"}, None, Slug.INVALID_ARGUMENT, "virtual_machine"),
        ({"cls": "printer"}, None, Slug.INVALID_ARGUMENT, "storage"),
        ({"serial": "1"}, "cloud/2", Slug.INVALID_ARGUMENT, "serial"),
        ({"name": "x"}, "shelf/2", Slug.NOT_FOUND, "box"),
        ({"cls": "server"}, "cloud/2", Slug.INVALID_ARGUMENT, "cls"),
    ]:
        with pytest.raises(Problem) as told:
            ci.encode(changes, "create" if key is None else "update", key=key)
        assert told.value.slug is slug
        assert word in str(told.value.body())


def test_a_search_asks_the_parts_that_can_have_it(store: Callable[..., dict[str, Mapping]]) -> None:
    ci = store()["ci"]

    def plan(*clauses: Any, **more: Any) -> Any:
        return ci.plan(Query(filter=clauses, **more))

    assert plan().branches == (Branch({}, "box"), Branch({}, "cloud"))
    only = plan(Condition("status", "eq", "retired"), sort=(Sort("updated_at", True),))
    assert only.branches == (Branch({"status": ("Gone", "Scrapped")}, "box", order_native="-changed,id"),)
    assert (only.order, only.order_native) == ((Sort("updated_at", True),), "-changed,id")
    assert plan(Condition("cls", "eq", "virtual_machine")).branches == (Branch({}, "cloud"),)
    both = plan(Condition("cls", "in", ("virtual_machine", "storage")), sort=(Sort("name"),))
    assert both.branches == (Branch({"role": ("Disk", "Tape")}, "box"), Branch({}, "cloud"))
    assert both.order == ()
    assert both.branches[0].order_native is None
    timed = plan(sort=(Sort("updated_at", True),))
    assert timed.order == (Sort("updated_at", True),)
    assert [branch.order_native for branch in timed.branches] == ["-changed,id", "-changed,id"]
    none = plan(Condition("cls", "eq", "printer"))
    assert none.empty
    assert "box" in none.why[0]
    either = plan(AnyOf((Condition("serial", "eq", "s"), Condition("name", "eq", "n"))))
    assert either.branches == (
        Branch({"serial": "s"}, "box"),
        Branch({"name": "n"}, "box", (Condition("serial", "eq", "s"),)),
        Branch({"name": "n"}, "cloud"),  # it has no serial: one alternative is left
    )
    assert either.post == (AnyOf((Condition("serial", "eq", "s"), Condition("name", "eq", "n"))),)
    assert set(ci.columns(("name", "cls"))) == {"model", "id", "name", "role"}


def test_alternatives_that_cannot_all_be_asked_are_checked_afterwards(
    store: Callable[..., dict[str, Mapping]],
) -> None:
    ci = store()["ci"]
    unasked = AnyOf((Condition("serial", "eq", "s"), Condition("ip", "eq", "10.0.0.1")))
    plan = ci.plan(Query(filter=(unasked, Condition("cls", "eq", "storage"))))
    assert plan.branches[0].pushed == {"role": ("Disk", "Tape"), "serial": "s"}
    assert unasked in plan.post
    alone = ci.plan(Query(filter=(unasked,)))
    assert [branch.pushed for branch in alone.branches] == [{}]
    assert alone.post == (unasked,)
    long = AnyOf(tuple(Condition("serial", "eq", str(n)) for n in range(5)))
    assert [branch.pushed for branch in ci.plan(Query(filter=(long,))).branches] == [{}]


def test_overlays_reach_into_a_part_and_mistakes_name_their_line(store: Callable[..., dict[str, Mapping]]) -> None:
    overlay = {"ci": {"parts": {"box": {"fields": {"serial": {"at": "sn"}}}, "cloud": None}}}
    ci = store(overlay=overlay)["ci"]
    assert ci.encode({"cls": "server", "serial": "1"}, "create")["sn"] == "1"
    assert ci.plan(Query()).branches == (Branch({}, "box"),)
    with pytest.raises(MappingError, match=r"part box\) line 17: fields\.seriel"):
        store(CI.replace("serial: serial", "seriel: serial"))
    with pytest.raises(MappingError, match="need by"):
        store(CI.replace("by: model\n", ""))
    with pytest.raises(MappingError, match="must hold"):
        store(CI.replace('write_as: {name: "{v}"}', "write_as: {name: x}"))


# --- references to a part -------------------------------------------------------------------------------


def test_a_reference_tells_the_part_it_names(store: Callable[..., dict[str, Mapping]]) -> None:
    links = store()["relationship"]
    row = {"id": "9", "what": "needs", "a_id": "1", "a_model": "box", "b_id": "2", "b_model": None}
    assert links.decode(row) == {
        "ref": "st:relationship:9", "type": "depends_on", "subject": {"ref": "st:ci:box/1", "name": None},
    }  # fmt: skip
    changes = {"subject": "st:ci:box/1", "object": {"ref": "st:ci:~cloud/2"}, "type": "depends_on"}
    native = {"a_id": "1", "a_model": "box", "b_id": "2", "b_model": "cloud", "what": "needs"}
    assert links.encode(changes, "create") == native
    assert links.norm(changes)["object"] == {"ref": "st:ci:cloud/2", "name": None}
    with pytest.raises(Problem) as told:
        links.encode({"subject": "st:ci:1"}, "create")
    assert told.value.field == "subject"
    plan = links.plan(Query(filter=(Condition("subject", "eq", "st:ci:box/1"),)))
    assert plan.pushed == {"a_id": "1"}
    assert plan.post  # another part may have the same handle
    with pytest.raises(MappingError, match="by"):
        store(relation=RELATION.replace("type: {at: what, codes: type}", "type: {at: what, codes: type, by: x}"))


def test_bounds_of_instants_with_parts_of_a_second() -> None:
    form = instant_form("iso-fraction", "UTC")
    assert form.read("2026-03-14T09:12:44.999+01:00") == "2026-03-14T08:12:44Z"
    assert form.bound("2026-03-14T08:12:44Z", True) == "2026-03-14T08:12:44.999999Z"
    assert form.bound("2026-03-14T08:12:44Z", False) == "2026-03-14T08:12:44Z"
    assert not form.exact

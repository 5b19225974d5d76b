"""Proposed overlays: what differs is said once, what is uncertain is a comment, and every proposal compiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.adapterkit.choicewords import bare, compare, meant, own_table
from interlock.adapterkit.codes import CodeTable, compile_codes
from interlock.adapterkit.comparison import proposals
from interlock.adapterkit.inspection import Column, Entity, Instance, Label
from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.yamlfile import parse_yaml
from interlock.places import place

SNOW = place("adapters") / "servicenow"
STATES = ("new", "in_progress", "on_hold", "resolved", "closed", "cancelled")
SHIPPED = {"new": 1, "in_progress": 2, "on_hold": 3, "resolved": 6, "closed": 7, "cancelled": 8}


def table(data: object) -> CodeTable:
    return compile_codes("state", data, parse_yaml("{}", "t"), ("codes", "state"))


def labels(language: str = "en", **said: str) -> list[Label]:
    return [Label(value.lstrip("_"), label, language) for value, label in said.items()]


def shipped() -> Instance:
    """An instance that has the columns of every mapping, and no list of its own."""
    product = compile_product(SNOW, source="snow")
    tables, columns = {}, {}
    for kind, mapping in product.mappings.items():
        entity = mapping.spec.entity
        tables[entity] = Entity(entity, kind, rows=100)
        places = [
            path for spec in mapping.spec.fields.values() for path in (spec.read, spec.write, spec.create) if path
        ]
        for path in (*places, *mapping.spec.notes.values()):
            name = path.column.split(".")[0]
            columns[entity, name] = Column(entity, name, name.replace("_", " "), "word")
    return Instance(tuple(tables.values()), tuple(columns.values()))


def changed(
    instance: Instance, add: Iterable[Column] = (), without: Iterable[str] = (), tables: Iterable[Entity] = ()
) -> Instance:
    gone = set(without)
    kept = [each for each in instance.columns if f"{each.entity}.{each.name}" not in gone]
    added = {(each.entity, each.name) for each in add}
    kept = [each for each in kept if (each.entity, each.name) not in added]
    return Instance((*instance.entities, *tables), (*kept, *add))


def proposed(folder: Path, instance: Instance) -> tuple[Product, dict[str, str]]:
    """The product with what is proposed for an instance, and the proposals."""
    found = proposals(compile_product(SNOW, source="snow"), instance)
    folder.mkdir(exist_ok=True)
    for kind, text in found.items():
        (folder / f"{kind}.yaml").write_text(text, "utf-8")
    return compile_product(SNOW, source="snow", overlays=folder), found


def test_an_instance_as_shipped_needs_nothing() -> None:
    assert proposals(compile_product(SNOW, source="snow"), shipped()) == {}


def test_a_renamed_column_keeps_what_else_is_said_of_the_field(tmp_path: Path) -> None:
    own = Column("incident", "u_melder", "Melder", "ref", "sys_user", own=True)
    product, found = proposed(tmp_path, changed(shipped(), [own], ["incident.caller_id"]))
    caller = product.mappings["incident"].spec.fields["caller"]
    assert caller.write is not None
    assert caller.key is not None
    assert (caller.write.column, caller.key.column, caller.ref) == ("u_melder", "u_melder.user_name", "person")
    assert 'incident has no caller_id; u_melder is called "Melder"' in found["incident"]
    assert "ext:" not in found["incident"]


@pytest.mark.parametrize("names", [[], ["u_a", "u_b"]])
def test_a_column_without_one_successor_is_left_out(tmp_path: Path, names: list[str]) -> None:
    own = [Column("incident", name, "Lösungscode", "word", own=True) for name in names]
    product, found = proposed(tmp_path, changed(shipped(), own, ["incident.close_code"]))
    spec = product.mappings["incident"].spec
    assert "close_code" not in spec.fields
    assert [rule.fields for rule in spec.require] == [("close_notes",), ("close_notes",), ("hold_reason",)]
    assert set(found) == {"incident"}
    assert {f"ext.{name}" for name in names} <= set(spec.fields)


def test_a_column_that_only_a_table_below_has_is_not_missing() -> None:
    below = Column("cmdb_ci_server", "os", "Operating System", None)
    instance = changed(shipped(), [below], ["cmdb_ci.os"], [Entity("cmdb_ci_server", "Server", "cmdb_ci")])
    assert proposals(compile_product(SNOW, source="snow"), instance) == {}


def test_a_table_that_a_site_derived_is_taken_when_it_holds_most(tmp_path: Path) -> None:
    ticket = Entity("u_ticket", "Ticket", "incident", 80, own=True)
    product, found = proposed(tmp_path, changed(shipped(), tables=[ticket]))
    assert product.mappings["incident"].entity == "u_ticket"
    assert "u_ticket extends incident and holds 80 of its 100 records" in found["incident"]
    product, found = proposed(tmp_path, changed(shipped(), tables=[replace(ticket, rows=20)]))
    assert product.mappings["incident"].entity == "incident"
    assert "# entity: u_ticket extends incident and holds 20 of its 100 records" in found["incident"]


def test_own_columns_are_typed(tmp_path: Path) -> None:
    said = (*labels("de", _1="Größe", _2="Bau"), *labels("en", _1="Size"))
    own = [
        Column("incident", "u_phase", "Phase", "int", choices=said, own=True),
        Column("incident", "u_team", "Team", "ref", "sys_user_group", own=True),
        Column("incident", "u_site", "Site: main", "ref", "cmn_location", own=True),
        Column("incident", "u_at", "At", "instant", own=True),
        Column("incident", "u_list", "List", None, own=True),
        Column("incident", "x_1_y", 'Say "hi" # there', "word", own=True),
        Column("incident", "plain", "Shipped but not mapped", "word"),
    ]
    product, found = proposed(tmp_path, changed(shipped(), own))
    fields = {name: spec for name, spec in product.mappings["incident"].spec.fields.items() if name.startswith("ext.")}
    assert {name: spec.field.type for name, spec in fields.items()} == {
        "ext.u_phase": "enum", "ext.u_team": "ref", "ext.u_site": "word", "ext.u_at": "instant", "ext.x_1_y": "word",
    }  # fmt: skip
    assert fields["ext.u_phase"].field.values == ("size", "bau")
    assert (fields["ext.u_team"].ref, fields["ext.u_team"].key.column) == ("group", "u_team.name")  # type: ignore[union-attr]
    assert fields["ext.x_1_y"].field.description == 'Say "hi" # there'
    assert "u_list" in found["incident"]


def test_codes_follow_the_labels(tmp_path: Path) -> None:
    said = (*labels("de", _1="Neu", _3="In Bearbeitung", _4="Wartend", _9="Storniert", _5="Ersatzteil"),)
    own = Column("incident", "state", "Status", "int", choices=said)
    product, found = proposed(tmp_path, changed(shipped(), [own]))
    codes = product.mappings["incident"].spec.fields["state"].codes
    assert codes is not None
    assert {native: codes.read(native) for native in "1234589"} == {
        "1": "new", "2": "in_progress", "3": "in_progress", "4": "on_hold", "5": "unmapped",
        "8": "cancelled", "9": "cancelled",
    }  # fmt: skip
    assert codes.writes == {"new": "1", "in_progress": "3", "on_hold": "4", "cancelled": "9"}
    assert '# codes.state: 5 "Ersatzteil" has no word: add 5 to one' in found["incident"]


def test_an_order_of_words_stays_where_labels_say_nothing_new() -> None:
    said = labels(_1="New", _2="Work in Progress", _3="Pending", _6="Gelöst", _7="Closed", _8="Canceled")
    assert compare(table(SHIPPED), STATES, said, written=True) == ([], [])
    corrections, remarks = compare(table(SHIPPED), STATES, [*said, *labels(_9="new")], written=True)
    assert [(each.word, each.natives) for each in corrections] == [("new", [1, 9])]
    assert not remarks
    _, remarks = compare(table(SHIPPED), STATES, [Label("1", "Eingang", "de"), *said[1:]], written=True)
    assert remarks == ['1 "Eingang" is read as new, as shipped']


def test_a_value_that_is_no_choice_any_more_is_not_written() -> None:
    corrections, _ = compare(table({"new": 1, "closed": 7}), STATES, labels(_1="New"), written=True)
    assert [(each.word, each.natives) for each in corrections] == [("closed", {"read": 7})]
    assert compare(table({"new": 1, "closed": 7}), STATES, labels(_1="New"), written=False) == ([], [])


@pytest.mark.parametrize(
    ("label", "word"),
    [("2 - Hoch", "high"), ("MITTEL", "medium"), ("gering", "low"), ("Hoch oder niedrig", None), ("", None)],
)
def test_labels_in_two_languages(label: str, word: str | None) -> None:
    assert meant([label], ("high", "medium", "low")) == word


def test_labels_that_disagree_mean_nothing() -> None:
    assert meant(["Hoch", "low"], ("high", "medium", "low")) is None
    assert bare(" 10) In-Bearbeitung ") == "in bearbeitung"
    assert own_table(labels(_1="A b", _2="a B", _3="!")) == {"a_b": 1, "a_b_2": 2, "value_3": 3}

"""What a product can do is read off its mappings, manifest and class: a change to one of them shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.adapterkit.abilities import Abilities, abilities_of
from interlock.adapterkit.loader import adapter_class
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.rest import RestAdapter
from interlock.places import place

SNOW = place("adapters") / "servicenow"
PLAIN = """adapter: desk
title: Desk
versions: any
transport: {protocol: http-json, base: "{setting.base_url}"}
capabilities: {writes: {incident: [create, update]}}
query: {style: params, operators: {eq: "{f}", ge: "{f}_from"}}
"""
INCIDENT = """kind: incident
entity: tickets
key: id
fields:
  number: {read: id}
  title: subject
  external_id: {at: key}
  opened_at: {read: opened, filter: opened}
"""


def of(folder: Path, **overlay: object) -> Abilities:
    product = compile_product(folder, source="x", settings={"base_url": "https://desk.example"}, overlay=overlay)
    return abilities_of(product, adapter_class(folder))


def desk(folder: Path, probe: str, incident: str = INCIDENT) -> Abilities:
    (folder / "mapping").mkdir(exist_ok=True)
    (folder / "adapter.yaml").write_text(PLAIN + probe)
    (folder / "mapping" / "incident.yaml").write_text(incident)
    return of(folder)


@pytest.mark.parametrize(
    ("probe", "way"),
    [
        ("", "unfindable"),
        ("write: {probe: {create: {field: external_id}}}", "field"),
        ("write: {probe: {create: {field: external_id}, kinds: {incident: {create: none}}}}", "unfindable"),
        ("write: {probe: {create: {field: external_id}, kinds: {incident: {create: adapter}}}}", "adapter"),
        ("write: {probe: {kinds: {incident: {create: {match: [title]}}}}}", "match"),
    ],
)
def test_how_a_lost_create_is_found_is_the_manifests_word(tmp_path: Path, probe: str, way: str) -> None:
    incident = desk(tmp_path, probe).kinds["incident"]
    assert (incident.create, incident.update, incident.note) == (way, "fields", None)


def test_a_probe_by_a_field_that_the_kind_lacks_finds_nothing(tmp_path: Path) -> None:
    without = INCIDENT.replace("  external_id: {at: key}\n", "")
    probe = "write: {probe: {create: {field: external_id}}}"
    assert desk(tmp_path, probe, without).kinds["incident"].create == "unfindable"


def test_counts_are_those_of_the_mapping(tmp_path: Path) -> None:
    able = desk(tmp_path, "")
    incident = able.kinds["incident"]
    assert (incident.read, incident.searched, incident.sorted) == (4, 4, 0)
    assert able.operators == ("eq", "ge")
    assert not incident.version


def test_an_overlay_changes_what_a_source_can_do() -> None:
    shipped, site = of(SNOW).kinds, of(SNOW, incident={"fields": {"due_at": None}}, change=None).kinds
    assert site["incident"].read == shipped["incident"].read - 1
    assert set(shipped) - set(site) == {"change"}


def test_offers_are_those_of_the_class() -> None:
    product = compile_product(SNOW, source="x", settings={"base_url": "https://desk.example"})
    assert "catalog" in abilities_of(product, adapter_class(SNOW)).offers
    assert abilities_of(product, RestAdapter).offers == ()

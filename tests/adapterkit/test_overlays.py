"""Folders of overlays: merged entry by entry, each with its origin; mistakes name file and line of the overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.adapterkit.overlays import flow, written
from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.yamlfile import MappingError, parse_yaml
from interlock.places import place

SNOW = place("adapters") / "servicenow"
INCIDENT = """extends: servicenow/incident
entity: u_ticket
fields:
  category: {at: u_category}
  due_at: null
codes:
  state: {on_hold: [3, 10], new: 11}
"""


def laid(folder: Path, overlay: dict[str, object] | None = None, **files: str) -> Product:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return compile_product(SNOW, source="snow", overlays=folder, overlay=overlay or {})


def test_entries_are_replaced_one_by_one_and_the_configuration_is_last(tmp_path: Path) -> None:
    product = laid(tmp_path / "o", {"incident": {"codes": {"state": {"new": 12}}}}, incident=INCIDENT)
    incident = product.mappings["incident"]
    assert (incident.entity, incident.spec.fields["category"].read.column) == ("u_ticket", "u_category")
    assert "due_at" not in incident.fields
    assert incident.spec.fields["state"].codes.writes == {
        "new": "12", "in_progress": "2", "on_hold": "3", "resolved": "6", "closed": "7", "cancelled": "8",
    }  # fmt: skip
    origins = {line.place: line.origin for line in written(product.documents["incident"])}
    assert origins["entity"] == "/".join((tmp_path / "o" / "incident.yaml").parts[-3:]) + " line 2"
    assert origins["fields.category"].endswith("o/incident.yaml line 4")
    assert origins["codes.state.on_hold"].endswith("o/incident.yaml line 7")
    assert origins["codes.state.new"] == "overlay of snow"
    assert origins["codes.state.resolved"].startswith("servicenow/mapping/incident.yaml line ")
    assert origins["fields.title"].startswith("servicenow/mapping/incident.yaml line ")
    assert "fields.due_at" not in origins


def test_what_is_printed_reads_back_as_the_same_document(tmp_path: Path) -> None:
    for document in laid(tmp_path / "o", incident=INCIDENT).documents.values():
        text = "\n".join(f"{line.text}  # {line.origin}" for line in written(document))
        assert parse_yaml(text, "printed").data == document.data


@pytest.mark.parametrize("value", ["a: b", "no", "007", "12", "true", "", " x", "#", "ü", 'a"b', "'x' = {v}", "-", "*"])
def test_words_on_one_line_read_back(value: str) -> None:
    assert parse_yaml(f"{{x: {flow(value)}, y: [{flow(value)}]}}", "t").data == {"x": value, "y": [value]}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("incident", "extends: servicenow/incident\nfields:\n  titel: x\n", r"o/incident\.yaml line 3: fields\.titel "),
        ("incident", "extends: servicenow/incident\nfieds: {}\n", r"o/incident\.yaml line 2: fieds is not a key here"),
        ("incident", "extends: servicenow/incident\ncodes:\n  state: {frozen: 9}\n", r"line 3: codes\.state\.frozen"),
        ("incident", "extends: servicenow/incident\ncodes:\n  state:\n    new: 2\n", r"gives '2' a second"),
        ("incident", "fields: {}\n", r"o/incident\.yaml.*extends must be servicenow/incident"),
        ("incident", "extends: remedy/incident\n", r"line 1: extends must be servicenow/incident"),
        ("incidents", "extends: servicenow/incidents\n", r"changes nothing that servicenow has"),
        ("adapter", "extends: servicenow/adapter\nauth: [none]\n", r"o/adapter\.yaml line 2: auth cannot be changed"),
        ("adapter", "extends: servicenow/adapter\nquery:\n  literal: {refuse: []}\n", r"line 3: query\.literal cannot"),
        ("adapter", "extends: servicenow/adapter\nlimits: {concurency: 2}\n", r"line 2: limits\.concurency"),
    ],
)  # fmt: skip
def test_mistakes_name_file_and_line_of_the_overlay(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(MappingError, match=told):
        laid(tmp_path / "o", **{name: text})


def test_habits_of_an_instance(tmp_path: Path) -> None:
    text = """extends: servicenow/adapter
limits: {concurrency: 2}
errors:
  - {status: 409, type: source-rejected, reached: "yes"}
query:
  operators: {starts: null}
write: {settle_s: 600}
"""
    shipped, product = compile_product(SNOW, source="snow"), laid(tmp_path / "o", adapter=text)
    habits = product.manifest
    assert (habits.limits.concurrency, habits.limits.url_bytes, habits.write.settle_s) == (2, 6144, 600)
    assert habits.errors[0].status == (409,)
    assert habits.errors[1:] == shipped.manifest.errors
    assert "starts" not in habits.query.operators
    assert habits.write.probe == shipped.manifest.write.probe
    origins = {line.place: line.origin for line in written(product.documents["adapter"])}
    assert origins["errors.0"].endswith("o/adapter.yaml line 4")
    manifest = (SNOW / "adapter.yaml").read_text().splitlines()
    listed = manifest.index(next(line for line in manifest if line.startswith("errors:")))
    first = next(n for n, line in enumerate(manifest, 1) if n > listed and line.startswith("  - {"))
    assert origins["errors.1"] == f"adapters/servicenow/adapter.yaml line {first}"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="is no folder of overlays"):
        compile_product(SNOW, source="snow", overlays=tmp_path / "missing")

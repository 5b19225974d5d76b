"""A data set's files as canonical records, read by the export adapter through its mapping."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from adapters.export.adapter import ExportAdapter
from mock_servers.datasets import Found, find
from mock_servers.datasets.description import described

from interlock.adapterkit.native import Plan
from interlock.adapterkit.product import compile_product
from interlock.adapterkit.tabular_tables import read_tables
from interlock.places import place

HERE = Path(__file__).parent
SOURCE = "data"

Records = dict[str, list[tuple[str, dict[str, Any]]]]
"""By kind: the source's handle and the canonical record."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a YAML file says, and the folder in which the published files lie."""

    name: str
    about: Mapping[str, Any]
    folder: Path


def data_sets(shared: Path) -> list[DataSet]:
    """Every data set that is described, by name. ``shared``: the folder that holds a folder a data set."""
    found = []
    for path in sorted(HERE.glob("*.yaml")):
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "dataset" in about:
            found.append(DataSet(about["dataset"], about, shared / about["dataset"]))
    return found


async def records_of(data: DataSet, facts: Mapping[str, Any]) -> dict[str, Records]:
    """The records by source. A data set is one source, but for an archive of tables, each of which is one."""
    about = data.about
    if "archive" not in about:
        found = _described(about, data.folder) if "files" in about else _known(data)
        return {SOURCE: {**await _read(found, SOURCE), **_relations(found, about.get("relations"))}}
    sources: dict[str, Records] = {}
    with _unpacked(data.folder / about["archive"]) as folder:
        for file, entry in facts["files"].items():
            for mark, table in about["tables"].items():
                if mark in entry:
                    source = file.removesuffix(".csv")
                    body = _filled({"dataset": source, "title": file, **table}, file)
                    sources[source] = await _read(_described(body, folder), source)
    return sources


def _known(data: DataSet) -> Found:
    (found,) = [entry for entry in find(data.folder) if entry.name == data.name]
    return found


def _described(about: Mapping[str, Any], folder: Path) -> Found:
    keys = ("dataset", "title", "files", "export")
    return Found(described({key: about[key] for key in keys}, str(about["dataset"])), folder)


async def _read(found: Found, source: str) -> Records:
    settings, folder = found.export_settings(), place("adapters") / "export"
    product = compile_product(folder, source=source, settings=settings, overlay=found.export_overlay())
    adapter = ExportAdapter(settings, source=source, product=product)
    records: Records = {}
    for kind in ("incident", "ci"):
        if kind in found.description.export["kinds"]:
            page = await adapter.page(kind, Plan(None, ()), None, 10**7)
            records[kind] = [(str(row["_id"]), product.mappings[kind].decode(row)) for row in page.rows]
    return records


def _relations(found: Found, about: Mapping[str, str] | None) -> Records:
    """Relations of a file that names its two ends by the keys of CIs; the adapter has no such kind."""
    if about is None:
        return {}
    rows = read_tables(found.folder, found.description.plan).rows[about["table"]]
    made = []
    for number, row in enumerate(rows, 1):
        ends = {end: {"ref": f"{SOURCE}:ci:{row[about[end]]}"} for end in ("subject", "object") if row[about[end]]}
        record = {"ref": f"{SOURCE}:relationship:{number}", "native_type": row[about["type"]], **ends}
        made.append((str(number), record))
    return {"relationship": made}


@contextmanager
def _unpacked(archive: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        yield Path(folder) / "raw"


def _filled(value: Any, name: str) -> Any:
    """The value with ``{}`` replaced by a name, everywhere."""
    if isinstance(value, Mapping):
        return {key: _filled(entry, name) for key, entry in value.items()}
    return value.replace("{}", name) if isinstance(value, str) else value

"""From a folder of exports to the native tables of a ServiceNow instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.adapterkit.tabular import derived_id, read_columns
from interlock.adapterkit.tabular_tables import ID, Cells, Tables, read_tables
from interlock.records import times
from interlock.records.problems import Problem, Slug
from mock_servers.datasets.description import Description, NativeTable, NativeValue, descriptions
from mock_servers.servicenow.schema import Schema

NativeRow = dict[str, str]

IMPACTS = {"1": "high", "2": "medium", "3": "low"}


@dataclass(frozen=True, slots=True)
class Found:
    """A data set that was recognised, and the folder its files lie in."""

    description: Description
    folder: Path

    @property
    def name(self) -> str:
        return self.description.name

    def export_settings(self) -> dict[str, Any]:
        """Settings of a source over the raw files with the export adapter."""
        export = self.description.export
        return {
            "folder": str(self.folder),
            "ids": self.name,
            "files": dict(self.description.files),
            "kinds": dict(export["kinds"]),
        }

    def export_overlay(self) -> dict[str, Any]:
        """The overlay on the export adapter's mapping: the raw column names and words of this data set."""
        return dict(self.description.export["mapping"])

    def own_matrix(self) -> dict[str, dict[str, str]]:
        """The instance's own priority matrix in canonical words; empty when it is not known to differ."""
        matrix: dict[str, dict[str, str]] = {}
        for (impact, urgency), priority in self.description.matrix.items():
            matrix.setdefault(IMPACTS[impact], {})[IMPACTS[urgency]] = f"p{priority}"
        return matrix

    def profile_changes(self, source: str, own_matrix: bool = False) -> dict[str, Any]:
        """What a quality profile must know of this data under a source's name; see ``Profile.merge``.

        The categories that are known of it; with ``own_matrix`` its own priorities too.
        """
        rules: dict[str, Any] = {}
        if "categories" in self.description.quality:
            rules["categories"] = list(self.description.quality["categories"])
        if own_matrix:
            rules["priority"] = self.own_matrix()
        return {"incident": {"sources": {source: rules}}} if rules else {}


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as native tables.

    ``tables``: rows by native table; a column that is empty is ``""``. ``omit``: columns the export lacks,
    to be left out of every answer as if unreadable. ``as_of``: the newest update in the data, epoch
    seconds. ``matrix``: the instance's own priority lookup in native codes, empty for the default.
    """

    found: Found
    tables: dict[str, list[NativeRow]]
    omit: dict[str, set[str]]
    as_of: int
    matrix: Mapping[tuple[str, str], str]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.found.name


def find(folder: Path | str) -> list[Found]:
    """The data sets in a folder or in its direct sub-folders, by name.

    Raises Problem: not a folder, nothing recognised, or a file of the right name with other columns.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise _unknown_folder(root, "is not a folder")
    places = [root, *sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))]
    found: dict[str, Found] = {}
    for place in places:
        for description in descriptions():
            if description.name not in found and _holds(place, description):
                found[description.name] = Found(description, place)
    if not found:
        raise _unknown_folder(root, "holds no data set that is known")
    return [found[name] for name in sorted(found)]


def load(folder: Path | str) -> Dataset:
    """The one data set of a folder. Raises Problem, also when the folder holds several (see ``find``)."""
    several = find(folder)
    if len(several) > 1:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"{folder} holds {len(several)} data sets: {', '.join(f.name for f in several)}",
            field="folder",
            value=str(folder),
            next_step="Each is an instance of its own: load them one by one, with find and load_found.",
        )
    return load_found(several[0])


def load_found(found: Found) -> Dataset:
    """Read the files and make the native tables. Blocking; seconds for a large log. Raises Problem."""
    about = found.description
    raw = read_tables(found.folder, about.plan)
    schema = Schema()
    tables: dict[str, list[NativeRow]] = {}
    omit: dict[str, set[str]] = {}
    for name, table in about.native.items():
        rows = [_native_row(row, table) for row in raw.rows.get(table.of, ())]
        tables[name] = rows
        omit[name] = _lacking(name, rows, table, schema)
    if about.choices:
        tables["sys_choice"] = _choices(about, tables)
    return Dataset(found, tables, omit, _as_of(raw, about), dict(about.matrix), raw.warnings)


def _holds(folder: Path, description: Description) -> bool:
    paths = {table: file.find(folder) for table, file in description.plan.files.items()}
    if not all(paths.values()):
        return False
    for table, path in paths.items():
        file = description.plan.files[table]
        assert path is not None
        missing = set(file.needs) - set(read_columns(path, file.form))
        if missing:
            raise Problem(
                Slug.INVALID_ARGUMENT,
                f"{path} has no column {', '.join(sorted(missing))}: it is not the {description.title} as published",
                field="folder",
                value=str(folder),
                next_step="Give the published file, or describe yours as a source of the export adapter.",
            )
    return True


def _native_row(row: Cells, table: NativeTable) -> NativeRow:
    native = {"sys_id": row[ID], **table.fixed}
    for column, value in table.columns.items():
        if value.of in row:
            native[column] = _native_value(row[value.of], value)
    return native


def _native_value(held: Any, value: NativeValue) -> str:
    if held is None:
        return ""
    if isinstance(held, Mapping):
        return str(held["id"])
    text = str(held)
    if value.codes:
        return value.codes.get(text, text if value.otherwise is None else value.otherwise)
    if len(text) == 20 and text[10] == "T" and text[19] == "Z":
        return f"{text[:10]} {text[11:19]}"
    for character in value.without:
        text = text.replace(character, "")
    return text


def _lacking(name: str, rows: list[NativeRow], table: NativeTable, schema: Schema) -> set[str]:
    """Every column of the product's table, and of the classes below it, that the export does not have."""
    present = {"sys_id", "sys_class_name", *table.columns, *table.fixed}
    if not any("name" in row or "number" in row for row in rows):
        present -= {"name", "number", "user_name"}  # ids only: who they are is not known
    known: set[str] = set()
    for member in schema.line(name):
        known.update(schema.columns(member))
    if "sys_class_name" not in table.columns and "sys_class_name" not in table.fixed:
        present.discard("sys_class_name")
    return known - present


def _choices(about: Description, tables: Mapping[str, list[NativeRow]]) -> list[NativeRow]:
    """Choice lists made of the values seen: the word is its own label where the export has no other."""
    rows: list[NativeRow] = []
    for table, columns in about.choices.items():
        for column, parent in columns.items():
            seen = {(row.get(parent, "") if parent else "", row.get(column, "")) for row in tables[table]}
            values = about.native[table].columns[column].codes
            labels = {code: label for label, code in values.items()}
            for place, (depends, value) in enumerate(sorted(seen)):
                if value and (depends or not parent):
                    rows.append(
                        {
                            "sys_id": derived_id(f"{about.name}/sys_choice", (table, column, depends, value)),
                            "name": table,
                            "element": column,
                            "value": value,
                            "label": labels.get(value, value),
                            "dependent_value": depends,
                            "language": "en",
                            "inactive": "false",
                            "sequence": str(place),
                        }
                    )
    return rows


def _as_of(raw: Tables, about: Description) -> int:
    newest = [
        moment
        for table, column in about.as_of.items()
        for row in raw.rows[table]
        if isinstance(moment := row.get(column), str)
    ]
    if not newest:
        raise Problem(Slug.SOURCE_FAULT, f"{about.title} holds no update time", next_step="Check the files.")
    return times.to_epoch(max(newest))


def _unknown_folder(folder: Path, why: str) -> Problem:
    known = "; ".join(
        f"{about.title}: {', '.join(file.names[0] for file in about.plan.files.values())}" for about in descriptions()
    )
    return Problem(
        Slug.INVALID_ARGUMENT,
        f"{folder} {why}",
        field="folder",
        value=str(folder),
        next_step=f"Known data sets and their files: {known}.",
        layer="argument",
    )

"""What is known of a data set: its YAML file, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from interlock.adapterkit.tabular_tables import FolderPlan, folder_plan
from interlock.records.problems import invalid

HERE = Path(__file__).parent

_KEYS = frozenset({"dataset", "title", "matrix", "as_of", "files", "choices", "servicenow", "export", "quality"})
_VALUE_KEYS = frozenset({"of", "codes", "else", "without"})
_TABLE_KEYS = frozenset({"of", "same", "columns", "fixed"})


@dataclass(frozen=True, slots=True)
class NativeValue:
    """One native column: the raw column it is read from, and how its words become codes."""

    of: str
    codes: Mapping[str, str]
    otherwise: str | None  # for words that ``codes`` does not name; None keeps the word
    without: str  # characters that are dropped


@dataclass(frozen=True, slots=True)
class NativeTable:
    """One native table: the raw table it is made from, its columns, and values that are always the same."""

    of: str
    columns: Mapping[str, NativeValue]
    fixed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Description:
    """One data set. ``matrix`` is the instance's own: (impact, urgency) to priority, in native codes."""

    name: str
    title: str
    plan: FolderPlan
    files: Mapping[str, Any]  # as declared: settings of the export adapter
    as_of: Mapping[str, str]  # raw table to the column of its updates
    matrix: Mapping[tuple[str, str], str]
    native: Mapping[str, NativeTable]
    choices: Mapping[str, Mapping[str, str | None]]  # native table -> column -> the column it depends on
    export: Mapping[str, Any]
    quality: Mapping[str, Any]


@cache
def descriptions() -> tuple[Description, ...]:
    """Every data set there is a description of, by name. Raises Problem for a faulty file."""
    return tuple(read_description(path) for path in sorted(HERE.glob("*.yaml")))


def read_description(path: Path) -> Description:
    """Read one YAML file. Raises Problem invalid-argument naming the key."""
    return described(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)


def described(body: Mapping[str, Any], at: str) -> Description:
    """What a mapping says of a data set. Raises Problem invalid-argument naming the key under ``at``."""
    _known(body, _KEYS, at)
    name = body["dataset"]
    return Description(
        name=name,
        title=body["title"],
        plan=folder_plan(body["files"], name, f"{at}.files"),
        files=body["files"],
        as_of=body.get("as_of") or {},
        matrix={
            (str(impact), str(urgency)): str(priority)
            for impact, row in (body.get("matrix") or {}).items()
            for urgency, priority in row.items()
        },
        native={
            table: _native_table(entry, f"{at}.servicenow.{table}")
            for table, entry in (body.get("servicenow") or {}).items()
        },
        choices={
            table: {column: (about or {}).get("of") for column, about in entry.items()}
            for table, entry in (body.get("choices") or {}).items()
        },
        export=body["export"],
        quality=body.get("quality") or {},
    )


def _native_table(entry: Mapping[str, Any], at: str) -> NativeTable:
    _known(entry, _TABLE_KEYS, at)
    columns = {name: NativeValue(name, {}, None, "") for name in entry.get("same", ())}
    for name, about in entry.get("columns", {}).items():
        if name in columns:
            raise invalid(f"{at}.columns.{name}", name, "is under same too")
        columns[name] = _native_value(about, f"{at}.columns.{name}")
    return NativeTable(entry["of"], columns, {k: str(v) for k, v in entry.get("fixed", {}).items()})


def _native_value(about: Any, at: str) -> NativeValue:
    if isinstance(about, str):
        return NativeValue(about, {}, None, "")
    _known(about, _VALUE_KEYS, at)
    codes = {str(word): str(code) for word, code in about.get("codes", {}).items()}
    return NativeValue(about["of"], codes, about.get("else"), about.get("without", ""))


def _known(entry: Any, keys: frozenset[str], at: str) -> None:
    if not isinstance(entry, Mapping):
        raise invalid(at, str(entry), "must be a mapping")
    for key in entry:
        if key not in keys:
            raise invalid(f"{at}.{key}", str(entry[key]), "is not known here", f"Keys are: {', '.join(sorted(keys))}.")

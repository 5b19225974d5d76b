"""Files of a folder as related tables: ids where the export has none, and names turned into rows.

An export names people, groups and CIs by text, or by an id that it does not explain. Both become rows of
their own here, with derived ids, so that everything read from the same folder agrees on who is who.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from interlock.adapterkit.tabular import derived_id, file_form, read_table
from interlock.adapterkit.tabular_form import FileForm, Table, trouble
from interlock.records.problems import Problem, Slug, invalid

ID = "_id"
"""The column every row gets: its id in the table, the export's own or a derived one."""

Cells = dict[str, Any]
"""A row whose references are ``{"id": ..., "name": ...}``; ``name`` is missing where it is not known."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a row of another table, by the text people know it by or by its id."""

    table: str
    holds: Literal["name", "id"]


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One table and the file it comes from."""

    table: str
    names: tuple[str, ...]  # file names or patterns, the first that is there
    form: FileForm
    needs: tuple[str, ...]  # columns without which it is another file
    key: str | None  # column people know a row by
    id: str | None  # column that holds the id
    id_from: tuple[str, ...]  # columns an id is derived from, where there is no id column
    refs: Mapping[str, Reference]
    words: Mapping[str, Mapping[str, str]]  # column to the code behind each label the export shows

    def find(self, folder: Path) -> Path | None:
        """The file in the folder; of several that fit a pattern the last by name (a nightly export)."""
        for name in self.names:
            if "*" in name or "?" in name:
                fitting = sorted(entry for entry in folder.glob(name) if entry.is_file())
                if fitting:
                    return fitting[-1]
            elif (folder / name).is_file():
                return folder / name
        return None


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The tables of a folder. ``ids`` is the name space of derived ids: the name of the data set."""

    ids: str
    files: Mapping[str, FilePlan]

    def tables(self) -> tuple[str, ...]:
        """The tables that are files, then those that are only referred to."""
        referred = (reference.table for file in self.files.values() for reference in file.refs.values())
        return tuple(dict.fromkeys((*self.files, *referred)))


@dataclass(slots=True)
class Tables:
    """Everything a folder holds, by table."""

    rows: dict[str, list[Cells]]
    columns: dict[str, tuple[str, ...]]  # of the tables that are files
    files: dict[str, Path]
    warnings: tuple[str, ...] = ()


_OWN_KEYS = ("file", "needs", "key", "id", "id_from", "refs", "words")


def folder_plan(declared: Mapping[str, Any], ids: str, at: str = "files") -> FolderPlan:
    """Read what is declared about the files of a folder. Raises Problem invalid-argument naming the key.

    Per table: ``file`` (name, pattern or list), ``key``, ``id`` or ``id_from``, ``refs`` (column to table,
    or ``{table, holds: name|id}``), ``words`` (column to label to code), ``needs``, and everything ``file_form`` knows.
    """
    return FolderPlan(ids, {table: _file_plan(table, entry, f"{at}.{table}") for table, entry in declared.items()})


def _file_plan(table: str, declared: Any, at: str) -> FilePlan:
    if isinstance(declared, str):
        declared = {"file": declared}
    if not isinstance(declared, Mapping) or not declared.get("file"):
        raise invalid(at, str(declared), "names no file", "Write file: tickets.csv, or a pattern.")
    names = _words(declared["file"], f"{at}.file")
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise invalid(f"{at}.file", name, "leaves the folder", "Name a file inside the folder.")
    return FilePlan(
        table=table,
        names=names,
        form=file_form({k: v for k, v in declared.items() if k not in _OWN_KEYS}, at),
        needs=_words(declared.get("needs", ()), f"{at}.needs"),
        key=_word(declared.get("key"), f"{at}.key"),
        id=_word(declared.get("id"), f"{at}.id"),
        id_from=_words(declared.get("id_from", ()), f"{at}.id_from"),
        refs={
            column: _reference(entry, f"{at}.refs.{column}") for column, entry in (declared.get("refs") or {}).items()
        },
        words={
            column: {str(label): str(code) for label, code in entry.items()}
            for column, entry in (declared.get("words") or {}).items()
        },
    )


def read_tables(folder: Path, plan: FolderPlan) -> Tables:
    """Read every file of the plan and relate their rows. Blocking. Raises Problem."""
    found: dict[str, Path] = {}
    for table, file in plan.files.items():
        path = file.find(folder)
        if path is None:
            raise _no_file(folder, file)
        found[table] = path
    tables = Tables({}, {}, found)
    for table, file in plan.files.items():
        read = read_table(found[table], file.form)
        _check_columns(read, file)
        for row, identity in zip(read.rows, _ids(read, file, plan.ids), strict=True):
            row[ID] = identity
        for column, codes in file.words.items():
            for row in read.rows:
                label = row.get(column)
                if label is not None:
                    row[column] = codes.get(label, label)
        tables.rows[table] = read.rows
        tables.columns[table] = read.columns
        tables.warnings += read.warnings
    _relate(tables, plan)
    return tables


def _ids(read: Table, file: FilePlan, space: str) -> Iterator[str]:
    """An id a row. Rows that are alike in all of it are told apart by their ordinal among equals."""
    seen: dict[object, int] = {}
    name = f"{space}/{file.table}"
    columns = file.id_from or ((file.key,) if file.key else read.columns)
    for row in read.rows:
        own = row.get(file.id) if file.id else None
        if own is not None:
            yield own
            continue
        parts = tuple(row.get(column) or "" for column in columns)
        ordinal = seen.get(parts, 0)
        seen[parts] = ordinal + 1
        yield derived_id(name, parts if ordinal == 0 else (*parts, f"#{ordinal}"))


def _relate(tables: Tables, plan: FolderPlan) -> None:
    """Turn reference columns into ids and names, and gather the rows they name."""
    shown: dict[str, dict[str, str | None]] = {}  # table -> id -> the text people know the row by
    by_text: dict[str, dict[str, str]] = {}
    for table, file in plan.files.items():
        rows = tables.rows[table]
        shown[table] = {row[ID]: row.get(file.key) if file.key else row.get("name") for row in rows}
        by_text[table] = {text: identity for identity, text in reversed(shown[table].items()) if text}
    for table, file in plan.files.items():
        for column, reference in file.refs.items():
            names = shown.setdefault(reference.table, {})
            ids = by_text.setdefault(reference.table, {})
            space = f"{plan.ids}/{reference.table}"
            for row in tables.rows[table]:
                text = row.get(column)
                if text is None:
                    continue
                if reference.holds == "id":
                    identity: str = text
                    names.setdefault(identity, None)
                else:
                    identity = ids.get(text) or ids.setdefault(text, derived_id(space, text))
                    names[identity] = text
                row[column] = identity  # names of ids may be learnt from a later column: filled in below
    for table, file in plan.files.items():
        for column, reference in file.refs.items():
            names = shown[reference.table]
            for row in tables.rows[table]:
                held = row.get(column)
                if isinstance(held, str):
                    row[column] = _link(held, names.get(held))
    for table, names in shown.items():
        if table not in plan.files:
            # Where nobody has a name the column does not exist (unknown); else a row without one has none.
            named = any(name is not None for name in names.values())
            tables.rows[table] = [
                {ID: identity, "name": name} if named else {ID: identity} for identity, name in names.items()
            ]


def _link(identity: str, name: str | None) -> Cells:
    return {"id": identity} if name is None else {"id": identity, "name": name}


def _check_columns(read: Table, file: FilePlan) -> None:
    wanted = [*file.needs, *file.refs, *file.words, *file.id_from, *(name for name in (file.key, file.id) if name)]
    for column in wanted:
        if column not in read.columns:
            near = get_close_matches(column, read.columns, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise trouble(
                Slug.INVALID_ARGUMENT,
                read.name,
                "the file has no such column",
                f"{hint}Columns are: {', '.join(read.columns[:60])}.",
                column=column,
            )


def _no_file(folder: Path, file: FilePlan) -> Problem:
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"{folder} holds no {' or '.join(file.names)} for {file.table}",
        field="folder",
        value=str(folder),
        next_step="Check the folder, and that last night's export was written.",
        layer="source",
        reached="no",
    )


def _reference(entry: Any, at: str) -> Reference:
    if isinstance(entry, str):
        return Reference(entry, "name")
    if isinstance(entry, Mapping) and isinstance(entry.get("table"), str):
        holds = entry.get("holds", "name")
        if holds in ("name", "id") and set(entry) <= {"table", "holds"}:
            return Reference(entry["table"], holds)
    raise invalid(at, str(entry), "is not a reference", "Write a table, or {table: person, holds: name or id}.")


def _word(value: Any, at: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid(at, str(value), "must be the name of a column")
    return value


def _words(value: str | Sequence[Any], at: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise invalid(at, str(value), "must be a name or a list of names")
    return tuple(value)

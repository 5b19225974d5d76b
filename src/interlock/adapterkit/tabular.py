"""Tabular files as rows: CSV, Excel, Parquet, JSON and JSON lines, plain or gzip.

Exports of old systems are read as they come: the encoding, the date forms, the words for "missing" and
which row of a log is the last one are declared (``file_form``), never guessed; bytes, rows, columns and
cells are bounded; every error names file, line, column and the way out. Blocking: call it in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from interlock.adapterkit.tabular_csv import csv_lines
from interlock.adapterkit.tabular_form import MAX_CELL, FileForm, Row, Table, file_form, trouble
from interlock.adapterkit.tabular_typed import excel_lines, json_lines, parquet_lines
from interlock.records.problems import Slug

__all__ = ["SUFFIXES", "FileForm", "Row", "Table", "derived_id", "file_form", "read_columns", "read_table"]

SUFFIXES = (
    ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".xlsx", ".parquet",
    ".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz",
)  # fmt: skip

_TRUE = frozenset({"true", "yes", "y", "1", "t"})
_FALSE = frozenset({"false", "no", "n", "0", "f"})
_WARNINGS = 20


def derived_id(table: str, key: str | Sequence[str]) -> str:
    """32 hex characters for a row whose export has no id: always the same for the same table and key.

    A key of several parts is kept apart part by part, so ("a", "bc") and ("ab", "c") differ.
    """
    parts = (key,) if isinstance(key, str) else tuple(key)
    text = "\x1f".join((table, *(f"{len(part)}:{part}" for part in parts)))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def read_columns(path: Path, form: FileForm | None = None) -> tuple[str, ...]:
    """The names of the columns, duplicates told apart. Raises Problem."""
    form = form or FileForm()
    for _, header in _lines(path, form):
        return _names(header, path.name, form)
    raise _empty(path.name)


def read_table(path: Path, form: FileForm | None = None) -> Table:
    """Read a whole file. Raises Problem: cannot be opened or decoded, too large, broken, extra missing.

    A cell that does not have the declared date or boolean form is left out of its row (unknown) with a
    warning; when no cell of a column has it, the declaration is wrong and a Problem says so.
    """
    form = form or FileForm()
    lines = iter(_lines(path, form))
    first = next(lines, None)
    if first is None:
        raise _empty(path.name)
    names = _names(first[1], path.name, form)
    _check_declared(names, form, path.name)
    kept, read = _kept(lines, names, form, path.name)
    rows, warnings = _clean(kept, names, form, path.name)
    return Table(path.name, names, rows, read, warnings)


def _lines(path: Path, form: FileForm) -> Iterable[tuple[int, Sequence[str | None]]]:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv", ".txt")):
        return csv_lines(path, form)
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return json_lines(path, form)
    if path.name.lower().endswith(".xlsx"):
        return excel_lines(path, form)
    if path.name.lower().endswith(".parquet"):
        return parquet_lines(path, form)
    raise trouble(Slug.UNSUPPORTED, path.name, "is of no kind that can be read", f"Kinds are: {', '.join(SUFFIXES)}.")


def _names(header: Sequence[str | None], file: str, form: FileForm) -> tuple[str, ...]:
    if len(header) > form.bounds.columns:
        raise trouble(Slug.TOO_LARGE, file, f"has {len(header):,} columns", "Export fewer columns.", line=1)
    names: list[str] = []
    seen: dict[str, int] = {}
    taken = {(entry or "").strip() for entry in header}
    for place, entry in enumerate(header, 1):
        plain = (entry or "").strip() or f"column_{place}"
        seen[plain] = seen.get(plain, 0) + 1
        declared = form.columns.get(plain, ())
        if seen[plain] <= len(declared):
            name = declared[seen[plain] - 1]
        else:
            name, number = plain, seen[plain]
            while name in names or (number > 1 and name in taken):
                number = max(number, 2)
                name = f"{plain}_{number}"
                number += 1
        if name in names:
            raise trouble(
                Slug.INVALID_ARGUMENT,
                file,
                f"two columns would be named {name!r}",
                "Give them different names under columns.",
                column=name,
            )
        names.append(name)
    return tuple(names)


def _check_declared(names: tuple[str, ...], form: FileForm, file: str) -> None:
    wanted = {*form.dates, *form.booleans, *((form.last_row_per,) if form.last_row_per else ())}
    for column in sorted(wanted - set(names)):
        raise trouble(
            Slug.INVALID_ARGUMENT,
            file,
            "is declared, but the file has no such column",
            f"Columns are: {', '.join(names[:60])}.",
            column=column,
        )


def _kept(
    lines: Iterator[tuple[int, Sequence[str | None]]], names: tuple[str, ...], form: FileForm, file: str
) -> tuple[list[tuple[int, Sequence[str | None]]], int]:
    """The rows to keep, in the order of their last row, with the number of all."""
    width, bound = len(names), form.bounds.rows
    at = names.index(form.last_row_per) if form.last_row_per else None
    last: dict[object, tuple[int, Sequence[str | None]]] = {}
    every: list[tuple[int, Sequence[str | None]]] = []
    read = 0
    for line, values in lines:
        read += 1
        if read > bound:
            raise trouble(
                Slug.TOO_LARGE, file, f"has more than {bound:,} rows", "Raise max_rows of this file.", line=line
            )
        if len(values) != width:
            values = _fitted(values, width, file, line)
        if at is None:
            every.append((line, values))
        else:
            last[values[at]] = (line, values)
    return (every if at is None else list(last.values())), read


def _fitted(values: Sequence[str | None], width: int, file: str, line: int) -> Sequence[str | None]:
    # Empty cells past the header are what spreadsheets leave behind; anything else is a broken row.
    if len(values) > width and not any(values[width:]):
        return values[:width]
    raise trouble(
        Slug.SOURCE_FAULT,
        file,
        f"has {len(values)} cells where the header has {width}",
        "Look for a delimiter or a quote inside a cell that is not quoted.",
        line=line,
    )


def _clean(
    kept: list[tuple[int, Sequence[str | None]]], names: tuple[str, ...], form: FileForm, file: str
) -> tuple[list[Row], tuple[str, ...]]:
    missing = form.missing
    rows: list[Row] = [
        {name: None if value is None or value in missing else value for name, value in zip(names, values, strict=True)}
        for _, values in kept
    ]
    if any(len(value) > MAX_CELL for row in rows for value in row.values() if value is not None):
        raise trouble(Slug.TOO_LARGE, file, f"a cell holds more than {MAX_CELL:,} characters", "Leave that column out.")
    warnings: list[str] = []
    readers = dict(form.dates) | dict.fromkeys(form.booleans, _boolean)
    for column, reader in readers.items():
        good = 0
        bad: list[tuple[int, str]] = []
        for (line, _), row in zip(kept, rows, strict=True):
            text = row[column]
            if text is None:
                continue
            found = reader(text)
            if found is None and not _is_canonical(text):
                bad.append((line, text))
                del row[column]
                continue
            good += 1
            row[column] = found if found is not None else text
        if bad and not good:
            form_of = " or ".join(form.date_forms.get(column, ("true/false",)))
            raise trouble(
                Slug.INVALID_ARGUMENT,
                file,
                f"{bad[0][1]!r} does not have the declared form {form_of}",
                "Correct the declared form of this column.",
                line=bad[0][0],
                column=column,
                value=bad[0][1],
            )
        warnings += [
            f"{file}, line {line}, column {column}: {text[:60]!r} cannot be read; left out"
            for line, text in bad[: max(0, _WARNINGS - len(warnings))]
        ]
        if len(bad) > _WARNINGS:
            warnings.append(f"{file}, column {column}: {len(bad)} cells cannot be read; left out")
    return rows, tuple(warnings)


def _boolean(text: str) -> str | None:
    word = text.strip().casefold()
    return "true" if word in _TRUE else "false" if word in _FALSE else None


def _is_canonical(text: str) -> bool:
    """Whether a typed cell (Excel, Parquet) was made canonical already."""
    return len(text) == 20 and text[10] == "T" and text[19] == "Z" and text[:4].isdigit()


def _empty(name: str) -> Exception:
    return trouble(Slug.SOURCE_FAULT, name, "is empty: it has no header", "Check that the export ran to its end.")

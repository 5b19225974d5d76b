"""How to read one tabular file: what its owner declares, and the bounds it is held to."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Any, NoReturn

from interlock.adapterkit.tabular_dates import Reader, date_reader, zone
from interlock.records.problems import Problem, Slug, invalid

MAX_CELL = 131_072
"""Characters in one cell; also the limit of Python's csv reader."""

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1")
DELIMITERS = (",", ";", "\t", "|")

Row = dict[str, "str | None"]
"""One row by column name. None: empty. A missing name: the cell could not be read (unknown)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may cost; beyond it reading stops with a Problem."""

    bytes: int = 1 << 30  # after decompression
    rows: int = 5_000_000  # read from the file, kept or not
    columns: int = 2_000


@dataclass(frozen=True, slots=True)
class FileForm:
    """Everything declared about a file. Nothing declared means: UTF-8, delimiter found, text as it is."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None  # of a workbook; the first when not named
    header_row: int = 1  # the line (or sheet row) that holds the names
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # repeated header -> its names
    missing: frozenset[str] = frozenset({""})
    dates: Mapping[str, Reader] = field(default_factory=dict)
    date_forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    booleans: frozenset[str] = frozenset()
    zone: tzinfo = UTC
    last_row_per: str | None = None
    bounds: Bounds = Bounds()


@dataclass(slots=True)
class Table:
    """A file that was read: its columns in order, its rows, and what could not be read of it."""

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    read: int  # rows in the file, before last_row_per
    warnings: tuple[str, ...] = ()


def trouble(
    slug: Slug,
    name: str,
    why: str,
    next_step: str,
    *,
    line: int | None = None,
    column: str | None = None,
    value: object = None,
) -> Problem:
    """A Problem of a file: names the file, the line, the column, and the way out."""
    place = name + (f", line {line}" if line is not None else "")
    place += f", column {column}" if column is not None else ""
    more = {"file": name, "line": line, "column": column}
    return Problem(
        slug,
        f"{place}: {why}",
        field=column or "file",
        value=name if value is None else value,
        next_step=next_step,
        layer="source",
        reached="no",
        more={key: entry for key, entry in more.items() if entry is not None},
    )


_KEYS = (
    "encoding",
    "delimiter",
    "sheet",
    "header_row",
    "columns",
    "missing",
    "dates",
    "booleans",
    "zone",
    "last_row_per",
    "max_bytes",
    "max_rows",
)


def file_form(declared: Mapping[str, Any], at: str = "file") -> FileForm:
    """Read a declaration (a mapping from YAML). Raises Problem invalid-argument naming the key.

    ``missing``: words that mean empty, beside the empty cell. ``dates``: column to form, or list of forms.
    ``booleans``: columns read as true and false. ``columns``: names of a header that occurs more than once.
    """
    for key in declared:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Keys are: {', '.join(_KEYS)}."
            raise invalid(f"{at}.{key}", declared[key], "is not known of a file", hint)
    in_zone = zone(_text(declared, "zone", at) or "UTC", f"{at}.zone")
    forms = {
        column: (entry,) if isinstance(entry, str) else tuple(str(e) for e in entry)
        for column, entry in _mapping(declared, "dates", at).items()
    }
    delimiter = _text(declared, "delimiter", at)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise invalid(f"{at}.delimiter", delimiter, "is not one character", "Write , ; | or a tab.")
    return FileForm(
        encoding=_encoding(_text(declared, "encoding", at), f"{at}.encoding"),
        delimiter=delimiter,
        sheet=_text(declared, "sheet", at),
        header_row=_count(declared, "header_row", 1, at),
        columns={name: tuple(str(e) for e in entry) for name, entry in _mapping(declared, "columns", at).items()},
        missing=frozenset({"", *_words(declared, "missing", at)}),
        dates={name: date_reader(entry, in_zone, f"{at}.dates.{name}") for name, entry in forms.items()},
        date_forms=forms,
        booleans=frozenset(_words(declared, "booleans", at)),
        zone=in_zone,
        last_row_per=_text(declared, "last_row_per", at),
        bounds=Bounds(
            bytes=_count(declared, "max_bytes", Bounds().bytes, at),
            rows=_count(declared, "max_rows", Bounds().rows, at),
        ),
    )


def _encoding(name: str | None, at: str) -> str | None:
    if name is None:
        return None
    try:
        codecs.lookup(name)
    except LookupError:
        raise invalid(at, name, "is not an encoding", f"Common ones: {', '.join(ENCODINGS)}.") from None
    return name


def _refuse(at: str, key: str, value: object, what: str) -> NoReturn:
    raise invalid(f"{at}.{key}", str(value), f"must be {what}")


def _text(declared: Mapping[str, Any], key: str, at: str) -> str | None:
    value = declared.get(key)
    if value is not None and not isinstance(value, str):
        _refuse(at, key, value, "text")
    return value


def _words(declared: Mapping[str, Any], key: str, at: str) -> tuple[str, ...]:
    value = declared.get(key, ())
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        _refuse(at, key, value, "a list of words")
    return tuple(str(entry) for entry in value)


def _mapping(declared: Mapping[str, Any], key: str, at: str) -> Mapping[str, Any]:
    value = declared.get(key) or {}
    if not isinstance(value, Mapping):
        _refuse(at, key, value, "a mapping from column to what is declared of it")
    return value


def _count(declared: Mapping[str, Any], key: str, default: int, at: str) -> int:
    value = declared.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _refuse(at, key, value, "a whole number above zero")
    return value

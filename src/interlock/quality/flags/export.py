"""Flags as files: JSON lines, CSV, Parquet and Excel, a page at a time whatever their number.

Evidence holds values that anybody could write into a record, so no cell of CSV or Excel may begin as a formula.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from interlock.quality.flags.listing import MAX_LIMIT, Filters
from interlock.quality.flags.showing import COLUMNS, shown
from interlock.quality.flags.store import FlagStore
from interlock.records.problems import Problem, Slug, invalid

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FORMATS = tuple(MEDIA)

MAX_SHEET = 1_048_575
"""Rows that a sheet holds below its heading."""

_FORMULA = re.compile(r"^\s*[=+\-@\t\r]")
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CHUNK = 1 << 16
_WHOLE = frozenset({"reopened", "stops"})


def export(store: FlagStore, format: str, filters: Filters) -> Iterator[bytes]:  # noqa: A002 - the word of the face
    """The file in pieces. Raises Problem: unknown format, a missing extra, too many rows for a sheet."""
    if format not in MEDIA:
        raise invalid("format", format, f"is none of {', '.join(FORMATS)}")
    return _WRITERS[format](pages(store, filters))


def pages(store: FlagStore, filters: Filters) -> Iterator[list[dict[str, Any]]]:
    """All flags by record, a page at a time, so that no long read holds back the writers."""
    cursor: str | None = None
    while True:
        page = store.listed(filters, "ref", MAX_LIMIT, cursor)
        yield [shown(row) for row in page.flags]
        if (cursor := page.cursor) is None:
            return


def cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    return f"'{value}" if _FORMULA.match(value) else value


def _jsonl(found: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for page in found:
        yield b"".join(orjson.dumps(row) + b"\n" for row in page)


def _csv(found: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for page in found:
        writer.writerows([cell(row[name]) for name in COLUMNS] for row in page)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _through(found: Iterator[list[dict[str, Any]]], write: Callable[[Iterator[Any], Path], None]) -> Iterator[bytes]:
    """A format whose head stands at the end is written to disk first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags"
        write(found, path)
        with path.open("rb") as file:
            yield from _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _parquet(found: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise _lacks("parquet", "parquet") from None
    types = {
        name: pa.int64() if name in _WHOLE else pa.bool_() if name == "flapping" else pa.string() for name in COLUMNS
    }
    schema = pa.schema(list(types.items()))

    def write(pages: Iterator[list[dict[str, Any]]], path: Path) -> None:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for page in pages:
                writer.write_table(pa.Table.from_pylist(page, schema))

    return _through(found, write)


def _xlsx(found: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    try:
        from openpyxl import Workbook
    except ImportError:
        raise _lacks("xlsx", "excel") from None

    def write(pages: Iterator[list[dict[str, Any]]], path: Path) -> None:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("flags")
        sheet.append(list(COLUMNS))
        count = 0
        try:
            for page in pages:
                count += len(page)
                if count > MAX_SHEET:
                    raise Problem(
                        Slug.TOO_LARGE,
                        f"a sheet of Excel holds {MAX_SHEET} flags, and there are more",
                        next_step="Filter by code or source, or take csv, jsonl or parquet.",
                    )
                for row in page:
                    sheet.append([_legal(cell(row[name])) for name in COLUMNS])
        finally:
            book.save(path)  # also what is given up: only saving removes the sheet's own temporary file

    return _through(found, write)


def _legal(value: Any) -> Any:
    """XML, and so Excel, has no place for most control characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _lacks(format: str, extra: str) -> Problem:  # noqa: A002
    return Problem(
        Slug.UNSUPPORTED,
        f"this installation cannot write {format}",
        field="format",
        value=format,
        next_step=f"Install it with pip install 'interlock-gateway[{extra}]', or take csv or jsonl.",
    )


_WRITERS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet, "xlsx": _xlsx}

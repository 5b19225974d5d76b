"""Files whose cells have types: Excel workbooks, Parquet, JSON and JSON lines.

Typed cells become the text an export in CSV would hold: whole numbers without a fraction, true and false,
instants in UTC. The readers of Excel and Parquet are extras; without them the error names the extra.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from interlock.adapterkit.tabular_bytes import open_bytes
from interlock.adapterkit.tabular_dates import from_datetime
from interlock.adapterkit.tabular_form import FileForm, trouble
from interlock.records.problems import Problem, Slug

Cells = tuple[int, "list[str | None]"]

_EXCEL_BOUND = 256 << 20
"""Bytes of a workbook once unpacked: calamine holds a sheet whole, so the bound is lower than for CSV."""


def as_text(value: Any, form: FileForm) -> str | None:
    """The text of a typed cell, None for an empty one."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
    if isinstance(value, datetime):
        return from_datetime(value, form.zone)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(int(value.total_seconds()))
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def excel_lines(path: Path, form: FileForm) -> Iterator[Cells]:
    """Rows of one sheet. Raises Problem: extra missing, not a workbook, no such sheet."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise _without_extra(path.name, "excel", "python-calamine") from None
    _check_zip(path, form)
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            name = form.sheet if form.sheet is not None else book.sheet_names[0]
            if name not in book.sheet_names:
                raise trouble(
                    Slug.INVALID_ARGUMENT,
                    path.name,
                    f"has no sheet {name!r}",
                    f"Sheets are: {', '.join(book.sheet_names)}.",
                )
            sheet = book.get_sheet_by_name(name)
            for number, row in enumerate(sheet.iter_rows(), 1):
                if number >= form.header_row and any(cell not in ("", None) for cell in row):
                    yield number, [as_text(cell, form) for cell in row]
    except (CalamineError, IndexError, OSError) as error:
        raise trouble(
            Slug.SOURCE_FAULT, path.name, f"is not a readable workbook ({error})", "Save it as .xlsx again."
        ) from None


def parquet_lines(path: Path, form: FileForm) -> Iterator[Cells]:
    """Rows of a Parquet file, batch by batch. Raises Problem: extra missing, not Parquet."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise _without_extra(path.name, "parquet", "pyarrow") from None
    try:
        with pq.ParquetFile(path) as file:
            held = sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
            if held > form.bounds.bytes:
                raise _too_large(path.name, form.bounds.bytes)
            yield 0, list(file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=4096):
                # Values by position: names of columns may occur twice.
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield number, [as_text(value, form) for value in values]
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise trouble(
            Slug.SOURCE_FAULT, path.name, f"is not readable Parquet ({error})", "Write the file again."
        ) from None


def json_lines(path: Path, form: FileForm) -> Iterator[Cells]:
    """Objects of a JSON array, of the one array in a JSON object, or one a line. Members of members
    become ``outer.inner``; lists stay JSON text. Raises Problem: not JSON, not objects."""
    records = [
        (line, dict(_flat("", entry))) for line, entry in _json_objects(path, form)
    ]  # names first: later objects may have more members than the first
    names = list(dict.fromkeys(name for _, record in records for name in record))
    yield 0, list(names)
    for line, record in records:
        yield line, [as_text(record.get(name), form) for name in names]


def _json_objects(path: Path, form: FileForm) -> Iterable[tuple[int, Mapping[str, Any]]]:
    by_line = ".jsonl" in path.suffixes or ".ndjson" in path.suffixes
    found: list[tuple[int, Any]] = []
    line = 1
    try:
        with open_bytes(path, form) as stream:
            if by_line:
                for line, text in enumerate(stream, 1):
                    if text.strip():
                        found.append((line, orjson.loads(text)))
                    if len(found) > form.bounds.rows:
                        break
            else:
                found = list(enumerate(_array(orjson.loads(stream.read())), 1))
    except orjson.JSONDecodeError as error:
        line = line if by_line else error.lineno
        raise trouble(
            Slug.SOURCE_FAULT, path.name, f"is not JSON ({error.msg})", "Export the file again.", line=line
        ) from None
    for line, entry in found:
        if not isinstance(entry, dict):
            raise trouble(
                Slug.SOURCE_FAULT,
                path.name,
                f"holds {type(entry).__name__} where a JSON object was expected",
                "The file must be an array of objects, or one object a line (.jsonl).",
                line=line,
            )
    return found


def _array(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        lists = [entry for entry in document.values() if isinstance(entry, list)]
        if len(lists) == 1:
            return lists[0]
    return [document]


def _flat(prefix: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _check_zip(path: Path, form: FileForm) -> None:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            held = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise trouble(Slug.SOURCE_FAULT, path.name, f"is not a workbook ({error})", "Save it as .xlsx again.") from None
    bound = min(_EXCEL_BOUND, form.bounds.bytes)
    if held > bound:
        raise _too_large(path.name, bound)


def _too_large(name: str, bound: int) -> Problem:
    return trouble(Slug.TOO_LARGE, name, f"holds more than {bound:,} bytes unpacked", "Export it as CSV, or in parts.")


def _without_extra(name: str, extra: str, package: str) -> Problem:
    return trouble(
        Slug.UNSUPPORTED,
        name,
        f"needs {package}, which is not installed",
        f"Install interlock-gateway[{extra}], or export the file as CSV.",
    )

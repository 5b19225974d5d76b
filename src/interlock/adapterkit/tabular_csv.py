"""CSV files: delimiter found within a bounded sample, quoted line breaks, exact line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from interlock.adapterkit.tabular_bytes import not_decodable, open_text
from interlock.adapterkit.tabular_form import DELIMITERS, MAX_CELL, FileForm, trouble
from interlock.records.problems import Slug

_SAMPLE = 65_536
_SAMPLE_RECORDS = 20

Line = tuple[int, list[str]]


def csv_lines(path: Path, form: FileForm) -> Iterator[Line]:
    """Header and records with the line each ends on; blank lines are left out. Raises Problem."""
    with open_text(path, form) as (encoding, text):
        line = 0
        try:
            text, delimiter = _with_delimiter(text, form)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for record in reader:
                line = reader.line_num
                if record and line >= form.header_row:
                    yield line, record
        except UnicodeError as error:
            raise not_decodable(path.name, encoding, error, line + 1) from None
        except csv.Error as error:
            if "field larger" in str(error):
                raise trouble(
                    Slug.TOO_LARGE,
                    path.name,
                    f"a cell holds more than {MAX_CELL:,} characters; a quote may never have been closed",
                    "Look at the quotes from this line on, or leave the column out of the export.",
                    line=line + 1,
                ) from None
            raise trouble(
                Slug.SOURCE_FAULT,
                path.name,
                f"is not well-formed CSV ({error})",
                'Quotes inside a quoted cell are doubled (""); declare the delimiter if it is not a comma.',
                line=line + 1,
            ) from None


def _with_delimiter(text: IO[str], form: FileForm) -> tuple[IO[str], str]:
    if form.delimiter is not None:
        return text, form.delimiter
    sample = text.read(_SAMPLE)
    joined: IO[str] = _Joined(sample, text)  # type: ignore[assignment]
    return joined, find_delimiter(sample)


def find_delimiter(sample: str) -> str:
    """The delimiter whose records all have the same number of columns, the most of them; else a comma."""
    best, width = ",", 1
    whole = sample if len(sample) < _SAMPLE else sample[: sample.rfind("\n") + 1]
    for candidate in DELIMITERS:
        try:
            records = []
            for record in csv.reader(io.StringIO(whole, newline=""), delimiter=candidate):
                if record:
                    records.append(len(record))
                if len(records) == _SAMPLE_RECORDS:
                    break
        except csv.Error:
            continue
        if records and len(set(records)) == 1 and records[0] > width:
            best, width = candidate, records[0]
    return best


class _Joined:
    """The sample that was read ahead, then the rest; csv only asks for lines."""

    def __init__(self, sample: str, rest: IO[str]) -> None:
        # The last line of the sample is usually cut; it is completed from the rest.
        self._head = io.StringIO(sample + rest.readline(), newline="")
        self._rest = rest

    def __iter__(self) -> Iterator[str]:
        yield from self._head
        yield from self._rest

"""Tabular files: every form they come in, and what happens when they are not what they should be."""

from __future__ import annotations

import builtins
import csv
import gzip
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.adapterkit.tabular import derived_id, file_form, read_columns, read_table
from interlock.adapterkit.tabular_csv import find_delimiter
from interlock.records.problems import Problem, Slug


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    data = content if isinstance(content, bytes) else content.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def rows(path: Path, **declared: Any) -> list[dict[str, str | None]]:
    return read_table(path, file_form(declared)).rows


def problem(path: Path, **declared: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read_table(path, file_form(declared))
    return caught.value


def test_plain_and_gzip_csv_are_the_same(tmp_path: Path) -> None:
    text = 'number,title\r\nINC1,"two\r\nlines, ""quoted"""\r\n\r\nINC2,\r\n'
    plain, packed = write(tmp_path, "a.csv", text), write(tmp_path, "b.csv.gz", text)
    wanted = [{"number": "INC1", "title": 'two\r\nlines, "quoted"'}, {"number": "INC2", "title": None}]
    assert rows(plain) == wanted == rows(packed)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, declared: str | None) -> None:
    path = write(tmp_path, "a.csv", "name,ort\nMüller,Köln\n", encoding)
    assert rows(path, **({"encoding": declared} if declared else {})) == [{"name": "Müller", "ort": "Köln"}]


def test_a_one_byte_encoding_is_never_guessed(tmp_path: Path) -> None:
    error = problem(write(tmp_path, "a.csv", "name,ort\nA,B\nMüller,Köln\n", "cp1252"))
    assert error.slug == Slug.SOURCE_FAULT
    assert "a.csv" in error.detail
    assert "0xfc" in error.detail
    assert "cp1252" in str(error.next_step)


def test_latin_1_is_read_as_declared_not_as_cp1252(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"name\n\x93x\x94\n")
    assert rows(path, encoding="cp1252") == [{"name": "“x”"}]
    assert rows(path, encoding="latin-1") == [{"name": "\x93x\x94"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["number", "text, with commas; and such", "n"], ["INC1", "a,b;c", "1"], ["INC2", "", "2"]]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(lines)
    path = write(tmp_path, "a.csv", out.getvalue())
    assert [list(row.values()) for row in rows(path)] == [["INC1", "a,b;c", "1"], ["INC2", None, "2"]]


@settings(deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8), min_size=3, max_size=3
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory: Any, cells: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *cells])
    path = write(tmp_path_factory.getbasetemp(), "property.csv", out.getvalue())
    got = [[value or "" for value in row.values()] for row in rows(path, delimiter=delimiter)]
    assert got == cells


def test_the_sample_for_the_delimiter_is_bounded_and_loses_nothing(tmp_path: Path) -> None:
    body = "".join(f'{n},"{"x" * 70}\ny"\n' for n in range(3000))
    found = rows(write(tmp_path, "a.csv", "n,text\n" + body))
    assert [row["n"] for row in found] == [str(n) for n in range(3000)]
    assert find_delimiter("a\nb\n") == ","


def test_duplicate_and_empty_headers_get_names(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "category,category,,category_2,category\n1,2,3,4,5\n")
    assert read_columns(path) == ("category", "category_3", "column_3", "category_2", "category_4")
    path = write(tmp_path, "b.csv", "number,category,category\n1,2,3\n")
    assert read_columns(path) == ("number", "category", "category_2")
    assert rows(path, columns={"category": ["category", "subcategory"]}) == [
        {"number": "1", "category": "2", "subcategory": "3"}
    ]


def test_two_columns_cannot_be_given_one_name(tmp_path: Path) -> None:
    error = problem(write(tmp_path, "a.csv", "a,b\n1,2\n"), columns={"b": ["a"]})
    assert error.slug == Slug.INVALID_ARGUMENT
    assert "'a'" in error.detail


@pytest.mark.parametrize(
    ("form", "text", "wanted"),
    [
        ("D/M/YYYY hh:mm", "9/2/2016 01:16", "2016-02-09T01:16:00Z"),
        ("YYYY-MM-DD h:mm:ss", "2023-08-04 1:00:00", "2023-08-04T01:00:00Z"),
        ("YYYY-MM-DD h:mm:ss", "2023-08-04 21:00:05", "2023-08-04T21:00:05Z"),
        ("DD-MM-YYYY hh:mm", "29-02-2016 01:16", "2016-02-29T01:16:00Z"),
        ("DD-MM-YYYY", "29-02-2016", "2016-02-29"),
        ("M/D/YYYY h:mm A", "2/9/2016 12:05 am", "2016-02-09T00:05:00Z"),
        ("YYYY-MM-DD hh:mm:ss.f", "2023-01-11 01:17:39.128189467", "2023-01-11T01:17:39Z"),
        ("M/D/YYYY h:mm A", "2/9/2016 12:05 PM", "2016-02-09T12:05:00Z"),
    ],
)
def test_declared_date_forms(tmp_path: Path, form: str, text: str, wanted: str) -> None:
    assert rows(write(tmp_path, "a.csv", f"at\n{text}\n"), dates={"at": form}) == [{"at": wanted}]


def test_a_zone_is_applied(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "at\n2016-07-01 12:00\n2016-01-01 12:00\n")
    found = rows(path, dates={"at": "YYYY-MM-DD hh:mm"}, zone="Europe/Berlin")
    assert [row["at"] for row in found] == ["2016-07-01T10:00:00Z", "2016-01-01T11:00:00Z"]


def test_an_unreadable_date_is_unknown_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "n,at\n1,1/2/2016\n2,31/2/2016\n3,?\n")
    table = read_table(path, file_form({"dates": {"at": ["D/M/YYYY"]}, "missing": ["?"]}))
    assert table.rows == [{"n": "1", "at": "2016-02-01"}, {"n": "2"}, {"n": "3", "at": None}]
    assert table.warnings == ("a.csv, line 3, column at: '31/2/2016' cannot be read; left out",)


def test_a_wrong_date_form_is_a_problem(tmp_path: Path) -> None:
    error = problem(write(tmp_path, "a.csv", "n,at\n1,2016-02-01\n"), dates={"at": "D/M/YYYY"})
    assert (error.field, error.more["line"], error.value) == ("at", 2, "2016-02-01")
    assert "D/M/YYYY" in error.detail


def test_missing_words_and_booleans(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a,b\nTRUE,?\nfalse,\n?,x\n")
    assert rows(path, missing=["?"], booleans=["a"]) == [
        {"a": "true", "b": None},
        {"a": "false", "b": None},
        {"a": None, "b": "x"},
    ]


def test_the_last_row_of_a_key_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "number,state\nA,new\nB,new\nA,closed\n")
    table = read_table(path, file_form({"last_row_per": "number"}))
    assert table.rows == [{"number": "A", "state": "closed"}, {"number": "B", "state": "new"}]
    assert table.read == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n1,2,3\n", ("line 3", "3 cells where the header has 2")),
        ("a,b\n1,2\n1\n", ("line 3", "1 cells where the header has 2")),
        ('a,b\n1,"2"x\n', ("line 2", "not well-formed")),
        ("", ("is empty",)),
        ("a,b\n1," + "x" * 140_000 + "\n", ("line 2", "131,072")),
    ],
)
def test_broken_files_name_the_line(tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    error = problem(write(tmp_path, "a.csv", content))
    assert all(word in error.detail for word in ("a.csv", *words)), error.detail
    assert error.next_step


def test_empty_cells_past_the_header_are_forgiven(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a.csv", "a,b\n1,2,,\n")) == [{"a": "1", "b": "2"}]


def test_bounds(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv.gz", "a\n" + "x\n" * 100_000)
    assert path.stat().st_size < 2_000
    assert problem(path, max_bytes=100_000).slug == Slug.TOO_LARGE
    assert problem(path, max_rows=10).slug == Slug.TOO_LARGE
    wide = write(tmp_path, "w.csv", ",".join("x" * 3_000) + "\n")
    assert problem(wide).slug == Slug.TOO_LARGE


def test_a_cut_gzip_file_is_said_to_be_one(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(5_000)))
    for data in (whole[:-9], b"not gzip at all"):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(data)
        assert "not a whole gzip file" in problem(path).detail


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert problem(tmp_path / "none.csv").slug == Slug.SOURCE_UNAVAILABLE
    assert problem(write(tmp_path, "a.doc", "x")).slug == Slug.UNSUPPORTED


TYPED = {"number": "INC1", "at": "2016-02-09T01:16:00Z", "n": "3", "ratio": "0.5", "done": "true", "note": None}


def test_excel(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["cover"])
    sheet = book.create_sheet("Tickets")
    sheet.append(list(TYPED))
    sheet.append(["INC1", datetime(2016, 2, 9, 1, 16), 3, 0.5, True, None])  # noqa: DTZ001
    book.save(tmp_path / "a.xlsx")
    assert rows(tmp_path / "a.xlsx", sheet="Tickets", dates={"at": "D/M/YYYY hh:mm"}) == [TYPED]
    error = problem(tmp_path / "a.xlsx", sheet="Ticket")
    assert "Tickets" in str(error.next_step)
    assert problem(write(tmp_path, "b.xlsx", "no zip")).slug == Slug.SOURCE_FAULT
    assert problem(tmp_path / "a.xlsx", max_bytes=1_000).slug == Slug.TOO_LARGE


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    moment = datetime(2016, 2, 9, 1, 16)  # noqa: DTZ001
    columns = {"number": ["INC1"], "at": [moment], "n": [3], "ratio": [0.5], "done": [True], "note": [None]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [TYPED]
    assert problem(write(tmp_path, "b.parquet", "no parquet")).slug == Slug.SOURCE_FAULT
    assert problem(tmp_path / "a.parquet", max_bytes=10).slug == Slug.TOO_LARGE


def test_json_in_its_forms(tmp_path: Path) -> None:
    objects = [{"number": "INC1", "caller": {"name": "Ann"}, "tags": ["a", 1]}, {"number": 2, "more": None}]
    wanted = [
        {"number": "INC1", "caller.name": "Ann", "tags": '["a",1]', "more": None},
        {"number": "2", "caller.name": None, "tags": None, "more": None},
    ]
    lines = "\n".join(json.dumps(entry) for entry in objects)
    for name, content in (
        ("a.json", json.dumps(objects)),
        ("b.json.gz", json.dumps({"result": objects, "count": 2})),
        ("c.jsonl", lines + "\n\n"),
        ("d.jsonl.gz", lines),
    ):
        assert rows(write(tmp_path, name, content)) == wanted, name
    assert problem(write(tmp_path, "e.jsonl", '{"a":1}\n{"a":\n')).more["line"] == 2
    assert problem(write(tmp_path, "f.json", "[1, 2]")).slug == Slug.SOURCE_FAULT


@pytest.mark.parametrize(
    ("name", "extra", "package"),
    [
        ("a.xlsx", "excel", "python_calamine"),
        ("a.parquet", "parquet", "pyarrow"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: str, package: str
) -> None:
    real = builtins.__import__

    def without(module: str, *rest: Any, **more: Any) -> Any:
        if module.split(".")[0] == package:
            raise ImportError(module)
        return real(module, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = problem(write(tmp_path, name, "x"))
    assert error.slug == Slug.UNSUPPORTED
    assert f"interlock-gateway[{extra}]" in str(error.next_step)


@pytest.mark.parametrize(
    ("declared", "field", "hint"),
    [
        ({"date": {}}, "file.date", "dates"),
        ({"encoding": "klingon"}, "file.encoding", "utf-8"),
        ({"delimiter": ",,"}, "file.delimiter", ","),
        ({"zone": "Mars/Base"}, "file.zone", "Europe/Berlin"),
        ({"dates": {"at": "hh:mm"}}, "file.dates.at", "D/M/YYYY"),
        ({"dates": {"at": "YYYY-MM-DD mm"}}, "file.dates.at", "D/M/YYYY"),
        ({"max_rows": 0}, "file.max_rows", None),
        ({"booleans": 3}, "file.booleans", None),
    ],
)
def test_faulty_declarations_name_the_key(declared: dict[str, Any], field: str, hint: str | None) -> None:
    with pytest.raises(Problem) as caught:
        file_form(declared)
    assert caught.value.field == field
    if hint:
        assert hint in str(caught.value.next_step)


def test_a_declared_column_must_be_there(tmp_path: Path) -> None:
    error = problem(write(tmp_path, "a.csv", "a,b\n1,2\n"), last_row_per="number")
    assert (error.field, error.slug) == ("number", Slug.INVALID_ARGUMENT)
    assert "a, b" in str(error.next_step)


def test_derived_ids_are_stable_and_keep_parts_apart() -> None:
    assert derived_id("x/ci", "web01") == "e16e40344f6cbde5224248165ab5c6d4"
    assert derived_id("x/ci", "web01") == derived_id("x/ci", ("web01",))
    others = {derived_id("x/ci", ("a", "bc")), derived_id("x/ci", ("ab", "c")), derived_id("y/ci", ("a", "bc"))}
    assert len(others | {derived_id("x/ci", "abc")}) == 4

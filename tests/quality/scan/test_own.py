"""Checks of one's own: SQL and Python, fenced in; a faulty one is told and stops nothing."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from tests.quality.quality_records import NOW, ci
from tests.quality.scan.scan_bench import ScanBench, findings

from interlock.config import Config
from interlock.quality.kit import HEADINGS
from interlock.quality.scan import nightly, own
from interlock.records.problems import Problem

HEAD = "{code}: finds them.\non ci, severity low\n\n" + "\n".join(f"{heading}\n    Words." for heading in HEADINGS)
SELECT = "SELECT ref AS record, 'plain: name ' || name AS evidence FROM stored_ci"


def sql(folder: Path, name: str, body: str, code: str = "OWN-NAME") -> None:
    comment = "\n".join(f"-- {line}".rstrip() for line in HEAD.format(code=code).splitlines())
    (folder / name).write_text(f"{comment}\n{body}\n")


def python(folder: Path, name: str, body: str, code: str = "OWN-PY") -> None:
    (folder / name).write_text(f'"""{HEAD.format(code=code)}"""\n{textwrap.dedent(body)}')


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanBench:
    monkeypatch.setattr(nightly, "put_in_force", lambda *_: None)
    found = ScanBench(tmp_path / "state")
    found.put("snow", "ci", [ci(name="a"), ci(ref="snow:ci:2", name="b", serial="A2")])
    (tmp_path / "checks").mkdir()
    return found


def run(bench: ScanBench, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Evidence by record of checks of one's own, and the faults."""
    with_own = bench.scan(codes=["CI-STALE"], own=own.read_folder(folder))
    return {ref: text for code, _, ref, text in findings(with_own) if code.startswith("OWN")}, {
        name: why for name, why in with_own.faults.items() if "." in name
    }


def test_sql_and_python_find_what_they_say(bench: ScanBench, tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    sql(folder, "name.sql", f"{SELECT} WHERE name = 'a'; -- the end")
    python(
        folder,
        "serial.py",
        """
        from interlock.quality.kit import text
        def check(table):
            ci = table("stored_ci")
            return ci.filter(ci.serial == "A2").select(record=ci.ref, evidence=text("odd: serial {}", ci.serial))
        """,
    )
    assert run(bench, folder) == ({"snow:ci:srv1": "plain: name a", "snow:ci:2": "odd: serial A2"}, {})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("DROP TABLE finding", "must be one SELECT"),
        (f"{SELECT}; {SELECT}", "must be one SELECT"),
        ("COPY finding TO '/tmp/stolen.csv'", "must be one SELECT"),
        ("SELECT ref AS record FROM stored_ci", "evidence"),
        ("SELECT content AS record, 'x: y' AS evidence FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SET memory_limit = '64GB'", "must be one SELECT"),
        ("SELECT 'snow:ci:2' AS record, md5(r::VARCHAR) AS evidence FROM range(9000000000) t(r)", "longer than"),
    ],
)
def test_what_is_not_a_harmless_select_is_refused(
    bench: ScanBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str
) -> None:
    folder = tmp_path / "checks"
    sql(folder, "a.sql", body)
    sql(folder, "b.sql", SELECT, code="OWN-GOOD")
    with monkeypatch.context() as patch:
        patch.setattr(own.run, "__defaults__", ("finding", 0.5))
        found, faults = run(bench, folder)
    assert set(found) == {"snow:ci:srv1", "snow:ci:2"}
    assert list(faults) == ["a.sql"]
    assert why in faults["a.sql"]


def test_a_file_that_says_too_little_or_breaks_is_told(bench: ScanBench, tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    (folder / "bare.sql").write_text(SELECT)
    (folder / "broken.py").write_text("1 / 0")
    sql(folder, "taken.sql", SELECT, code="CI-STALE")
    sql(folder, "twice1.sql", SELECT)
    sql(folder, "twice2.sql", SELECT)
    python(folder, "other.py", "def check(table): return table('secrets')")
    found, faults = run(bench, folder)
    assert set(found) == {"snow:ci:srv1", "snow:ci:2"}
    assert set(faults) == {"bare.sql", "broken.py", "other.py", "taken.sql", "twice2.sql"}
    assert "secrets is not a table" in faults["other.py"]


def test_records_that_are_not_there_are_not_flagged(bench: ScanBench, tmp_path: Path) -> None:
    sql(tmp_path / "checks", "a.sql", "SELECT 'snow:ci:gone' AS record, 'x: y' AS evidence")
    assert run(bench, tmp_path / "checks") == ({}, {})


def test_a_scan_by_what_changed_runs_them_again(bench: ScanBench, tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    config = Config.model_validate({"quality": {"checks": folder}})
    sql(folder, "a.sql", SELECT)
    cis = [ci(ref=f"snow:ci:{number}", serial=f"A{number}") for number in range(9)]
    bench.put("snow", "ci", cis)
    assert nightly.run(bench.state, bench.profile, NOW, config=config).counts["OWN-NAME"] == 9
    bench.put("snow", "ci", cis[1:])
    second = nightly.run(bench.state, bench.profile, NOW, config=config)
    assert (second.mode, second.counts["OWN-NAME"]) == ("delta", 8)
    (folder / "a.sql").unlink()
    third = nightly.run(bench.state, bench.profile, NOW, config=config)
    assert "OWN-NAME" not in third.counts
    assert not [code for code, *_ in findings(third) if code == "OWN-NAME"]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(Problem):
        own.read_folder(tmp_path / "none")

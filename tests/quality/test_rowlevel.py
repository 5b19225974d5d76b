"""The compiled checks: no drift, no data engine where they are served, damage is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.quality import build, catalogue
from interlock.quality.columns import RELATIONS
from interlock.quality.kit import HEADINGS
from interlock.quality.rowlevel import PATH, read, shipped
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
ADVICE = "run: python -m interlock.quality.build"


@pytest.fixture(scope="module")
def level() -> dict[str, object]:
    return build.build()


def test_the_committed_statements_are_what_the_checks_compile_to(level: dict[str, object]) -> None:
    assert PATH.read_text(encoding="utf-8") == build.rendered(level), ADVICE


def test_the_committed_page_is_what_the_checks_say(level: dict[str, object]) -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert page == catalogue.page(level), ADVICE
    for code in shipped().checks:
        assert f"\n## {code}\n" in page
    assert all(page.count(f"**{heading}.**") == len(shipped().checks) for heading in HEADINGS)


def test_building_writes_both_files(level: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PATH", tmp_path / "rowlevel.json")
    monkeypatch.setattr(build, "build", lambda: level)  # once is enough: it takes seconds
    assert build.write(tmp_path) == [tmp_path / "rowlevel.json", tmp_path / "checks.md"]
    assert (tmp_path / "rowlevel.json").read_bytes() == PATH.read_bytes()


def test_serving_imports_no_data_engine() -> None:
    code = (
        "import sys; from interlock.quality.judge import Judge; Judge().judge('ci', {'ref': 'a:ci:b'}, 0.0);"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'ibis', 'duckdb', 'sqlglot', 'pandas', 'pyarrow', 'numpy'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_edited_file_is_refused() -> None:
    level = json.loads(PATH.read_text(encoding="utf-8"))
    level["checks"]["CI-STATUS-CONTRA"]["effect"] = "allow"
    with pytest.raises(Problem) as caught:
        read(json.dumps(level))
    assert caught.value.next_step is not None
    assert "checks build" in caught.value.next_step


def test_statements_bind_the_columns_in_order() -> None:
    for kind, statement in shipped().kinds.items():
        assert statement.columns == tuple(column.name for column in RELATIONS[kind].columns)
        assert statement.sql.count("?") - statement.sql.count("'?'") == len(statement.columns)


def test_evidence_speaks_of_fields_of_its_kind() -> None:
    checks, sets = shipped().checks, shipped().sets
    for check in checks.values():
        assert check.fields or check.code in sets
        kinds = sets[check.code].kinds if check.code in sets else (check.kind,)
        assert check.fields <= {field for kind in kinds for field in FIELDS.get(kind, ())}
        assert check.needs <= set(FIELDS.get(check.kind, ()))
        if check.code not in sets:
            assert check.needs | check.fields <= RELATIONS[check.kind].reads
    assert checks["TKT-PRIO"].fields == {"priority", "impact", "urgency"}
    assert checks["TKT-CLOSE"].fields == {"state", "close_code", "close_notes", "resolved_at"}
    assert checks["TKT-CAT-UNKNOWN"].fields == {"category"}
    assert checks["CI-STALE"].fields == {"cls", "last_seen_at", "attested_at"}

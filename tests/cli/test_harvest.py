"""``interlock harvest`` on a folder of exports: into snapshots, as a table, as JSON, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import duckdb
import orjson
import pytest
from tests.cli.commands import Shell

from interlock.quality.harvest.snapshots import Snapshots

CONFIG = """
state: state
sources:
  old:
    adapter: export
    settings: {folder: FOLDER, files: {incident: tickets.csv}}
    harvest: {per_second: 1000}
"""


@pytest.fixture
def exports(shell: Shell) -> Shell:
    write(shell.folder, 120)
    (shell.folder / "interlock.yaml").write_text(CONFIG.replace("FOLDER", str(shell.folder)))
    shell.monkeypatch.chdir(shell.folder)
    return shell


def write(folder: Path, rows: int) -> None:
    lines = ["number,title,state", *(f"INC{n:05},title {n},new" for n in range(rows))]
    (folder / "tickets.csv").write_text("\n".join(lines))


def test_a_harvest_and_one_that_shrank(exports: Shell) -> None:
    out = exports.ok("harvest")
    assert "published" in out
    snapshots = Snapshots(exports.folder / "state" / "snapshots")
    now = snapshots.current("old", "incident")
    assert now is not None
    found = duckdb.execute("SELECT count(DISTINCT ref) FROM read_parquet(?)", [[str(f) for f in now.files]]).fetchall()
    assert found == [(120,)]
    write(exports.folder, 20)
    done = exports.run("harvest", "old", "--kind", "incident", "--json")
    assert done.code == 1
    [run] = orjson.loads(done.out)
    assert (run["outcome"], run["detail"], run["rows"]) == ("suspect", "20 rows where there were 120", 120)
    assert "20 rows where there were 120" in exports.ok("harvest", "--accept")
    now = snapshots.current("old", "incident")
    assert now is not None
    assert now.manifest.rows == 20


def test_what_it_refuses(exports: Shell) -> None:
    assert "Sources: old." in exports.fails("harvest", "older")
    assert "Kinds: " in exports.fails("harvest", "--kind", "cis")
    assert "ci" in exports.fails("harvest", "--kind", "ci")
    assert "no harvest of these sources" in exports.fails("harvest", "--accept")

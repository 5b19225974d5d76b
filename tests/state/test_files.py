"""SQLite files that several connections and processes share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from interlock.state.files import connect, private_file

OTHER = """
import sys
from pathlib import Path
from interlock.state.files import connect
db = connect(Path(sys.argv[1]))
db.execute("INSERT INTO t VALUES (2)")
db.close()
"""


def test_a_second_connection_does_not_cost_the_first_its_locks(tmp_path: Path) -> None:
    """Else the other process takes itself for the last one, and removes the log that we still write to."""
    path = tmp_path / "shared.sqlite"
    first = connect(path)
    first.execute("CREATE TABLE t (n INTEGER)")
    first.execute("INSERT INTO t VALUES (1)")
    second = connect(path)
    second.close()
    log = (tmp_path / "shared.sqlite-wal").stat().st_ino
    subprocess.run([sys.executable, "-c", OTHER, str(path)], check=True)
    assert (tmp_path / "shared.sqlite-wal").stat().st_ino == log
    first.execute("INSERT INTO t VALUES (3)")
    assert connect(path).execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,), (3,)]
    assert first.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_private_file_is_made_once(tmp_path: Path) -> None:
    path = private_file(tmp_path / "key")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("kept")
    assert private_file(path).read_text() == "kept"

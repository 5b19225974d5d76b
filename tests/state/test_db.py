"""The state database: durable, isolated, bounded, one writer."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.state.db import Result, SqliteDb
from interlock.state.errors import Constraint, StateError
from interlock.state.folder import open_state

STEPS = (("CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER NOT NULL)",),)
ADD = "INSERT INTO t VALUES (?, ?)"


async def test_results_give_row_counts_and_returned_rows(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    added = await db.run((ADD, ("a", 1)), (ADD, ("b", 2)))
    assert added == [Result(1, []), Result(1, [])]
    (returned,) = await db.run(("UPDATE t SET v = v + 10 WHERE v < ? RETURNING k, v", (9,)))
    assert returned.rowcount == 2
    assert sorted(returned.rows) == [("a", 11), ("b", 12)]
    (nothing,) = await db.run(("UPDATE t SET v = 0 WHERE k = ?", ("z",)))
    assert nothing.rowcount == 0
    assert await db.rows("SELECT v FROM t WHERE k = ?", "b") == [(12,)]
    await db.close()


async def test_a_failing_call_fails_alone_and_whole(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    await db.run((ADD, ("taken", 0)))
    calls = []
    for number in range(60):
        statements = [(ADD, (f"k{number}", number))]
        if number % 3 == 1:
            statements.append((ADD, ("taken", 1)))  # the first statement of this call must vanish too
        if number % 3 == 2:
            statements.append(("SELECT nonsense FROM nowhere", ()))
        calls.append(db.run(*statements))
    done = await asyncio.gather(*calls, return_exceptions=True)
    for number, outcome in enumerate(done):
        expected = (list, Constraint, StateError)[number % 3]
        assert isinstance(outcome, expected), (number, outcome)
    kept = {k for (k,) in await db.rows("SELECT k FROM t")}
    assert kept == {"taken", *(f"k{number}" for number in range(0, 60, 3))}
    await db.close()


@pytest.mark.parametrize("value", [2**70, "\ud800", object()], ids=["too big", "surrogate", "no type"])
async def test_values_that_cannot_be_stored_fail_alone(tmp_path: Path, value: object) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    good, bad = await asyncio.gather(db.run((ADD, ("good", 1))), db.run((ADD, ("bad", value))), return_exceptions=True)
    assert isinstance(bad, StateError)
    assert good == [Result(1, [])]
    await db.close()


async def test_callers_cannot_end_the_shared_transaction(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    with pytest.raises(StateError, match="not for callers"):
        await db.run(("COMMIT", ()))
    assert await db.run((ADD, ("after", 1))) == [Result(1, [])]
    await db.close()


async def test_many_callers_share_commits(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    commits = 0

    def count(sql: str) -> None:
        nonlocal commits
        commits += sql == "COMMIT"

    db._writer.set_trace_callback(count)
    await asyncio.gather(*(db.run((ADD, (f"k{n}", n))) for n in range(500)))
    assert 1 <= commits < 50
    assert await db.rows("SELECT count(*) FROM t") == [(500,)]
    await db.close()


async def test_a_cancelled_caller_harms_nobody(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    tasks = [asyncio.create_task(db.run((ADD, (f"k{n}", n)))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, list) for outcome in done[1::2])
    await db.close()
    with pytest.raises(StateError, match="closed"):
        await db.run((ADD, ("late", 1)))


async def test_reads_are_bounded_and_cannot_write(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    with pytest.raises(StateError, match="readonly"):
        await db.rows("INSERT INTO t VALUES ('x', 1)")
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT {} FROM n"
    with pytest.raises(StateError, match="more than 10000"):
        await db.rows(numbers.format("x"), 20_000)
    with pytest.raises(StateError, match="longer than"):
        await db.rows(numbers.format("sum(x)"), 10**10)
    assert await db.rows("SELECT count(*) FROM t") == [(0,)]
    await db.close()


async def test_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    state = open_state(folder, steps=STEPS)
    await state.db.run((ADD, ("a", 1)))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == dict.fromkeys(
        ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "state.sqlite.lock"), "0o600"
    )
    await state.close()


async def test_a_folder_with_other_peoples_files_is_refused_and_an_empty_one_is_closed(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
        folder.chmod(0o755)
    (theirs / "thesis.txt").write_text("x")
    with pytest.raises(StateError, match="other users"):
        open_state(theirs, steps=STEPS)
    assert theirs.stat().st_mode & 0o777 == 0o755
    await open_state(mine, steps=STEPS).close()
    assert mine.stat().st_mode & 0o777 == 0o700


async def test_one_writer_and_it_is_named(tmp_path: Path) -> None:
    state = open_state(tmp_path, steps=STEPS)
    code = (
        f"from pathlib import Path; from interlock.state.folder import open_state; open_state(Path({str(tmp_path)!r}))"
    )
    other = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert f"in use by process {os.getpid()}" in other.stderr
    await state.close()
    await open_state(tmp_path, steps=STEPS).close()


async def test_steps_are_taken_once_and_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    db = SqliteDb(path, STEPS)
    await db.run((ADD, ("old", 1)))
    await db.close()
    longer = (*STEPS, ("ALTER TABLE t ADD COLUMN note TEXT", "UPDATE t SET note = 'upgraded'"))
    db = SqliteDb(path, longer)
    assert await db.rows("SELECT k, note FROM t") == [("old", "upgraded")]
    await db.close()
    with pytest.raises(StateError, match="step 2, this program knows 1"):
        SqliteDb(path, STEPS)
    await SqliteDb(path, longer).close()  # the refusal let go of the lock


async def test_a_failing_step_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(StateError):
        SqliteDb(path, (*STEPS, ("CREATE TABLE u (x)", "CREATE NONSENSE")))
    db = SqliteDb(path, STEPS)
    assert await db.rows("SELECT name FROM sqlite_master WHERE name = 'u'") == []
    await db.close()


CRASH = """
import asyncio, sys
from pathlib import Path
from interlock.state.db import SqliteDb
async def main():
    db = SqliteDb(Path(sys.argv[1]), (("CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER NOT NULL)",),))
    async def caller(name):
        number = 0
        while True:
            await db.run(("INSERT INTO t VALUES (?, 1)", (f"{name}-{number}-a",)),
                         ("INSERT INTO t VALUES (?, 2)", (f"{name}-{number}-b",)))
            sys.stdout.write(f"{name}-{number}\\n")
            sys.stdout.flush()
            number += 1
    await asyncio.gather(*(caller(n) for n in range(8)))
asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9_and_calls_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    process = subprocess.Popen([sys.executable, "-c", CRASH, str(path)], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert process.stdout
    acknowledged = [process.stdout.readline().strip() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split("\n")[:-1]  # the last line may be torn
    process.stdout.close()
    process.wait()
    db = SqliteDb(path, STEPS)  # the lock of the dead is free
    kept = {k for (k,) in await db.rows("SELECT k FROM t")}
    for name in acknowledged + rest:
        assert {f"{name}-a", f"{name}-b"} <= kept
    assert {k[:-1] + "a" for k in kept} == {k[:-1] + "a" for k in kept if k.endswith("b")}
    await db.close()


async def test_another_process_that_holds_the_file_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "x.sqlite", STEPS)
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    call = asyncio.create_task(db.run((ADD, ("a", 1))))
    await asyncio.sleep(0.05)
    assert not call.done()
    other.execute("ROLLBACK")
    assert await call == [Result(1, [])]
    other.close()
    await db.close()

"""Tampering of every sort is found, at the right place; and the documented check works for outsiders."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from interlock.clock import ManualClock
from interlock.governance.ledger import Entry, Ledger, Payload, chain, verify
from interlock.state.errors import StateError

NOW = 1_764_000_000.0


async def _build(folder: Path, *, entries: int = 20) -> None:
    ledger = Ledger(folder, ManualClock(NOW), head_every=5)
    for number in range(entries):
        await ledger.append(
            Entry("call", f"c{number}", NOW + number, "triage", "incident_get", verdict="allow", detail={"n": number}),
            Payload({"number": number}, b"answer") if number % 2 else None,
        )
    await ledger.flush()
    await ledger.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ledger") / "state"
    asyncio.run(_build(folder))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "state"))


def rehash(db: sqlite3.Connection, first: int) -> None:
    """What somebody does who knows the form: write the chain anew from an entry on."""
    (prev,) = db.execute("SELECT hash FROM chain WHERE seq = ?", (first - 1,)).fetchone()
    for seq, text in db.execute("SELECT seq, body FROM chain WHERE seq >= ? ORDER BY seq", (first,)).fetchall():
        body = {**json.loads(text), "prev": prev.hex(), "seq": seq}
        text = chain.recanonical(body).decode()
        prev = sha256(text.encode()).digest()
        db.execute("UPDATE chain SET body = ?, hash = ?, call_id = ? WHERE seq = ?", (text, prev, body["call"], seq))


def alter_and_rehash(db: sqlite3.Connection) -> None:
    db.execute("UPDATE chain SET body = replace(body, '\"allow\"', '\"refuse\"') WHERE seq = 8")
    rehash(db, 8)


def remove_and_rehash(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM vault WHERE seq >= 8")
    db.execute("DELETE FROM chain WHERE seq = 8")
    for seq in range(9, 21):
        db.execute("UPDATE chain SET seq = ? WHERE seq = ?", (seq - 1, seq))
    rehash(db, 8)


def unform_and_rehash(db: sqlite3.Connection) -> None:
    db.execute("UPDATE chain SET body = replace(body, '\"digests\":{', '\"digestz\":{') WHERE seq = 18")
    rehash(db, 18)


def swap(db: sqlite3.Connection) -> None:
    db.execute("UPDATE chain SET seq = 100 WHERE seq = 7")
    db.execute("UPDATE chain SET seq = 7 WHERE seq = 8")
    db.execute("UPDATE chain SET seq = 8 WHERE seq = 100")


def append_row(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO chain SELECT 21, hash, call_id, body FROM chain WHERE seq = 20")


def sql(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def tamper(db: sqlite3.Connection) -> None:
        for statement in statements:
            assert db.execute(statement).rowcount, statement

    return tamper


TAMPERING = {
    "body altered": (sql("UPDATE chain SET body = replace(body, '\"allow\"', '\"refuse\"') WHERE seq = 8"), 8, "hash"),
    "hash altered": (sql("UPDATE chain SET hash = zeroblob(32) WHERE seq = 8"), 8, "hash"),
    "hash as text": (sql("UPDATE chain SET hash = lower(hex(hash)) WHERE seq = 8"), 8, "hash"),
    "body as bytes": (sql("UPDATE chain SET body = CAST(body AS BLOB) WHERE seq = 8"), 8, "canonical"),
    "salt as text": (sql("UPDATE vault SET salt = 'abc' WHERE seq = 8"), 8, "payload was altered"),
    "member renamed and rehashed": (unform_and_rehash, 18, "not an entry"),
    "white space": (sql("UPDATE chain SET body = body || ' ' WHERE seq = 8"), 8, "canonical"),
    "not JSON": (sql("UPDATE chain SET body = 'x' WHERE seq = 8"), 8, "canonical"),
    "member twice": (sql("UPDATE chain SET body = '{\"a\":1,' || substr(body, 2) WHERE seq = 8"), 8, "hash"),
    "column altered": (sql("UPDATE chain SET call_id = 'other' WHERE seq = 8"), 8, "columns"),
    "removed": (sql("DELETE FROM chain WHERE seq = 8"), 8, "missing"),
    "first removed": (sql("DELETE FROM chain WHERE seq = 1"), 1, "missing"),
    "swapped": (swap, 7, "does not follow"),
    "row added at the end": (append_row, 21, "does not follow"),
    "cut off": (sql("DELETE FROM vault WHERE seq > 17", "DELETE FROM chain WHERE seq > 17"), 18, "cut off"),
    "emptied": (sql("DELETE FROM vault", "DELETE FROM chain"), 1, "cut off"),
    "altered and rehashed": (alter_and_rehash, 10, "written anew"),
    "removed and rehashed": (remove_and_rehash, None, ""),
    "renamed": (sql("UPDATE about SET chain = 'another'"), 1, "not here"),
    "payload altered": (sql("UPDATE vault SET answer = 'no' WHERE seq = 8"), 8, "payload was altered"),
    "salt altered": (sql("UPDATE vault SET salt = zeroblob(16) WHERE seq = 8"), 8, "payload was altered"),
    "part removed": (sql("UPDATE vault SET arguments = NULL WHERE seq = 8"), 8, "payload was altered"),
    "part added": (sql("UPDATE vault SET at = at - 1 WHERE seq = 8"), 8, "payload was altered"),
    "payload removed": (sql("DELETE FROM vault WHERE seq = 8"), 8, "payload is gone"),
    "payload added": (sql("INSERT INTO vault SELECT 7, at, salt, NULL, NULL FROM vault WHERE seq = 8"), 7, "payload"),
    "payload of nothing": (sql("INSERT INTO vault VALUES (99, 0, 'x', NULL, NULL)"), 99, "no entry"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found(folder: Path, name: str) -> None:
    tamper, first_bad, reason = TAMPERING[name]
    db = sqlite3.connect(folder / "ledger.sqlite")
    tamper(db)
    db.commit()
    db.close()
    report = verify(folder)
    assert not report.ok
    if first_bad is not None:
        assert report.first_bad == first_bad, report
    assert reason in (report.reason or ""), report


def test_the_untouched_one_is_fine(folder: Path) -> None:
    report = verify(folder)
    assert (report.ok, report.entries, report.first_bad, report.heads, report.unanchored) == (True, 20, None, 5, 0)


def test_damaged_pages_are_a_finding_not_a_crash(folder: Path) -> None:
    path = folder / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    report = verify(folder)
    assert not report.ok
    assert "damaged" in (report.reason or "")


def _lines(folder: Path) -> list[str]:
    return (folder / "anchors.jsonl").read_text().splitlines(keepends=True)


def test_forged_and_foreign_heads_are_found(folder: Path, tmp_path: Path) -> None:
    path = folder / "anchors.jsonl"
    lines = _lines(folder)
    path.write_text("".join([*lines[:-1], lines[-1].replace('"seq":20', '"seq":19')]))
    assert "signature" in (verify(folder).reason or "")
    path.write_text("".join([*lines, lines[-1].replace('"key":"', '"key":"0')]))
    assert "another key" in (verify(folder).reason or "")
    path.write_text("")
    assert "no signed head" in (verify(folder).reason or "")
    path.write_text("".join(lines))
    assert verify(folder).ok
    asyncio.run(_build(tmp_path / "other", entries=1))
    assert "another key" in (verify(folder, public=tmp_path / "other" / "ledger.pub").reason or "")


def test_an_old_copy_put_back_is_found_by_the_anchors_outside(whole: Path, tmp_path: Path) -> None:
    state, outside = tmp_path / "state", tmp_path / "outside.jsonl"
    shutil.copytree(whole, state)
    shutil.copy(state / "anchors.jsonl", outside)

    async def go_on() -> None:
        ledger = Ledger(state, ManualClock(NOW + 99), anchors=outside)
        await ledger.append(Entry("decision", "approve", NOW, "ann"))
        await ledger.close()

    asyncio.run(go_on())
    assert verify(state, anchors=outside).entries == 21
    shutil.copy(whole / "ledger.sqlite", state / "ledger.sqlite")
    assert verify(state).ok  # nothing inside the folder shows it
    report = verify(state, anchors=outside)
    assert (report.ok, report.first_bad) == (False, 21)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="public key"):
        verify(tmp_path)


def test_the_documented_check_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (chain.__doc__ or "").split("::\n\n", 1)[1]
    code = "\n".join(line[4:] for line in text.split("\n\nand compares")[0].splitlines())
    assert len(code.splitlines()) <= 20
    runnable = code.replace('"ledger.sqlite"', repr(str(folder / "ledger.sqlite")))
    exec(runnable, {})  # the example of our own documentation
    printed = capsys.readouterr().out
    last = json.loads(_lines(folder)[-1])
    assert re.fullmatch(rf"20 entries, last hash {last['hash']}\n", printed)
    db = sqlite3.connect(folder / "ledger.sqlite")
    db.execute("UPDATE chain SET body = replace(body, '\"allow\"', '\"refuse\"') WHERE seq = 8")
    db.commit()
    db.close()
    with pytest.raises(AssertionError, match="row 8 was altered"):
        exec(runnable, {})

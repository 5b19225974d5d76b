"""The mask file: what is written is found, what is damaged is told, and a new one is seen by other processes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from interlock.quality.gate.gate import FOLLOW_S, Gate  # noqa: E402
from interlock.quality.gate.mask import HEADER_BYTES, NEVER, SUFFIX, Mask, hash_of  # noqa: E402
from interlock.quality.gate.numbered import current  # noqa: E402
from interlock.quality.gate.publish import publish  # noqa: E402
from interlock.records.problems import Problem  # noqa: E402

CODES = tuple(f"CI-{n:02d}" for n in range(64))


@pytest.fixture
def connection() -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.execute("SET threads=1")
        yield connection


def write(connection: Any, folder: Path, flags: Mapping[str, set[str]], stale: Mapping[str, int], seq: int = 0) -> Path:
    connection.execute("CREATE OR REPLACE TABLE flagged (ref VARCHAR, code VARCHAR)")
    connection.execute("CREATE OR REPLACE TABLE stale (ref VARCHAR, stale_at BIGINT)")
    for table, rows in (
        ("flagged", [(ref, code) for ref, codes in flags.items() for code in codes]),
        ("stale", list(stale.items())),
    ):
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
    return publish(connection, folder, flags="flagged", stale="stale", as_of=1_000.0, scan="s1", seq=seq)


def test_every_record_is_found_with_its_checks(connection: Any, tmp_path: Path) -> None:
    seed = random.Random(4)
    refs = [f"snow:ci:CI{n}" for n in range(900)] + ["snow:ci:Straße 😀", "snow:ci:'; DROP TABLE", "a:b:\ud800"[:4]]
    flags = {ref: set(seed.sample(CODES, seed.randint(1, 6))) for ref in refs[:700]}
    flags["snow:ci:all"] = set(CODES)
    stale = {ref: seed.choice([0, -5, 1_700_000_000, 2**32 - 2, 2**40]) for ref in refs[300:]}
    mask = Mask(write(connection, tmp_path / "masks", flags, stale, seq=12))
    assert (mask.records, mask.seq, mask.as_of, mask.scan) == (len(set(flags) | set(stale)), 12, 1_000, "s1")
    for ref in {*flags, *stale, "snow:ci:unknown", ""}:
        bits, stale_at = mask.find(ref)
        assert mask.named(bits) == flags.get(ref, set()), ref
        assert stale_at == min(max(stale.get(ref, NEVER), 0), NEVER), ref


def test_the_hash_is_the_one_of_the_engine(connection: Any) -> None:
    for ref in ("snow:ci:CI1", "", "snow:ci:Straße 😀"):
        assert connection.execute("SELECT md5_number_lower(?)", [ref]).fetchall() == [(hash_of(ref),)]


def test_an_empty_mask_knows_nobody(connection: Any, tmp_path: Path) -> None:
    mask = Mask(write(connection, tmp_path / "masks", {}, {}))
    assert mask.find("snow:ci:CI1") == (0, NEVER)


def test_more_checks_than_bits_are_refused(connection: Any, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="65 checks"):
        write(connection, tmp_path / "masks", {"a": {*CODES, "ONE-MORE"}}, {})
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[: len(data) - 40], "follow its header"),
        (lambda data: data[:100], "has 100 bytes"),
        (lambda data: b"", "empty"),
        (lambda data: b"X" + data[1:], "begins otherwise"),
        (lambda data: data[:40] + b"?" + data[41:], "header does not match"),
        (
            lambda data: data[: HEADER_BYTES + 3] + bytes([data[HEADER_BYTES + 3] ^ 1]) + data[HEADER_BYTES + 4 :],
            "records",
        ),
    ],
)
def test_a_damaged_mask_is_told_and_not_asked(
    connection: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any, told: str
) -> None:
    path = write(connection, tmp_path / "masks", {"snow:ci:CI1": {"CI-01"}}, {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Problem, match=told) as raised:
        Mask(path)
    assert "interlock scan" in str(raised.value.next_step)
    store = Store({"snow:ci:CI1": ("evidence",)})
    gate = Gate(tmp_path / "masks", store)
    gate.follow()
    assert gate.fault is not None
    assert told in gate.fault.detail
    gate.follow()
    assert [told in record.getMessage() for record in caplog.records] == [True]  # once
    assert gate.flags("snow:ci:CI1") == ("evidence",)  # the store is the truth


class Store:
    """A flag store in memory."""

    def __init__(self, rows: dict[str, tuple[str, ...]]) -> None:
        self.rows, self.changed, self.asked = rows, list[str](), list[str]()

    def of(self, ref: str) -> tuple[str, ...]:
        self.asked.append(ref)
        return self.rows.get(ref, ())

    def changes_since(self, seq: int) -> tuple[int, list[str]]:
        return len(self.changed), self.changed[seq:]


def test_only_flagged_or_changed_records_are_looked_up(connection: Any, tmp_path: Path) -> None:
    write(connection, tmp_path / "masks", {"a": {"CI-01"}}, {"b": 500})
    now = [0.0]
    store = Store({"a": ("one",), "c": ("new",)})
    gate = Gate(tmp_path / "masks", store, monotonic=lambda: now[0])
    gate.follow()
    assert (gate.flags("a"), gate.flags("b"), gate.flags("c")) == (("one",), (), ())
    assert store.asked == ["a"]
    assert (gate.raised("b", 499), gate.raised("b", 500)) == (frozenset(), frozenset({"CI-STALE"}))
    store.changed.append("c")
    gate.follow()
    assert gate.flags("c") == ("new",)
    gate.moved(["d"])
    assert gate.flags("d") == ()
    assert store.asked[-1] == "d"
    now[0] = 60.0  # nobody follows any more: only the store can say
    assert gate.flags("b") == ()
    assert store.asked[-1] == "b"
    assert gate.raised("b", 500) is None


def test_another_mask_takes_over_and_old_ones_go(connection: Any, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    store = Store({})
    gate = Gate(folder, store)
    gate.follow()
    assert gate.mask is None
    for n in range(4):
        store.changed.append(f"r{n}")
        write(connection, folder, {f"r{n}": {"CI-01"}}, {}, seq=len(store.changed))
        gate.follow()
        assert gate.mask is not None
        assert gate.mask.seq == n + 1
        assert gate.raised(f"r{n}", 0.0) == {"CI-01"}
    assert sorted(path.name for path in folder.iterdir()) == ["3.mask", "4.mask", "current"]
    assert current(folder, SUFFIX) == "4.mask"


def test_another_process_sees_a_new_mask_within_a_second(connection: Any, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    write(connection, folder, {"a": {"CI-01"}}, {})
    follower = subprocess.Popen(
        [sys.executable, "-c", _FOLLOWER, str(folder)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    try:
        assert follower.stdout.readline() == "CI-01\n"
        write(connection, folder, {"a": {"CI-02"}}, {})
        written = time.time()
        seen, at = follower.stdout.readline().split()
        assert seen == "CI-02"
        assert float(at) - written < 1.0
    finally:
        follower.kill()
        follower.communicate()


_FOLLOWER = f"""
import sys, time
from pathlib import Path
from interlock.quality.gate.gate import Gate
class Nothing:
    def of(self, ref): return ()
    def changes_since(self, seq): return seq, ()
gate = Gate(Path(sys.argv[1]), Nothing())
gate.follow()
print(*gate.raised("a", 0.0), flush=True)
while gate.raised("a", 0.0) == {{"CI-01"}}:
    time.sleep({FOLLOW_S})
    gate.follow()
assert not {{"duckdb", "numpy", "pyarrow"}} & set(sys.modules)
print(*gate.raised("a", 0.0), time.time(), flush=True)
"""

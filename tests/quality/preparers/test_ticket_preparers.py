"""The derived tables about tickets: variants of categories, repeats, and the place of the text model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from interlock.quality.columns import MAX_SHOWN
from interlock.quality.judge import Judge
from interlock.quality.preparers import category_match, label_score, repeat_group
from interlock.quality.profile import Profile
from interlock.quality.stored import TABLES, stored
from interlock.records.times import to_text

NOW = 1_700_000_000
HOUR = 3_600
SQL = {"string": "VARCHAR", "int64": "BIGINT", "boolean": "BOOLEAN"}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{c.name}" {SQL[c.type]}' for c in TABLES["incident"])
        connection.execute(f"CREATE TABLE stored_incident ({columns})")
        connection.execute("CREATE TABLE declared_category (source VARCHAR, category VARCHAR)")
        yield connection


def put(con: duckdb.DuckDBPyConnection, records: list[dict[str, Any]]) -> None:
    rows = [stored("incident", r, r["ref"], r["ref"].partition(":")[0], NOW) for r in records]
    con.executemany(f"INSERT INTO stored_incident VALUES ({', '.join('?' * len(rows[0]))})", rows)


def ticket(number: int, at: int = NOW, **changes: Any) -> dict[str, Any]:
    return {
        "ref": f"snow:incident:INC{number}",
        "title": "VPN does not connect",
        "caller": {"ref": "snow:person:ann", "name": "Ann"},
        "ci": {"ref": "snow:ci:vpn1", "name": "vpn1"},
        "opened_at": to_text(at),
    } | changes


def groups(con: duckdb.DuckDBPyConnection, within: int = 24 * HOUR) -> dict[str, set[str]]:
    repeat_group.prepare(con, within)
    found: dict[str, set[str]] = {}
    for ref, key, n, first in con.execute("SELECT * FROM repeat_group").fetchall():
        found.setdefault(f"{key}/{n}/{first.rpartition(':')[2]}", set()).add(ref.rpartition(":")[2])
    return {key.partition("/")[2]: refs for key, refs in found.items()}


def test_repeats_are_chained_by_the_time_between_them(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [ticket(n, NOW + hours * HOUR) for n, hours in ((1, 0), (2, 24), (3, 48), (4, 73), (5, 200))])
    assert groups(con) == {"3/INC1": {"INC1", "INC2", "INC3"}}
    assert groups(con, 25 * HOUR) == {"4/INC1": {"INC1", "INC2", "INC3", "INC4"}}
    assert groups(con, 23 * HOUR) == {}


def test_the_text_is_compared_without_case_and_punctuation(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [ticket(1), ticket(2, title=" vpn  DOES not connect!!"), ticket(3, title="VPN connects")])
    assert groups(con) == {"2/INC1": {"INC1", "INC2"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": {"ref": "snow:person:bob"}},
        {"caller": None},
        {"ci": {"ref": "snow:ci:vpn2"}},
        {"ci": None},
        {"title": "  --  "},
        {"title": None},
        {"opened_at": None},
        {"ref": "other:incident:INC2"},
    ],
)
def test_what_differs_or_is_empty_is_no_repeat(con: duckdb.DuckDBPyConnection, changes: dict[str, Any]) -> None:
    both = changes if None in changes.values() else {}
    put(con, [ticket(1, **both), ticket(2, **changes)])
    assert groups(con) == {}


def test_repeats_equal_those_of_a_loop(con: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(3)
    made = [
        ticket(
            n,
            NOW + chance.randrange(400) * HOUR,
            ci={"ref": f"snow:ci:{chance.randrange(6)}"},
            title=chance.choice(["a b", "A-B", "c"]),
        )
        for n in range(400)
    ]
    put(con, made)
    repeat_group.prepare(con, 10 * HOUR)
    found = {ref: (n, first) for ref, _, n, first in con.execute("SELECT * FROM repeat_group").fetchall()}
    lines: dict[Any, list[tuple[int, str]]] = {}
    for record in made:
        same = (record["ci"]["ref"], record["title"].lower().replace("-", " "))
        at = con.execute("SELECT opened_at FROM stored_incident WHERE ref = ?", [record["ref"]]).fetchall()[0][0]
        lines.setdefault(same, []).append((at, record["ref"]))
    wanted: dict[str, tuple[int, str]] = {}
    for line in lines.values():
        line.sort()
        run = [line[0]]
        for entry in [*line[1:], (10**12, "end")]:
            if entry[0] - run[-1][0] <= 10 * HOUR:
                run.append(entry)
                continue
            wanted |= {ref: (len(run), run[0][1]) for _, ref in run if len(run) > 1}
            run = [entry]
    assert found == wanted
    assert len(found) > 100


def test_the_table_of_variants_says_what_the_live_judge_says(con: duckdb.DuckDBPyConnection) -> None:
    words = ["network", "NETWORK", "netork", "networks", "Category 41", "plumbing", "a|b", "ß", "😀", "x" * 300, " net"]
    declared = ["network", "hardware", "Category 42", "a|b"]
    put(con, [ticket(n, category=word) for n, word in enumerate(words)])
    put(con, [{"ref": "other:incident:1", "category": "netork"}, ticket(99, category=None)])
    con.executemany("INSERT INTO declared_category VALUES ('snow', ?)", [(word,) for word in declared])
    category_match.prepare(con)
    table = con.execute("SELECT category, canonical, score FROM category_match WHERE source = 'snow'").fetchall()
    assert con.execute("SELECT count(*) FROM category_match WHERE source <> 'snow'").fetchall() == [(0,)]
    judge = Judge(Profile.default().with_taxonomy("snow", declared, None))
    live = {}
    for word in words:
        for flag in judge.judge("incident", ticket(1, category=word), NOW).flags:
            live[word.strip()[:MAX_SHOWN]] = flag.code
    batch = {word: "TKT-CAT-CANON" for word, canonical, _ in table if word != canonical}
    near = {word for word, _, _ in table}
    batch |= {w.strip()[:MAX_SHOWN]: "TKT-CAT-UNKNOWN" for w in words if w.strip() not in near}
    assert live == batch
    assert {word: (canonical, score) for word, canonical, score in table}["netork"] == ("network", 85)


def test_the_place_of_the_text_model_is_there_and_empty(con: duckdb.DuckDBPyConnection) -> None:
    label_score.prepare(con)
    assert con.execute("SELECT ref, suggested, own, best FROM label_score").fetchall() == []

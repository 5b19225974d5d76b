"""Which CIs of two sources are one thing: in the engine as by the pure rule."""

from __future__ import annotations

import random
from collections import defaultdict

from tests.quality.quality_tables import Tables, on_duckdb

from interlock.quality.matching import KEYS, compare
from interlock.quality.preparers import same_as

EVERY = "|".join(("", *KEYS, ""))
SETTINGS = [{"source": source, "identified_by": EVERY} for source in ("a", "b", "c")]


def pairs(tables: Tables) -> set[tuple[str, str, str, str]]:
    con = on_duckdb(tables)
    same_as.prepare(con)
    rows = con.execute('SELECT ref, other, thing, "by" FROM same_as').fetchall()
    assert len(set(rows)) == len(rows)
    return set(rows)


def test_a_shared_key_makes_one_thing_in_both_directions() -> None:
    cis = [
        {"ref": "a:ci:1", "serial_key": "471108", "mac_key": "0cc47a112233"},
        {"ref": "b:ci:1", "serial_key": "471108"},
        {"ref": "a:ci:2", "serial_key": "471108x"},
    ]
    assert pairs({"stored_ci": cis, "ci_setting": SETTINGS}) == {
        ("a:ci:1", "b:ci:1", "serial:471108", "serial"),
        ("b:ci:1", "a:ci:1", "serial:471108", "serial"),
    }


def test_junk_and_what_stands_on_very_many_records_says_nothing() -> None:
    cis = [{"ref": f"{source}:ci:{n}", "serial_key": "k1"} for source in "ab" for n in range(same_as.MOST)]
    cis += [{"ref": f"{source}:ci:j", "serial_key": "junk1"} for source in "ab"]
    junk = [{"source": source, "key": "junk1"} for source in "ab"]
    assert pairs({"stored_ci": cis, "ci_setting": SETTINGS, "junk_key": junk}) == set()


def test_one_source_alone_has_no_others() -> None:
    cis = [{"ref": "a:ci:1", "serial_key": "k1"}, {"ref": "a:ci:2", "serial_key": "k1"}]
    assert pairs({"stored_ci": cis, "ci_setting": SETTINGS}) == set()


def test_random_cis_are_paired_as_the_pure_rule_pairs_them() -> None:
    chance = random.Random(5)
    records = {
        f"{chance.choice('abc')}:ci:{n}": {k: f"{k}{chance.randrange(60)}" for k in KEYS if chance.random() < 0.5}
        for n in range(150)
    }
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for keys in records.values():
        for key in keys.items():
            counted[key] += 1
    assert max(counted.values()) < same_as.MOST
    want = set()
    for one, left in records.items():
        for other, right in records.items():
            match = compare(left, right)
            if one[0] != other[0] and match.same:
                want.add((one, other, f"{match.by[0]}:{left[match.by[0]]}", match.by[0]))
    cis = [{"ref": ref, **{f"{k}_key": v for k, v in keys.items()}} for ref, keys in records.items()]
    assert pairs({"stored_ci": cis, "ci_setting": SETTINGS}) == want
    assert {by for *_, by in want} == set(KEYS)

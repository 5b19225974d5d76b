"""The live index: whatever changes, record by record, the flags are those of a scan of the same rows."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.quality.quality_tables import NOW, on_duckdb, whole

from interlock.quality import build, setsql
from interlock.quality.gate import live as live_module
from interlock.quality.gate.filling import fill
from interlock.quality.gate.live import Live, columns_of
from interlock.quality.kit import SetCheck
from interlock.quality.rowlevel import shipped
from interlock.quality.stored import TABLES, Stored
from interlock.quality.tables import ALL, KEYS
from interlock.records.kinds import FIELDS

CHECKS = {
    check.code: check
    for module in build.modules()
    for check in [build.check_of(module)]
    if isinstance(check, SetCheck) and check.key_local
}
USED = columns_of(shipped())
KINDS = sorted(table.removeprefix("stored_") for table in USED if table.startswith("stored_"))
WORDS = {
    "cls": ("server", "virtual_machine", "printer", None),
    "environment": ("production", "test", None),
    "status": ("live", "retired", "in_stock", None),
    "operational_status": ("operational", "retired", None),
    "type": ("depends_on", "runs_on", None),
    "category": ("network", "hardware", None),
    "key": ("x3", "y"),
    "score": (1000, 700),
    "role": ("cmdb", "monitoring", "asset", "itsm"),
    "identified_by": ("|serial|mac|fqdn|", "|serial|cloud_id|asset_tag|", "||"),
}
SOURCES = ("a", "b")


class World:
    """Random rows of few values, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.small = {table: self._small(table) for table in USED if not table.startswith("stored_")}

    def ref(self, kind: str) -> str:
        source, number = self.random.choice(SOURCES), self.random.randrange(12)
        return f"{source}:{kind}:{number}" if self.random.random() < 0.8 else f"{source}:{kind}:~{number}"

    def value(self, name: str, type_: str, kind: str | None = None) -> Any:
        field = FIELDS[kind].get(name) if kind else None
        if field is not None and field.type == "ref":
            return self.random.choice((None, *[self.ref(other) for other in field.refers for _ in range(4)]))
        if name in ("ref", "other"):
            return self.ref("ci")
        if name == "source":
            return self.random.choice(SOURCES)
        if name == "kind":
            return self.random.choice(KINDS)
        if name in WORDS:
            return self.random.choice(WORDS[name])
        if name == "known":
            fields = list(FIELDS[kind or "ci"])
            return f"|{'|'.join(fields if self.random.random() < 0.8 else fields[::2])}|"
        if type_ == "int64":
            return self.random.choice((None, NOW - 90 * 86_400, NOW - 5, NOW + 5, 10, 86_400))
        if type_ == "boolean":
            return self.random.choice((True, False, None))
        return self.random.choice((None, "x1", "x2", "x3"))

    def row(self, kind: str, ref: str) -> dict[str, Any]:
        values = {c.name: self.value(c.name, c.type, kind) for c in TABLES[kind]}
        source, _, key = ref.split(":", 2)
        values |= {"ref": ref, "source": source, "handle": key.removeprefix("~"), "ext": None}
        return values

    def _small(self, table: str) -> list[dict[str, Any]]:
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for _ in range(40):
            row = {c.name: self.value(c.name, c.type) for c in ALL[table]}
            empty = {c.name: "" if c.type == "string" else 0 for c in ALL[table]}
            row |= {name: row[name] if row[name] is not None else empty[name] for name in KEYS[table]}
            rows[tuple(row[name] for name in KEYS[table])] = row
        if table == "same_as":  # each pair is there in both directions
            for row in list(rows.values()):
                rows[row["other"], row["ref"]] = row | {"ref": row["other"], "other": row["ref"]}
        return list(rows.values())

    def tables(self) -> dict[str, Any]:
        return {f"stored_{kind}": list(rows.values()) for kind, rows in self.rows.items()} | self.small

    def scanned(self) -> dict[tuple[str, str], str]:
        """What a scan of everything finds."""
        found = {}
        with on_duckdb(self.tables()) as duck:
            for code in CHECKS:
                found.update({(ref, code): text for ref, text in duck.execute(batch(code)).fetchall()})
        # derived tables are not made anew here: what they say of records that are gone is nobody's
        return {(ref, code): text for (ref, code), text in found.items() if self._there(ref)}

    def _there(self, ref: str) -> bool:
        kind = ref.split(":")[1]
        return kind not in self.rows or ref in self.rows[kind]


@cache
def batch(code: str) -> str:
    return setsql.batch(CHECKS[code], NOW)


def at_once(flags: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """The flags of checks for which a change of another record does not wait for a scan."""
    return {(ref, code): text for (ref, code), text in flags.items() if not CHECKS[code].awaits_scan}


def stored(kind: str, row: dict[str, Any] | None) -> Stored | None:
    return None if row is None else tuple(row[column.name] for column in TABLES[kind])


def started(world: World, folder: Path, rows: int) -> Live:
    for _ in range(rows):
        kind = world.random.choice(KINDS)
        ref = world.ref(kind)
        world.rows[kind][ref] = world.row(kind, ref)
    with on_duckdb(world.tables()) as duck:
        fill(duck, folder, {"a": NOW, "b": NOW})
    return Live(folder)


@pytest.mark.parametrize("seed", range(2))
def test_touching_comes_to_what_a_scan_finds(seed: int, tmp_path: Path) -> None:
    world = World(seed)
    live = started(world, tmp_path / "live", 40)
    flags = world.scanned()
    seen = set(flags)
    for step in range(1, 121):
        kind = world.random.choice(KINDS)
        ref = world.random.choice([*world.rows[kind], world.ref(kind), world.ref(kind)])
        if world.random.random() < 0.25:
            row = world.rows[kind].pop(ref, None) and None
        else:
            row = world.rows[kind][ref] = world.row(kind, ref)
        touched = live.touch(kind, ref, stored(kind, row), NOW)
        assert not touched.left
        for other, verdicts in touched.verdicts.items():
            for code, evidence in verdicts.items():
                flags.pop((other, code), None)
                if evidence is not None:
                    flags[other, code] = evidence
        if step % 60 == 0:
            assert at_once(flags) == at_once(world.scanned()), step
        seen |= set(flags)
    assert len({code for _, code in seen}) >= 3  # the test has something to compare
    live.close()


def test_a_huge_group_is_left_to_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MOST", 5)
    world = World(1)
    world.small["ci_setting"] = [whole("ci_setting", {"source": "a", "identified_by": "|serial|"})]
    world.small["junk_key"] = []
    for number in range(9):
        row = dict.fromkeys((c.name for c in TABLES["ci"]), None)
        ref = f"a:ci:{number}"
        world.rows["ci"][ref] = row | {"ref": ref, "source": "a", "handle": str(number), "serial_key": "s"}
    live = started(world, tmp_path / "live", 0)
    touched = live.touch("ci", "a:ci:1", stored("ci", world.rows["ci"]["a:ci:1"]), NOW)
    assert "CI-DUP-IN" in touched.left
    assert "CI-DUP-IN" not in touched.verdicts.get("a:ci:1", {})
    live.close()


def test_a_new_index_takes_over_what_was_touched_meanwhile(tmp_path: Path) -> None:
    world = World(2)
    world.small["ci_setting"] = [whole("ci_setting", {"source": "a", "identified_by": "|serial|"})]
    world.small["junk_key"] = []
    blank = dict.fromkeys((c.name for c in TABLES["ci"]), None)
    one, two = (blank | {"ref": f"a:ci:{n}", "source": "a", "handle": n, "serial_key": "s"} for n in ("1", "2"))
    world.rows["ci"] = {"a:ci:1": one}
    live = started(world, tmp_path / "live", 0)
    live.touch("ci", "a:ci:2", stored("ci", two), NOW + 60.0)
    with on_duckdb(world.tables()) as duck:  # a scan of what was harvested before
        fill(duck, tmp_path / "live", {"a": NOW + 30.0})
    touched = live.touch("ci", "a:ci:1", stored("ci", one), NOW + 90.0)
    assert touched.verdicts["a:ci:1"]["CI-DUP-IN"] == "duplicate: serial s on 2 records, first a:ci:1"
    live.close()


def test_without_an_index_there_are_no_verdicts(tmp_path: Path) -> None:
    assert Live(tmp_path / "live").touch("ci", "a:ci:1", None, NOW).verdicts == {}

"""A scan by what changed finds what a full scan finds, whatever changed; and when it is not done."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.quality.quality_records import DAY, NOW
from tests.quality.scan.scan_bench import ScanBench, findings

from interlock.quality.profile import Profile
from interlock.quality.scan import full, nightly
from interlock.quality.scan.full import chosen
from interlock.records.times import to_text

Estate = dict[tuple[str, str], dict[str, dict[str, Any]]]

PROFILE = Profile.default().merge(
    {
        "ci": {"needs_asset": ["server"], "recommends": {"server": ["vendor"]}},
        "incident": {"classes": {"network": ["network_device"]}, "needs_ci": ["network"]},
        "source": {"sources": {"snow": {"roles": ["cmdb"]}, "legacy": {"roles": ["monitoring"]}}},
    }
)
CLASSES = ("server", "computer", "network_device", "service", "database")


def ci(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    keys = {
        "serial": chance.choice([None, "n/a", f"AB-{chance.randrange(60):04}"]),
        "mac": chance.choice([None, f"00:50:56:00:00:{chance.randrange(60):02x}"]),
        "fqdn": chance.choice([None, f"host{chance.randrange(60)}.corp.example"]),
    }
    return {
        "ref": f"{source}:ci:{number}",
        "handle": f"h{number}",
        "cls": chance.choice(CLASSES),
        "status": chance.choice(["live", "live", "retired"]),
        "operational_status": chance.choice(["operational", "retired", None]),
        "os": chance.choice(["Linux", "Windows", None, "tbd"]),
        "ip": f"10.0.0.{chance.randrange(40)}",
        "last_seen_at": to_text(NOW - chance.randrange(120) * DAY),
        "owner": {"ref": f"{source}:person:{chance.randrange(8)}"},
        **keys,
    }


def relationship(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    def end() -> dict[str, Any] | None:
        other = chance.randrange(80)
        return chance.choice([{"ref": f"{source}:ci:{other}"}, {"ref": f"{source}:ci:~h{other}"}, None])

    types = ["depends_on", "runs_on"]
    found = {"type": chance.choice(types), "subject": end(), "object": end()}
    return {"ref": f"{source}:relationship:{number}", **found}


def incident(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    return {
        "ref": f"{source}:incident:{number}",
        "title": f"t{chance.randrange(4)}",
        "state": chance.choice(["new", "closed"]),
        "impact": chance.choice(["high", "low"]),
        "urgency": chance.choice(["high", "low"]),
        "priority": chance.choice(["p1", "p3", "p5"]),
        "category": chance.choice(["network", "software", None]),
        "ci": chance.choice([None, {"ref": f"{source}:ci:{chance.randrange(80)}"}]),
        "caller": {"ref": f"{source}:person:{chance.randrange(8)}"},
        "opened_at": to_text(NOW - chance.randrange(30) * DAY),
    }


def asset(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    found = {"serial": f"AB-{chance.randrange(60):04}", "ci": {"ref": f"{source}:ci:{chance.randrange(80)}"}}
    return {"ref": f"{source}:asset:{number}", **found}


def person(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    return {"ref": f"{source}:person:{number}", "name": f"p{number}", "active": chance.random() < 0.8}


MAKERS = {"ci": (ci, 80), "relationship": (relationship, 150), "incident": (incident, 100), "asset": (asset, 30)}
MAKERS["person"] = (person, 6)


def estate(chance: random.Random) -> Estate:
    return {
        (source, kind): {str(n): make(chance, source, n) for n in range(count)}
        for source in ("snow", "legacy")
        for kind, (make, count) in MAKERS.items()
    }


def change(chance: random.Random, rows: Estate, kinds: tuple[str, ...], part: float = 0.06) -> set[tuple[str, str]]:
    """Change, remove and add records of these kinds; what was changed."""
    touched = set()
    for (source, kind), records in rows.items():
        if kind not in kinds:
            continue
        make = MAKERS[kind][0]
        for key in list(records):
            if chance.random() < part:
                touched.add((source, kind))
                if chance.random() < 0.3:
                    del records[key]
                else:
                    records[key] = make(chance, source, int(key))
        new = str(1000 + chance.randrange(1000))
        records[new] = make(chance, source, int(new))
        touched.add((source, kind))
    return touched


def put(bench: ScanBench, rows: Estate, which: set[tuple[str, str]] | None = None) -> None:
    for source, kind in rows if which is None else which:
        bench.put(source, kind, rows[source, kind].values())


def again(bench: ScanBench, as_of: float, **how: Any) -> Any:
    return nightly.run(bench.state, bench.profile, as_of, **how)


@pytest.fixture(autouse=True)
def _only_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "put_in_force", lambda *_: None)


LITTLE = [("incident", "ci", "relationship")]
MUCH = [("ci",), ("relationship",), ("incident", "person"), ("asset", "ci"), tuple(MAKERS)] * 2


@pytest.mark.parametrize(
    ("later", "kinds"),
    [(DAY, LITTLE), pytest.param(0, MUCH, marks=pytest.mark.slow), pytest.param(9 * DAY, MUCH, marks=pytest.mark.slow)],
)
def test_it_finds_what_a_full_scan_finds(tmp_path: Path, later: int, kinds: list[tuple[str, ...]]) -> None:
    chance = random.Random(3 + later)
    bench, rows = ScanBench(tmp_path / "delta", PROFILE), estate(chance)
    put(bench, rows)
    last = again(bench, NOW)
    assert last.mode == "full"
    found: set[str] = set()
    for number, which in enumerate(kinds):
        put(bench, rows, change(chance, rows, which))
        as_of = NOW + later * (number + 1)
        before = findings(last)
        last = again(bench, as_of)
        assert last.mode == "delta"
        whole = full.scan(tmp_path / f"full{number}", bench.snapshots.all_current(), PROFILE, as_of)
        assert findings(last) == findings(whole), which
        assert dict(last.counts) == dict(whole.counts)
        assert findings(last) != before
        found |= {code for code, *_ in findings(last)}
    assert len(found) >= 18, sorted({check.code for check in chosen(None)} - found)


def test_time_alone_is_enough_for_what_goes_stale(tmp_path: Path) -> None:
    bench = ScanBench(tmp_path)
    bench.put(
        "snow", "ci", [{"ref": "snow:ci:1", "cls": "server", "serial": "A1", "os": "x", "last_seen_at": to_text(NOW)}]
    )
    first = again(bench, NOW)
    last = again(bench, NOW + 61 * DAY)
    assert (first.counts["CI-STALE"], last.mode, last.since, last.counts["CI-STALE"]) == (0, "delta", "1", 1)


def test_it_is_not_done_under_another_profile_or_with_another_source_or_when_most_changed(tmp_path: Path) -> None:
    bench, rows = ScanBench(tmp_path), estate(random.Random(1))
    put(bench, rows, {("snow", "ci")})
    again(bench, NOW)
    assert again(bench, NOW).mode == "delta"
    assert again(bench, NOW, full=True).mode == "full"
    bench.profile = PROFILE
    assert again(bench, NOW).mode == "full"
    put(bench, rows, {("legacy", "ci")})
    assert again(bench, NOW).mode == "full"
    change(random.Random(2), rows, ("ci",), part=0.6)
    put(bench, rows, {("snow", "ci")})
    assert again(bench, NOW).mode == "full"

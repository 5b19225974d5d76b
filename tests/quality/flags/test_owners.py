"""Everybody who answers for records gets the flags on them."""

from __future__ import annotations

from pathlib import Path

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.quality.flags.owners import owner_list
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.stored import stored

GROUP = {"ref": "snow:group:Servers", "name": "Servers"}
ADA = {"ref": "snow:person:ada", "name": "Ada"}


def _harvested(state: Path) -> None:
    rows = {
        "ci": [
            {"ref": "snow:ci:1", "support_group": GROUP, "owner": ADA},
            {"ref": "snow:ci:2", "support_group": None, "owner": ADA},
            {"ref": "snow:ci:3"},
        ],
        "incident": [{"ref": "snow:incident:INC1", "group": GROUP}],
        "relationship": [{"ref": "snow:relationship:r1", "subject": {"ref": "snow:ci:2"}}],
    }
    snapshots = Snapshots(state / "snapshots")
    for kind, records in rows.items():
        draft = snapshots.begin("snow", kind)
        draft.write([stored(kind, record, f"h{n}", "snow", 5) for n, record in enumerate(records)])
        draft.publish()


def test_flags_are_told_to_who_answers_for_the_record(tmp_path: Path) -> None:
    state = tmp_path / "state"
    clock = ManualClock(1_000.0)
    store = FlagStore(state, clock)
    _harvested(state)
    for ref, code in (
        ("snow:ci:1", "CI-STALE"),
        ("snow:ci:1", "CI-ORPHAN"),
        ("snow:ci:2", "CI-STALE"),
        ("snow:ci:3", "CI-STALE"),
        ("snow:incident:INC1", "TKT-PRIO"),
        ("snow:relationship:r1", "REL-STALE"),
    ):
        found = [(row.code, row.evidence) for row in store.of(ref)] + [(code, f"stale: {ref}")]
        store.replace(ref, found, [each for each, _ in found], 1_000.0)
    store.stopped("w_1", "hold", [("snow:ci:2", "CI-STALE")], 1_001.0)
    store.act("waive", "snow:ci:1", "CI-ORPHAN", "eva", reason="stands alone", until=5_000.0)

    entries = {entry["owner"]: entry for entry in owner_list(state, clock.now())}

    assert list(entries) == ["snow:person:ada", "snow:group:Servers", ""]  # what stopped calls comes first
    assert entries["snow:group:Servers"]["codes"] == {"CI-STALE": 1, "TKT-PRIO": 1}
    assert {flag["ref"] for flag in entries["snow:person:ada"]["worst"]} == {"snow:ci:2", "snow:relationship:r1"}
    assert entries["snow:person:ada"]["stops"] == 1
    assert entries[""]["worst"][0]["ref"] == "snow:ci:3"

    clock.advance(5_000)
    assert {entry["owner"]: entry["flags"] for entry in owner_list(state, clock.now())}["snow:group:Servers"] == 3
    store.close()

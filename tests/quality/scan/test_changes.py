"""What changed is told between the snapshots that a scan took, whatever is published meanwhile."""

from __future__ import annotations

from pathlib import Path

from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.scan.changes import changes_since
from interlock.quality.stored import stored


def test_a_harvest_that_publishes_beside_a_scan_does_not_move_what_the_scan_reads(tmp_path: Path) -> None:
    store = Snapshots(tmp_path / "snapshots")

    def publish(name: str) -> None:
        draft = store.begin("snow", "ci")
        draft.write([stored("ci", {"ref": "snow:ci:1", "name": name}, "h1", "snow", 5)])
        draft.publish()

    publish("a")
    (first,) = store.all_current()
    publish("b")
    taken = store.all_current()
    publish("c")
    changes = changes_since(store, {"snow": {"ci": first.generation}}, taken)
    assert changes is not None
    assert [file.parent for file in changes.files["ci"]] == [taken[0].folder]
    assert store.all_current()[0].generation > taken[0].generation

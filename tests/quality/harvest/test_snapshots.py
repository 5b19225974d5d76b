"""Snapshots are published whole or not at all, and a killed draft goes on where it was counted."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from interlock.clock import ManualClock
from interlock.quality.harvest import draft as drafts
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.stored import TABLES, Stored, stored
from interlock.records.problems import Problem


def row(n: int, name: str | None = None, at: float = 5.0) -> Stored:
    record = {"ref": f"cmdb:ci:C{n}", "name": name or f"host-{n}", "serial": f"S{n}", "status": "live"}
    return stored("ci", record, f"h{n:04}", "cmdb", at)


def held(snapshot: object) -> list[tuple[object, ...]]:
    files = [str(path) for path in snapshot.files]  # type: ignore[attr-defined]
    return duckdb.connect().execute("SELECT * FROM read_parquet(?)", [files]).fetchall() if files else []


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots", ManualClock(1000.0))


def publish(snapshots: Snapshots, rows: list[Stored]) -> None:
    draft = snapshots.begin("cmdb", "ci")
    draft.write(rows)
    draft.publish()


def test_rows_come_back_as_they_were_written(snapshots: Snapshots) -> None:
    rows = [row(n) for n in range(5)]
    publish(snapshots, rows)
    now = snapshots.current("cmdb", "ci")
    assert now is not None
    assert held(now) == rows
    assert now.manifest.rows == 5
    assert now.manifest.known["serial"] == 5
    assert "os" not in now.manifest.known
    assert now.generation == 1
    assert [each.kind for each in snapshots.all_current()] == ["ci"]


@pytest.mark.parametrize("kind", list(TABLES))
def test_every_kind_has_an_empty_snapshot(snapshots: Snapshots, kind: str) -> None:
    snapshots.begin("cmdb", kind).publish()
    now = snapshots.current("cmdb", kind)
    assert now is not None
    assert (now.manifest.rows, now.files) == (0, [])


def test_the_older_generation_stays_as_it_was(snapshots: Snapshots) -> None:
    publish(snapshots, [row(1)])
    first = snapshots.current("cmdb", "ci")
    publish(snapshots, [row(2), row(3)])
    now, before = snapshots.current("cmdb", "ci"), snapshots.previous("cmdb", "ci")
    assert now is not None
    assert (now.generation, len(held(now))) == (2, 2)
    assert before == first
    assert before is not None
    assert len(held(before)) == 1
    with pytest.raises(Problem, match="in use"):
        snapshots.drop(now)
    snapshots.drop(before)
    assert snapshots.previous("cmdb", "ci") is None


def test_a_draft_goes_on_where_it_was_counted(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "PART_ROWS", 10)
    draft = snapshots.begin("cmdb", "ci", purpose={"mode": "full"})
    draft.write([row(n) for n in range(10)])
    assert draft.mark({"after": "h0009"}, pages=1)
    draft.write([row(n) for n in range(10, 20)])  # a part that no checkpoint counts
    draft.leave()  # as the kernel would after a kill
    again = snapshots.begin("cmdb", "ci", purpose={"mode": "full"})
    assert again.resumed
    assert (again.cursor, again.state, again.rows) == ({"after": "h0009"}, {"pages": 1}, 10)
    again.write([row(n) for n in range(10, 23)])
    again.mark({"after": "h0022"})
    again.publish()
    now = snapshots.current("cmdb", "ci")
    assert held(now) == [row(n) for n in range(23)]
    assert now is not None
    assert now.manifest.known["serial"] == 23


def test_a_draft_for_something_else_or_from_long_ago_begins_anew(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    snapshots = Snapshots(tmp_path, clock)
    for purpose, waited in (({"mode": "incremental"}, 0.0), ({"mode": "full"}, drafts.GOES_ON_S + 1)):
        draft = snapshots.begin("cmdb", "ci", purpose={"mode": "full"})
        draft.write([row(1)])
        draft.mark("there")
        draft.save()
        draft.leave()
        clock.advance(waited)
        again = snapshots.begin("cmdb", "ci", purpose=purpose)
        assert (again.resumed, again.rows, again.cursor) == (False, 0, None)
        again.abandon()


def test_a_part_that_lost_its_tail_is_not_gone_on_with(snapshots: Snapshots) -> None:
    draft = snapshots.begin("cmdb", "ci", purpose={"mode": "full"})
    draft.write([row(1)])
    draft.mark("there")
    draft.save()
    draft.leave()
    part = draft.folder / draft.parts[0].name
    part.write_bytes(part.read_bytes()[:-1])
    assert not snapshots.begin("cmdb", "ci", purpose={"mode": "full"}).resumed


@pytest.mark.parametrize("step", ["rename", "replace_text"])
def test_a_kill_between_the_last_steps_ends_in_the_published_state(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish(snapshots, [row(1)])
    draft = snapshots.begin("cmdb", "ci", purpose={"mode": "full"})
    draft.write([row(2), row(3)])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, killed) if step == "rename" else patch.setattr(drafts, step, killed)
        with pytest.raises(KeyboardInterrupt):
            draft.publish()
    draft.leave()
    now = snapshots.current("cmdb", "ci")
    assert now is not None
    assert now.generation == 1  # a reader meanwhile has the old one, whole
    snapshots.begin("cmdb", "ci", purpose={"mode": "full"}).abandon()
    now = snapshots.current("cmdb", "ci")
    assert now is not None
    assert (now.generation, held(now)) == (2, [row(2), row(3)])


def test_one_harvest_of_a_kind_at_a_time(snapshots: Snapshots) -> None:
    draft = snapshots.begin("cmdb", "ci")
    with pytest.raises(Problem, match="in use by process"):
        snapshots.begin("cmdb", "ci")
    draft.abandon()
    snapshots.begin("cmdb", "ci").abandon()
    assert snapshots.current("cmdb", "ci") is None


def test_one_set_aside_does_not_replace_and_can_be_taken(snapshots: Snapshots) -> None:
    publish(snapshots, [row(1), row(2)])
    draft = snapshots.begin("cmdb", "ci")
    draft.write([row(1)])
    draft.publish(why=["1 row where there were 2"])
    now, doubt = snapshots.current("cmdb", "ci"), snapshots.suspect("cmdb", "ci")
    assert now is not None
    assert doubt is not None
    assert (now.generation, len(held(now))) == (1, 2)
    assert (doubt.manifest.why, doubt.suspect) == (("1 row where there were 2",), True)
    taken = snapshots.accept("cmdb", "ci")
    assert taken == snapshots.current("cmdb", "ci")
    assert len(held(taken)) == 1
    with pytest.raises(Problem, match="no harvest that was set aside"):
        snapshots.accept("cmdb", "ci")


def test_a_delta_names_what_changed_and_what_is_gone(snapshots: Snapshots) -> None:
    publish(snapshots, [row(n) for n in range(6)])
    publish(snapshots, [row(0, at=9.0), row(1, "renamed"), row(3), row(4), row(5), row(7)])
    delta = snapshots.delta("cmdb", "ci", 1)
    assert delta is not None
    assert delta.refs(gone=False) == ["cmdb:ci:C1", "cmdb:ci:C7"]
    assert delta.refs(gone=True) == ["cmdb:ci:C2"]
    publish(snapshots, [])
    delta = snapshots.delta("cmdb", "ci", 2)
    assert delta is not None
    assert (delta.refs(gone=False), len(delta.refs(gone=True))) == ([], 6)
    assert snapshots.delta("cmdb", "ci", 99) is None

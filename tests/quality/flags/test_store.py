"""What single rules of the flag store promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.quality.flags.conftest import SEVERITIES

from interlock.clock import ManualClock
from interlock.quality.flags import FlagStore
from interlock.quality.flags.listing import Filters
from interlock.records.problems import Problem, Slug

DAY = 86_400.0
REF = "snow:ci:web1"


def test_a_waiver_follows_the_thing_when_its_ref_is_another(store: FlagStore, clock: ManualClock) -> None:
    store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now(), thing="serial:471108", handle="snow:ci:~1")
    store.act("waive", REF, "CI-STALE", "anna", "in the cellar", clock.now() + 30 * DAY)
    clock.advance(DAY)
    store.replace(
        "snow:ci:web2", [("CI-STALE", "old")], ["CI-STALE"], clock.now(), thing="serial:9", handle="snow:ci:~1"
    )
    store.replace("snow:ci:web3", [("CI-STALE", "old")], ["CI-STALE"], clock.now(), thing="serial:471108")
    store.replace("snow:ci:web4", [("CI-STALE", "old")], ["CI-STALE"], clock.now(), thing="serial:5")
    status = {name: store.of(f"snow:ci:{name}")[0].status for name in ("web1", "web2", "web3", "web4")}
    assert status == {"web1": "waived", "web2": "waived", "web3": "waived", "web4": "open"}
    (waive,) = [event for event in store.events("snow:ci:web3", "CI-STALE") if event.what == "waive"]
    assert (waive.by, waive.reason) == ("anna", "in the cellar")


def test_a_waiver_ends_by_the_clock(store: FlagStore, clock: ManualClock) -> None:
    store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    store.act("waive", REF, "CI-STALE", "anna", "known", clock.now() + DAY)
    assert [row.status for row in store.of(REF)] == ["waived"]
    assert store.listed(Filters(status=("waived",))).flags
    clock.advance(DAY)
    assert [row.status for row in store.of(REF)] == ["open"]
    assert not store.listed(Filters(status=("waived",))).flags


def test_reopening_ends_the_waiver_of_the_thing_everywhere(store: FlagStore, clock: ManualClock) -> None:
    for ref in (REF, "netbox:ci:web1"):
        store.replace(ref, [("CI-STALE", "old")], ["CI-STALE"], clock.now(), thing="serial:471108")
    store.act("waive", REF, "CI-STALE", "anna", "known", clock.now() + DAY)
    seq = store.sequence()
    assert store.of("netbox:ci:web1")[0].status == "waived"
    store.act("reopen", "netbox:ci:web1", "CI-STALE", "ben")
    assert {store.of(ref)[0].status for ref in (REF, "netbox:ci:web1")} == {"open"}
    assert sorted(store.changes_since(seq)[1]) == ["netbox:ci:web1", REF]


@pytest.mark.parametrize(
    ("what", "given", "field"),
    [
        ("waive", {"until": 2_000_000.0}, "reason"),
        ("waive", {"reason": "  ", "until": 2_000_000.0}, "reason"),
        ("waive", {"reason": "known"}, "until"),
        ("waive", {"reason": "known", "until": 999_999.0}, "until"),
        ("waive", {"reason": "known", "until": 1_000_000.0 + 367 * DAY}, "until"),
        ("assign", {}, "assignee"),
        ("forget", {}, "what"),
    ],
)
def test_an_act_names_what_is_missing(
    store: FlagStore, clock: ManualClock, what: str, given: dict[str, object], field: str
) -> None:
    store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    with pytest.raises(Problem) as caught:
        store.act(what, REF, "CI-STALE", "anna", **given)  # type: ignore[arg-type]
    assert (caught.value.slug, caught.value.field) == (Slug.INVALID_ARGUMENT, field)
    assert [event.what for event in store.events(REF, "CI-STALE")] == ["open"]


def test_an_act_on_a_resolved_flag_is_refused(store: FlagStore, clock: ManualClock) -> None:
    with pytest.raises(Problem, match="ever raised"):
        store.act("ack", REF, "CI-STALE", "anna")
    store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    store.replace(REF, [], ["CI-STALE"], clock.now())
    with pytest.raises(Problem) as caught:
        store.act("ack", REF, "CI-STALE", "anna")
    assert caught.value.slug is Slug.WRONG_STATE


def test_what_stopped_calls_comes_first_then_the_gravest_then_the_oldest(store: FlagStore, clock: ManualClock) -> None:
    for ref, code in (("a:ci:1", "TKT-PRIO"), ("a:ci:2", "CI-ORPHAN"), ("a:ci:3", "CI-STALE"), ("a:ci:4", "CI-STALE")):
        store.replace(ref, [(code, "e")], [code], clock.now())
        clock.advance(1)
    store.stopped("c1", "hold", [("a:ci:1", "TKT-PRIO"), ("a:ci:2", "CI-ORPHAN")], clock.now())
    store.stopped("c1", "hold", [("a:ci:1", "TKT-PRIO")], clock.now())  # the same call again
    store.stopped("c2", "refuse", [("a:ci:2", "CI-ORPHAN")], clock.now())
    pages, cursor = [], None
    while True:
        page = store.listed(limit=1, cursor=cursor)
        pages += [(flag.ref, flag.stops) for flag in page.flags]
        if (cursor := page.cursor) is None:
            break
    assert pages == [("a:ci:2", 2), ("a:ci:1", 1), ("a:ci:3", 0), ("a:ci:4", 0)]
    assert [flag.ref for flag in store.listed(Filters(severity=("high",))).flags] == ["a:ci:3", "a:ci:4"]
    assert [flag.ref for flag in store.listed(Filters(code=("TKT-PRIO", "CI-ORPHAN"))).flags] == ["a:ci:2", "a:ci:1"]
    assert not store.listed(Filters(source=("b",))).flags


def test_a_stop_before_the_first_scan_counts_when_the_flag_comes(store: FlagStore, clock: ManualClock) -> None:
    store.stopped("c1", "hold", [(REF, "CI-STALE")], clock.now())
    store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    assert store.of(REF)[0].stops == 1


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WyJzdG9wcyIsMV0", "WyJyZWYiLCJhIiwiYiJd"])
def test_a_foreign_cursor_is_refused(store: FlagStore, cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        store.listed(cursor=cursor)
    assert caught.value.field == "cursor"


def test_another_process_sees_a_change_by_its_number(store: FlagStore, clock: ManualClock) -> None:
    other = FlagStore(store.folder, clock, severities=SEVERITIES)
    seq = other.sequence()
    assert store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    seq, refs = other.changes_since(seq)
    assert refs == [REF]
    assert not store.replace(REF, [("CI-STALE", "old")], ["CI-STALE"], clock.now())
    assert other.changes_since(seq) == (seq, [])
    other.close()


def test_pruning_keeps_what_stands(store: FlagStore, clock: ManualClock, tmp_path: Path) -> None:
    store.replace(REF, [("CI-STALE", "old"), ("CI-ORPHAN", "e")], ["CI-STALE", "CI-ORPHAN"], clock.now())
    store.replace(REF, [("CI-STALE", "old")], ["CI-ORPHAN", "CI-STALE"], clock.now())
    store.stopped("c1", "hold", [(REF, "CI-STALE")], clock.now())
    clock.advance(400 * DAY)
    store.prune(clock.now() - 365 * DAY)
    assert [(row.code, row.stops) for row in store.of(REF)] == [("CI-STALE", 1)]
    assert [event.what for event in store.events(REF, "CI-STALE")] == ["open"]
    assert not store.events(REF, "CI-ORPHAN")

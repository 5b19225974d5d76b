"""Principals and keys in their file: who did what, and that two processes may."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.clock import ManualClock
from interlock.principals import Act, Agent, PrincipalStore, Scope, documents
from interlock.records.filters import AnyOf, Condition
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.state.errors import StateError

NOW = 1_764_000_000.0
SCOPE = Scope(
    (
        Condition("priority", "in", ("p1", "p2")),
        AnyOf((Condition("active", "eq", True), Condition("group", "empty"))),
        Condition("opened_at", "ge", "2026-01-01T00:00:00Z"),
    ),
    frozenset({"caller"}),
)
AGENT = Agent("triage", "desk", "Sorts.", frozenset({"incident_get", "ci_get"}), {"incident": SCOPE}, "reviewed")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> PrincipalStore:
    return PrincipalStore(tmp_path, clock)


def test_principals_come_back_as_they_went_in(store: PrincipalStore) -> None:
    store.add_agent(replace(AGENT, status="suspended", key="x"), by="os:root")
    ann = store.add_person("ann", "Ann Example", roles=["approver", "viewer"], groups=["desk"], by="os:root")
    metrics = store.add_service("metrics", "Fetches metrics.", roles=["viewer"], by="os:root")
    assert store.get("triage") == AGENT
    assert store.get("ann") == ann
    assert store.list() == [ann, metrics, AGENT]
    assert store.list("agent") == [AGENT]
    store.update(replace(AGENT, tools=frozenset()), by="ann")
    assert store.get("triage") == replace(AGENT, tools=frozenset())


def test_ids_are_unique_over_all_kinds_and_mistakes_are_named(store: PrincipalStore) -> None:
    store.add_agent(AGENT, by="r")
    with pytest.raises(Problem, match="taken already, by a principal of kind agent"):
        store.add_person("triage", "T", by="r")
    with pytest.raises(Problem, match="already"):
        store.add_agent(AGENT, by="r")
    with pytest.raises(Problem) as caught:
        store.add_person("bob", "Bob", roles=["aprover"], by="r")
    assert caught.value.next_step == "Did you mean approver?"
    with pytest.raises(Problem) as caught:
        store.add_person("../x", "X", by="r")
    assert caught.value.field == "id"
    with pytest.raises(Problem) as caught:
        store.get("nobody")
    assert caught.value.slug == Slug.NOT_FOUND
    assert store.sequence() == 1  # what failed left no act
    with pytest.raises(Problem, match="already"):
        store.update(store.add_service("svc", "S", by="r").__class__("triage", "S"), by="r")


def test_tokens_are_nowhere_in_the_files(store: PrincipalStore, tmp_path: Path) -> None:
    store.add_agent(AGENT, by="r")
    issued = store.issue("triage", by="r")
    assert issued.token.startswith(f"ilk_{issued.key.id}_")
    assert len(issued.token) >= 13 + 32
    secret = issued.token.split("_", 2)[2].encode()
    for path in tmp_path.iterdir():
        assert secret not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    assert issued.token not in repr(issued)
    store.add_person("ann", "Ann", by="r")
    assert store.issue("ann", by="r").token.startswith("ilp_")


def test_a_key_narrows_and_never_widens(store: PrincipalStore) -> None:
    store.add_agent(AGENT, by="r")
    assert store.issue("triage", by="r", tools=["ci_get"]).key.tools == {"ci_get"}
    assert store.issue("triage", by="r", tools=[]).key.tools == frozenset()
    with pytest.raises(Problem) as caught:
        store.issue("triage", by="r", tools=["ci_get", "incident_update"])
    assert caught.value.value == "incident_update"
    store.add_person("ann", "Ann", by="r")
    with pytest.raises(Problem, match="only an agent's"):
        store.issue("ann", by="r", tools=[])
    with pytest.raises(Problem, match="greater than 0"):
        store.issue("triage", by="r", lasts_s=0)


def test_rotation_overlaps_once_and_only_for_valid_keys(store: PrincipalStore, clock: ManualClock) -> None:
    store.add_agent(AGENT, by="r")
    old = store.issue("triage", by="r", tools=["ci_get"], lasts_s=1000).key
    clock.advance(500)
    new = store.rotate(old.id, 100, by="ann").key
    assert (new.tools, new.expires_at) == (old.tools, clock.now() + 90 * 86_400)
    assert (store.key(old.id).expires_at, store.key(old.id).replaced_by) == (clock.now() + 100, new.id)
    with pytest.raises(Problem, match="rotated already"):
        store.rotate(old.id, 100, by="ann")
    newest = store.rotate(new.id, 10**9, by="ann").key
    assert store.key(new.id).expires_at == new.expires_at  # an overlap does not prolong
    store.revoke(newest.id, by="ann")
    with pytest.raises(Problem, match="not valid any more"):
        store.rotate(newest.id, 0, by="ann")
    short = store.issue("triage", by="r", lasts_s=10).key
    clock.advance(10)
    with pytest.raises(Problem, match="not valid any more"):
        store.rotate(short.id, 0, by="ann")
    assert {key.id for key in store.keys("triage")} == {old.id, new.id, newest.id, short.id}


def test_the_suspended_get_no_keys(store: PrincipalStore) -> None:
    store.add_agent(AGENT, by="r")
    key = store.issue("triage", by="r").key.id
    assert store.suspend("triage", by="ann").status == "suspended"
    for forbidden in (lambda: store.issue("triage", by="r"), lambda: store.rotate(key, 1, by="r")):
        with pytest.raises(Problem) as caught:
            forbidden()
        assert caught.value.slug == Slug.REFUSED
    assert store.resume("triage", by="ann").status == "active"
    assert store.issue("triage", by="r")


def test_every_change_is_an_act_with_its_author(tmp_path: Path, clock: ManualClock) -> None:
    heard: list[Act] = []
    store = PrincipalStore(tmp_path, clock, on_act=heard.append)
    store.add_agent(AGENT, by="os:root")
    key = store.issue("triage", by="ann").key.id
    new = store.rotate(key, 60, by="ann").key.id
    store.revoke(new, by="bob")
    store.revoke(new, by="bob")  # changes nothing, says nothing
    store.suspend("triage", by="bob")
    store.suspend("triage", by="bob")
    said = [(act.by, act.what, act.subject) for act in heard]
    assert said == [
        ("os:root", "agent.add", "triage"),
        ("ann", "key.issue", "triage"),
        ("ann", "key.rotate", "triage"),
        ("bob", "key.revoke", "triage"),
        ("bob", "agent.suspend", "triage"),
    ]
    assert store.unrecorded() == heard
    store.mark_recorded([act.seq for act in heard[:3]])
    assert [act.seq for act in store.unrecorded()] == [4, 5]
    assert heard[2].detail == {"key": key, "new": new}


def test_two_processes_write_the_same_file(tmp_path: Path, clock: ManualClock) -> None:
    serve, cli = PrincipalStore(tmp_path, clock), PrincipalStore(tmp_path, clock)
    serve.add_agent(AGENT, by="r")
    cli.suspend("triage", by="os:root")
    assert serve.get("triage").status == "suspended"
    assert serve.sequence() == cli.sequence() == 2


def test_a_failed_change_leaves_nothing(store: PrincipalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add_agent(AGENT, by="r")
    store._db.execute("CREATE TRIGGER no BEFORE INSERT ON acts BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StateError):
        store.suspend("triage", by="r")
    store._db.execute("DROP TRIGGER no")
    assert store.get("triage").status == "active"
    assert store.suspend("triage", by="r").status == "suspended"


def test_a_scope_with_a_field_that_is_gone_denies_the_kind(store: PrincipalStore, tmp_path: Path) -> None:
    store.add_agent(AGENT, by="r")
    db = sqlite3.connect(tmp_path / "principals.sqlite")
    for gone in ('"caller"', '"priority"', '"incident"'):
        (document,) = db.execute("SELECT document FROM principals").fetchone()
        db.execute("UPDATE principals SET document = ?", (document.replace(gone, '"no_longer"'),))
        db.commit()
        agent = store.get("triage")
        assert isinstance(agent, Agent)
        assert dict(agent.scopes) == {}
        db.execute("UPDATE principals SET document = ?", (document,))
        db.commit()
    assert store.get("triage") == AGENT
    db.close()


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_CONDITIONS = (
    st.builds(Condition, st.just("number"), st.sampled_from(["eq", "ne", "contains"]), _TEXT)
    | st.builds(Condition, st.just("number"), st.just("in"), st.lists(_TEXT, min_size=1, max_size=3).map(tuple))
    | st.builds(Condition, st.just("active"), st.just("eq"), st.booleans())
    | st.builds(Condition, st.just("reopen_count"), st.just("gt"), st.integers(0, 10**6))
    | st.builds(Condition, st.just("title"), st.sampled_from(["empty", "not_empty"]))
)
_CLAUSES = _CONDITIONS | st.lists(_CONDITIONS, min_size=1, max_size=3).map(lambda group: AnyOf(tuple(group)))


@given(st.lists(_CLAUSES, max_size=5).map(tuple), st.frozensets(st.sampled_from(sorted(FIELDS["incident"]))))
@settings(deadline=None)
def test_any_scope_survives_the_file(clauses: tuple[Condition | AnyOf, ...], hidden: frozenset[str]) -> None:
    agent = replace(AGENT, scopes={"incident": Scope(clauses, hidden), "ci": Scope()})
    assert documents.read("triage", "agent", "active", documents.write(agent), FIELDS) == agent

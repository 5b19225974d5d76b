"""Who shows a token: quickly, without saying too much, and forgotten within a second."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from interlock.clock import ManualClock
from interlock.principals import Agent, Authenticator, Issued, PrincipalStore, authenticate
from interlock.records.problems import Problem, Slug

NOW = 1_764_000_000.0
AGENT = Agent("triage", "desk", "Sorts.", frozenset({"incident_get", "ci_get"}))


class House:
    """A gateway, a command line in another process, one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.serve, self.cli = PrincipalStore(folder, self.clock), PrincipalStore(folder, self.clock)
        self.cli.add_agent(AGENT, by="r")
        self.issued: Issued = self.cli.issue("triage", by="r", lasts_s=10_000)
        self.door = Authenticator(self.serve, self.clock)

    def enter(self, token: str | None = None) -> Slug | str:
        try:
            return self.door.authenticate(token or self.issued.token).id
        except Problem as problem:
            return problem.slug


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_token_gives_its_principal_and_names_the_key(house: House) -> None:
    agent = house.door.authenticate(house.issued.token)
    assert isinstance(agent, Agent)
    assert (agent.id, agent.key, agent.tools) == ("triage", house.issued.key.id, AGENT.tools)
    narrow = house.cli.issue("triage", by="r", tools=["ci_get"])
    narrowed = house.door.authenticate(narrow.token)
    assert isinstance(narrowed, Agent)
    assert narrowed.tools == {"ci_get"}
    house.cli.add_person("ann", "Ann", by="r")
    assert house.door.authenticate(house.cli.issue("ann", by="r").token).kind == "person"


def test_a_key_narrows_what_is_left_after_the_declaration_shrank(house: House) -> None:
    narrow = house.cli.issue("triage", by="r", tools=["ci_get"])
    house.cli.update(Agent("triage", "desk", "Sorts.", frozenset({"incident_get"})), by="r")
    agent = house.door.authenticate(narrow.token)
    assert isinstance(agent, Agent)
    assert agent.tools == frozenset()


def test_all_bad_tokens_get_the_same_answer(house: House) -> None:
    token = house.issued.token
    expired = house.cli.issue("triage", by="r", lasts_s=1)
    revoked = house.cli.issue("triage", by="r")
    house.cli.revoke(revoked.key.id, by="r")
    house.clock.advance(2)
    last = "A" if token[-1] != "A" else "B"
    bad = [
        "", " ", "Bearer", "\ud800", "ilk_", "x" * 10_000, token[:-1], token + "A", token[:-1] + last,
        token.upper(), "ilp" + token[3:], token[:4] + "aaaaaaaa" + token[12:], expired.token, revoked.token,
        "ilk_aaaaaaaa_" + "a" * 43,
    ]  # fmt: skip
    bodies = []
    for wrong in bad:
        with pytest.raises(Problem) as caught:
            house.door.authenticate(wrong)
        bodies.append(caught.value.body())
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["slug"] == "unauthenticated"
    assert house.enter() == "triage"


def test_suspension_by_another_process_is_seen_within_a_second(house: House) -> None:
    assert house.enter() == "triage"
    house.cli.suspend("triage", by="os:root")
    house.clock.advance(0.5)
    assert house.enter() == "triage"  # the cache: this is what makes it quick
    house.clock.advance(0.5)
    assert house.enter() == Slug.REFUSED
    assert house.enter("ilk_aaaaaaaa_" + "a" * 43) == Slug.UNAUTHENTICATED
    house.cli.resume("triage", by="os:root")
    house.clock.advance(1)
    assert house.enter() == "triage"


def test_revocation_and_new_tools_too(house: House) -> None:
    assert house.enter() == "triage"
    house.cli.update(Agent("triage", "desk", "Sorts.", frozenset()), by="r")
    house.clock.advance(1)
    agent = house.door.authenticate(house.issued.token)
    assert isinstance(agent, Agent)
    assert agent.tools == frozenset()
    house.cli.revoke(house.issued.key.id, by="r")
    house.clock.advance(1)
    assert house.enter() == Slug.UNAUTHENTICATED


def test_acts_of_this_process_are_seen_at_once(house: House) -> None:
    assert house.enter() == "triage"
    house.serve.suspend("triage", by="ann")
    assert house.enter() == Slug.REFUSED


def test_rotation_and_expiry_to_the_second_although_cached(house: House) -> None:
    assert house.enter() == "triage"
    new = house.cli.rotate(house.issued.key.id, 100, by="r", lasts_s=1000)
    house.clock.advance(99.9)
    assert house.enter() == "triage"
    assert house.enter(new.token) == "triage"
    house.clock.advance(0.2)
    assert house.enter() == Slug.UNAUTHENTICATED
    house.clock.advance(899.8)
    assert house.enter(new.token) == "triage"
    house.clock.advance(0.2)
    assert house.enter(new.token) == Slug.UNAUTHENTICATED


def test_the_day_of_the_last_use_is_noted_once_a_day(house: House) -> None:
    forever = house.cli.issue("triage", by="r", lasts_s=None)

    def noted() -> str | None:
        return house.cli.key(forever.key.id).last_used

    house.enter(forever.token)
    house.clock.advance(1)
    house.enter(forever.token)
    assert noted() == "2025-11-24"
    house.clock.advance(86_400)
    house.enter(forever.token)  # cached since yesterday
    house.clock.advance(1)
    house.enter(forever.token)
    assert noted() == "2025-11-25"


def test_a_busy_file_delays_the_note_and_not_the_call(house: House) -> None:
    house.enter()
    house.cli._db.execute("BEGIN IMMEDIATE")
    house.clock.advance(1)
    began = time.monotonic()
    assert house.enter() == "triage"
    assert time.monotonic() - began < 0.5
    house.cli._db.execute("ROLLBACK")
    house.clock.advance(1)
    assert house.enter() == "triage"
    assert house.cli.key(house.issued.key.id).last_used == "2025-11-24"


def test_the_cache_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "CACHED", 3)
    tokens = [house.cli.issue("triage", by="r").token for _ in range(10)]
    for token in tokens * 2:
        assert house.enter(token) == "triage"
        assert len(house.door._known) <= 3
    assert not any(token in repr(house.door._known) for token in tokens)


def test_cached_authentication_takes_microseconds(house: House) -> None:
    token = house.issued.token
    house.enter(token)
    best = min(_time(house.door, token) for _ in range(7))
    assert best < 6e-6  # 3 us on a quiet core; the bound leaves room for a shared one


def _time(door: Authenticator, token: str) -> float:
    began = time.perf_counter()
    for _ in range(2000):
        door.authenticate(token)
    return (time.perf_counter() - began) / 2000

"""The journal of writes: its table of moves, fences, claims, one-use decisions, keys."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.state import journal as module
from interlock.state.folder import open_state
from interlock.state.journal import ENDS, TRANSITIONS, Journal, WriteRow

NOW = 1_790_000_000.0
STATES = sorted({state for moves in TRANSITIONS.values() for state in moves})


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    state = open_state(tmp_path, synchronous="NORMAL")
    yield Journal(state.db)
    await state.close()


def a_row(**changes: Any) -> WriteRow:
    row = WriteRow(
        id="w_1",
        key="bot|d|1",
        key_given=0,
        key_until=NOW + 600,
        digest="d",
        principal="bot",
        tool="incident_create",
        source="snow",
        kind="incident",
        ref=None,
        call={"raw": {"title": "ü"}},
        state="performing",
        receipt=None,
        fence=1,
        owner=None,
        due_at=NOW + 30,
        quiet_at=NOW + 60,
        attempts=1,
        give_up_at=NOW + 3600,
        expires_at=None,
        decision=None,
        needs_person=0,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(row, **changes)


def table() -> str:
    """The transitions as a table, one line a state."""
    return "\n".join(f"{state or '(none)':<12}{', '.join(sorted(to))}" for state, to in TRANSITIONS.items())


def documented() -> dict[str | None, set[str]]:
    """The table in the module's docstring."""
    rule, *_ = (line for line in (module.__doc__ or "").splitlines() if line.startswith("==="))
    first, second, third = (found.start() for found in re.finditer("=+", rule))
    body = (module.__doc__ or "").split(rule)[2]
    found: dict[str | None, set[str]] = {}
    state = ""
    for line in body.strip("\n").splitlines():
        state = line[first:second].strip() or state
        words = {word for word in re.split(r"[,\s]+", line[second:third]) if word}
        found.setdefault(None if state == "(none)" else state, set()).update(words)
    return found


def test_the_table_of_moves_is_the_documented_one() -> None:
    print(table())
    assert {state: set(to) for state, to in TRANSITIONS.items()} == documented(), table()


def test_every_state_but_the_ends_leads_on_and_every_one_can_be_reached() -> None:
    assert set(TRANSITIONS) - {None} == set(STATES) - ENDS
    reached: set[str | None] = {None}
    for _ in STATES:
        reached |= {to for state in reached for to in TRANSITIONS.get(state, ())}
    assert reached == {None, *STATES}


async def test_a_row_comes_back_as_it_went_in(journal: Journal) -> None:
    row = a_row(receipt={"outcome": "held", "n": [1, None]}, decision={"by": "maria"})
    assert await journal.begin(row) is None
    assert await journal.get("w_1") == row
    assert await journal.get("w_2") is None


@pytest.mark.parametrize(("state", "to"), list(itertools.product([s for s in TRANSITIONS if s], STATES)))
async def test_only_moves_of_the_table_can_be_made(journal: Journal, state: str, to: str) -> None:
    row = a_row(state=state)
    await journal.begin(row)
    if to in TRANSITIONS[state]:
        assert await journal.move(row, to, NOW + 1, due_at=NOW + 2, receipt={"outcome": to})
        kept = await journal.get("w_1")
        assert kept == row
        assert (row.state, row.due_at) == (to, None if to in ENDS else NOW + 2)
    else:
        with pytest.raises(ValueError, match=f"{state} to {to}"):
            await journal.move(row, to, NOW + 1)
        assert (await journal.get("w_1")).state == state  # type: ignore[union-attr]


async def test_a_move_with_an_old_fence_changes_nothing(journal: Journal) -> None:
    mine = a_row()
    await journal.begin(mine)
    (theirs,) = await journal.claim_due("other", NOW + 31, 60, 10)
    assert (theirs.fence, theirs.owner, theirs.due_at) == (2, "other", NOW + 91)
    assert not await journal.move(mine, "applied", NOW + 32, receipt={"outcome": "applied"})
    assert (mine.state, (await journal.get("w_1"))) == ("performing", theirs)
    assert await journal.move(theirs, "unknown", NOW + 33, due_at=NOW + 40)
    assert not await journal.move(replace(theirs, state="performing"), "applied", NOW + 34)  # it moved on


async def test_a_claim_takes_what_is_due_once_oldest_first(journal: Journal) -> None:
    for n in range(5):
        await journal.begin(a_row(id=f"w_{n}", key=f"k{n}", due_at=NOW + n))
    await journal.begin(a_row(id="ended", key="k9", state="applied", due_at=None))
    taken = await asyncio.gather(*(journal.claim_due(f"me{n}", NOW + 3, 60, 2) for n in range(4)))
    assert [len(rows) for rows in taken] == [2, 2, 0, 0]
    assert sorted(row.id for rows in taken for row in rows) == ["w_0", "w_1", "w_2", "w_3"]
    assert sorted(row.id for row in taken[0]) == ["w_0", "w_1"]
    assert await journal.claim_due("late", NOW + 62.9, 60, 10) == [await journal.get("w_4")]
    assert len(await journal.claim_due("late", NOW + 64, 60, 10)) == 4  # their leases are over


class TestKeys:
    async def test_one_live_row_a_key(self, journal: Journal) -> None:
        first = a_row()
        assert await journal.begin(first) is None
        assert await journal.begin(a_row(id="w_2")) == first
        assert await journal.get("w_2") is None
        assert await journal.by_key("bot|d|1", NOW + 599) == first
        assert await journal.by_key("bot|d|1", NOW + 600) is None
        assert await journal.begin(a_row(id="w_3", created_at=NOW + 601)) is None

    async def test_of_many_at_once_one_wins(self, journal: Journal) -> None:
        done = await asyncio.gather(*(journal.begin(a_row(id=f"w_{n}")) for n in range(20)))
        assert done.count(None) == 1
        (winner,) = await journal.listed(("performing",))
        assert {other.id for other in done if other is not None} == {winner.id}

    @pytest.mark.parametrize(
        ("to", "given", "freed", "kept"),
        [
            ("applied", 0, False, True),
            ("partial", 0, False, True),
            ("not_applied", 0, False, False),
            ("not_applied", 1, False, True),
            ("not_applied", 1, True, False),
            ("applied", 1, True, True),
        ],
    )
    async def test_when_a_key_is_free_again(
        self, journal: Journal, to: str, given: int, freed: bool, kept: bool
    ) -> None:
        row = a_row(key_given=given)
        await journal.begin(row)
        await journal.move(row, to, NOW + 1, free_key=freed)
        assert (await journal.by_key(row.key, NOW + 1) is not None) is kept


class TestDecide:
    def _held(self, **changes: Any) -> WriteRow:
        return a_row(state="held", expires_at=NOW + 100, due_at=NOW + 100, give_up_at=NOW + 50, **changes)

    async def test_of_two_approvals_one_counts(self, journal: Journal) -> None:
        await journal.begin(self._held())
        tries = [journal.decide("w_1", "d", n % 2 == 0, {"by": str(n)}, NOW + 1) for n in range(6)]
        assert sum(await asyncio.gather(*tries)) == 1

    async def test_an_approval_releases_renews_the_deadline_and_is_due_now(self, journal: Journal) -> None:
        await journal.begin(self._held())
        assert await journal.decide("w_1", "d", True, {"by": "maria"}, NOW + 9, give_up_at=NOW + 3609)
        row = await journal.get("w_1")
        assert row is not None
        assert (row.state, row.due_at, row.fence, row.give_up_at) == ("released", NOW + 9, 2, NOW + 3609)
        assert row.decision == {"by": "maria"}

    @pytest.mark.parametrize("given", [0, 1])
    async def test_a_denial_ends_with_its_own_receipt(self, journal: Journal, given: int) -> None:
        await journal.begin(self._held(key_given=given, receipt={"outcome": "held"}))
        assert await journal.decide("w_1", "d", False, {}, NOW + 1, receipt={"outcome": "refused"})
        row = await journal.get("w_1")
        assert row is not None
        assert (row.state, row.due_at, row.receipt) == ("refused", None, {"outcome": "refused"})
        assert (await journal.by_key(row.key, NOW + 2) is not None) is bool(given)

    @pytest.mark.parametrize(("digest", "at"), [("other", NOW + 1), ("d", NOW + 100), ("d", NOW + 101)])
    async def test_not_for_another_digest_nor_after_expiry(self, journal: Journal, digest: str, at: float) -> None:
        await journal.begin(self._held())
        assert not await journal.decide("w_1", digest, True, {}, at)
        assert (await journal.get("w_1")).state == "held"  # type: ignore[union-attr]


async def test_counts_and_lists(journal: Journal) -> None:
    for n, state in enumerate(["held", "held", "unknown", "applied"]):
        await journal.begin(a_row(id=f"w_{n}", key=f"k{n}", state=state, created_at=NOW - n, needs_person=n % 2))
    assert await journal.counts() == {"applied": 1, "held": 2, "unknown": 1}
    assert [row.id for row in await journal.listed(("held", "unknown"))] == ["w_2", "w_1", "w_0"]
    assert [row.id for row in await journal.listed(("held", "unknown"), limit=1)] == ["w_2"]
    assert [row.id for row in await journal.listed(("held", "applied"), needs_person=True)] == ["w_3", "w_1"]

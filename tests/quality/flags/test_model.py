"""Random findings, acts and times against a model in plain Python that knows nothing of events or SQL."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.quality.flags.conftest import Found, Write

from interlock.clock import ManualClock
from interlock.quality.flags import FlagRow, FlagStore
from interlock.quality.flags.listing import Filters
from interlock.quality.flags.statuses import flapping, standing
from interlock.records.problems import Problem

DAY = 86_400
REFS = ["snow:ci:a", "snow:ci:b", "netbox:ci:a", "snow:incident:1"]
CODES = ["CI-STALE", "CI-ORPHAN", "TKT-PRIO"]
PAIRS = [(ref, code) for ref in REFS for code in CODES]


@dataclass
class Model:
    """What should stand: a dict a flag, and when each was last looked at live."""

    flags: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    looked: dict[tuple[str, str], float] = field(default_factory=dict)
    stops: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    waivers: dict[tuple[str, str], float] = field(default_factory=dict)

    def find(self, pair: tuple[str, str], evidence: str, now: float) -> None:
        flag = self.flags.get(pair)
        if flag is not None and flag["open"]:
            flag["evidence"] = evidence
            return
        if flag is not None and now - flag["resolved"] <= 14 * DAY:
            flag["reopened"] = flag["reopened"] + 1 if now - flag["returned"] <= 14 * DAY else 1
            flag.update(open=True, evidence=evidence, returned=now, known=None)
            return
        self.flags[pair] = {
            "open": True, "evidence": evidence, "first": now, "reopened": 0, "returned": float("-inf"),
            "known": None, "assignee": None, "waived": self.waivers.get(pair, 0.0), "resolved": None,
        }  # fmt: skip

    def lose(self, pair: tuple[str, str], now: float) -> None:
        flag = self.flags.get(pair)
        if flag is not None and flag["open"]:
            flag.update(open=False, resolved=now)

    def scan(self, found: Found, codes: list[str], harvested: float, now: float) -> None:
        for pair in PAIRS:
            if pair[1] in codes and self.looked.get(pair, 0) <= harvested:
                if pair in found:
                    self.find(pair, found[pair], now)
                else:
                    self.lose(pair, now)

    def act(self, what: str, pair: tuple[str, str], until: float, now: float) -> bool:
        flag = self.flags.get(pair)
        if flag is None or (not flag["open"] and what != "reopen"):
            return False
        waived = flag["waived"] > now
        if what == "unwaive" and not waived:
            return False
        if what == "ack":
            flag["known"] = "anna"
        elif what == "assign":
            flag["assignee"] = "Network"
        elif what == "waive":
            flag["waived"] = self.waivers[pair] = until
        else:
            if what == "reopen":
                if not flag["open"]:
                    self.looked[pair] = max(now, self.looked.get(pair, 0))
                flag.update(open=True, known=None, assignee=None, resolved=None)
            if waived:
                self.waivers.pop(pair, None)
            flag["waived"] = 0.0
        return True

    def status(self, pair: tuple[str, str], now: float) -> str:
        flag = self.flags[pair]
        if not flag["open"]:
            return "resolved"
        if flag["waived"] > now:
            return "waived"
        return "assigned" if flag["assignee"] else "acknowledged" if flag["known"] else "open"


def _compare(store: FlagStore, model: Model, now: float) -> None:
    rows = {(row.ref, row.code): row for ref in REFS for row in store.of(ref)}
    assert rows.keys() == model.flags.keys()
    for pair, row in rows.items():
        flag = model.flags[pair]
        assert (row.status, row.evidence, row.first_at, row.reopened) == (
            model.status(pair, now), flag["evidence"], flag["first"], flag["reopened"],
        )  # fmt: skip
        assert row.flapping == (flag["reopened"] >= 3 and now - flag["returned"] <= 14 * DAY)
        assert row.stops == len(model.stops.get(pair, ()))
        _events_agree(store, row, now)
    listed = store.listed(Filters(status=("open", "acknowledged", "assigned", "waived", "resolved"))).flags
    places = {"high": 0, "medium": 1, "low": 2}
    assert [(f.ref, f.code) for f in listed] == sorted(
        rows, key=lambda p: (-rows[p].stops, places[rows[p].severity], rows[p].first_at, p)
    )


def _events_agree(store: FlagStore, row: FlagRow, now: float) -> None:
    told = standing(store.events(row.ref, row.code))
    assert (told.at(now), told.first_at, told.status_at, told.reopened, told.resolved_at) == (
        row.status, row.first_at, row.status_at, row.reopened, row.resolved_at,
    )  # fmt: skip
    assert flapping(told.reopened, told.returned_at, now) == row.flapping


@pytest.mark.parametrize("seed", range(12))
def test_any_history(seed: int, store: FlagStore, clock: ManualClock, write: Write) -> None:
    rng = random.Random(seed)
    model = Model()
    for number in range(30):
        clock.advance(rng.choice([1, 3600, DAY, 4 * DAY, 9 * DAY, 14 * DAY, 20 * DAY]))
        now = clock.now()
        match rng.choice(["scan", "scan", "replace", "replace", "act", "act", "stop", "again"]):
            case "scan":
                codes = rng.choice([CODES, CODES, CODES[:2]])
                found = {p: f"e{rng.randrange(2)}" for p in PAIRS if p[1] in codes and rng.random() < 0.5}
                harvested = now - rng.choice([0, 0, 2, 5 * DAY])
                seen = dict.fromkeys(("snow", "netbox"), harvested)
                ran = None if codes is CODES else codes
                store.publish(write(found), f"scan-{number}", now, codes=ran, harvested=seen)
                model.scan(found, codes, harvested, now)
            case "replace":
                ref, codes = rng.choice(REFS), rng.sample(CODES, rng.randrange(1, 4))
                now_found = [(code, f"e{rng.randrange(3)}") for code in codes if rng.random() < 0.5]
                store.replace(ref, now_found, codes, now)
                for code in codes:
                    model.looked[ref, code] = now
                    if code in dict(now_found):
                        model.find((ref, code), dict(now_found)[code], now)
                    else:
                        model.lose((ref, code), now)
            case "act":
                what, pair = rng.choice(["ack", "assign", "waive", "unwaive", "reopen"]), rng.choice(PAIRS)
                until = now + rng.choice([DAY, 30 * DAY])
                done = model.act(what, pair, until, now)
                given = {"reason": "known", "until": until} if what == "waive" else {}
                given |= {"assignee": "Network"} if what == "assign" else {}
                with nullcontext() if done else pytest.raises(Problem):
                    store.act(what, *pair, "anna", **given)  # type: ignore[arg-type]
            case "stop":
                pair, call = rng.choice(PAIRS), f"call-{rng.randrange(8)}"
                store.stopped(call, "hold", [pair], now)
                model.stops.setdefault(pair, set()).add(call)
            case _:
                pass  # only time goes by
        _compare(store, model, clock.now())

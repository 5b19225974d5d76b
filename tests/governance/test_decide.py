"""The one decision, on every combination of what it depends on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from interlock.governance.authority import DeclaredTools, Request
from interlock.governance.decide import Authority, Inputs, Reason, decide

WEIGHT = {"allow": 0, "hold": 1, "refuse": 2}
EFFECTS: list[Any] = ["allow", "hold", "refuse"]
FLAGS = [(), *itertools.product(EFFECTS, repeat=1), *itertools.product(EFFECTS, repeat=2)]
STAGES = ["shadow", "reviewed", "autonomous"]
BOTH = [True, False]
EVERYTHING = list(itertools.product(["read", "write", "destructive"], STAGES, EFFECTS, FLAGS, BOTH, BOTH))


@pytest.mark.parametrize("effect", ["read", "write", "destructive"])
def test_the_heaviest_word_wins_and_is_always_explained(effect: str) -> None:
    for kind, stage, authority, quality, budget, ledger in EVERYTHING:
        if kind != effect:
            continue
        reasons = [Reason("quality", q, f"q{n}", code=f"Q{n}") for n, q in enumerate(quality)]
        verdict = decide(Inputs(kind, stage, Authority(authority, "a", ("lead",), 60.0), reasons, budget, ledger))
        words = [authority, "allow" if budget else "refuse"]
        if kind != "read":
            words += [{"shadow": "refuse", "reviewed": "hold", "autonomous": "allow"}[stage]]
            words += ["allow" if ledger else "refuse", *quality]
        assert verdict.effect == max(words, key=WEIGHT.__getitem__)
        assert sorted(r.effect for r in verdict.reasons) == sorted(word for word in words if word != "allow")
        assert (verdict.deciders, verdict.expires_s) == ((("lead",), 60.0) if verdict.effect == "hold" else ((), 0.0))
        assert (
            decide(Inputs(kind, stage, Authority(authority, "a", ("lead",), 60.0), reasons, budget, ledger)) == verdict
        )


def test_what_is_not_declared_is_refused() -> None:
    def ask(tools: set[str], tool: str) -> Authority:
        return DeclaredTools().authorize(Request("bot", frozenset(tools), tool, "read", "incident", None, {}))

    assert ask({"incident_get"}, "incident_get").effect == "allow"
    for tools in (set[str](), {"incident_*"}, {"incident_get "}, {"INCIDENT_GET"}):
        found = ask(tools, "incident_get")
        assert (found.effect, "bot may not use incident_get") == ("refuse", found.detail)
        assert found.version == DeclaredTools.version

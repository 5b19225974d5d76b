"""Cycles of dependencies, against a plain search; and the peeling away of what lies on none."""

from __future__ import annotations

import random

import pytest
from tests.quality.quality_tables import on_duckdb

from interlock.quality.preparers import scc

TYPES = [{"type": "depends_on"}, {"type": "Needs::Needed by"}]


def rows(edges: list[tuple[str, str]], **columns: str) -> dict[str, tuple[str, int]]:
    relations = [
        {"ref": f"a:relationship:{n}", "subject": a, "object": b, "type": "depends_on", **columns}
        for n, (a, b) in enumerate(edges)
    ]
    cis = [{"ref": "a:ci:named", "handle": "h1"}]
    con = on_duckdb({"stored_relationship": relations, "dependency_type": TYPES, "stored_ci": cis})
    scc.prepare(con)
    return {ref: (component, size) for ref, component, size in con.execute("SELECT * FROM scc").fetchall()}


def test_a_ring_and_a_loop_are_found_and_what_leads_there_is_not() -> None:
    edges = [("c", "a"), ("a", "b"), ("b", "c"), ("x", "a"), ("c", "y"), ("self", "self"), ("x", "self")]
    assert rows(edges) == {"a": ("a", 3), "b": ("a", 3), "c": ("a", 3), "self": ("self", 1)}


def test_only_dependencies_count_by_their_canonical_or_their_own_word() -> None:
    ring = [("a", "b"), ("b", "a")]
    assert rows(ring, type="connects_to") == {}
    assert set(rows(ring, type=None, native_type="Needs::Needed by")) == {"a", "b"}  # type: ignore[arg-type]


def test_a_ci_named_by_its_handle_is_the_same_ci() -> None:
    assert set(rows([("a", "a:ci:~h1"), ("a:ci:named", "a")])) == {"a", "a:ci:named"}


@pytest.mark.parametrize("walked", [0, 10_000])
def test_random_graphs_against_a_plain_search(walked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scc, "_WALKED", walked)
    for seed in range(4):
        chance = random.Random(seed)
        edges = [(f"n{chance.randrange(60):02}", f"n{chance.randrange(60):02}") for _ in range(70)]
        reach: dict[str, set[str]] = {}
        for node in {a for a, _ in edges}:
            seen: set[str] = set()
            ahead = [b for a, b in edges if a == node]
            while ahead:
                if (at := ahead.pop()) not in seen:
                    seen.add(at)
                    ahead += [b for a, b in edges if a == at]
            reach[node] = seen
        on_cycle = {n for n in reach if n in reach[n]}
        together = {n: {m for m in reach[n] if n in reach.get(m, ())} for n in on_cycle}
        assert rows(edges) == {n: (min(ring), len(ring)) for n, ring in together.items()}


def test_a_long_chain_is_not_walked_by_recursion() -> None:
    edges = {f"{n:06}": [f"{(n + 1) % 50_000:06}"] for n in range(50_000)}
    assert [len(found) for found in scc.components(edges)] == [50_000]

"""``scc(ref, component, size)``: CIs that depend on themselves through a chain of dependencies.

A row for each CI in a strongly connected component of the relations of ``dependency_type``, or with such a
relation to itself (``size`` 1). ``component`` is the first of its refs. Relations into nothing are left out.
What lies on no cycle is peeled away in the engine, end by end; only the rest is walked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from interlock.quality.scan.engine import create
from interlock.quality.scan.settings import Table
from interlock.quality.tables import DERIVED

_EDGES = """
WITH told AS (
    SELECT subject AS a, object AS b FROM stored_relationship SEMI JOIN dependency_type
        ON dependency_type.type = coalesce(stored_relationship.type, native_type)
    WHERE subject IS NOT NULL AND object IS NOT NULL),
    named AS (SELECT handle_ref, ref FROM stored_ci WHERE handle_ref IN (
        SELECT a FROM told WHERE contains(a, ':ci:~') UNION SELECT b FROM told WHERE contains(b, ':ci:~')))
SELECT DISTINCT coalesce(x.ref, a) AS a, coalesce(y.ref, b) AS b FROM told
LEFT JOIN named x ON x.handle_ref = a LEFT JOIN named y ON y.handle_ref = b"""

_PEELED = """
SELECT e.* FROM edge_left e SEMI JOIN edge_left f ON f.b = e.a SEMI JOIN edge_left g ON g.a = e.b"""

_WALKED = 20_000  # edges that are no longer worth a round in the engine


def prepare(con: Any) -> None:
    """Make the table from ``stored_relationship``, ``stored_ci`` and ``dependency_type``."""
    con.execute(f"CREATE OR REPLACE TABLE edge_left AS {_EDGES}")
    left = _count(con)
    while left > _WALKED:
        con.execute(f"CREATE OR REPLACE TABLE edge_peeled AS {_PEELED}")
        con.execute("DROP TABLE edge_left; ALTER TABLE edge_peeled RENAME TO edge_left")
        before, left = left, _count(con)
        if left > before * 0.99:
            break
    edges: dict[str, list[str]] = {}
    for a, b in con.execute("SELECT a, b FROM edge_left ORDER BY ALL").fetchall():
        edges.setdefault(a, []).append(b)
    con.execute("DROP TABLE edge_left")
    rows = [(ref, min(refs), len(refs)) for refs in components(edges) for ref in refs]
    create(con, "scc", Table(DERIVED["scc"], tuple(rows)))


def _count(con: Any) -> int:
    return int(con.execute("SELECT count(*) FROM edge_left").fetchall()[0][0])


def components(edges: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """The strongly connected components that are cycles: several nodes, or one that points to itself.

    Tarjan's algorithm, without recursion: a chain may be longer than Python's stack.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in edges:
        if root in index:
            continue
        walk: list[tuple[str, Iterator[str]]] = [(root, iter(edges.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while walk:
            node, ahead = walk[-1]
            for other in ahead:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    walk.append((other, iter(edges.get(other, ()))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[node])
                if low[node] == index[node]:
                    found: list[str] = []
                    while not found or found[-1] != node:
                        found.append(stack.pop())
                        on_stack.discard(found[-1])
                    if len(found) > 1 or node in edges.get(node, ()):
                        yield found

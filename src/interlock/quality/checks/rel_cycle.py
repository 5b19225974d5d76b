"""REL-CYCLE: a configuration item that depends on itself, through others.

What it finds
    CIs in a circle of dependencies (reason `cycle`).
Why it matters to an agent
    There is no order in which such things can be shut down or started, and a search for the cause goes round.
Formula
    A strongly connected component of more than one CI over the relations of `dependencies`.
Evidence
    How many CIs are in the circle, and its first by ref.
What lifts it
    A relation of the circle is removed or turned; the next scan sees it.
Settings
    `relation.dependencies`: the types along which one thing cannot do without another.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "stored_ci": [{"ref": "a:ci:1"}, {"ref": "a:ci:2"}, {"ref": "a:ci:3"}],
        "scc": [
            {"ref": "a:ci:1", "component": "a:ci:1", "size": 2},
            {"ref": "a:ci:2", "component": "a:ci:1", "size": 2},
            {"ref": "a:ci:3", "component": "a:ci:3", "size": 1},
            {"ref": "a:ci:9", "component": "a:ci:1", "size": 2},  # not there: REL-DANGLING
        ],
        "finds": {
            "a:ci:1": "cycle: 2 CIs in a circle, first a:ci:1",
            "a:ci:2": "cycle: 2 CIs in a circle, first a:ci:1",
        },
    },
]


@set_check(
    "REL-CYCLE",
    on="ci",
    severity="medium",
    effect="hold",
    reads={"scc": "ref"},
    joins=("stored_ci",),
    key_local=False,
    fields=(),
)
def rel_cycle(scc: ir.Table, stored_ci: ir.Table) -> ir.Table:
    found = scc.filter(scc["size"] > 1).semi_join(stored_ci, ["ref"])
    said = text("cycle: {} CIs in a circle, first {}", found["size"], found.component)
    return found.select(record=found.ref, evidence=said)

"""REL-STALE: a relation with a side that nobody has seen for too long.

What it finds
    Relations of which the subject or the object is a CI that CI-STALE is raised on (reason `side`).
Why it matters to an agent
    What ran on a machine two years ago may run elsewhere now: an impact along this relation is not confirmed.
Formula
    CI-STALE is raised on the CI of either side.
Evidence
    The side and its ref.
What lifts it
    What lifts CI-STALE on the side, or the removal of the relation.
Settings
    Those of CI-STALE: `ci.max_age`.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.checks import ci_stale
from interlock.quality.kit import set_check, text
from interlock.quality.relations import RELATIONS_OF_CI

EXAMPLES = [
    {
        "now": 100,
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server", "last_seen_at": 80},
            {"ref": "a:ci:2", "cls": "server", "last_seen_at": 95},
            {"ref": "a:ci:3", "cls": "server", "handle": "h3"},  # never seen
        ],
        "ci_setting": [{"source": "a", "cls": "server", "max_age": 10}],
        "stored_relationship": [
            {"ref": "a:relationship:1", "subject": "a:ci:1", "object": "a:ci:2"},
            {"ref": "a:relationship:2", "subject": "a:ci:2", "object": "a:ci:2"},
            {"ref": "a:relationship:3", "subject": "a:ci:1", "object": "a:ci:~h3"},
        ],
        "finds": {
            "a:relationship:1": "side: subject a:ci:1",
            "a:relationship:3": "side: object a:ci:3; subject a:ci:1",
        },
    },
]


@set_check(
    "REL-STALE",
    on="relationship",
    severity="low",
    effect="allow",
    reads={"edge_end": "ref"},
    joins=("ci",),
    touched={"relationship": "SELECT :ref", "ci": RELATIONS_OF_CI},
    fields=("subject", "object"),
)
def rel_stale(edge_end: ir.Table, ci: ir.Table) -> ir.Table:
    stale = ci.filter(ci_stale.ci_stale(ci).notnull()).select(stale=ci.ref)
    found = edge_end.join(stale, edge_end.ci == stale.stale)
    return found.select(record=found.ref, evidence=text("side: {} {}", found.side, found.ci))

"""CI-DUP-MAYBE: a configuration item that may be one thing with another one.

What it finds
    CIs that a comparison found alike, but not beyond doubt (reason `possible`).
Why it matters to an agent
    Two things that look alike are easily merged and hard to take apart again: a person decides.
Formula
    A pair of `same_as` with a score from 500 to 899 of 1000, while both are there.
Evidence
    The other record, by what they are alike, and the score.
What lifts it
    A person says that they are one, or two; or the records get keys that say it.
Settings
    None. Keys say it for certain, so without a probabilistic comparison nothing is raised.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import SURE

EXAMPLES = [
    {
        "stored_ci": [{"ref": "a:ci:1"}, {"ref": "b:ci:2"}, {"ref": "a:ci:3"}, {"ref": "b:ci:4"}],
        "same_as": [
            {"ref": "a:ci:1", "other": "b:ci:2", "by": "name", "score": 899},
            {"ref": "a:ci:1", "other": "b:ci:4", "by": "name", "score": 500},
            {"ref": "a:ci:1", "other": "b:ci:9", "by": "name", "score": 700},  # gone
            {"ref": "b:ci:9", "other": "a:ci:1", "by": "name", "score": 700},
            {"ref": "b:ci:2", "other": "a:ci:3", "by": "ip", "score": 499},
            {"ref": "a:ci:3", "other": "b:ci:2", "by": "serial", "score": 900},
        ],
        "finds": {"a:ci:1": "possible: b:ci:2 by name, score 899; b:ci:4 by name, score 500"},
    },
]

MAYBE = 500


@set_check(
    "CI-DUP-MAYBE",
    on="ci",
    severity="low",
    effect="allow",
    reads={"same_as": "ref"},
    joins=("stored_ci",),
    touched={"ci": "SELECT :ref UNION SELECT other FROM same_as WHERE ref = :ref"},
    fields=(),
)
def ci_dup_maybe(same_as: ir.Table, stored_ci: ir.Table) -> ir.Table:
    close = same_as.filter(same_as.score >= MAYBE, same_as.score < SURE)
    alike = close.semi_join(stored_ci, ["ref"]).semi_join(stored_ci, [("other", "ref")])
    said = text("possible: {} by {}, score {}", alike.other, alike["by"], alike.score)
    return alike.select(record=alike.ref, evidence=said)

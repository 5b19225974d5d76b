"""SRC-LATE: a source whose records were not harvested when they should have been.

What it finds
    Kinds of a source whose harvest is overdue (reason `late`) or never came to an end (reason `never`).
Why it matters to an agent
    What is not in the last snapshot may exist all the same: "not found" is no absence. A CI made because none
    was found is a duplicate, so making one is refused and relating two is held. Other writes are to records
    that are read live; there the flag only goes along.
Formula
    `now > expected_by`, the time by which the schedule and its grace expected the next harvest. Kinds without
    a schedule are never late.
Evidence
    When the harvest was expected, and when the last one was taken.
What lifts it
    A harvest that ends well, or a schedule that says when to expect one.
Settings
    The schedule of the source; none in the profile.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text, when

EXAMPLES = [
    {
        "now": 101,
        "source_state": [
            {"source": "a", "kind": "ci", "harvested_at": 40, "expected_by": 100},
            {"source": "a", "kind": "incident", "harvested_at": 90, "expected_by": 101},  # exactly in time
            {"source": "b", "kind": "ci", "expected_by": 100},
            {"source": "c", "kind": "ci", "harvested_at": 1},  # without a schedule
        ],
        "finds": {
            "a:source:ci": "late: expected_by @100; harvested_at @40",
            "b:source:ci": "never: expected_by @100",
        },
    },
]


@set_check(
    "SRC-LATE",
    on="source",
    severity="high",
    effect="allow",
    effects={"ci_create": "refuse", "ci_relate": "hold"},
    reads={"source": "source"},
    touched={"source": "SELECT :source"},
    members="source",
    fields=(),
)
def src_late(source: ir.Table) -> ir.Table:
    late = source.filter(source.now > source.expected_by)
    never = when(late.harvested_at.isnull(), text("never: expected_by @{}", late.expected_by))
    said = never.coalesce(text("late: expected_by @{}; harvested_at @{}", late.expected_by, late.harvested_at))
    return late.select(record=late.ref, evidence=said)

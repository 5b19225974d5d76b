"""SRC-CLOCK: a source whose clock differs from ours.

What it finds
    Sources whose clock goes before ours (reason `ahead`) or after it (reason `behind`) by more than is allowed,
    as their answers show it.
Why it matters to an agent
    Every time the source states is wrong by that much: what was changed last, whether a service level is
    kept, whether a lease still holds. Harvests by time of change may miss records. It stops no write by
    itself: what is wrong by it (TKT-TIME, CI-STALE) is found on the record.
Formula
    The skew seen at the last harvest of any kind is more than `source.clock_skew_s`, either way.
Evidence
    The greatest skew and the allowed one, in seconds.
What lifts it
    The source's clock is set, and a harvest has seen it.
Settings
    `source.clock_skew_s`: 60 by default, also per source.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import union

EXAMPLES = [
    {
        "source_state": [
            {"source": "a", "kind": "ci", "skew_s": 61},
            {"source": "a", "kind": "incident", "skew_s": 300},
            {"source": "b", "kind": "ci", "skew_s": -61},
            {"source": "c", "kind": "ci", "skew_s": 60},
            {"source": "d", "kind": "ci", "skew_s": -60},
            {"source": "e", "kind": "ci"},  # not known
        ],
        "source_setting": [{"source": source, "clock_skew_s": 60} for source in "abcde"],
        "finds": {
            "a:source:clock": "ahead: skew_s 300; allowed_s 60",
            "b:source:clock": "behind: skew_s -61; allowed_s 60",
        },
    },
]


@set_check(
    "SRC-CLOCK",
    on="source",
    severity="medium",
    effect="allow",
    reads={"clock": "source"},
    touched={"source": "SELECT :source"},
    members="clock",
    fields=(),
)
def src_clock(clock: ir.Table) -> ir.Table:
    ahead = clock.filter(clock.most > clock.clock_skew_s)
    behind = clock.filter(clock.least + clock.clock_skew_s < 0)
    return union(
        [
            found.select(
                record=found.ref,
                evidence=text(f"{reason}: skew_s {{}}; allowed_s {{}}", found[skew], found.clock_skew_s),
            )
            for found, reason, skew in ((ahead, "ahead", "most"), (behind, "behind", "least"))
        ]
    )

"""TKT-REOPEN-DUP: an incident that says again what its caller said hours ago.

What it finds
    Incidents with the same caller, CI and title as one opened shortly before (reason `repeat`); every one but
    the first of such a group.
Why it matters to an agent
    The matter is being worked on, or was closed too soon: one more ticket splits it further.
Formula
    Same source, caller and CI, and the same title without case and punctuation, opened within
    `incident.repeat_within` of the one before.
Evidence
    How many tickets say it, and the first of them.
What lifts it
    The tickets are put together: closed as duplicates in the source, or linked to one problem and waived.
Settings
    `incident.repeat_within`: one day by default.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "repeat_group": [
            {"ref": "a:incident:1", "group_key": "k", "n": 3, "first": "a:incident:1"},
            {"ref": "a:incident:2", "group_key": "k", "n": 3, "first": "a:incident:1"},
            {"ref": "a:incident:5", "group_key": "k", "n": 3, "first": "a:incident:1"},
        ],
        "finds": {
            "a:incident:2": "repeat: tickets 3; first a:incident:1",
            "a:incident:5": "repeat: tickets 3; first a:incident:1",
        },
    },
]


@set_check(
    "TKT-REOPEN-DUP",
    on="incident",
    severity="info",
    effect="allow",
    reads={"repeat_group": "ref"},
    key_local=False,
    needs=("caller", "ci", "title"),
    fields=("caller", "ci", "title", "opened_at"),
)
def tkt_reopen_dup(repeat_group: ir.Table) -> ir.Table:
    later = repeat_group.filter(repeat_group.ref != repeat_group["first"])
    return later.select(record=later.ref, evidence=text("repeat: tickets {}; first {}", later.n, later["first"]))

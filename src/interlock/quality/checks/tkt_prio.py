"""TKT-PRIO: an incident whose priority is not what impact and urgency make it.

What it finds
    Incidents whose priority differs from the matrix (reason `differs`) or is empty although impact and
    urgency are set (reason `missing`).
Why it matters to an agent
    A service level stated or an escalation made from such a priority is wrong.
Formula
    `priority <> matrix[impact, urgency]`. Where the matrix has no cell, nothing is found.
Evidence
    Priority, what the matrix says, impact and urgency.
What lifts it
    Priority, impact or urgency is corrected, or the source's own matrix is declared in the profile.
Settings
    `incident.priority`: the matrix, and per source; ServiceNow's default (impact + urgency - 1) otherwise.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import blank, known, row_check, text, when

EXAMPLES = [
    {
        "impact": "low",
        "urgency": "low",
        "priority": "p4",
        "want_priority": "p5",
        "finds": "differs: priority p4; matrix p5; impact low; urgency low",
    },
    {"impact": "low", "urgency": "low", "priority": "p5", "want_priority": "p5", "finds": None},
    {
        "impact": "high",
        "urgency": "low",
        "want_priority": "p3",
        "finds": "missing: matrix p3; impact high; urgency low",
    },
    {"impact": "high", "urgency": "low", "want_priority": "p3", "absent": ["priority"], "finds": None},
    {"impact": "high", "priority": "p1", "finds": None},
]


@row_check(
    "TKT-PRIO",
    on="incident",
    severity="medium",
    effect="allow",
    needs=("priority", "impact", "urgency"),
)
def tkt_prio(ticket: ir.Table) -> ir.StringValue:
    matrix = text("matrix {}; impact {}; urgency {}", ticket.want_priority, ticket.impact, ticket.urgency)
    demanded = ~blank(ticket.want_priority)
    missing = known(ticket, "priority") & blank(ticket.priority) & demanded
    differs = demanded & ~blank(ticket.priority) & (ticket.priority != ticket.want_priority)
    return when(missing, text("missing: {}", matrix)).coalesce(
        when(differs, text("differs: priority {}; {}", ticket.priority, matrix))
    )

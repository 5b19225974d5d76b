"""TKT-MATRIX: a source that makes its priorities by a matrix of its own.

What it finds
    Pairs of impact and urgency for which nearly all tickets of a source have one and the same priority, but
    not the one of the matrix (reason `differs`). That is one decision somebody made, not so many mistakes.
Why it matters to an agent
    Measured by the wrong matrix nearly every ticket looks wrong, and the few that are stay hidden.
Formula
    Of at least `incident.matrix.tickets` tickets with that impact, urgency and a priority, more than
    `incident.matrix.percent` percent share one priority, and the matrix says another.
Evidence
    The priority they have, the matrix's, impact and urgency, and how many tickets of how many. All findings of
    a source together are the matrix it implies.
What lifts it
    Accepting it: `interlock checks accept-matrix SOURCE` writes the cells into the profile, after which
    TKT-PRIO goes by them. Or the priorities are corrected. Until then the flags TKT-PRIO of that pair are
    shown and counted, but stop nothing.
Settings
    `incident.matrix.tickets` (50) and `incident.matrix.percent` (90).
"""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text


def _tickets(source: str, priority: str | None, count: int, first: int, **more: Any) -> list[dict[str, Any]]:
    cell = {"impact": "low", "urgency": "low", "priority": priority} | more
    return [{"ref": f"{source}:incident:{first + n}", **cell} for n in range(count)]


EXAMPLES = [
    {
        "stored_incident": [
            *_tickets("a", "p4", 10, 0),
            *_tickets("a", "p5", 1, 20),
            *_tickets("a", None, 30, 30),  # without a priority
            *_tickets("b", "p4", 9, 0),
            *_tickets("b", "p5", 1, 20),  # exactly nine of ten
            *_tickets("c", "p4", 9, 0),  # too few
            *_tickets("d", "p5", 20, 0),  # as the matrix says
            *_tickets("e", "p4", 20, 0, urgency="high"),  # the matrix says nothing
        ],
        "priority_cell": [
            {"source": source, "impact": "low", "urgency": "low", "want_priority": "p5"} for source in "abcde"
        ],
        "source_setting": [{"source": source, "matrix_tickets": 10, "matrix_percent": 90} for source in "abcde"],
        "finds": {
            "a:source:matrix/low/low": "differs: priority p4; matrix p5; impact low; urgency low; tickets 10 of 11",
        },
    },
]


@set_check(
    "TKT-MATRIX",
    on="source",
    severity="medium",
    effect="allow",
    reads={"stored_incident": "source"},
    joins=("priority_cell", "source_setting"),
    key_local=False,
    fields=(),
)
def tkt_matrix(stored_incident: ir.Table, priority_cell: ir.Table, source_setting: ir.Table) -> ir.Table:
    by = ("source", "impact", "urgency")
    told = stored_incident.filter(stored_incident.priority.notnull())
    each = told.group_by([*by, "priority"]).agg(n=told.count())
    whole = told.group_by(by).agg(total=told.count())
    cells = each.join(whole, by).join(priority_cell, by).join(source_setting, "source")
    own = cells.filter(
        cells.priority != cells.want_priority,
        cells.total >= cells.matrix_tickets,
        cells.n * 100 > cells.total * cells.matrix_percent,
    )
    return own.select(
        record=text("{}:source:matrix/{}/{}", own.source, own.impact, own.urgency),
        evidence=text(
            "differs: priority {}; matrix {}; impact {}; urgency {}; tickets {} of {}",
            *(own.priority, own.want_priority, own.impact, own.urgency, own.n, own.total),
        ),
    )

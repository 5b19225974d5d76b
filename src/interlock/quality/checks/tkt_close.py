"""TKT-CLOSE: an incident closed without saying how or when it was resolved.

What it finds
    Resolved or closed incidents without a close code (reason `code`), without close notes (`notes`), or
    without the time of resolution (`resolved_time`). A field that cannot be read raises nothing.
Why it matters to an agent
    It is no precedent: nobody can say what solved it, or how long that took.
Formula
    `state` is resolved or closed, and `close_code`, `close_notes` or `resolved_at` is empty.
Evidence
    The state.
What lifts it
    The missing fields are filled in the source.
Settings
    None.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import blank, known, reasons, row_check, text

EXAMPLES = [
    {
        "state": "closed",
        "close_code": None,
        "has_close_notes": False,
        "resolved_at": None,
        "finds": "code,notes,resolved_time: state closed",
    },
    {
        "state": "resolved",
        "close_code": "fixed",
        "has_close_notes": True,
        "resolved_at": None,
        "finds": "resolved_time: state resolved",
    },
    {
        "state": "closed",
        "close_code": "",
        "has_close_notes": False,
        "resolved_at": 5,
        "absent": ["close_notes"],
        "finds": "code: state closed",
    },
    {"state": "closed", "close_code": "unmapped", "has_close_notes": True, "resolved_at": 5, "finds": None},
    {"state": "in_progress", "has_close_notes": False, "finds": None},
    {"state": "cancelled", "has_close_notes": False, "finds": None},
]


@row_check(
    "TKT-CLOSE",
    on="incident",
    severity="low",
    effect="allow",
    needs=("state", "close_code", "close_notes", "resolved_at"),
)
def tkt_close(ticket: ir.Table) -> ir.StringValue:
    done = ticket.state.isin(["resolved", "closed"])
    why = reasons(
        (done & known(ticket, "close_code") & blank(ticket.close_code), "code"),
        (done & known(ticket, "close_notes") & ~ticket.has_close_notes, "notes"),
        (done & known(ticket, "resolved_at") & ticket.resolved_at.isnull(), "resolved_time"),
    )
    return why.concat(text(": state {}", ticket.state))

"""TKT-TIME: an incident whose times are out of order or in the future.

What it finds
    Incidents resolved before they were opened (reason `resolved_before_opened`), closed before they were
    resolved (`closed_before_resolved`) or opened (`closed_before_opened`), or with any of these times in
    the future (`future`).
Why it matters to an agent
    Time to resolve and service levels computed from them are wrong.
Formula
    Not `opened_at <= resolved_at <= closed_at <= now`, over the times that are there. The future begins
    `clock_skew_s` after now, because the source's clock may go before ours.
Evidence
    The three times that are there.
What lifts it
    The times are corrected in the source.
Settings
    `incident.clock_skew_s`: 60 by default.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import joined, reasons, row_check, text

EXAMPLES = [
    {"opened_at": 10, "resolved_at": 20, "closed_at": 30, "clock_skew": 0, "now": 30, "finds": None},
    {"opened_at": 10, "resolved_at": 10, "closed_at": 10, "clock_skew": 0, "now": 10, "finds": None},
    {
        "opened_at": 10,
        "resolved_at": 9,
        "closed_at": 31,
        "clock_skew": 0,
        "now": 30,
        "finds": "resolved_before_opened,future: opened_at @10; resolved_at @9; closed_at @31",
    },
    {
        "opened_at": 10,
        "resolved_at": 20,
        "closed_at": 19,
        "clock_skew": 0,
        "now": 30,
        "finds": "closed_before_resolved: opened_at @10; resolved_at @20; closed_at @19",
    },
    {
        "opened_at": 10,
        "closed_at": 9,
        "clock_skew": 0,
        "now": 30,
        "finds": "closed_before_opened: opened_at @10; closed_at @9",
    },
    {"opened_at": 31, "clock_skew": 1, "now": 30, "finds": None},
    {"opened_at": 32, "clock_skew": 1, "now": 30, "finds": "future: opened_at @32"},
    {"clock_skew": 0, "now": 30, "finds": None},
]

TIMES = ("opened_at", "resolved_at", "closed_at")


@row_check("TKT-TIME", on="incident", severity="low", effect="allow", needs=TIMES)
def tkt_time(ticket: ir.Table) -> ir.StringValue:
    opened, resolved, closed = (ticket[name] for name in TIMES)
    latest = ticket.now + ticket.clock_skew
    why = reasons(
        (resolved < opened, "resolved_before_opened"),
        (closed < resolved, "closed_before_resolved"),
        (closed < opened, "closed_before_opened"),
        ((opened > latest) | (resolved > latest) | (closed > latest), "future"),
    )
    facts = joined(((ticket[name].notnull(), text(f"{name} @{{}}", ticket[name])) for name in TIMES), "; ")
    return why.concat(ibis.literal(": "), facts)

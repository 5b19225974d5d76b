"""TKT-NO-CI: an incident without a CI although its category needs one.

What it finds
    Incidents of a category that the profile names under `needs_ci`, with no configuration item.
Why it matters to an agent
    Impact, owner and runbook come from the CI; without it an agent guesses one and acts on the wrong thing.
Formula
    `ci` is empty and the category, or the declared category it is a variant of, is one of `needs_ci`.
Evidence
    The category.
What lifts it
    The ticket gets its CI. An update of the CI is never held by this flag.
Settings
    `incident.needs_ci`: categories, as the sources write them; none by default.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import known, row_check, text, when

EXAMPLES = [
    {"category": "network", "needs_ci": True, "has_ci": False, "finds": "missing: ci empty; category network"},
    {"category": "network", "needs_ci": True, "has_ci": True, "finds": None},
    {"category": "inquiry", "needs_ci": False, "has_ci": False, "finds": None},
    {"category": "network", "needs_ci": True, "has_ci": False, "absent": ["ci"], "finds": None},
]


@row_check("TKT-NO-CI", on="incident", severity="low", effect="allow", needs=("ci", "category"), applies="needs_ci")
def tkt_no_ci(ticket: ir.Table) -> ir.StringValue:
    missing = known(ticket, "ci") & ~ticket.has_ci & ticket.needs_ci
    return when(missing, text("missing: ci empty; category {}", ticket.category))

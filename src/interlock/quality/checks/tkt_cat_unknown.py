"""TKT-CAT-UNKNOWN: an incident without a category that its source knows.

What it finds
    Incidents whose category is not one of the source's declared categories nor a variant of one (reason
    `unknown`), or is empty (reason `missing`). Where the source declares none, only `missing` can be found.
Why it matters to an agent
    Routing by such a category sends the ticket anywhere.
Formula
    The Damerau-Levenshtein similarity of `category` to every declared category is under 0.75 (nearer ones
    are TKT-CAT-CANON); or it is readable and blank.
Evidence
    The category.
What lifts it
    The ticket gets a category of the source (taxonomy_values lists them), or the source's list gets this
    one. An update of the category is never held by this flag.
Settings
    `incident.sources.NAME.categories`: the list; a source with a choice list gives its own.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import blank, known, row_check, text, when

EXAMPLES = [
    {"category": "plumbing", "category_declared": False, "finds": "unknown: category plumbing"},
    {"category": "netork", "category_declared": False, "canonical": "network", "finds": None},
    {"category": "network", "category_declared": True, "finds": None},
    {"category": "", "category_declared": False, "finds": "missing: category empty"},
    {"category": None, "category_declared": None, "finds": "missing: category empty"},
    {"category": "anything", "category_declared": None, "finds": None},
    {"category": None, "category_declared": False, "absent": ["category"], "finds": None},
]


@row_check(
    "TKT-CAT-UNKNOWN",
    on="incident",
    severity="medium",
    effect="allow",
    effects={"incident_assign": "hold"},
    needs=("category",),
    needs_setting="category_declared",
)
def tkt_cat_unknown(ticket: ir.Table) -> ir.StringValue:
    missing = known(ticket, "category") & blank(ticket.category)
    unknown = known(ticket, "category") & ~ticket.category_declared & blank(ticket.canonical)
    return when(missing, ibis.literal("missing: category empty")).coalesce(
        when(unknown, text("unknown: category {}", ticket.category))
    )

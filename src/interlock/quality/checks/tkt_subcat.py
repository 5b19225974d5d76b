"""TKT-SUBCAT: an incident whose subcategory does not belong to its category.

What it finds
    Incidents whose pair of category and subcategory is not one of the source's declared pairs (reason
    `not_of_category`); and, only if the profile asks for it, a category without a subcategory (reason
    `missing`). An incident without a category is a matter of TKT-CAT-UNKNOWN.
Why it matters to an agent
    Routing or learning by the subcategory uses a value that means something else.
Formula
    `(category, subcategory)` is not exactly one of the declared pairs, both being filled.
Evidence
    Category and subcategory.
What lifts it
    Category or subcategory is corrected, or the source's list gets the pair.
Settings
    `incident.sources.NAME.pairs`: subcategories per category; a source with a dependent choice list gives
    its own. `incident.sources.NAME.subcategory_required`: false by default.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import blank, known, row_check, text, when

EXAMPLES = [
    {
        "category": "network",
        "subcategory": "disk",
        "pair_declared": False,
        "finds": "not_of_category: category network; subcategory disk",
    },
    {"category": "network", "subcategory": "vpn", "pair_declared": True, "finds": None},
    {"category": "network", "subcategory": "vpn", "pair_declared": None, "finds": None},
    {"category": None, "subcategory": "vpn", "pair_declared": False, "finds": None},
    {"category": "network", "subcategory": "", "pair_declared": False, "finds": None},
    {
        "category": "network",
        "subcategory": None,
        "pair_declared": False,
        "subcategory_required": True,
        "finds": "missing: category network; subcategory empty",
    },
    {
        "category": "network",
        "subcategory_required": True,
        "absent": ["subcategory"],
        "finds": None,
    },
]


@row_check(
    "TKT-SUBCAT",
    on="incident",
    severity="low",
    effect="allow",
    needs=("category", "subcategory"),
    needs_setting="pair_declared",
)
def tkt_subcat(ticket: ir.Table) -> ir.StringValue:
    placed = ~blank(ticket.category)
    missing = placed & ticket.subcategory_required & known(ticket, "subcategory") & blank(ticket.subcategory)
    foreign = placed & ~blank(ticket.subcategory) & ~ticket.pair_declared
    return when(missing, text("missing: category {}; subcategory empty", ticket.category)).coalesce(
        when(
            foreign,
            text("not_of_category: category {}; subcategory {}", ticket.category, ticket.subcategory),
        )
    )

"""TKT-CAT-CANON: an incident whose category is a variant of one its source declares.

What it finds
    Incidents whose category is not declared but nearly so: other case or punctuation, plural, a letter lost,
    doubled or swapped (`NETWORK`, `networks`, `netork`).
Why it matters to an agent
    Counting, learning or routing by such a word misses the others of its kind; an agent that copies it writes
    the variant again.
Formula
    `category` is not exactly a declared one, and its Damerau-Levenshtein similarity to the nearest, both
    without case and punctuation, is at least 0.75. Numbers must be equal: `Category 42` is no variant of
    `Category 43`; words of more than 40 characters are variants of nothing. What is further away is
    TKT-CAT-UNKNOWN.
Evidence
    The category and the declared one it is a variant of.
What lifts it
    The category is written as declared, or the source's list gets this one. An update of the category is
    never held by this flag.
Settings
    `incident.sources.NAME.categories`: the list; a source with a choice list gives its own.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import blank, row_check, text, when

EXAMPLES = [
    {
        "category": "netork",
        "category_declared": False,
        "canonical": "network",
        "finds": "variant: category netork; canonical network",
    },
    {"category": "network", "category_declared": True, "canonical": "network", "finds": None},
    {"category": "plumbing", "category_declared": False, "canonical": "", "finds": None},
    {"category": "netork", "category_declared": None, "canonical": "", "finds": None},
]


@row_check(
    "TKT-CAT-CANON",
    on="incident",
    severity="low",
    effect="allow",
    needs=("category",),
    needs_setting="category_declared",
)
def tkt_cat_canon(ticket: ir.Table) -> ir.StringValue:
    variant = ~blank(ticket.category) & ~ticket.category_declared & ~blank(ticket.canonical)
    return when(variant, text("variant: category {}; canonical {}", ticket.category, ticket.canonical))

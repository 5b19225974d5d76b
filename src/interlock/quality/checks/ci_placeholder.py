"""CI-PLACEHOLDER: a configuration item with a value that only fills the space.

What it finds
    Attributes that hold a placeholder instead of a value: "To be filled by O.E.M.", "N/A",
    "00:00:00:00:00:00" (reason `placeholder`).
Why it matters to an agent
    Used as an identity or a search key, such a value finds many unrelated CIs.
Formula
    The stripped, case-folded value is one of the placeholder words.
Evidence
    Each attribute with its value.
What lifts it
    A real value, or none, in the source.
Settings
    `ci.junk`: the placeholder words, and per source.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import blank, row_check, text, when

EXAMPLES = [
    {"placeholder_facts": "serial 0; os N/A", "finds": "placeholder: serial 0; os N/A"},
    {"placeholder_facts": "", "finds": None},
    {"placeholder_facts": None, "finds": None},
]


@row_check("CI-PLACEHOLDER", on="ci", severity="low", effect="allow", needs=(), itemised=True)
def ci_placeholder(ci: ir.Table) -> ir.StringValue:
    return when(~blank(ci.placeholder_facts), text("placeholder: {}", ci.placeholder_facts))

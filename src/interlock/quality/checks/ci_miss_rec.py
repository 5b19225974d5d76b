"""CI-MISS-REC: a configuration item without an attribute that its class should have.

What it finds
    CIs with a recommended attribute that is empty or holds a placeholder (reason `missing`).
Why it matters to an agent
    Nothing forbids to act, but an answer that needs the attribute has to say that it is not known.
Formula
    An attribute of `recommends[class]` is readable and empty, or its value is in the list of placeholders.
Evidence
    Class, and the attributes that are empty or only filled.
What lifts it
    The attribute is filled in the source, or a waiver with an expiry date.
Settings
    `ci.recommends`: attributes per class, also per source and environment; none by default. `ci.junk`:
    placeholders.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.checks.ci_miss_req import missing
from interlock.quality.kit import row_check

EXAMPLES = [
    {
        "cls": "server",
        "recommends": "|owner|location|",
        "empty": "|owner|",
        "placeholders": "|location|",
        "finds": "missing: cls server; location placeholder; owner empty",
    },
    {"cls": "server", "recommends": "|owner|", "empty": "|serial|", "finds": None},
    {"cls": "server", "recommends": "|owner|", "empty": "|owner|", "absent": ["owner"], "finds": None},
    {"cls": "server", "requires": "|owner|", "empty": "|owner|", "finds": None},
]


@row_check(
    "CI-MISS-REC", on="ci", severity="info", effect="allow", needs=("cls",), needs_listed="recommends", itemised=True
)
def ci_miss_rec(ci: ir.Table) -> ir.StringValue:
    return missing(ci, ci.recommends)

"""CI-MISS-REQ: a configuration item without an attribute that its class requires.

What it finds
    CIs with a required attribute that is empty or holds a placeholder (reason `missing`). An attribute
    that the source does not export or the gateway may not read is unknown, and raises nothing.
Why it matters to an agent
    A ticket routed by an empty support group, or a change planned on an unknown operating system, rests
    on a guess.
Formula
    Any attribute of `requires[class]` is null, blank, or one of the placeholder words.
Evidence
    Class, and each attribute with the word `empty` or `placeholder`.
What lifts it
    The attribute gets a real value in the source, or a waiver with an expiry date.
Settings
    `ci.requires`: attributes per class, and per source and environment. `ci.junk`: placeholder words.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.columns import REQUIRABLE
from interlock.quality.kit import joined, known, lists, row_check, text, when

EXAMPLES = [
    {
        "cls": "server",
        "requires": "|serial|os|",
        "placeholders": "|serial|",
        "empty": "|os|model|",
        "finds": "missing: cls server; serial placeholder; os empty",
    },
    {"cls": "server", "requires": "|serial|os|", "placeholders": "|mac|", "empty": "|fqdn|", "finds": None},
    {"cls": "server", "requires": "|os|", "empty": "|os|", "absent": ["os"], "finds": None},
    {"cls": "printer", "requires": "", "empty": "|os|", "finds": None},
]


def missing(ci: ir.Table, listed: ir.StringValue) -> ir.StringValue:
    """Evidence of the attributes in a bar list that are empty or only filled; null when none is."""

    def one(name: str) -> tuple[ir.BooleanValue, ir.StringValue]:
        demanded = lists(listed, name) & known(ci, name)
        empty, placeholder = lists(ci.empty, name), lists(ci.placeholders, name)
        return demanded & (empty | placeholder), ibis.ifelse(empty, f"{name} empty", f"{name} placeholder")

    items = joined((one(name) for name in REQUIRABLE), "; ")
    return when(listed != "", text("missing: cls {}; ", ci.cls).concat(items))  # most often there is nothing to ask


@row_check(
    "CI-MISS-REQ",
    on="ci",
    severity="medium",
    effect="hold",
    needs=("cls",),
    needs_listed="requires",
    itemised=True,
)
def ci_miss_req(ci: ir.Table) -> ir.StringValue:
    return missing(ci, ci.requires)

"""CI-DUP-IN: a configuration item that stands in one source more than once.

What it finds
    CIs of one source with the same serial number, cloud id, asset tag, MAC address or full name (reason
    `duplicate`), where the key is one by which their class is one thing.
Why it matters to an agent
    Half of what is known of the thing stands in the other record. What is written to one of them is not read
    by those who look at the other, and may be lost when a person merges the two.
Formula
    The same normalised key in the same source on more than one CI; a set of n counts as n - 1 duplicates.
    Values that are junk are no key.
Evidence
    Each shared key, how many records have it, and the first of them by ref.
What lifts it
    All but one of the records are removed or merged in the source, or the key is corrected.
Settings
    `ci.identified_by`: by which keys a class is one thing, also per source. `ci.junk`: what is no key.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.matching import KEYS

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "serial_key": "471108"},
            {"ref": "a:ci:2", "serial_key": "471108", "mac_key": "0cc47a112233"},
            {"ref": "a:ci:3", "mac_key": "0cc47a112233"},
            {"ref": "a:ci:4", "serial_key": "471109"},
            {"ref": "b:ci:5", "serial_key": "471108"},  # another source
            {"ref": "a:ci:6", "serial_key": "xyz123"},
            {"ref": "a:ci:7", "serial_key": "xyz123"},
            {"ref": "a:ci:8", "cls": "virtual_machine", "serial_key": "471108"},
        ],
        "ci_setting": [
            {"source": "a", "identified_by": "|serial|mac|"},
            {"source": "b", "identified_by": "|serial|mac|"},
            {"source": "a", "cls": "virtual_machine", "identified_by": "|cloud_id|"},
        ],
        "junk_key": [{"source": "a", "key": "xyz123"}],
        "finds": {
            "a:ci:1": "duplicate: serial 471108 on 2 records, first a:ci:1",
            "a:ci:2": "duplicate: mac 0cc47a112233 on 2 records, first a:ci:2;"
            " serial 471108 on 2 records, first a:ci:1",
            "a:ci:3": "duplicate: mac 0cc47a112233 on 2 records, first a:ci:2",
        },
    },
]


@set_check(
    "CI-DUP-IN",
    on="ci",
    severity="high",
    effect="refuse",
    reads={"ci_key": "key"},
    touched={"ci": " UNION ".join(f"SELECT :{name}_key" for name in KEYS)},
    members="ci_key",
    fields=KEYS,
    itemised=True,
)
def ci_dup_in(ci_key: ir.Table) -> ir.Table:
    by = ("source", "field", "key")
    groups = ci_key.group_by(*by).agg(n=ci_key.count(), first=ci_key.ref.min())
    twins = ci_key.join(groups.filter(groups.n > 1), by)
    said = text("duplicate: {} {} on {} records, first {}", twins.field, twins.key, twins.n, twins["first"])
    return twins.select(record=twins.ref, evidence=said)

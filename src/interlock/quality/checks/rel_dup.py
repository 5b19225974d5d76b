"""REL-DUP: a relation that says what another one says already.

What it finds
    Relations of one source with the same subject, type and object (reason `repeated`).
Why it matters to an agent
    Whoever counts dependents counts twice; one of the two removed looks like a dependency that ended.
Formula
    More than one relation with the same subject, type and object in the source; a type without a canonical
    word is compared by the source's own.
Evidence
    The three, how many relations say it, and the first of them by ref.
What lifts it
    All but one are removed in the source.
Settings
    None.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "stored_relationship": [
            {"ref": "a:relationship:1", "subject": "a:ci:1", "type": "uses", "object": "a:ci:2"},
            {"ref": "a:relationship:2", "subject": "a:ci:1", "type": "uses", "object": "a:ci:2"},
            {"ref": "a:relationship:3", "subject": "a:ci:2", "type": "uses", "object": "a:ci:1"},
            {"ref": "a:relationship:4", "subject": "a:ci:1", "type": "runs_on", "object": "a:ci:2"},
            {"ref": "a:relationship:5", "subject": "a:ci:1", "native_type": "Likes", "object": "a:ci:3"},
            {"ref": "a:relationship:6", "subject": "a:ci:1", "native_type": "Fears", "object": "a:ci:3"},
            {"ref": "a:relationship:7", "subject": "a:ci:1", "type": "uses"},
            {"ref": "a:relationship:8", "subject": "a:ci:1", "type": "uses"},  # of nothing: not the same thing
        ],
        "finds": {
            f"a:relationship:{n}": "repeated: subject a:ci:1; type uses; object a:ci:2;"
            " on 2 relations, first a:relationship:1"
            for n in (1, 2)
        },
    },
]


@set_check(
    "REL-DUP",
    on="relationship",
    severity="info",
    effect="allow",
    reads={"relation": "subject"},
    touched={"relationship": "SELECT :subject"},
    members="relation",
    needs=("subject", "object"),
    fields=("subject", "type", "native_type", "object"),
)
def rel_dup(relation: ir.Table) -> ir.Table:
    by = ("source", "subject", "type", "object")
    whole = relation.filter(relation.object.notnull(), relation.type.notnull())
    groups = whole.group_by(*by).agg(n=whole.count(), first=whole.ref.min())
    twins = whole.join(groups.filter(groups.n > 1), by)
    said = text(
        "repeated: subject {}; type {}; object {}; on {} relations, first {}",
        *(twins.subject, twins.type, twins.object, twins.n, twins["first"]),
    )
    return twins.select(record=twins.ref, evidence=said)

"""CI-ORPHAN: a configuration item without any relationship, although its class needs one.

What it finds
    CIs of a class that is nothing by itself, that no relation touches on either side (reason `unrelated`).
    CIs that are out of use (planned, ordered, in stock, retired, stolen, missing) need none.
Why it matters to an agent
    "Nothing depends on it" is what an empty list says; here it only says that nobody wrote down what does.
    A decommissioning or a change judged harmless on that ground may stop a service.
Formula
    `needs_relation[cls]`, in use, and no relation of the source with the CI as subject or object.
Evidence
    The class.
What lifts it
    A relation of the CI in the source, or a waiver with an expiry date.
Settings
    `ci.needs_relation`: the classes, also per source and environment. Sources whose relations are not
    harvested raise nothing.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server", "status": "live"},
            {"ref": "a:ci:2", "cls": "server"},
            {"ref": "a:ci:3", "cls": "server", "status": "retired"},
            {"ref": "a:ci:4", "cls": "printer"},
            {"ref": "a:ci:5", "cls": "server", "handle": "h5"},
            {"ref": "b:ci:1", "cls": "server"},
        ],
        "stored_relationship": [
            {"ref": "a:relationship:1", "subject": "a:ci:1", "object": "a:ci:9"},
            {"ref": "a:relationship:2", "object": "a:ci:~h5"},  # by its handle: the same CI
        ],
        "ci_setting": [
            {"source": "a", "cls": "server", "needs_relation": True},
            {"source": "a", "cls": "printer", "needs_relation": False},
            {"source": "b", "cls": "server", "needs_relation": True},  # its relations are not harvested
        ],
        "source_state": [{"source": "a", "kind": "relationship"}],
        "finds": {"a:ci:2": "unrelated: cls server"},
    },
    {
        "stored_ci": [{"ref": "a:ci:1", "cls": "server", "operational_status": "retired"}],
        "ci_setting": [{"source": "a", "cls": "server", "needs_relation": True}],
        "source_state": [{"source": "a", "kind": "relationship"}],
        "finds": {},
    },
]


@set_check(
    "CI-ORPHAN",
    on="ci",
    severity="medium",
    effect="hold",
    reads={"ci": "ref", "edge_end": "ci"},
    joins=("source_state",),
    touched={
        "ci": "SELECT :ref",
        "relationship": "SELECT ref FROM stored_ci WHERE ref IN (:subject, :object)"
        " UNION SELECT ref FROM stored_ci WHERE handle_ref IN (:subject, :object)",
    },
    fields=("cls", "status", "operational_status"),
)
def ci_orphan(ci: ir.Table, edge_end: ir.Table, source_state: ir.Table) -> ir.Table:
    told = source_state.filter(source_state.kind == "relationship")
    needing = ci.filter(ci.needs_relation, ci.in_use)
    lonely = needing.semi_join(told, needing.source == told.source).anti_join(edge_end, needing.ref == edge_end.ci)
    return lonely.select(record=lonely.ref, evidence=text("unrelated: cls {}", lonely.cls))

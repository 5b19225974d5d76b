"""REL-DANGLING: a relation of which a side is missing.

What it finds
    Relations that name a CI which is not there (reason `gone`), or no CI at all on a side (`empty`).
Why it matters to an agent
    What stood on that side is unknown: an impact list that goes through this relation is not complete.
Formula
    `subject` or `object` names no CI of the harvest, by ref or by handle; or it is readable and empty.
Evidence
    The side, and the ref it names.
What lifts it
    The relation is removed or pointed at a CI that exists. A CI outside what the gateway may read looks gone:
    then its filter is too narrow.
Settings
    None. Sources whose CIs are not harvested raise nothing.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import RELATIONS_OF_CI, union

EXAMPLES = [
    {
        "stored_ci": [{"ref": "a:ci:1"}, {"ref": "a:ci:2", "handle": "h2"}],
        "stored_relationship": [
            {"ref": "a:relationship:1", "subject": "a:ci:1", "object": "a:ci:2"},
            {"ref": "a:relationship:2", "subject": "a:ci:~h2", "object": "a:ci:3"},
            {"ref": "a:relationship:3", "subject": "a:ci:~h3", "object": None},
            {"ref": "a:relationship:4", "subject": "a:ci:1", "object": None, "known": "|type|subject|"},
            {"ref": "b:relationship:5", "subject": "b:ci:1", "object": None},  # its CIs are not harvested
        ],
        "source_state": [{"source": "a", "kind": "ci"}, {"source": "b", "kind": "relationship"}],
        "finds": {
            "a:relationship:2": "gone: object a:ci:3",
            "a:relationship:3": "empty,gone: object is empty; subject a:ci:~h3",
        },
    },
]


@set_check(
    "REL-DANGLING",
    on="relationship",
    severity="high",
    effect="hold",
    reads={"edge": "ref", "edge_gap": "ref"},
    joins=("stored_ci", "source_state"),
    touched={
        "relationship": "SELECT :ref",
        "ci": RELATIONS_OF_CI,
    },
    needs=("subject", "object"),
    fields=("subject", "object"),
)
def rel_dangling(edge: ir.Table, edge_gap: ir.Table, stored_ci: ir.Table, source_state: ir.Table) -> ir.Table:
    told = source_state.filter(source_state.kind == "ci")
    lost = edge.anti_join(stored_ci, [("ci", "ref")]).anti_join(stored_ci, [("ci", "handle_ref")])
    gone, empty = lost.semi_join(told, ["source"]), edge_gap.semi_join(told, ["source"])
    return union(
        [
            gone.select(record=gone.ref, evidence=text("gone: {} {}", gone.side, gone.ci)),
            empty.select(record=empty.ref, evidence=text("empty: {} is empty", empty.side)),
        ]
    )

"""MON-NO-CI: a monitored host that no CMDB has.

What it finds
    CIs of a source with the role `monitoring` that are one thing with no CI of a source with the role `cmdb`
    (reason `no_ci`).
Why it matters to an agent
    An alert of that host leads to no owner, no service and no impact: what looks harmless is only unknown.
Formula
    No pair of `same_as` with a score of at least 900 of 1000 whose other CI is in a `cmdb`.
Evidence
    The class and the name in monitoring.
What lifts it
    The CMDB gets the CI, or a key by which the two are found to be one; the next scan sees it.
Settings
    `source.sources.NAME.roles`. Without a CMDB whose CIs are harvested nothing is raised.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import holders, partners

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "mon:ci:1", "cls": "server", "name": "web01"},
            {"ref": "mon:ci:2", "cls": "server", "name": "web02"},
            {"ref": "mon:ci:3", "name": "web03"},
            {"ref": "a:ci:1"},
            {"ref": "both:ci:1"},
        ],
        "same_as": [
            {"ref": "mon:ci:2", "other": "a:ci:1", "score": 1000},
            {"ref": "mon:ci:3", "other": "a:ci:1", "score": 700},
            {"ref": "mon:ci:1", "other": "mon:ci:2", "score": 1000},
        ],
        "source_role": [
            {"source": "mon", "role": "monitoring"},
            {"source": "a", "role": "cmdb"},
            {"source": "both", "role": "cmdb"},
            {"source": "both", "role": "monitoring"},
        ],
        "source_state": [{"source": source, "kind": "ci"} for source in ("mon", "a", "both")],
        "finds": {
            "mon:ci:1": "no_ci: cls server; name web01",
            "mon:ci:3": "no_ci: cls ?; name web03",
        },
    },
    {
        "stored_ci": [{"ref": "mon:ci:1"}],
        "source_role": [{"source": "mon", "role": "monitoring"}, {"source": "a", "role": "cmdb"}],
        "source_state": [{"source": "mon", "kind": "ci"}],  # the CMDB is not harvested
        "finds": {},
    },
]


@set_check(
    "MON-NO-CI",
    on="ci",
    severity="low",
    effect="allow",
    reads={"ci": "ref"},
    joins=("stored_ci", "same_as", "source_role", "source_state"),
    touched={"ci": "SELECT :ref"},
    fields=("cls", "name"),
)
def mon_no_ci(
    ci: ir.Table, stored_ci: ir.Table, same_as: ir.Table, source_role: ir.Table, source_state: ir.Table
) -> ir.Table:
    cmdb = holders("cmdb", "ci", source_role, source_state)
    monitoring = holders("monitoring", "ci", source_role, source_state)
    hosts = ci.semi_join(monitoring, ["source"]).anti_join(cmdb, ["source"]).semi_join(cmdb, ["exists"])
    alone = hosts.anti_join(partners(same_as, stored_ci, cmdb), ["ref"])
    return alone.select(record=alone.ref, evidence=text("no_ci: cls {}; name {}", alone.cls, alone["name"]))

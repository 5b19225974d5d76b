"""CI-UNMONITORED: a configuration item that should be monitored and is not.

What it finds
    CIs in use of a CMDB, of a class that should be monitored, that no monitoring source has (reason
    `unmonitored`).
Why it matters to an agent
    No alert is no news here: that nothing was reported does not say that the thing works.
Formula
    `monitored[cls]`, in use, in a source with the role `cmdb`, and no pair of `same_as` with a score of at
    least 900 of 1000 whose other CI is in a source with the role `monitoring`.
Evidence
    The class and the name.
What lifts it
    Monitoring gets the host, or a key by which the two are found to be one; the next scan sees it.
Settings
    `ci.monitored`: the classes, also per source and environment. `source.sources.NAME.roles`: without a
    monitoring source whose CIs are harvested nothing is raised.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import holders, partners

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server", "name": "web01"},
            {"ref": "a:ci:2", "cls": "server", "name": "web02"},
            {"ref": "a:ci:3", "cls": "server", "name": "web03", "status": "in_stock"},
            {"ref": "a:ci:4", "cls": "printer", "name": "p1"},
            {"ref": "mon:ci:1", "cls": "server"},
        ],
        "ci_setting": [
            {"source": "a", "cls": "server", "monitored": True},
            {"source": "a", "cls": "printer", "monitored": False},
            {"source": "mon", "cls": "server", "monitored": True},
        ],
        "same_as": [{"ref": "a:ci:2", "other": "mon:ci:1", "score": 1000}],
        "source_role": [{"source": "mon", "role": "monitoring"}, {"source": "a", "role": "cmdb"}],
        "source_state": [{"source": source, "kind": "ci"} for source in ("mon", "a")],
        "finds": {"a:ci:1": "unmonitored: cls server; name web01"},
    },
]


@set_check(
    "CI-UNMONITORED",
    on="ci",
    severity="low",
    effect="allow",
    reads={"ci": "ref"},
    joins=("stored_ci", "same_as", "source_role", "source_state"),
    touched={"ci": "SELECT :ref"},
    needs=("cls",),
    fields=("cls", "name", "status", "operational_status"),
)
def ci_unmonitored(
    ci: ir.Table, stored_ci: ir.Table, same_as: ir.Table, source_role: ir.Table, source_state: ir.Table
) -> ir.Table:
    cmdb = holders("cmdb", "ci", source_role, source_state)
    monitoring = holders("monitoring", "ci", source_role, source_state)
    wanted = ci.filter(ci.monitored, ci.in_use).semi_join(cmdb, ["source"])
    asked = wanted.anti_join(monitoring, ["source"]).semi_join(monitoring, ["exists"])
    alone = asked.anti_join(partners(same_as, stored_ci, monitoring), ["ref"])
    return alone.select(record=alone.ref, evidence=text("unmonitored: cls {}; name {}", alone.cls, alone["name"]))

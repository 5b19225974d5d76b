"""CI-DUP-X: a configuration item that two CMDBs hold.

What it finds
    CIs of a source with the role `cmdb` that are one thing with a CI of another such source (reason `twice`).
    That monitoring or an asset register has the thing too is as it should be.
Why it matters to an agent
    Only one of the two is what people look at; a third record, or a change of the other one, goes unseen.
Formula
    A pair of `same_as` with a score of at least 900 of 1000, both in sources with the role `cmdb`.
Evidence
    The other record and the key by which they are one.
What lifts it
    One of the two is retired from its source, or a person waives it with an expiry date.
Settings
    `source.sources.NAME.roles`. Without two sources of that role nothing is raised.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import SURE

EXAMPLES = [
    {
        "stored_ci": [{"ref": "a:ci:1"}, {"ref": "b:ci:2"}, {"ref": "mon:ci:3"}, {"ref": "a:ci:4"}],
        "same_as": [
            {"ref": "a:ci:1", "other": "b:ci:2", "by": "serial", "score": 1000},
            {"ref": "b:ci:2", "other": "a:ci:1", "by": "serial", "score": 1000},
            {"ref": "a:ci:1", "other": "mon:ci:3", "by": "fqdn", "score": 1000},
            {"ref": "mon:ci:3", "other": "a:ci:1", "by": "fqdn", "score": 1000},
            {"ref": "a:ci:4", "other": "b:ci:2", "by": "name", "score": 800},
        ],
        "source_role": [
            {"source": "a", "role": "cmdb"},
            {"source": "b", "role": "cmdb"},
            {"source": "mon", "role": "monitoring"},
        ],
        "finds": {"a:ci:1": "twice: b:ci:2 by serial", "b:ci:2": "twice: a:ci:1 by serial"},
    },
]


@set_check(
    "CI-DUP-X",
    on="ci",
    severity="medium",
    effect="hold",
    reads={"same_as": "ref"},
    joins=("stored_ci", "source_role"),
    touched={"ci": "SELECT :ref UNION SELECT other FROM same_as WHERE ref = :ref"},
    fields=(),
)
def ci_dup_x(same_as: ir.Table, stored_ci: ir.Table, source_role: ir.Table) -> ir.Table:
    cmdb = source_role.filter(source_role.role == "cmdb")
    held = stored_ci.semi_join(cmdb, ["source"]).select("ref")
    sure = same_as.filter(same_as.score >= SURE).select("ref", "other", "by")
    twice = sure.semi_join(held, ["ref"]).semi_join(held, [("other", "ref")])
    return twice.select(record=twice.ref, evidence=text("twice: {} by {}", twice.other, twice["by"]))

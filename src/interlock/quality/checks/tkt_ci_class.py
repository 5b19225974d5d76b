"""TKT-CI-CLASS: an incident about a kind of thing that its category cannot be about.

What it finds
    Incidents whose CI is of a class that the profile does not allow for the category (reason `impossible`):
    a printer under "email", a certificate under "workplace".
Why it matters to an agent
    Either the category or the CI is wrong. A remediation runs on the CI, so it may run on the wrong one.
Formula
    The category has classes in `incident.classes`, and the class of the CI is not one of them. Categories
    without an entry, CIs that are not harvested and CIs without a class raise nothing.
Evidence
    The category, the class and the CI.
What lifts it
    Category or CI is corrected, or the profile allows the class.
Settings
    `incident.classes`: classes by category; none by default.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import union

EXAMPLES = [
    {
        "stored_incident": [
            {"ref": "a:incident:1", "category": "email", "ci": "a:ci:1"},
            {"ref": "a:incident:2", "category": "email", "ci": "a:ci:~h2"},  # by its handle
            {"ref": "a:incident:3", "category": "email", "ci": "a:ci:3"},
            {"ref": "a:incident:4", "category": "other", "ci": "a:ci:1"},
            {"ref": "a:incident:5", "category": "email", "ci": "a:ci:9"},
            {"ref": "a:incident:6", "category": "email"},
            {"ref": "a:incident:7", "category": "email", "ci": "a:ci:4"},
        ],
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "printer"},
            {"ref": "a:ci:2", "handle": "h2", "cls": "rack"},
            {"ref": "a:ci:3", "cls": "server"},
            {"ref": "a:ci:4"},
        ],
        "ticket_class": [{"category": "email", "cls": "server"}, {"category": "email", "cls": "application"}],
        "finds": {
            "a:incident:1": "impossible: category email; cls printer; ci a:ci:1",
            "a:incident:2": "impossible: category email; cls rack; ci a:ci:2",
        },
    },
]


@set_check(
    "TKT-CI-CLASS",
    on="incident",
    severity="medium",
    effect="hold",
    reads={"stored_incident": "ref"},
    joins=("stored_ci", "ticket_class"),
    touched={"incident": "SELECT :ref", "ci": "SELECT ref FROM stored_incident WHERE ci IN (:ref, :handle_ref)"},
    needs=("category", "ci"),
    fields=("category", "ci"),
)
def tkt_ci_class(stored_incident: ir.Table, stored_ci: ir.Table, ticket_class: ir.Table) -> ir.Table:
    judged = stored_incident.semi_join(ticket_class, "category")
    parts = []
    for name in ("ref", "handle_ref"):
        about = judged.join(stored_ci, judged.ci == stored_ci[name])
        parts.append(about.select(record=about.ref, category=about.category, cls=about.cls, ci=about.ref_right))
    about = union(parts)
    wrong = about.filter(about.cls.notnull()).anti_join(ticket_class, ["category", "cls"])
    return wrong.select(
        "record", evidence=text("impossible: category {}; cls {}; ci {}", wrong.category, wrong.cls, wrong.ci)
    )

"""ALR-RETIRED: an alert on a configuration item that is retired.

What it finds
    Open alerts on a CI that is retired, in the source of the alert or in another one that has the same thing
    (reason `retired`).
Why it matters to an agent
    Something that should be gone is still switched on and watched; an incident or a repair by this alert is
    work on a thing that nobody owns any more.
Formula
    `state` is open or acknowledged, and the CI of the alert, or one that is one thing with it by `same_as` with
    a score of at least 900 of 1000, has `status` or `operational_status` retired.
Evidence
    The retired CI.
What lifts it
    The alert is closed, monitoring stops watching, or the CI is no longer retired.
Settings
    None.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import SURE, union

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "status": "retired", "handle": "h1"},
            {"ref": "a:ci:2", "operational_status": "retired"},
            {"ref": "a:ci:3", "status": "live"},
            {"ref": "mon:ci:1"},
        ],
        "stored_alert": [
            {"ref": "mon:alert:1", "state": "open", "ci": "a:ci:1"},
            {"ref": "mon:alert:2", "state": "acknowledged", "ci": "mon:ci:1"},
            {"ref": "mon:alert:3", "state": "open", "ci": "a:ci:3"},
            {"ref": "mon:alert:4", "state": "closed", "ci": "a:ci:1"},
            {"ref": "a:alert:5", "state": "open", "ci": "a:ci:~h1"},
        ],
        "same_as": [
            {"ref": "mon:ci:1", "other": "a:ci:2", "score": 1000},
            {"ref": "a:ci:3", "other": "a:ci:1", "score": 700},
        ],
        "finds": {
            "mon:alert:1": "retired: ci a:ci:1",
            "mon:alert:2": "retired: ci a:ci:2",
            "a:alert:5": "retired: ci a:ci:1",
        },
    },
]


@set_check(
    "ALR-RETIRED",
    on="alert",
    severity="medium",
    effect="hold",
    reads={"stored_alert": "ref"},
    joins=("stored_ci", "same_as"),
    touched={
        "alert": "SELECT :ref",
        "ci": "SELECT ref FROM stored_alert WHERE ci IN (:ref, :handle_ref)"
        " UNION SELECT a.ref FROM same_as s JOIN stored_alert a ON a.ci = s.other WHERE s.ref = :ref",
    },
    needs=("state", "ci"),
    fields=("ci", "state"),
)
def alr_retired(stored_alert: ir.Table, stored_ci: ir.Table, same_as: ir.Table) -> ir.Table:
    going = stored_alert.filter(stored_alert.state.isin(("open", "acknowledged")))
    open_ = going.select("ref", on="ci")
    status, operation = stored_ci.status.fill_null(""), stored_ci.operational_status.fill_null("")
    retired = stored_ci.filter((status == "retired") | (operation == "retired")).select("handle_ref", ci="ref")
    sure = same_as.filter(same_as.score >= SURE).select(on="ref", ci="other")
    parts = [
        open_.join(retired, [("on", "ci")]).select("ref", "ci"),
        open_.join(retired, [("on", "handle_ref")]).select("ref", "ci"),
        open_.join(sure, ["on"]).semi_join(retired, ["ci"]).select("ref", "ci"),
    ]
    found = union(parts)
    return found.select(record=found.ref, evidence=text("retired: ci {}", found.ci))

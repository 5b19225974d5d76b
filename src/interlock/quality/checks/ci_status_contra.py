"""CI-STATUS-CONTRA: a configuration item whose statuses contradict each other or what is seen.

What it finds
    CIs that are retired yet were discovered lately (reason `retired_seen`), retired on one axis and in
    operation on the other (`retired_operational`), or in stock yet operational (`in_stock_operational`).
Why it matters to an agent
    A machine thought to be gone may be serving users: a reboot, a wipe or a disposal would hit them.
Formula
    With retired = `status` or `operational_status` is retired: retired and
    `now - last_seen_at <= discovered_within`; `status` retired and `operational_status` operational, or
    `operational_status` retired and `status` live; `status` in_stock and `operational_status` operational.
Evidence
    Both statuses and the time of the last sighting.
What lifts it
    The source's statuses are brought into agreement, or a person waives it with an expiry date.
Settings
    `ci.discovered_within_days`: how recent a sighting contradicts retirement; 30 by default.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import reasons, row_check, text

EXAMPLES = [
    {
        "status": "retired",
        "operational_status": "retired",
        "seen_at": 90,
        "discovered_within": 10,
        "now": 100,
        "finds": "retired_seen: status retired; operational_status retired; last_seen_at @90",
    },
    {"status": "retired", "seen_at": 89, "discovered_within": 10, "now": 100, "finds": None},
    {
        "status": "retired",
        "operational_status": "operational",
        "discovered_within": 10,
        "now": 100,
        "finds": "retired_operational: status retired; operational_status operational",
    },
    {
        "status": "live",
        "operational_status": "retired",
        "seen_at": 99,
        "discovered_within": 10,
        "now": 100,
        "finds": "retired_seen,retired_operational: status live; operational_status retired; last_seen_at @99",
    },
    {
        "status": "in_stock",
        "operational_status": "operational",
        "discovered_within": 10,
        "now": 100,
        "finds": "in_stock_operational: status in_stock; operational_status operational",
    },
    {"status": "live", "operational_status": "operational", "discovered_within": 10, "now": 100, "finds": None},
    {"status": "retired", "discovered_within": 10, "now": 100, "absent": ["last_seen_at"], "finds": None},
]


@row_check(
    "CI-STATUS-CONTRA",
    on="ci",
    severity="high",
    effect="refuse",
    needs=("status", "operational_status", "last_seen_at"),
)
def ci_status_contra(ci: ir.Table) -> ir.StringValue:
    retired, out_of_service = ci.status == "retired", ci.operational_status == "retired"
    operational = ci.operational_status == "operational"
    why = reasons(
        ((retired | out_of_service) & (ci.now - ci.seen_at <= ci.discovered_within), "retired_seen"),
        ((retired & operational) | (out_of_service & (ci.status == "live")), "retired_operational"),
        ((ci.status == "in_stock") & operational, "in_stock_operational"),
    )
    seen = ibis.ifelse(ci.seen_at.isnull(), "", text("; last_seen_at @{}", ci.seen_at))
    return why.concat(text(": status {}; operational_status {}{}", ci.status, ci.operational_status, seen))

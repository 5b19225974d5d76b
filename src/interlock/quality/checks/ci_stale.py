"""CI-STALE: a configuration item that nobody has seen for longer than its class allows.

What it finds
    CIs whose last sighting is older than the age set for their class (reason `stale`), and CIs of
    discoverable classes that were never seen at all (reason `never_seen`).
Why it matters to an agent
    Owner, operating system and address of such a CI may describe a machine that is gone; a change or a
    reboot planned on them hits something else.
Formula
    `now - max(last_seen_at, attested_at) > max_age`. A sighting is one by discovery or an attestation by
    a person; `updated_at` is not, because an edit (our own too) proves nothing about the machine.
    `never_seen`: `last_seen_at` is readable and empty and there is no attestation.
Evidence
    Class, time of the last sighting and of the attestation if there is one, allowed age in seconds.
What lifts it
    A newer sighting by discovery, an attestation by a person, or a waiver with an expiry date.
Settings
    `ci.max_age`: an age per class, and per source and environment; 60 days by default, as in ServiceNow
    CMDB Health; null for classes that discovery does not see (services, software, locations, ...).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import known, row_check, text, when

EXAMPLES = [
    {
        "cls": "server",
        "seen_at": 0,
        "max_age": 10,
        "now": 11,
        "finds": "stale: cls server; last_seen_at @0; allowed_s 10",
    },
    {"cls": "server", "seen_at": 1, "max_age": 10, "now": 11, "finds": None},  # exactly at the limit
    {"cls": "server", "max_age": 10, "now": 11, "finds": "never_seen: cls server; allowed_s 10"},
    {"cls": "server", "attested_at": 5, "max_age": 10, "now": 11, "finds": None},
    {
        "cls": "server",
        "seen_at": 0,
        "attested_at": 5,
        "max_age": 10,
        "now": 16,
        "finds": "stale: cls server; last_seen_at @0; attested_at @5; allowed_s 10",
    },
    {"cls": "server", "max_age": 10, "now": 11, "absent": ["last_seen_at"], "finds": None},
    {"max_age": 10, "now": 11, "absent": ["cls"], "finds": None},
    {"cls": "service", "max_age": None, "now": 11, "finds": None},
]


@row_check(
    "CI-STALE",
    on="ci",
    severity="medium",
    effect="hold",
    needs=("cls", "last_seen_at"),
    applies="max_age",
)
def ci_stale(ci: ir.Table) -> ir.StringValue:
    demanded = known(ci, "cls") & known(ci, "last_seen_at") & ci.max_age.notnull()
    never = ci.seen_at.isnull() & ci.attested_at.isnull()
    fresh = (ci.now - ci.seen_at <= ci.max_age).fill_null(False) | (ci.now - ci.attested_at <= ci.max_age).fill_null(
        False
    )
    attested = ibis.ifelse(ci.attested_at.isnull(), "", text("; attested_at @{}", ci.attested_at))
    seen = ibis.ifelse(ci.seen_at.isnull(), "", text("; last_seen_at @{}", ci.seen_at))
    return when(demanded & never, text("never_seen: cls {}; allowed_s {}", ci.cls, ci.max_age)).coalesce(
        when(
            demanded & ~fresh,
            text("stale: cls {}{}{}; allowed_s {}", ci.cls, seen, attested, ci.max_age),
        )
    )

"""CI-IP-SHARED: a configuration item whose address another one has too.

What it finds
    CIs in use of one source with the same IP address, of classes of which one has an address for itself
    (reason `shared`).
Why it matters to an agent
    A session or a firewall rule by that address reaches whichever of them answers.
Formula
    More than one CI of `owns_address[cls]` in the source with the same `ip`; not those that are out of use.
Evidence
    The address, how many CIs have it, and the first of them by ref.
What lifts it
    The address is corrected on all but one of them, or declared as shared.
Settings
    `ci.owns_address`: the classes. `ci.shared_addresses`: addresses that several may have.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server", "ip": "10.0.0.1"},
            {"ref": "a:ci:2", "cls": "server", "ip": "10.0.0.1", "status": "live"},
            {"ref": "a:ci:3", "cls": "server", "ip": "10.0.0.1", "status": "retired"},
            {"ref": "a:ci:4", "cls": "database", "ip": "10.0.0.1"},
            {"ref": "a:ci:5", "cls": "server", "ip": "10.0.0.9"},
            {"ref": "a:ci:6", "cls": "server", "ip": "10.0.0.9"},
            {"ref": "a:ci:7", "cls": "server", "ip": "none"},
            {"ref": "a:ci:8", "cls": "server", "ip": "none"},
            {"ref": "b:ci:9", "cls": "server", "ip": "10.0.0.1"},
        ],
        "ci_setting": [
            {"source": "a", "cls": "server", "owns_address": True},
            {"source": "a", "cls": "database", "owns_address": False},
            {"source": "b", "cls": "server", "owns_address": True},
        ],
        "shared_address": [{"source": "a", "ip": "10.0.0.9"}],
        "finds": {f"a:ci:{n}": "shared: ip 10.0.0.1 on 2 CIs, first a:ci:1" for n in (1, 2)},
    },
]


@set_check(
    "CI-IP-SHARED",
    on="ci",
    severity="medium",
    effect="hold",
    reads={"ci_address": "ip"},
    touched={"ci": "SELECT :ip"},
    members="ci_address",
    needs=("ip",),
    fields=("ip",),
)
def ci_ip_shared(ci_address: ir.Table) -> ir.Table:
    by = ("source", "ip")
    groups = ci_address.group_by(*by).agg(n=ci_address.count(), first=ci_address.ref.min())
    twins = ci_address.join(groups.filter(groups.n > 1), by)
    said = text("shared: ip {} on {} CIs, first {}", twins.ip, twins.n, twins["first"])
    return twins.select(record=twins.ref, evidence=said)

"""CI-NO-ASSET: a configuration item of hardware that no asset register has.

What it finds
    CIs in use of a CMDB, of a class that should be an asset, that no asset links to and whose serial number or
    asset tag no asset has (reason `no_asset`).
Why it matters to an agent
    Owner, cost centre and warranty are unknown: an order for repair or disposal has nobody who pays for it.
Formula
    `needs_asset[cls]`, in use, in a source with the role `cmdb`; it has a serial number or asset tag; and no
    asset of a source with the role `asset` links to it or has the same normalised number.
Evidence
    The class, the serial number and the asset tag.
What lifts it
    An asset with the number, or one that links to the CI.
Settings
    `ci.needs_asset`: the classes, also per source and environment. `source.sources.NAME.roles`: without a
    register whose assets are harvested nothing is raised.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import holders

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server", "serial": "S-1", "serial_key": "s1"},
            {"ref": "a:ci:2", "cls": "server", "serial_key": "s2"},
            {"ref": "a:ci:3", "cls": "server", "asset_tag_key": "p3"},
            {"ref": "a:ci:4", "cls": "server", "serial_key": "s4", "handle": "h4"},
            {"ref": "a:ci:5", "cls": "server", "serial_key": "s5", "status": "retired"},
            {"ref": "a:ci:6", "cls": "server"},
            {"ref": "a:ci:7", "cls": "database", "serial_key": "s7"},
            {"ref": "x:ci:8", "cls": "server", "serial_key": "s8"},
        ],
        "stored_asset": [
            {"ref": "f:asset:1", "serial_key": "s2"},
            {"ref": "f:asset:2", "asset_tag_key": "p3"},
            {"ref": "f:asset:3", "ci": "a:ci:~h4"},
            {"ref": "x:asset:4", "serial_key": "s1"},
        ],
        "ci_setting": [
            {"source": "a", "cls": "server", "needs_asset": True},
            {"source": "a", "cls": "database", "needs_asset": False},
            {"source": "x", "cls": "server", "needs_asset": True},
        ],
        "source_role": [{"source": "a", "role": "cmdb"}, {"source": "f", "role": "asset"}],
        "source_state": [{"source": "a", "kind": "ci"}, {"source": "f", "kind": "asset"}],
        "finds": {"a:ci:1": "no_asset: cls server; serial S-1; asset_tag ?"},
    },
]


@set_check(
    "CI-NO-ASSET",
    on="ci",
    severity="low",
    effect="allow",
    reads={"ci": "ref"},
    joins=("stored_asset", "source_role", "source_state"),
    touched={
        "ci": "SELECT :ref",
        "asset": "SELECT ref FROM stored_ci WHERE serial_key = :serial_key"
        " UNION SELECT ref FROM stored_ci WHERE asset_tag_key = :asset_tag_key"
        " UNION SELECT ref FROM stored_ci WHERE ref = :ci UNION SELECT ref FROM stored_ci WHERE handle_ref = :ci",
    },
    needs=("cls",),
    fields=("cls", "serial", "asset_tag", "status", "operational_status"),
)
def ci_no_asset(ci: ir.Table, stored_asset: ir.Table, source_role: ir.Table, source_state: ir.Table) -> ir.Table:
    cmdb = holders("cmdb", "ci", source_role, source_state)
    register = holders("asset", "asset", source_role, source_state)
    held = stored_asset.semi_join(register, ["source"])
    numbered = ci.serial_key.notnull() | ci.asset_tag_key.notnull()
    found = ci.filter(ci.needs_asset, ci.in_use, numbered).semi_join(cmdb, ["source"]).semi_join(register, ["exists"])
    for own, theirs in (
        *(("serial_key", "serial_key"), ("asset_tag_key", "asset_tag_key")),
        *(("ref", "ci"), ("handle_ref", "ci")),
    ):
        found = found.anti_join(held, [(own, theirs)])
    said = text("no_asset: cls {}; serial {}; asset_tag {}", found.cls, found.serial, found.asset_tag)
    return found.select(record=found.ref, evidence=said)

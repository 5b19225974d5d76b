"""AST-NO-CI: an asset in use that no CMDB has as a configuration item.

What it finds
    Assets in use with a serial number or asset tag, without a link to a CI, and whose number no CI of a source
    with the role `cmdb` has (reason `no_ci`).
Why it matters to an agent
    Somebody pays for a thing that operations does not know: nobody patches it, and nobody asks before it goes.
Formula
    `status` is in_use, `ci` is readable and empty, and no CI of a `cmdb` has the same normalised serial number
    or asset tag.
Evidence
    The class, the serial number and the asset tag.
What lifts it
    The asset is linked to its CI, or the CMDB gets a CI with its number.
Settings
    `source.sources.NAME.roles`: without a CMDB whose CIs are harvested nothing is raised. `ci.junk`: what is
    no number.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import known, set_check, text
from interlock.quality.relations import holders

EXAMPLES = [
    {
        "stored_asset": [
            {"ref": "f:asset:1", "status": "in_use", "serial": "S-1", "serial_key": "s1", "cls": "Hardware"},
            {"ref": "f:asset:2", "status": "in_use", "serial_key": "s2"},
            {"ref": "f:asset:3", "status": "in_use", "asset_tag_key": "p3"},
            {"ref": "f:asset:4", "status": "in_use", "serial_key": "s4", "ci": "a:ci:9"},
            {"ref": "f:asset:5", "status": "in_stock", "serial_key": "s5"},
            {"ref": "f:asset:6", "status": "in_use"},  # a licence, perhaps
            {"ref": "f:asset:7", "status": "in_use", "serial_key": "s7", "known": "|status|serial|"},
            {"ref": "f:asset:8", "status": "in_use", "serial_key": "xyz8"},
        ],
        "stored_ci": [
            {"ref": "a:ci:1", "serial_key": "s2"},
            {"ref": "a:ci:2", "asset_tag_key": "p3"},
            {"ref": "mon:ci:1", "serial_key": "s1"},
        ],
        "junk_key": [{"source": "f", "key": "xyz8"}],
        "source_role": [{"source": "a", "role": "cmdb"}],
        "source_state": [{"source": "a", "kind": "ci"}],
        "finds": {"f:asset:1": "no_ci: cls Hardware; serial S-1; asset_tag ?"},
    },
]


@set_check(
    "AST-NO-CI",
    on="asset",
    severity="low",
    effect="allow",
    reads={"stored_asset": "ref"},
    joins=("stored_ci", "junk_key", "source_role", "source_state"),
    touched={
        "asset": "SELECT :ref",
        "ci": "SELECT ref FROM stored_asset WHERE serial_key = :serial_key"
        " UNION SELECT ref FROM stored_asset WHERE asset_tag_key = :asset_tag_key",
    },
    needs=("status", "ci"),
    fields=("cls", "serial", "asset_tag", "ci", "status"),
)
def ast_no_ci(
    stored_asset: ir.Table, stored_ci: ir.Table, junk_key: ir.Table, source_role: ir.Table, source_state: ir.Table
) -> ir.Table:
    cmdb = holders("cmdb", "ci", source_role, source_state)
    held = stored_ci.semi_join(cmdb, ["source"])
    loose = stored_asset.filter(
        stored_asset.status == "in_use",
        known(stored_asset, "ci") & stored_asset.ci.isnull(),
        stored_asset.serial_key.notnull() | stored_asset.asset_tag_key.notnull(),
    ).mutate(exists=1)
    found = loose.semi_join(cmdb, ["exists"])
    for name in ("serial_key", "asset_tag_key"):
        found = found.anti_join(junk_key, ["source", (name, "key")]).anti_join(held, [name])
    said = text("no_ci: cls {}; serial {}; asset_tag {}", found.cls, found.serial, found.asset_tag)
    return found.select(record=found.ref, evidence=said)

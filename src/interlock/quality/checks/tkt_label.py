"""TKT-LABEL: an incident whose text says another category.

What it finds
    Incidents whose text a model of the source's own tickets takes for another category, and hardly for their
    own (reason `label`).
Why it matters to an agent
    Routed or closed by its category the ticket goes wrong; used as an example it teaches the mistake.
Formula
    The confidence in the suggested category exceeds that in the ticket's own by half. No text model ships yet:
    until one has scored the tickets the check does not run.
Evidence
    The suggested category, and both confidences in hundredths.
What lifts it
    The category is corrected, or a person confirms it (a waiver).
Settings
    None yet.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text

EXAMPLES = [
    {
        "label_score": [
            {"ref": "a:incident:1", "suggested": "network", "own": 10, "best": 80},
            {"ref": "a:incident:2", "suggested": "network", "own": 45, "best": 50},
            {"ref": "a:incident:3", "suggested": "network", "own": 30, "best": 80},  # exactly half
        ],
        "finds": {
            "a:incident:1": "label: suggested network; best 80; own 10",
            "a:incident:3": "label: suggested network; best 80; own 30",
        },
    },
]

_MARGIN = 50  # hundredths


@set_check(
    "TKT-LABEL",
    on="incident",
    severity="low",
    effect="allow",
    reads={"label_score": "ref"},
    key_local=False,
    needs=("title", "category"),
    fields=("title", "description", "category"),
)
def tkt_label(label_score: ir.Table) -> ir.Table:
    doubted = label_score.filter(label_score.best - label_score.own >= _MARGIN)
    said = text("label: suggested {}; best {}; own {}", doubted.suggested, doubted.best, doubted.own)
    return doubted.select(record=doubted.ref, evidence=said)

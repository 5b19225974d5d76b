"""CI-CONFLICT: a configuration item of which two sources say different things.

What it finds
    CIs that are one thing with a CI of another source, where both have a value and the values differ (reason
    `differs`). Names and classes are a source's own way of speaking and not compared.
Why it matters to an agent
    One of the two is wrong. A patch by operating system or a page to the owner rests on a toss of a coin.
Formula
    A pair of `same_as` and a field for which both values are known, neither is a placeholder, and they differ
    after case, blanks and, for keys, separators and labels are taken away.
Evidence
    Each field with the own value, the other one, and the ref of the other record.
What lifts it
    The sources are brought into agreement, or a person waives it with an expiry date.
Settings
    `ci.junk`: placeholders. Which CIs are one thing is said by their keys.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.matching import COMPARED, KEYS, WORDED
from interlock.quality.relations import SURE, union

EXAMPLES = [
    {
        "stored_ci": [
            {
                "ref": "a:ci:1",
                "os": "Windows  2019",
                "os_meant": "windows 2019",
                "status": "live",
                "serial": "S-1",
                "serial_key": "s1",
                "model": "N/A",
                "model_meant": "n/a",
                "owner": "a:person:ann",
                "owner_name": "Ann",
                "owner_meant": "ann",
            },
            {
                "ref": "b:ci:2",
                "os": "windows 2019",
                "os_meant": "windows 2019",
                "status": "retired",
                "serial": "S-2",
                "serial_key": "s2",
                "model": "R740",
                "model_meant": "r740",
                "owner": "b:person:bob",
                "owner_meant": "bob",
            },
            {"ref": "b:ci:3", "status": "live"},
            {"ref": "a:ci:4", "status": "live"},
        ],
        "same_as": [
            {"ref": "a:ci:1", "other": "b:ci:2", "score": 1000},
            {"ref": "b:ci:2", "other": "a:ci:1", "score": 1000},
            {"ref": "b:ci:3", "other": "a:ci:4", "score": 1000},
            {"ref": "a:ci:4", "other": "b:ci:2", "score": 700},  # perhaps: a matter of CI-DUP-MAYBE
        ],
        "junk": [{"source": "a", "value": "n/a"}],
        "finds": {
            "a:ci:1": "differs: owner Ann, b:person:bob in b:ci:2; serial S-1, S-2 in b:ci:2;"
            " status live, retired in b:ci:2",
            "b:ci:2": "differs: owner b:person:bob, Ann in a:ci:1; serial S-2, S-1 in a:ci:1;"
            " status retired, live in a:ci:1",
        },
    },
]


def _sides(stored_ci: ir.Table, side: str) -> ir.Table:
    """What is compared of a CI: what is shown of each field, and what it means."""
    found = {f"{side}_ref": stored_ci.ref, f"{side}_source": stored_ci.source}
    for name in COMPARED:
        link = f"{name}_name" in stored_ci.columns
        found[f"{side}_{name}"] = stored_ci[f"{name}_name"].coalesce(stored_ci[name]) if link else stored_ci[name]
        suffix = "_key" if name in KEYS else "_meant" if name in WORDED else ""
        found[f"{side}_{name}_meant"] = stored_ci[f"{name}{suffix}"]
    return stored_ci.select(**found)


@set_check(
    "CI-CONFLICT",
    on="ci",
    severity="medium",
    effect="hold",
    reads={"same_as": "ref"},
    joins=("stored_ci", "junk", "junk_key"),
    touched={"ci": "SELECT :ref UNION SELECT other FROM same_as WHERE ref = :ref"},
    fields=COMPARED,
    itemised=True,
)
def ci_conflict(same_as: ir.Table, stored_ci: ir.Table, junk: ir.Table, junk_key: ir.Table) -> ir.Table:
    sure = same_as.filter(same_as.score >= SURE).select("ref", "other")
    one, two = _sides(stored_ci, "own"), _sides(stored_ci, "their")
    both = sure.join(one, sure.ref == one.own_ref).join(two, [("other", "their_ref")])
    apart = [both[f"own_{name}_meant"] != both[f"their_{name}_meant"] for name in COMPARED]
    pair = both.filter(reduce(or_, apart))  # few: each field looks at these only
    said: dict[bool, list[ir.Table]] = {True: [], False: []}  # of keys, of words
    for name in COMPARED:
        own, their = pair[f"own_{name}_meant"], pair[f"their_{name}_meant"]
        said[name in KEYS].append(
            pair.filter(own != their).select(
                *("own_ref", "own_source", "their_ref", "their_source"),
                field=ibis.literal(name),
                own=pair[f"own_{name}"],
                their=pair[f"their_{name}"],
                own_meant=own,
                their_meant=their,
            )
        )
    real = []
    for keys, parts in said.items():
        nothing, column = (junk_key, "key") if keys else (junk, "value")
        found = union(parts)
        for side in ("own", "their"):
            found = found.anti_join(nothing, [(f"{side}_source", "source"), (f"{side}_meant", column)])
        real.append(found)
    found = union(real)
    return found.select(
        record=found.own_ref,
        evidence=text("differs: {} {}, {} in {}", found.field, found.own, found.their, found.their_ref),
    )

"""REL-RULE: a relation that makes no sense between things of these classes.

What it finds
    Relations whose type has rules, none of which allows these two classes (reason `not_allowed`).
Why it matters to an agent
    A sentence that stands on its head sends an impact the wrong way; more of the same form make it worse.
Formula
    The type is in `rules`, both CIs are there and have a class, and class of the subject, type and class of
    the object are no rule.
Evidence
    The three.
What lifts it
    The relation or a class is corrected, the rule is added to the profile, or a waiver with an expiry date.
Settings
    `relation.rules`: the allowed sentences by type; a type without rules is not judged.
"""

from __future__ import annotations

import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import RELATIONS_OF_CI

EXAMPLES = [
    {
        "stored_ci": [
            {"ref": "a:ci:1", "cls": "server"},
            {"ref": "a:ci:2", "cls": "rack"},
            {"ref": "a:ci:3"},
        ],
        "stored_relationship": [
            {"ref": "a:relationship:1", "subject": "a:ci:1", "type": "contains", "object": "a:ci:2"},
            {"ref": "a:relationship:2", "subject": "a:ci:2", "type": "contains", "object": "a:ci:1"},
            {"ref": "a:relationship:3", "subject": "a:ci:3", "type": "contains", "object": "a:ci:2"},
            {"ref": "a:relationship:4", "subject": "a:ci:1", "type": "contains", "object": "a:ci:9"},
            {"ref": "a:relationship:5", "subject": "a:ci:1", "type": "uses", "object": "a:ci:2"},
        ],
        "relation_rule": [{"subject_cls": "rack", "type": "contains", "object_cls": "server"}],
        "finds": {"a:relationship:1": "not_allowed: subject server; type contains; object rack"},
    },
]


@set_check(
    "REL-RULE",
    on="relationship",
    severity="low",
    effect="allow",
    reads={"relation": "ref"},
    joins=("stored_ci", "relation_rule"),
    touched={"relationship": "SELECT :ref", "ci": RELATIONS_OF_CI},
    needs=("type", "subject", "object"),
    fields=("type", "subject", "object"),
)
def rel_rule(relation: ir.Table, stored_ci: ir.Table, relation_rule: ir.Table) -> ir.Table:
    subject = stored_ci.select(subject="ref", subject_cls="cls")
    object_ = stored_ci.select(object="ref", object_cls="cls")
    ruled = relation.semi_join(relation_rule, ["type"])
    both = ruled.join(subject, ["subject"]).join(object_, ["object"])
    classed = both.filter(both.subject_cls.notnull(), both.object_cls.notnull())
    wrong = classed.anti_join(relation_rule, ["subject_cls", "type", "object_cls"])
    said = text("not_allowed: subject {}; type {}; object {}", wrong.subject_cls, wrong.type, wrong.object_cls)
    return wrong.select(record=wrong.ref, evidence=said)

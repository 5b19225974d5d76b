"""REF-DANGLING: a record that refers to a person, a group or a CI that is gone or out of use.

What it finds
    Open tickets and alerts, CIs and assets in use, with a link to a record that is not there (reason `gone`)
    or to a person or group that is no longer active (`inactive`).
Why it matters to an agent
    What is assigned there is read by nobody; an approval or a notice by that reference goes nowhere.
Formula
    The link names no record of the harvest, by ref or by handle; or `active` of the person or group is false.
    Who recorded a ticket, or closed it, is history and not asked.
Evidence
    Each field and the ref it names.
What lifts it
    The field is pointed at somebody who is there, or emptied; or the ticket is closed. A change of the other
    record is seen by the next scan.
Settings
    None. Kinds of the source that are not harvested raise nothing.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import set_check, text
from interlock.quality.relations import REFERENCES, union

EXAMPLES = [
    {
        "stored_person": [{"ref": "a:person:ann"}, {"ref": "a:person:bob", "handle": "h1", "active": False}],
        "stored_group": [{"ref": "a:group:net", "active": True}],
        "stored_incident": [
            {"ref": "a:incident:1", "state": "new", "assignee": "a:person:bob", "group": "a:group:net"},
            {"ref": "a:incident:2", "state": "new", "assignee": "a:person:~h1", "ci": "a:ci:9"},
            {"ref": "a:incident:3", "state": "closed", "assignee": "a:person:bob"},
            {"ref": "a:incident:4", "state": "new", "active": False, "assignee": "a:person:bob"},
            {"ref": "a:incident:5", "state": "new", "assignee": "a:person:ann", "caller": "a:person:eve"},
            {"ref": "a:incident:6", "state": "new", "opened_by": "a:person:eve"},
            {"ref": "b:incident:7", "state": "new", "assignee": "b:person:eve"},  # people of b are not harvested
        ],
        "stored_ci": [
            {"ref": "a:ci:1", "owner": "a:person:bob", "support_group": "a:group:old"},
            {"ref": "a:ci:2", "owner": "a:person:bob", "status": "retired"},
        ],
        "source_state": [{"source": "a", "kind": kind} for kind in ("person", "group", "ci")],
        "finds": {
            "a:incident:1": "inactive: assignee a:person:bob",
            "a:incident:2": "gone,inactive: assignee a:person:~h1; ci a:ci:9",
            "a:incident:5": "gone: caller a:person:eve",
            "a:ci:1": "gone,inactive: owner a:person:bob; support_group a:group:old",
        },
    },
]


@set_check(
    "REF-DANGLING",
    on="incident",
    also_on=tuple(kind for kind in REFERENCES if kind != "incident"),
    severity="medium",
    effect="hold",
    reads={"reference": "ref"},
    joins=("stored_person", "stored_group", "stored_ci", "source_state"),
    touched=dict.fromkeys(REFERENCES, "SELECT :ref"),
    fields=tuple(sorted({field for links in REFERENCES.values() for field in links})),
    itemised=True,
    awaits_scan=True,  # an index a link would make every ticket dear for the few people who leave
)
def ref_dangling(
    reference: ir.Table, stored_person: ir.Table, stored_group: ir.Table, stored_ci: ir.Table, source_state: ir.Table
) -> ir.Table:
    found = []
    for kind, there in (("person", stored_person), ("group", stored_group), ("ci", stored_ci)):
        active = there.active if "active" in there.columns else ibis.literal(True)
        links = reference.filter(reference.kind == kind)
        seen = links.left_join(there.select(there="ref", active=active), [("target", "there")])
        doubtful = seen.filter(seen.there.isnull() | ~seen.active)  # few: what follows costs little
        lost, idle = doubtful.filter(doubtful.there.isnull()), doubtful.filter(~doubtful.active)
        gone = lost.anti_join(there, [("target", "handle_ref")])
        found.append(_told("gone", gone, source_state))
        if "active" in there.columns:
            handled = lost.semi_join(there.filter(~there.active), [("target", "handle_ref")])
            found += [_told("inactive", idle, source_state), _told("inactive", handled, source_state)]
    return union(found)


def _told(reason: str, links: ir.Table, source_state: ir.Table) -> ir.Table:
    """The findings of links, where the kind they lead to is harvested."""
    asked = links.semi_join(source_state, ["source", "kind"])
    return asked.select(record=asked.ref, evidence=text(f"{reason}: {{}} {{}}", asked.field, asked.target))

"""What looks wrong and is not: rows at the very edge of a rule, which no check may find.

They are drawn like the planter's victims, are spoilt by nobody else, and stand in no key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mock_servers.estate.assumptions import (
    DAY,
    DEFAULT_MAX_AGE_S,
    REPEAT_WITHIN_S,
    RETIRED_SEEN_WITHIN_S,
    max_age,
)
from mock_servers.estate.model import Ci, Incident, ident

if TYPE_CHECKING:
    from mock_servers.estate.defects import Planter
    from mock_servers.estate.organisation import Organisation

GONE = "gone"  # purpose of ids that no row has
LOOPBACK = "127.0.0.1"
"""An address that every machine has."""
ASKED = ("title", "description", "category", "subcategory", "caller", "ci", "service", "site", "region")
"""What is the same in a ticket for the same."""
_ALLOWED_AGAIN_S = REPEAT_WITHIN_S + 3600


def plant(planter: Planter, org: Organisation) -> None:
    """All of them, in a fixed order."""
    _cis(planter)
    _relations(planter)
    _ended_tickets(planter, org)
    _asked_again_later(planter)


def _seen(ci: Ci, at: int) -> Ci:
    return replace(ci, last_seen_at=at, first_seen_at=min(ci.first_seen_at or at, at), updated_at=at)


def _cis(planter: Planter) -> None:
    cis, now = planter.cis, planter.as_of
    for at in planter.draw(cis, lambda ci: _discovered(ci) and max_age(ci.cls) == DEFAULT_MAX_AGE_S, 3):
        cis[at] = _seen(cis[at], now - DEFAULT_MAX_AGE_S)  # the last second that is allowed
    for at in planter.draw(cis, _discovered, 3):
        gone = replace(cis[at], status="retired", operational_status="retired")
        cis[at] = _seen(gone, now - RETIRED_SEEN_WITHIN_S - 1)  # the first second that is no contradiction
    for at in planter.draw(cis, lambda ci: ci.cls == "server" and ci.status == "live" and bool(ci.ip), 3):
        cis[at] = replace(cis[at], ip=LOOPBACK)


def _discovered(ci: Ci) -> bool:
    return ci.status == "live" and ci.last_seen_at is not None


def _relations(planter: Planter) -> None:
    """Routers and switches that connect to each other, said from either end: two sentences."""
    linked = [r for r in planter.relations if r.type == "connects_to"]
    network = {ci.id for ci in planter.cis if ci.cls == "network_device"}
    between = [r for r in linked if r.subject in network and r.object in network]
    for relation in planter.rng.sample(between, max(2, len(between) // 50)):
        planter.relate(relation.object, "connects_to", relation.subject)


def _ended_tickets(planter: Planter, org: Organisation) -> None:
    """What is over may name who left and what is gone since."""
    incidents = planter.incidents
    for at in planter.draw(incidents, lambda t: not t.active and t.assignee is not None, 5):
        incidents[at] = replace(incidents[at], assignee=planter.rng.choice(org.leavers).id)
    for at in planter.draw(incidents, lambda t: not t.active and t.ci is not None, 5):
        incidents[at] = replace(incidents[at], ci=ident(planter.seed, GONE, incidents[at].id))


def _asked_again_later(planter: Planter) -> None:
    """The same once more, but a day and an hour later or more: it is a new matter."""
    incidents = planter.incidents
    for first in planter.draw(incidents, lambda t: t.ci is not None, 5):
        asked = incidents[first]
        again = next((n for n in range(first + 1, len(incidents)) if _later(planter, incidents[n], asked)), None)
        if again is not None:
            planter.spare(incidents[again].id)
            incidents[again] = replace(incidents[again], **{name: getattr(asked, name) for name in ASKED})


def _later(planter: Planter, ticket: Incident, asked: Incident) -> bool:
    apart = ticket.opened_at - asked.opened_at
    return _ALLOWED_AGAIN_S <= apart < 3 * DAY and planter.sound(ticket.id)

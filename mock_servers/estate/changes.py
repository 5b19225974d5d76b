"""Changes and problems of the estate, product-neutral, and four that every estate has.

======================  ===========  ================================================================
story                   number       what it shows
======================  ===========  ================================================================
``scheduled``           CHG0009001   normal, approved and scheduled on the sound server of the shop
``overlapping``         CHG0009002   emergency, on the same server, in a window that overlaps
``stale_ci``            CHG0009003   normal, new, on the server that discovery last saw 200 days ago
``known_error``         PRB0009001   a known error with a workaround, behind the P1 incident
======================  ===========  ================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mock_servers.estate.assumptions import DAY
from mock_servers.estate.model import Ci, Estate, Group, Person, dice, ident
from mock_servers.estate.stories import NUMBERS, STALE_SERVER

HOUR = 3600
CHANGES = {"scheduled": "CHG0009001", "overlapping": "CHG0009002", "stale_ci": "CHG0009003"}
PROBLEMS = {"known_error": "PRB0009001"}
_ONE_IN = 40  # incidents to a change
_WORK = (
    ("Patch the operating system", "Software"),
    ("Replace a failed disk", "Hardware"),
    ("Renew the certificate", "Software"),
    ("Move to the new rack", "Hardware"),
    ("Raise the memory", "Hardware"),
    ("Firewall-Regel für Zürich ergänzen", "Network"),
)
_TYPES, _TYPE_WEIGHTS = ("normal", "standard", "emergency"), (6, 3, 1)
_CAUSES = (
    ("Connection pool runs empty", "The pool is smaller than the number of workers.", "Restart the service."),
    ("Druckaufträge bleiben hängen", "Der Treiber hält die Warteschlange fest.", "Warteschlange leeren."),
    ("Backups overrun the night", "Two jobs write to one volume.", ""),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A change in the contract's words; times are epoch seconds."""

    id: str
    number: str
    title: str
    type: str
    state: str
    risk: str
    approval: str
    category: str
    ci: str
    requested_by: str
    assignee: str | None
    group: str
    start_at: int
    end_at: int
    close_code: str
    close_notes: str
    opened_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class ProblemCase:
    """A problem in the contract's words."""

    id: str
    number: str
    title: str
    state: str
    known_error: bool
    cause: str
    workaround: str
    ci: str | None
    group: str
    assignee: str | None
    impact: str
    urgency: str
    opened_at: int
    updated_at: int
    incidents: tuple[str, ...]


def changes(estate: Estate) -> Iterator[Change]:
    """The stories first, then one change for every forty incidents."""
    rng = dice(estate.seed, "changes")
    machines = [ci for ci in estate.cis if ci.cls in ("server", "virtual_machine", "firewall", "database")]
    people = [person for person in estate.people if person.active]
    sound = next(ci for ci in machines if ci.name != STALE_SERVER and ci.last_seen_at)
    stale = next((ci for ci in machines if ci.name == STALE_SERVER), sound)
    start = estate.as_of + 2 * DAY
    first = people[0], estate.groups[0]
    yield _change(estate, CHANGES["scheduled"], _WORK[0], "normal", "scheduled", sound, start, 4 * HOUR, *first)
    later = start + 2 * HOUR
    yield _change(estate, CHANGES["overlapping"], _WORK[1], "emergency", "scheduled", sound, later, 4 * HOUR, *first)
    yield _change(estate, CHANGES["stale_ci"], _WORK[4], "normal", "new", stale, start + 5 * DAY, 2 * HOUR, *first)
    for number in range(len(estate.incidents) // _ONE_IN):
        ci, person, group = rng.choice(machines), rng.choice(people), rng.choice(estate.groups)
        kind = rng.choices(_TYPES, _TYPE_WEIGHTS)[0]
        begins = estate.as_of + rng.randrange(-400, 30) * DAY + rng.randrange(24) * HOUR
        state = "closed" if begins < estate.as_of - 3 * DAY else rng.choice(("new", "scheduled"))
        name = f"CHG{30_001 + number:07d}"
        yield _change(
            estate, name, rng.choice(_WORK), kind, state, ci, begins, rng.randrange(1, 9) * HOUR, person, group
        )


def _change(
    estate: Estate,
    number: str,
    work: tuple[str, str],
    kind: str,
    state: str,
    ci: Ci,
    start: int,
    length: int,
    person: Person,
    group: Group,
) -> Change:
    closed = state == "closed"
    opened = min(start - 6 * DAY, estate.as_of - HOUR)
    return Change(
        id=ident(estate.seed, "change", number),
        number=number,
        title=f"{work[0]}: {ci.name}",
        type=kind,
        state=state,
        risk={"normal": "moderate", "standard": "low", "emergency": "high"}[kind],
        approval="not_requested" if state == "new" else "approved",
        category=work[1],
        ci=ci.id,
        requested_by=person.id,
        assignee=None if state == "new" else person.id,
        group=group.id,
        start_at=start,
        end_at=start + length,
        close_code="successful" if closed else "",
        close_notes="Done as planned." if closed else "",
        opened_at=opened,
        updated_at=start + length if closed else opened + HOUR,
    )


def problems(estate: Estate) -> Iterator[ProblemCase]:
    """The known error first, then two that are looked into."""
    incidents = {incident.number: incident for incident in estate.incidents}
    story = incidents.get(NUMBERS["p1_caution"]) or estate.incidents[0]
    people = [person for person in estate.people if person.active]
    opened = estate.as_of - 20 * DAY
    for place, (title, cause, workaround) in enumerate(_CAUSES):
        number = PROBLEMS["known_error"] if place == 0 else f"PRB{40_000 + place:07d}"
        related = story if place == 0 else estate.incidents[place]
        yield ProblemCase(
            id=ident(estate.seed, "problem", number),
            number=number,
            title=title,
            state="fix_in_progress" if workaround else "assess",
            known_error=bool(workaround),
            cause=cause if workaround else "",
            workaround=workaround,
            ci=related.ci or related.service,
            group=related.group,
            assignee=people[place].id,
            impact="high" if place == 0 else "medium",
            urgency="medium",
            opened_at=opened + place * DAY,
            updated_at=opened + (place + 1) * DAY,
            incidents=(related.id,) if place == 0 else (),
        )

"""Two years of incidents with their journals, all healthy.

What state a ticket is in follows from its own timeline: when it was opened, how long work took, and that it closes
a week after it was resolved; so the open ones lie near ``as_of``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from mock_servers.estate import words
from mock_servers.estate.assumptions import DAY, MATRIX, NEEDS_CI, REPEAT_WITHIN_S
from mock_servers.estate.model import Ci, Group, Incident, Note, Person, Site, dice, ident
from mock_servers.estate.organisation import Organisation

HOUR = 3600
YEARS_2 = 730 * DAY
FIRST_NUMBER = 10_001
AUTO_CLOSE = 7 * DAY

_PAIRS = tuple(MATRIX)
_PAIR_WEIGHTS = tuple(accumulate((2, 3, 3, 4, 22, 12, 3, 16, 35)))
_MEDIAN_H = {"p1": 4.0, "p2": 9.0, "p3": 40.0, "p4": 80.0, "p5": 130.0}
_DUE_H = {"p1": 4, "p2": 8, "p3": 48, "p4": 120, "p5": 240}
_START_HOURS = tuple(accumulate((1, 1, 1, 1, 1, 2, 6, 14, 20, 18, 15, 12, 9, 13, 14, 12, 9, 6, 4, 3, 2, 2, 1, 1)))
_CHANNELS = ("phone", "email", "self_service", "chat", "monitoring", "walk_in")
_CHANNEL_WEIGHTS = tuple(accumulate((34, 16, 34, 8, 5, 3)))
_CLOSES = tuple(words.CLOSE_NOTES)
_CLOSE_WEIGHTS = tuple(accumulate((52, 16, 6, 5, 7, 5, 4, 3, 2)))
_HOLDS = ("caller", "vendor", "change", "problem")
_HOLD_WEIGHTS = tuple(accumulate((55, 25, 12, 8)))

_CI_FORMS: dict[str, tuple[str, ...]] = {
    "software": ("computer", "application", "windows_server"),
    "hardware": ("computer", "linux_server", "windows_server", "esx_server"),
    "printer": ("printer",),
    "monitor": ("peripheral",),
    "network": ("switch", "router", "access_point", "firewall"),
    "sql server": ("mssql_instance",),
    "oracle": ("oracle_instance",),
    "postgresql": ("postgresql_instance",),
    "mysql": ("mysql_instance",),
    "database": ("oracle_instance", "linux_server"),
    "fertigung": ("computer", "application"),
}
"""Forms of CI a ticket is about: by subcategory, else by category; an inquiry is about none."""

_DUTIES = {"network": "network", "database": "database", "fertigung": "production", "software": "workplace"}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every ticket is drawn from."""

    seed: int
    as_of: int
    org: Organisation
    complaints: tuple[tuple[str, str, str, str], ...]
    cis: dict[str, list[Ci]]
    services: list[Ci]
    offerings: list[Ci]
    groups: dict[str, Group]
    rng: Random
    extra: Random  # for what was thought of later: it moves no other draw
    asked: dict[tuple[str, str], int]  # who said what, and when last

    def caller(self, site: Site, title: str, at: int) -> Person:
        """Somebody of the site who has not said the same lately."""
        there = self.org.at_site[site.id]
        found = self.rng.choice(there)
        while at - self.asked.get((found.id, title), at - 3 * REPEAT_WITHIN_S) < 2 * REPEAT_WITHIN_S:
            found = self.extra.choice(there)
        self.asked[found.id, title] = at
        return found

    def group(self, category: str, ci: Ci | None, region: str) -> Group:
        if ci and ci.support_group and self.rng.random() < 0.8:
            return self.groups[ci.support_group]
        duty = _DUTIES.get(category, "desk") if self.rng.random() < 0.5 else "desk"
        return self.org.group_for(duty, region)


def build(seed: int, many: int, as_of: int, org: Organisation, cis: Sequence[Ci]) -> tuple[list[Incident], list[Note]]:
    """``many`` incidents, oldest first, and their notes."""
    rng = dice(seed, "tickets")
    by_form: dict[str, list[Ci]] = {}
    for ci in cis:
        by_form.setdefault(ci.form, []).append(ci)
    restricted = {"Payroll"}  # its tickets go to a closed group, by the stories only
    desk = _Desk(
        seed,
        as_of,
        org,
        words.COMPLAINTS,
        by_form,
        [ci for ci in by_form["business_service"] if ci.name not in restricted],
        by_form["service_offering"],
        {group.id: group for group in org.groups},
        rng,
        dice(seed, "tickets, later"),
        {},
    )
    sites = rng.choices(org.sites, cum_weights=org.weights, k=many)
    opened = sorted(((_opening(site, as_of, rng), site) for site in sites), key=lambda pair: (pair[0], pair[1].code))
    incidents: list[Incident] = []
    notes: list[Note] = []
    major: Incident | None = None
    for n, (at, site) in enumerate(opened):
        incident, journal = _ticket(desk, n, at, site, major)
        if incident.priority == "p1" and incident.state != "cancelled":
            major = incident
        incidents.append(incident)
        notes += journal
    return incidents, notes


def _opening(site: Site, as_of: int, rng: Random) -> int:
    """A moment of the last two years, in the working hours of the site, fewer at weekends, more lately."""
    ago = int(rng.random() ** 1.25 * 730)
    midnight = (as_of // DAY - ago) * DAY
    weekday = (midnight // DAY + 3) % 7  # day 0 of the epoch was a Thursday
    if weekday > 4 and rng.random() < 0.75:
        midnight -= 2 * DAY
    hour = rng.choices(range(24), cum_weights=_START_HOURS)[0] - site.offset_h
    at = midnight + hour * HOUR + rng.randrange(HOUR)
    late = at - (as_of - 900)
    return at if late < 0 else at - (late // DAY + 1) * DAY


def _ticket(desk: _Desk, n: int, opened: int, site: Site, major: Incident | None) -> tuple[Incident, list[Note]]:
    rng, as_of = desk.rng, desk.as_of
    category, subcategory, title, text = rng.choice(desk.complaints)
    impact, urgency = rng.choices(_PAIRS, cum_weights=_PAIR_WEIGHTS)[0]
    priority = MATRIX[impact, urgency]
    caller = desk.caller(site, title, opened)
    forms = _CI_FORMS.get(subcategory) or _CI_FORMS.get(category)
    ci = rng.choice(desk.cis[rng.choice(forms)]) if forms and rng.random() < 0.7 else None
    group = desk.group(category, ci, site.region)
    if ci is None and category in NEEDS_CI and forms:
        ci = desk.extra.choice(desk.cis[desk.extra.choice(forms)])
    members = desk.org.members[group.id]
    agent = rng.choice(members)
    work = int(rng.lognormvariate(0, 1.0) * _MEDIAN_H[priority] * HOUR) + 300
    if rng.random() < 0.012:
        work += rng.randint(20, 90) * DAY  # waits for somebody for weeks
    ended, cancelled = opened + work, rng.random() < 0.035
    # the clock decides what has happened so far
    resolved = closed = None
    hold = code = remarks = ""
    if cancelled and ended <= as_of:
        state, closed = "cancelled", ended
        code, remarks = "not_reproducible", "Withdrawn by the caller."
    elif ended <= as_of:
        resolved = ended
        code = rng.choices(_CLOSES, cum_weights=_CLOSE_WEIGHTS)[0]
        remarks = words.CLOSE_NOTES[code]
        closed = resolved + AUTO_CLOSE if resolved + AUTO_CLOSE <= as_of else None
        state = "closed" if closed else "resolved"
    elif as_of - opened < 0.15 * work:
        state = "new"
    elif rng.random() < 0.3:
        state, hold = "on_hold", rng.choices(_HOLDS, cum_weights=_HOLD_WEIGHTS)[0]
    else:
        state = "in_progress"
    assignee = None if state == "new" and rng.random() < 0.7 else agent
    fill = {"ci": ci.name if ci else "—", "who": caller.name}
    number = f"INC{FIRST_NUMBER + n:07d}"
    last_work = min(ended, as_of)
    key = ident(desk.seed, "incident", n)
    journal = list(_journal(desk, n, key, opened, last_work, caller, agent, quiet=state == "new"))
    updated = max(opened, closed or 0, resolved or 0, journal[-1].created_at if journal else 0)
    by = "system" if closed and not cancelled else (journal[-1].author if journal else caller.user_name)
    opener = caller if rng.random() < 0.4 else rng.choice(members)
    follows = major and opened - major.opened_at < 12 * HOUR and priority != "p1" and rng.random() < 0.5
    incident = Incident(
        id=key,
        number=number,
        title=title.format(**fill),
        description=text.format(**fill),
        state=state,
        hold_reason=hold,
        impact=impact,
        urgency=urgency,
        priority=priority,
        category=category,
        subcategory=subcategory,
        channel=rng.choices(_CHANNELS, cum_weights=_CHANNEL_WEIGHTS)[0],
        service=rng.choice(desk.services).id if rng.random() < 0.6 else None,
        offering=rng.choice(desk.offerings).id if rng.random() < 0.2 else None,
        ci=ci.id if ci else None,
        caller=caller.id,
        opened_by=opener.id,
        assignee=assignee.id if assignee else None,
        group=group.id,
        parent=major.id if major and follows else None,
        site=site.id,
        opened_at=opened,
        created_at=opened,
        updated_at=updated,
        updated_by=by,
        due_at=opened + _DUE_H[priority] * HOUR,
        resolved_at=resolved,
        resolved_by=agent.id if resolved else None,
        closed_at=closed,
        closed_by=agent.id if closed else None,
        close_code=code,
        close_notes=remarks,
        reopen_count=int(bool(resolved) and rng.random() < 0.015),
        reassignment_count=min(6, int(rng.expovariate(1.2))) if assignee else 0,
        external_id=f"MON-{rng.randrange(10**6):06d}" if rng.random() < 0.05 else "",
        version=len(journal) + rng.randint(1, 4) if state != "new" else len(journal),
        region=site.region,
        vendor_ticket=f"SR-{rng.randrange(10**8):08d}" if hold == "vendor" else "",
    )
    return incident, journal


def _journal(
    desk: _Desk, n: int, incident: str, start: int, end: int, caller: Person, agent: Person, *, quiet: bool
) -> Iterator[Note]:
    """Notes in order of time between start and end: the caller and the agent in public, the agent internally."""
    rng = desk.rng
    many = 0 if quiet else rng.randint(1, 5)
    for at, moment in enumerate(sorted(rng.randint(start, end) for _ in range(many))):
        public = rng.random() < 0.45
        author = caller if public and rng.random() < 0.4 else agent
        yield Note(
            id=ident(desk.seed, "note", f"{n}/{at}"),
            incident=incident,
            visibility="public" if public else "internal",
            text=rng.choice(words.PUBLIC_NOTES if public else words.INTERNAL_NOTES),
            author=author.user_name,
            created_at=moment,
        )

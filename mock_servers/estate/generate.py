"""The estate, made whole: organisation, items, stories, links, tickets, defects."""

from __future__ import annotations

from mock_servers.estate import defects, items, links, organisation, stories, tickets
from mock_servers.estate.model import Estate, Size


def generate(seed: int, size: Size | int, as_of: float) -> Estate:
    """The synthetic enterprise of this seed and size as it stands at ``as_of`` (epoch seconds, UTC).

    ``size`` as a number is the number of CIs. Raises ValueError when it is too small to hold every class.
    """
    size = size if isinstance(size, Size) else Size.of(size)
    now = int(as_of)
    org = organisation.build(seed, size, now)
    cis = items.build(seed, size, now, org)
    told, told_notes, planted, untouchable = stories.stage(seed, now, org, cis)
    orphans = defects.choose_orphans(seed, cis, untouchable)
    relations = links.build(seed, cis, orphans, now)
    incidents, notes = tickets.build(seed, size.incidents - len(told), now, org, cis)
    incidents = [*told, *incidents]
    untouchable |= {incident.id for incident in told}
    planter = defects.Planter(seed, now, cis, relations, incidents, untouchable, planted)
    key = planter.plant(org, orphans)
    return Estate(
        seed=seed,
        size=size,
        as_of=now,
        sites=org.sites,
        companies=org.companies,
        products=org.products,
        departments=org.departments,
        people=org.people,
        groups=org.groups,
        memberships=org.memberships,
        cis=tuple(cis),
        relations=tuple(relations),
        incidents=tuple(incidents),
        notes=(*told_notes, *notes),
        defects=tuple(key),
    )

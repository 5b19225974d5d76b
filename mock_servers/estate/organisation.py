"""Sites, companies, products, people and groups."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import accumulate

from mock_servers.estate import words
from mock_servers.estate.assumptions import DAY
from mock_servers.estate.model import (
    Company,
    Department,
    Group,
    Membership,
    Person,
    Product,
    Site,
    Size,
    dice,
    ident,
)

REGIONS = ("EMEA", "AMER", "APAC")
_SPELLED = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "'": "", " ": "-", "ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who there is, with the look-ups the rest of the generator needs; leavers are in ``people`` only."""

    sites: tuple[Site, ...]
    companies: tuple[Company, ...]
    products: tuple[Product, ...]
    departments: tuple[Department, ...]
    people: tuple[Person, ...]
    groups: tuple[Group, ...]
    memberships: tuple[Membership, ...]
    weights: tuple[int, ...]  # cumulative, of sites
    at_site: dict[str, tuple[Person, ...]]  # active people
    members: dict[str, tuple[Person, ...]]  # active people by group
    leavers: tuple[Person, ...]
    by_id: dict[str, Person]

    def group_for(self, duty: str, region: str) -> Group:
        """The group with this duty for the region, or the one that serves all regions."""
        found = [group for group in self.groups if group.duty == duty]
        return next((group for group in found if group.region == region), found[0])


def account(text: str) -> str:
    """An account name's part: ASCII, lower case."""
    spelled = unicodedata.normalize("NFKD", text.lower().translate(_SPELLED))
    return spelled.encode("ascii", "ignore").decode()


def build(seed: int, size: Size, as_of: int) -> Organisation:
    rng = dice(seed, "organisation")
    sites = tuple(Site(ident(seed, "site", row[0]), *row[:9]) for row in words.SITES)
    weights = tuple(accumulate(row[9] for row in words.SITES))
    vendors = sorted({row[1] for row in words.PRODUCTS})
    companies = (
        Company(ident(seed, "company", "own"), words.COMPANY, vendor=False),
        *(Company(ident(seed, "company", name), name, vendor=True) for name in vendors),
    )
    maker = {company.name: company.id for company in companies}
    products = tuple(
        Product(ident(seed, "product", number), name, number, maker[vendor], form)
        for form, vendor, name, number in words.PRODUCTS
    )
    departments = tuple(Department(ident(seed, "department", name), name) for name in words.DEPARTMENTS)

    people: list[Person] = []
    taken: dict[str, int] = {}
    heads: dict[str, str] = {}
    for n in range(size.people):
        # the first few fill every site, so that no site is without people
        site = sites[n % len(sites)] if n < 3 * len(sites) else rng.choices(sites, cum_weights=weights)[0]
        first = rng.choice(words.FIRST_NAMES[site.language])
        last = rng.choice(words.LAST_NAMES[site.language])
        user = f"{account(first)}.{account(last)}"
        taken[user] = taken.get(user, 0) + 1
        if taken[user] > 1:
            user = f"{user}{taken[user]}"
        created = as_of - rng.randint(400, 3000) * DAY
        person = Person(
            id=ident(seed, "person", n),
            user_name=user,
            first_name=first,
            last_name=last,
            email=f"{user}@bruckner-soehne.example",
            title=rng.choice(words.TITLES),
            department=rng.choice(departments).id,
            site=site.id,
            manager=heads.get(site.id),
            active=n < 3 * len(sites) or (n < size.people - 2 and rng.random() > 0.06),  # the last two left
            vip=rng.random() < 0.01,
            created_at=created,
            updated_at=created + rng.randint(0, 300) * DAY,
        )
        heads.setdefault(site.id, person.id)
        people.append(person)

    active = [person for person in people if person.active]
    region_of = {site.id: site.region for site in sites}
    by_region = {region: [p for p in active if region_of[p.site] == region] for region in REGIONS}
    by_id = {person.id: person for person in people}
    groups: list[Group] = []
    memberships: list[Membership] = []
    members: dict[str, tuple[Person, ...]] = {}
    crew = max(3, len(active) // 400)
    for duty, name, regions, description in words.GROUPS:
        for region in regions:
            full = name if duty in words.GLOBAL_DUTIES else f"{name} {region}"
            staff = rng.sample(by_region[region], min(len(by_region[region]), crew + rng.randint(0, crew)))
            created = as_of - rng.randint(800, 2500) * DAY
            group = Group(
                id=ident(seed, "group", full),
                name=full,
                description=description,
                email=f"{account(full)}@bruckner-soehne.example",
                manager=staff[0].id,
                duty=duty,
                region=region,
                created_at=created,
                updated_at=created + rng.randint(0, 700) * DAY,
            )
            groups.append(group)
            members[group.id] = tuple(staff)
            memberships += [
                Membership(
                    ident(seed, "membership", f"{full}/{person.id}"),
                    group.id,
                    person.id,
                    as_of - rng.randint(1, 399) * DAY,
                )
                for person in staff
            ]
    return Organisation(
        sites=sites,
        companies=companies,
        products=products,
        departments=departments,
        people=tuple(people),
        groups=tuple(groups),
        memberships=tuple(memberships),
        weights=weights,
        at_site={site.id: tuple(p for p in active if p.site == site.id) for site in sites},
        members=members,
        leavers=tuple(person for person in people if not person.active),
        by_id=by_id,
    )

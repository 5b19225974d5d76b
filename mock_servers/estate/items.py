"""The configuration items, all healthy: what the planter does to some of them comes later."""

from __future__ import annotations

from itertools import accumulate
from random import Random

from mock_servers.estate import words
from mock_servers.estate.assumptions import DAY
from mock_servers.estate.forms import FORMS, OPERATING_SYSTEMS, Form, counts
from mock_servers.estate.model import Ci, Person, Product, Site, Size, dice, ident
from mock_servers.estate.organisation import Organisation

_ENVIRONMENTS = ("production", "staging", "test", "development", "training", "recovery")
_ENVIRONMENT_WEIGHTS = tuple(accumulate((62, 8, 12, 13, 1, 4)))
_CRITICALITIES = ("critical", "high", "medium", "low")
_WINDOWS = ("So 02:00-05:00", "Sa 22:00-24:00", "täglich 03:00-04:00", "nach Absprache")
_STATUS = ("live", "maintenance", "repair", "in_stock", "retired", "planned", "ordered")
_LIVES = tuple(accumulate((930, 15, 10, 15, 20, 6, 4)))  # of discovered classes: never "ordered", never unseen
_OPERATIONS: dict[str, tuple[str, ...]] = {
    "live": ("operational",) * 17 + ("standby", "non_operational", "ready"),
    "maintenance": ("non_operational",),
    "repair": ("repair",),
    "in_stock": ("ready", "non_operational"),
    "retired": ("retired",),
    "planned": ("pipeline",),
    "ordered": ("pipeline",),
}


def build(seed: int, size: Size, as_of: int, org: Organisation) -> list[Ci]:
    """As many CIs as ``size`` says. Addresses, serials and asset tags are unique; each satisfies the profile
    of ``assumptions``: required fields filled, discovered in time, statuses in agreement."""
    rng = dice(seed, "items")
    products: dict[str, list[Product]] = {}
    for product in org.products:
        products.setdefault(product.form, []).append(product)
    halls = tuple(site for site in org.sites if site.code in words.DATA_CENTRES)
    duty_groups = {
        (form.duty, region): org.group_for(form.duty, region).id
        for form in FORMS
        for region in ("EMEA", "AMER", "APAC")
    }
    users = [person for site in org.sites for person in org.at_site[site.id]]
    site_of = {site.id: site for site in org.sites}
    cis: list[Ci] = []
    for form in FORMS:
        many = counts(size.cis)[form.form]
        for n in range(many):
            user = None
            if form.form in ("computer", "phone", "peripheral"):
                user = users[n % len(users)]
                site = site_of[user.site]
            elif "dc" in form.facts:
                site = halls[n % len(halls)]
            else:
                site = rng.choices(org.sites, cum_weights=org.weights)[0]
            cis.append(
                _item(
                    seed, len(cis), n, form, site, user, products, org, duty_groups[form.duty, site.region], rng, as_of
                )
            )
    return cis


def _name(form: Form, n: int, site: Site) -> str:
    if form.form == "business_service":
        return _numbered(words.SERVICES, n)
    if form.form == "technical_service":
        return _numbered(words.TECHNICAL, n)
    if form.form == "service_instance":
        return f"{_numbered(words.SERVICES, n)} - {_ENVIRONMENTS[n % 3].capitalize()}"
    if form.form == "service_offering":
        return f"{_numbered(words.SERVICES, n)} ({site.region}, {('Gold', 'Silver', 'Bronze')[n % 3]})"
    if form.form == "business_application":
        return f"{_numbered(words.SERVICES, n)} Suite"
    if form.form == "software":
        return f"{words.SOFTWARE[n % len(words.SOFTWARE)]} {n // len(words.SOFTWARE) + 1}.{n % 7}"
    if form.form == "application":
        return f"{_numbered(words.SERVICES, n)} Backend"
    if form.form == "certificate":
        return f"*.{site.code}{n:03d}.bruckner-soehne.example"
    if form.form == "data_centre":
        return f"Rechenzentrum {site.city} {n + 1}"
    return f"{site.code}{form.prefix}{n + 1:05d}"


def _numbered(names: tuple[str, ...], n: int) -> str:
    again, at = divmod(n, len(names))
    return names[at] if not again else f"{names[at]} {again + 1}"


def _item(
    seed: int,
    serial_no: int,
    n: int,
    form: Form,
    site: Site,
    user: Person | None,
    products: dict[str, list[Product]],
    org: Organisation,
    group: str,
    rng: Random,
    as_of: int,
) -> Ci:
    facts, discovered = form.facts, bool(form.source)
    name = _name(form, n, site)
    product = rng.choice(products[form.product]) if form.product else None
    status = rng.choices(_STATUS, cum_weights=_LIVES)[0]
    if status == "ordered" and discovered:
        status = "live"  # what is still on order was never seen: nothing that discovery looks for is
    if form.cls in ("service", "location"):
        status = "live"
    operation = "operational" if form.cls == "service" else rng.choice(_OPERATIONS[status])
    age_d = rng.randint(95, 2000)
    created = as_of - age_d * DAY - rng.randint(0, DAY)
    first = last = None
    updated, by = created + rng.randint(1, age_d) * DAY - rng.randint(0, DAY // 2), "cmdb.import"
    if discovered:
        first = created + rng.randint(0, 2 * DAY)
        if status in ("retired", "in_stock"):  # gone quiet, but not long enough to count as stale
            last = as_of - int(rng.uniform(35, 55) * DAY)
        else:
            last = as_of - 600 - int(rng.random() ** 2 * form.seen_within_d * DAY)
        updated, by = last + rng.randint(0, 300), "discovery"
    attested = attester = None
    if form.cls in ("service", "business_application") and rng.random() < 0.4:
        attester = rng.choice(org.at_site[site.id]).id
        attested = as_of - rng.randint(1, 90) * DAY
        updated = max(updated, attested)
    system, version = rng.choice(OPERATING_SYSTEMS[form.form]) if "os" in facts else ("", "")
    if form.form == "computer" and product and product.company == _apple(org):
        system, version = "macOS", "14.5"
    hardware = "hw" in facts
    serial = ""
    if form.product == "vm":
        serial = _vm_serial(seed, serial_no)
    elif hardware or "sn" in facts:
        serial = _serial(rng, serial_no)
    owner = user.id if user else rng.choice(org.at_site[site.id]).id
    return Ci(
        id=ident(seed, "ci", serial_no),
        name=name,
        cls=form.cls,
        form=form.form,
        status=status,
        operational_status=operation,
        environment="production" if user else rng.choices(_ENVIRONMENTS, cum_weights=_ENVIRONMENT_WEIGHTS)[0],
        criticality=_CRITICALITIES[min(3, int(rng.random() ** 0.6 * 4))],
        serial=serial,
        asset_tag=f"P{1_000_000 + serial_no}" if hardware and form.product != "vm" else "",
        fqdn=f"{name}.{site.code}.bruckner.example" if "net" in facts else "",
        ip=_address(serial_no) if "net" in facts else "",
        mac=_mac(serial_no) if "mac" in facts else "",
        os=system,
        os_version=version,
        cpus=rng.choice((2, 4, 8, 16)) if "os" in facts else 0,
        ram_mb=rng.choice((8192, 16384, 32768, 131072)) if "os" in facts else 0,
        disk_gb=rng.choice((256, 512, 1024, 4096)) if "os" in facts else 0,
        vendor=product.company if product else None,
        model=product.id if product else None,
        site=site.id,
        category=form.category,
        subcategory=form.subcategory,
        description="",
        owner=owner,
        assigned_to=user.id if user else None,
        support_group=group,
        department=user.department if user else None,
        discovery_source=form.source or "Manual Entry",
        first_seen_at=first,
        last_seen_at=last,
        attested_at=attested,
        attested_by=attester,
        installed_at=created - rng.randint(0, 20) * DAY,
        warranty_until=created + 1095 * DAY if hardware and form.product != "vm" else None,
        created_at=created,
        created_by="discovery" if discovered else "cmdb.import",
        updated_at=updated,
        updated_by=by,
        version=rng.randint(1, 4 + age_d // 4 if discovered else 30),
        parent=None,
        patch_window=rng.choice(_WINDOWS) if form.cls == "server" else "",
    )


def _apple(org: Organisation) -> str:
    return next(company.id for company in org.companies if company.name == "Apple")


def _serial(rng: Random, n: int) -> str:
    """Unique by its tail; the head is as makers write it."""
    return f"{rng.choice(('5CG', 'PF', 'CZJ', 'FOC', 'JW'))}{rng.randint(10, 99)}{n + 4096:05X}"


def _vm_serial(seed: int, n: int) -> str:
    digits = ident(seed, "bios", n)
    pairs = [digits[i : i + 2] for i in range(0, 32, 2)]
    return f"VMware-{' '.join(pairs[:8])}-{' '.join(pairs[8:])}"


def _address(n: int) -> str:
    """A host address of 10/8, never one that ends in 0 or 255."""
    rest, host = divmod(n, 250)
    return f"10.{20 + rest // 250}.{rest % 250 + 1}.{host + 2}"


def _mac(n: int) -> str:
    return f"3C:52:82:{n >> 16 & 255:02X}:{n >> 8 & 255:02X}:{n & 255:02X}"

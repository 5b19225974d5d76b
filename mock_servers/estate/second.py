"""A second CMDB of the enterprise: what those who run the data centres keep in their own tool.

It knows some of the same things under its own ids and spellings, a few that the first does not know, and where
the planter wants it says something else of a thing than the first. Everything stands in a rack; nothing else is
related. CIs that the first CMDB has wrong are not in it, so that each finding has one cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from mock_servers.estate.forms import OPERATING_SYSTEMS
from mock_servers.estate.model import Ci, Defect, Estate, Product, Relation, dice, ident

FORMS = (
    *("linux_server", "windows_server", "esx_server", "aix_server", "solaris_server", "mainframe"),
    *("switch", "router", "firewall", "load_balancer", "storage_array"),
)
SHARE = 0.6
"""Of the things of these forms, how many it knows."""
DISAGREE = 0.05
"""Of those, about how many it tells otherwise."""
ALONE = 50
"""One thing in so many is its own."""


@dataclass(frozen=True, slots=True)
class Second:
    """``estate``: as the second CMDB has it, with what is wrong in it. ``first``: what is wrong with records of
    the first CMDB because there is a second."""

    estate: Estate
    first: tuple[Defect, ...]


def second(estate: Estate) -> Second:
    """The second CMDB of an estate; the same for the same estate."""
    rng = dice(estate.seed, "second cmdb")
    spoilt = {defect.record for defect in estate.defects}
    racks = [ci for ci in estate.cis if ci.form == "rack" and ci.id not in spoilt]
    known = [ci for ci in estate.cis if ci.form in FORMS and ci.id not in spoilt and rng.random() < SHARE]
    names = {person.id: person.name for person in estate.people}
    cis: list[Ci] = []
    here: list[Defect] = []
    there: list[Defect] = []
    for n, ci in enumerate((*racks, *known)):
        told = _written(ci, rng, ident(estate.seed, "second ci", ci.id))
        field = None
        if ci.form != "rack" and (n % round(1 / DISAGREE) == 0):
            told, field = _otherwise(told, n, rng, estate, names)
        cis.append(told)
        for found, record in ((here, ci), (there, told)):
            found.append(Defect("CI-DUP-X", "same", "ci", record.id, record.name, ()))
            if field is not None:
                found.append(Defect("CI-CONFLICT", "differs", "ci", record.id, record.name, (field,)))
    cis += [_own(ci, n, estate.seed) for n, ci in enumerate(known[::ALONE])]
    whole = replace(
        estate,
        products=tuple(_full_names(estate)),
        cis=tuple(cis),
        relations=tuple(_racked(cis, rng, estate)),
        incidents=(),
        notes=(),
        defects=tuple(there),
    )
    return Second(whole, tuple(here))


def _full_names(estate: Estate) -> Iterator[Product]:
    """Models with their maker, as ServiceNow displays them."""
    maker = {company.id: company.name for company in estate.companies}
    for product in estate.products:
        yield replace(product, name=f"{maker[product.company]} {product.name}")


def _written(ci: Ci, rng: Random, key: str) -> Ci:
    """The same thing as people at another desk type it."""
    plain = ci.mac.replace(":", "").lower()
    return replace(
        ci,
        id=key,
        serial=rng.choice((ci.serial, ci.serial.lower(), f"SN: {ci.serial}")) if ci.serial else "",
        asset_tag=rng.choice((ci.asset_tag, ci.asset_tag.lower())),
        mac=rng.choice((ci.mac, ci.mac.lower(), ci.mac.replace(":", "-"), plain)),
        fqdn=rng.choice((ci.fqdn, ci.fqdn.upper())),
        os=rng.choice((ci.os, ci.os.upper())),
    )


def _otherwise(ci: Ci, n: int, rng: Random, estate: Estate, names: dict[str, str]) -> tuple[Ci, str]:
    """The thing with one attribute that the first CMDB contradicts, and which."""
    others = [os for os, _ in OPERATING_SYSTEMS.get(ci.form, ()) if os.casefold() != ci.os.casefold()]
    field = rng.choice(("environment", "ip", "owner", "support_group", *(("os",) if others else ())))
    if field == "os":
        return replace(ci, os=rng.choice(others)), field
    if field == "ip":
        return replace(ci, ip=f"10.{240 + n // 62_500 % 16}.{n // 250 % 250}.{n % 250 + 2}"), field
    if field == "environment":
        environments = ("production", "staging", "test", "development")
        return replace(ci, environment=rng.choice([each for each in environments if each != ci.environment])), field
    if field == "owner":
        others = [person.id for person in estate.people[:50] if person.name != names.get(ci.owner or "")]
        return replace(ci, owner=rng.choice(others)), field
    groups = [group.id for group in estate.groups if group.id != ci.support_group]
    return replace(ci, support_group=rng.choice(groups)), field


def _own(like: Ci, n: int, seed: int) -> Ci:
    """A thing that only this CMDB knows."""
    name = f"cage{n + 1:05d}"
    return replace(
        like,
        id=ident(seed, "second ci", name),
        name=name,
        serial=f"CAGE{n + 70_000:07d}",
        asset_tag=f"C{n + 1_000_000}",
        fqdn=f"{name}.cage.bruckner.example",
        ip=f"10.{224 + n // 62_500}.{n // 250 % 250}.{n % 250 + 2}",
        mac=f"3C:52:83:{n >> 16 & 255:02X}:{n >> 8 & 255:02X}:{n & 255:02X}",
    )


def _racked(cis: list[Ci], rng: Random, estate: Estate) -> Iterator[Relation]:
    racks = [ci for ci in cis if ci.form == "rack"]
    for ci in cis:
        if ci.form != "rack":
            key = ident(estate.seed, "second relation", ci.id)
            yield Relation(key, rng.choice(racks).id, "contains", ci.id, ci.created_at)

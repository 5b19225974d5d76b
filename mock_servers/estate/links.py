"""The relations: services on applications on servers on virtual machines on hosts in racks in data centres.

Every CI of a class that needs relations has one, unless it is to be an orphan; dependencies run down one way, so
there is no cycle; no sentence stands twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mock_servers.estate.assumptions import DAY
from mock_servers.estate.model import Ci, Relation, dice, ident

_DATABASES = ("mssql_instance", "oracle_instance", "mysql_instance", "postgresql_instance")
_MIDDLEWARE = ("tomcat", "weblogic", "websphere")
_WEB = ("apache", "iis")
_HOSTS = ("linux_server", "windows_server")
_PHYSICAL = ("aix_server", "solaris_server", "esx_server")


def build(seed: int, cis: Sequence[Ci], orphans: frozenset[str], as_of: int) -> list[Relation]:
    rng = dice(seed, "links")
    by_form: dict[str, list[Ci]] = {}
    for ci in cis:
        if ci.id not in orphans:
            by_form.setdefault(ci.form, []).append(ci)

    def of(*forms: str) -> list[Ci]:
        return [ci for form in forms for ci in by_form.get(form, ())]

    found: list[Relation] = []

    def add(subject: Ci, word: str, target: Ci) -> None:
        found.append(
            Relation(
                ident(seed, "relation", len(found)),
                subject.id,
                word,
                target.id,
                as_of - rng.randint(1, 900) * DAY,
            )
        )

    def each(subjects: Sequence[Ci], word: str, targets: Sequence[Ci], per: Callable[[], int]) -> None:
        """Relate each subject to ``per()`` different targets."""
        for subject in subjects:
            for target in rng.sample(targets, min(per(), len(targets))):
                add(subject, word, target)

    def one() -> int:
        return 1

    def some() -> int:
        return rng.randint(1, 3)

    def maybe() -> int:
        return rng.random() < 0.5

    halls, racks, arrays = of("data_centre"), of("rack"), of("storage_array")
    for at, rack in enumerate(racks):
        add(halls[at % len(halls)], "contains", rack)
    each(racks, "powered_by", of("ups"), one)
    for shelf in (*of(*_PHYSICAL), *of("mainframe", "load_balancer", "firewall"), *arrays):
        add(rng.choice(racks), "contains", shelf)
    clusters, hosts, machines = of("cluster"), of("esx_server"), of("vmware_instance")
    each(hosts, "member_of", clusters, one)
    each(machines, "hosted_on", hosts, one)
    guests = of(*_HOSTS)
    for at, guest in enumerate(guests):  # the rest is physical and stands in a rack
        if at < len(machines) and at % 8:
            add(guest, "hosted_on", machines[at])
        else:
            add(rng.choice(racks), "contains", guest)
    routers, switches = of("router"), of("switch")
    each(routers, "connects_to", of("firewall"), one)
    each(switches, "connects_to", routers, one)
    each(of("access_point", "printer"), "connects_to", switches, one)
    each(guests, "connects_to", switches, maybe)
    volumes = of("storage_volume")
    for volume in volumes:
        add(rng.choice(arrays), "contains", volume)
    each(guests, "uses", volumes, lambda: rng.random() < 0.3)
    for part in of("network_adapter", "disk"):
        add(rng.choice(guests), "contains", part)
    databases, middleware, web = of(*_DATABASES), of(*_MIDDLEWARE), of(*_WEB)
    each(databases, "runs_on", guests, one)
    each(databases, "depends_on", volumes, maybe)
    each((*middleware, *web, *of("mail_server", "application")), "runs_on", guests, one)
    each(middleware, "depends_on", databases, some)
    each(of("application"), "depends_on", middleware, one)
    each(web, "uses", of("certificate"), maybe)
    each(of("container"), "runs_on", of("kubernetes_cluster"), one)
    instances, business = of("service_instance"), of("business_service")
    each(instances, "depends_on", (*of("application"), *web, *databases), some)
    each(instances, "depends_on", of("load_balancer", "container"), maybe)
    each(instances, "depends_on", of("technical_service"), one)
    each(business, "depends_on", instances, some)
    for offering in of("service_offering"):
        add(rng.choice(business), "contains", offering)
    each(of("business_application"), "uses", instances, some)
    each(of("software"), "runs_on", of("computer"), one)
    return found

"""The forms of CI the estate has: what each is, how many there are, and what is known about one."""

from __future__ import annotations

from dataclasses import dataclass

from mock_servers.estate.words import DATA_CENTRES


@dataclass(frozen=True, slots=True)
class Form:
    """One form of CI. ``share`` is per 10,000 CIs; every form has at least one CI, computers fill the rest.

    ``facts``: ``hw`` serial, asset tag, model; ``sn`` a serial only; ``net`` ip and fqdn; ``mac``; ``os``
    operating system and size; ``dc`` stands in a data centre, otherwise at any site. ``source`` is what
    discovers it; "" means nothing does.
    """

    form: str
    cls: str
    share: int
    prefix: str
    duty: str
    source: str
    facts: frozenset[str]
    product: str = ""
    category: str = ""
    subcategory: str = ""
    seen_within_d: float = 3.0


def _form(
    form: str,
    cls: str,
    share: int,
    prefix: str,
    duty: str,
    source: str,
    facts: str = "",
    product: str = "",
    category: str = "Hardware",
    subcategory: str = "",
    seen_within_d: float = 3.0,
) -> Form:
    return Form(
        form,
        cls,
        share,
        prefix,
        duty,
        source,
        frozenset(facts.split()),
        product,
        category,
        subcategory,
        seen_within_d,
    )


_D, _I, _M = "ServiceNow", "SG-SCCM", "SG-Intune"  # the discovery sources of the enterprise
_V, _S = "VMware vCenter", "SG-SolarWinds"

FORMS: tuple[Form, ...] = (
    _form("data_centre", "location", 0, "dc", "facility", "", "dc", category="Facility"),
    _form("rack", "rack", 120, "rk", "facility", "", "hw dc", "rack", "Facility"),
    _form("ups", "ups", 30, "ups", "facility", _S, "hw net mac dc", "ups", "Facility"),
    _form("esx_server", "server", 200, "esx", "server", _V, "hw net mac os dc", "server", "Hardware", "Server"),
    _form("vmware_instance", "virtual_machine", 1400, "vm", "server", _V, "hw os dc", "vm", "Resource", "VM"),
    _form("linux_server", "server", 900, "lx", "server", _D, "hw net mac os dc", "server", "Hardware", "Server"),
    _form("windows_server", "server", 700, "ws", "server", _D, "hw net mac os dc", "server", "Hardware", "Server"),
    _form("aix_server", "server", 40, "ax", "server", _D, "hw net mac os dc", "unix", "Hardware", "Server"),
    _form("solaris_server", "server", 20, "so", "server", _D, "hw net mac os dc", "unix", "Hardware", "Server"),
    _form("mainframe", "mainframe", 3, "mf", "server", _D, "hw net dc", "mainframe"),
    _form("switch", "network_device", 250, "sw", "network", _S, "hw net mac", "switch", "Network"),
    _form("router", "network_device", 70, "rt", "network", _S, "hw net mac", "router", "Network"),
    _form("access_point", "network_device", 250, "ap", "network", _S, "hw net mac", "access_point", "Network"),
    _form("firewall", "firewall", 50, "fw", "network", _S, "hw net mac dc", "firewall", "Network"),
    _form("load_balancer", "load_balancer", 30, "lb", "network", _S, "hw net mac dc", "load_balancer", "Network"),
    _form("storage_array", "storage", 50, "st", "storage", _D, "hw net dc", "storage_array", "Storage"),
    _form("storage_volume", "storage", 200, "vol", "storage", _D, "sn dc", "", "Storage"),
    _form("mssql_instance", "database", 150, "mssql", "database", _D, "dc", "", "Database"),
    _form("oracle_instance", "database", 120, "ora", "database", _D, "dc", "", "Database"),
    _form("mysql_instance", "database", 60, "mysql", "database", _D, "dc", "", "Database"),
    _form("postgresql_instance", "database", 100, "pg", "database", _D, "dc", "", "Database"),
    _form("tomcat", "middleware", 200, "tc", "application", _D, "dc", "", "Application"),
    _form("weblogic", "middleware", 50, "wl", "application", _D, "dc", "", "Application"),
    _form("websphere", "middleware", 30, "wp", "application", _D, "dc", "", "Application"),
    _form("apache", "web_server", 120, "ww", "application", _D, "dc", "", "Application"),
    _form("iis", "web_server", 100, "iis", "application", _D, "dc", "", "Application"),
    _form("mail_server", "application", 20, "mx", "application", "", "dc", "", "Application"),
    _form("application", "application", 300, "app", "application", "", "dc", "", "Application"),
    _form("cluster", "cluster", 50, "cl", "server", _V, "dc", "", "Resource"),
    _form("kubernetes_cluster", "cluster", 10, "k8s", "cloud", _D, "dc", "", "Resource"),
    _form("container", "container", 200, "pod", "cloud", _D, "dc", "", "Resource", "Container"),
    _form("printer", "printer", 250, "pr", "workplace", _S, "hw net mac", "printer", "Hardware", "", 20.0),
    _form("phone", "peripheral", 150, "tel", "workplace", "", "hw mac", "phone", "Telephony"),
    _form("peripheral", "peripheral", 200, "mon", "workplace", "", "hw", "peripheral"),
    _form("network_adapter", "network_adapter", 200, "nic", "server", _D, "mac dc", "network_adapter"),
    _form("disk", "disk", 200, "dsk", "server", _D, "dc", "disk"),
    _form("software", "software", 400, "sw", "workplace", "", "", "", "Software"),
    _form("certificate", "certificate", 100, "crt", "security", "", "dc", "", "Certificate"),
    _form("business_service", "service", 60, "", "application", "", "", "", "Service"),
    _form("technical_service", "service", 30, "", "server", "", "", "", "Service"),
    _form("service_instance", "service", 100, "", "application", "", "", "", "Service"),
    _form("service_offering", "service_offering", 100, "", "application", "", "", "", "Service"),
    _form("business_application", "business_application", 90, "", "application", "", "", "", "Application"),
    _form("computer", "computer", 0, "pc", "workplace", _I, "hw net mac os", "computer", "Hardware", "Computer", 30.0),
)
BY_NAME: dict[str, Form] = {form.form: form for form in FORMS}

OPERATING_SYSTEMS: dict[str, tuple[tuple[str, str], ...]] = {
    "esx_server": (("VMware ESXi", "7.0.3"), ("VMware ESXi", "8.0.2")),
    "linux_server": (
        ("Linux Red Hat Enterprise", "8.9"),
        ("SUSE Linux Enterprise Server", "15 SP5"),
        ("Linux Ubuntu", "22.04"),
        ("Debian GNU/Linux", "12"),
    ),
    "windows_server": (("Windows Server 2019 Standard", "10.0.17763"), ("Windows Server 2022", "10.0.20348")),
    "aix_server": (("AIX", "7.2"),),
    "solaris_server": (("Solaris", "11.4"),),
    "computer": (("Windows 11 Enterprise", "10.0.22631"), ("Windows 10 Enterprise", "10.0.19045")),
    "vmware_instance": (("Linux (64-bit)", ""), ("Microsoft Windows Server 2019 (64-bit)", "")),
}


def counts(total: int) -> dict[str, int]:
    """How many CIs of each form there are among ``total``; they add up to it."""
    found = {form.form: max(1, total * form.share // 10_000) for form in FORMS if form.form != "computer"}
    found["data_centre"] = len(DATA_CENTRES)
    found["business_service"] = max(8, found["business_service"])  # the named services of the stories
    found["computer"] = total - sum(found.values())
    return found

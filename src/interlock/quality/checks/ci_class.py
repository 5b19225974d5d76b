"""CI-CLASS: a configuration item whose class contradicts what it is.

What it finds
    CIs with an operating system that their class cannot have (reason `os`), and servers and virtual machines
    without any name a host has (`no_hostname`).
Why it matters to an agent
    The class chooses the runbook: a patch for Windows does not belong on a Linux server, and what has no host
    name is hardly a server that can be logged in to.
Formula
    None of the words of `class_os` for the class stands in `os`; `os` is neither empty nor a placeholder. The
    source's own class is asked first, then the canonical one. `no_hostname`: class server or virtual_machine,
    `name` and `fqdn` both readable and both empty or placeholders.
Evidence
    Both classes and the operating system.
What lifts it
    The class, the operating system or the name is corrected in the source, or a waiver with an expiry date.
Settings
    `ci.class_os`: the words per class; a class that is not there may have any operating system.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import blank, known, lists, reasons, row_check, text, when

EXAMPLES = [
    {
        "cls": "server",
        "native_class": "cmdb_ci_win_server",
        "os": "Linux Red Hat",
        "os_fits": False,
        "finds": "os: cls server; native_class cmdb_ci_win_server; os Linux Red Hat",
    },
    {"cls": "server", "native_class": "cmdb_ci_win_server", "os": "Windows 2022", "os_fits": True, "finds": None},
    {"cls": "server", "os": "Linux", "os_fits": None, "finds": None},
    {"cls": "server", "os": "tbd", "os_fits": False, "placeholders": "|os|", "finds": None},
    {"cls": "server", "empty": "|name|fqdn|", "finds": "no_hostname: cls server"},
    {"cls": "server", "empty": "|name|", "placeholders": "|fqdn|", "finds": "no_hostname: cls server"},
    {"cls": "server", "empty": "|name|fqdn|", "absent": ["fqdn"], "finds": None},
    {"cls": "service", "empty": "|name|fqdn|", "finds": None},
]

_HOSTS = ("server", "virtual_machine")


@row_check("CI-CLASS", on="ci", severity="low", effect="allow", needs=("cls",))
def ci_class(ci: ir.Table) -> ir.StringValue:
    os = known(ci, "os") & (ci.os_fits == False).fill_null(False) & ~lists(ci.placeholders, "os").fill_null(False)  # noqa: E712
    nameless = ci.cls.isin(_HOSTS)
    for name in ("name", "fqdn"):
        nothing = lists(ci.empty, name).fill_null(False) | lists(ci.placeholders, name).fill_null(False)
        nameless = nameless & known(ci, name) & nothing
    native = ibis.ifelse(blank(ci.native_class), "", text("; native_class {}", ci.native_class))
    written = ibis.ifelse(os, text("{}; os {}", native, ci.os), native)
    said = reasons((os, "os"), (nameless, "no_hostname")) + text(": cls {}{}", ci.cls, written)
    return when(os | nameless, said)

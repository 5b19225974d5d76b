"""What people of the estate can order: items, what each asks for, and who fulfils it."""

from __future__ import annotations

from dataclasses import dataclass, field

YES_NO, TEXT_AREA, SCALE, SELECT, TEXT, CHECK, REFERENCE, DATE = 1, 2, 4, 5, 6, 7, 8, 9
MULTIPLE, DATE_TIME, EMAIL = 3, 10, 26


@dataclass(frozen=True, slots=True)
class Asked:
    """One variable. ``kind`` is the native type; ``table`` of a reference; ``choices`` are value and label."""

    name: str
    question: str
    kind: int
    mandatory: bool = False
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    table: str = ""
    pattern: str = ""
    read_only: bool = False
    help: str = ""
    scale: tuple[int, int] = (1, 5)


@dataclass(frozen=True, slots=True)
class Orderable:
    """One item of the catalogue. ``duty`` names the group that fulfils it; a price makes a manager approve."""

    name: str
    category: str
    about: str
    html: str
    duty: str
    price: float = 0.0
    asks: tuple[Asked, ...] = field(default=())
    approved_by_group: bool = False
    quantity: bool = False


def _ask(name: str, question: str, kind: int, **more: object) -> Asked:
    return Asked(name, question, kind, **more)  # type: ignore[arg-type]


_REASON = _ask("business_reason", "Why is it needed?", TEXT_AREA, mandatory=True)
_PERSON = _ask("for_user", "For which person?", REFERENCE, mandatory=True, table="sys_user")
_COST = _ask(
    "cost_center",
    "Cost centre",
    TEXT,
    mandatory=True,
    pattern="[1-9][0-9]{5}",
    help="Six digits, as in your payslip.",
)
_MODELS = (("standard", "Standard 14″"), ("performance", "Performance 16″"), ("mac", "MacBook Pro 14″"))
_ACCESS = (("read", "Lesen"), ("write", "Schreiben"), ("admin", "Verwalten"))

CATEGORIES = ("Hardware", "Software", "Access", "Communication", "People", "Infrastructure")

ITEMS: tuple[Orderable, ...] = (
    Orderable(
        "Laptop",
        "Hardware",
        "A notebook with dock and bag, set up for your account.",
        "<p>Delivered within <b>five working days</b>.</p><ul><li>Dock &amp; bag</li><li>Warranty: 3 years</li></ul>",
        "workplace",
        1290.0,
        (
            _ask("model", "Model", SELECT, mandatory=True, default="standard", choices=_MODELS),
            _ask(
                "keyboard",
                "Keyboard",
                MULTIPLE,
                mandatory=True,
                choices=(("de", "Deutsch"), ("us", "US"), ("fr", "AZERTY")),
            ),
            _ask("needed_by", "Needed by", DATE),
            _REASON,
            _COST,
        ),
        quantity=True,
    ),
    Orderable(
        "Monitor",
        "Hardware",
        "A 27″ monitor.",
        "<p>With stand and cable.</p>",
        "workplace",
        310.0,
        (_COST,),
        quantity=True,
    ),
    Orderable(
        "Mobile phone",
        "Hardware",
        "A company phone with contract.",
        "<p>The number can be kept.</p>",
        "workplace",
        540.0,
        (
            _ask("model", "Model", SELECT, mandatory=True, choices=(("android", "Android"), ("ios", "iPhone"))),
            _ask("keep_number", "Keep the present number?", YES_NO, default="No"),
            _COST,
        ),
    ),
    Orderable(
        "Software licence",
        "Software",
        "A licence of a product from the list.",
        "<p>Installed remotely once it is approved.</p>",
        "workplace",
        120.0,
        (
            _ask(
                "product",
                "Product",
                SELECT,
                mandatory=True,
                choices=(("autocad", "AutoCAD"), ("solidworks", "SolidWorks"), ("acrobat", "Adobe Acrobat Pro")),
            ),
            _ask("term_months", "Months", SCALE, mandatory=True, default="3", scale=(1, 12)),
            _REASON,
        ),
        quantity=True,
    ),
    Orderable(
        "Software installation",
        "Software",
        "Have packaged software installed on a computer.",
        "<p>From the list of packaged software only.</p>",
        "workplace",
        0.0,
        (
            _ask("computer", "On which computer?", REFERENCE, mandatory=True, table="cmdb_ci_computer"),
            _ask("package", "Package", TEXT, mandatory=True),
        ),
    ),
    Orderable(
        "VPN access",
        "Access",
        "Work from outside the offices.",
        "<p>Access for <i>one year</i>; it is asked for again after that.</p>",
        "network",
        0.0,
        (
            _PERSON,
            _ask("until", "Until", DATE, mandatory=True),
            _ask("terms", "I have read the rules of remote work", CHECK, mandatory=True),
        ),
        approved_by_group=True,
    ),
    Orderable(
        "Password reset",
        "Access",
        "A new start password, told to the person's manager.",
        "<p>Within one hour.</p>",
        "desk",
        0.0,
        (
            _PERSON,
            _ask(
                "system",
                "System",
                SELECT,
                mandatory=True,
                default="windows",
                choices=(("windows", "Windows"), ("sap", "SAP"), ("vpn", "VPN")),
            ),
        ),
    ),
    Orderable(
        "SAP role",
        "Access",
        "A role in SAP Finance or Logistics.",
        "<p>Checked for separation of duties.</p>",
        "sap",
        0.0,
        (
            _PERSON,
            _ask("role", "Role", TEXT, mandatory=True, pattern="Z_[A-Z0-9_]{3,30}", help="As in the list of roles."),
            _REASON,
        ),
        approved_by_group=True,
    ),
    Orderable(
        "Folder access",
        "Access",
        "Rights on a folder of the file services.",
        "<p>The folder's owner is asked.</p>",
        "storage",
        0.0,
        (
            _ask("path", "Folder", TEXT, mandatory=True, help="Such as \\\\files\\sales\\2026"),
            _ask("rights", "Rights", MULTIPLE, mandatory=True, default="read", choices=_ACCESS),
        ),
        approved_by_group=True,
    ),
    Orderable(
        "Shared mailbox",
        "Communication",
        "A mailbox for a team.",
        "<p>Up to 50 GB.</p>",
        "cloud",
        0.0,
        (
            _ask("address", "Address", EMAIL, mandatory=True),
            _ask("owner", "Owner", REFERENCE, mandatory=True, table="sys_user"),
            _ask("retention", "Kept for", TEXT, default="10 years", read_only=True),
        ),
    ),
    Orderable(
        "Distribution list",
        "Communication",
        "A list of recipients.",
        "<p>Its owner keeps its members.</p>",
        "cloud",
        0.0,
        (_ask("name", "Name", TEXT, mandatory=True), _ask("external", "Open to senders outside", CHECK)),
    ),
    Orderable(
        "New starter",
        "People",
        "Everything a new colleague needs on the first day.",
        "<p>Account, laptop, badge, mailbox.</p>",
        "desk",
        1500.0,
        (
            _ask("full_name", "Name", TEXT, mandatory=True),
            _ask("start", "First day", DATE, mandatory=True),
            _ask("site", "Site", REFERENCE, mandatory=True, table="cmn_location"),
            _ask("manager", "Manager", REFERENCE, mandatory=True, table="sys_user"),
            _ask("remote", "Works remotely", YES_NO, mandatory=True),
            _ask("remarks", "Remarks", TEXT_AREA),
        ),
    ),
    Orderable(
        "Leaver",
        "People",
        "Close accounts and collect devices.",
        "<p>At least three days ahead.</p>",
        "desk",
        0.0,
        (_PERSON, _ask("last_day", "Last day", DATE, mandatory=True)),
        approved_by_group=True,
    ),
    Orderable(
        "Virtual server",
        "Infrastructure",
        "A virtual machine with Linux or Windows.",
        "<p>Patched monthly; backed up daily.</p>",
        "server",
        0.0,
        (
            _ask(
                "os", "Operating system", SELECT, mandatory=True, choices=(("linux", "Linux"), ("windows", "Windows"))
            ),
            _ask("cpus", "Cores", SCALE, mandatory=True, default="4", scale=(1, 16)),
            _ask("service", "For which service?", REFERENCE, mandatory=True, table="cmdb_ci_service"),
            _ask("until", "Needed until", DATE_TIME),
            _REASON,
        ),
        approved_by_group=True,
    ),
    Orderable(
        "Firewall rule",
        "Infrastructure",
        "Open or close a path between two networks.",
        "<p>Reviewed by security.</p>",
        "security",
        0.0,
        (
            _ask("from_net", "From", TEXT, mandatory=True, pattern="[0-9.]+(/[0-9]{1,2})?"),
            _ask("to_net", "To", TEXT, mandatory=True, pattern="[0-9.]+(/[0-9]{1,2})?"),
            _ask("port", "Port", TEXT, mandatory=True, pattern="[0-9]{1,5}"),
            _REASON,
        ),
        approved_by_group=True,
    ),
)

ARTICLES: tuple[tuple[str, str, str, str, str], ...] = (
    # title, category, state, duty of the group that keeps it, text
    (
        "VPN: connection drops after a minute",
        "Network",
        "published",
        "network",
        "<h1>Cause</h1><p>Two network adapters have a default route.</p><h1>What to do</h1>"
        "<ol><li>Switch WLAN off.</li>"
        "<li>Run <code>ipconfig /renew</code>.</li></ol><script>alert('x')</script>",
    ),
    (
        "Drucker druckt leere Seiten",
        "Workplace",
        "published",
        "workplace",
        "<p>Toner pr&uuml;fen, dann den <b>Treiber</b> neu laden.</p>"
        "<table><tr><td>Modell</td><td>Treiber</td></tr></table>",
    ),
    (
        "SAP: user is locked",
        "SAP",
        "published",
        "sap",
        "<p>After five wrong passwords. Order <i>Password reset</i> for SAP.</p>",
    ),
    (
        "Outlook asks for the password again and again",
        "Workplace",
        "published",
        "workplace",
        "<p>Remove the entry in the credential store and sign in again.</p>",
    ),
    (
        "File services: restore a deleted file",
        "Storage",
        "published",
        "storage",
        "<p>Right click the folder, <b>Previous versions</b>. Versions are kept for 30 days.</p>",
    ),
    ("Restarting the web shop's nodes", "Servers", "published", "server", "<p>One node at a time; drain it first.</p>"),
    (
        "Waagen im Werk melden keinen Wert",
        "Production",
        "published",
        "production",
        "<p>Adapter am Leitstand neu starten.</p>",
    ),
    (
        "Database: tablespace is full",
        "Databases",
        "review",
        "database",
        "<p>Extend it by 10 GB, then order storage.</p>",
    ),
    ("Old firewall syntax", "Network", "retired", "security", "<p>For devices that are gone.</p>"),
    ("Onboarding at Pune", "People", "draft", "desk", "<p>To be written.</p>"),
)
"""The knowledge base: what the service desk looks up."""

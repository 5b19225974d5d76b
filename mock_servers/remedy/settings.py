"""How this instance behaves where instances differ or knowledge is not verified, and who may call it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

IMPACT_WEIGHTS = {"1000": 9, "2000": 5, "3000": 3, "4000": 0}
URGENCY_WEIGHTS = {"1000": 20, "2000": 15, "3000": 10, "4000": 0}
PRIORITY_FROM = {"0": 24, "1": 18, "2": 10, "3": 0}
"""The least weight of each priority (its number: 0 is Critical)."""

STATUS_REASONS: dict[str, list[str]] = {
    "Pending": [
        "Local Site Action Required",
        "Purchase Order Approval",
        "Registration Approval",
        "Supplier Delivery",
        "Support Contact Hold",
        "Third Party Vendor Action Reqd",
        "Client Action Required",
        "Infrastructure Change",
        "Request",
        "Future Enhancement",
        "Pending Original Incident",
        "Client Hold",
    ],
    "Resolved": [
        "Infrastructure Change Created",
        "Future Enhancement",
        "Monitoring Incident",
        "Customer Follow-Up Required",
        "Temporary Corrective Action",
        "No Further Action Required",
        "Resolved by Original Incident",
        "Automated Resolution Reported",
        "No longer a Causal CI",
    ],
}
"""Which reasons belong to a status that demands one."""


@dataclass(slots=True)
class Switches:
    """One field for each thing that differs between instances and versions, or that nobody verified."""

    server: str = "arserver"
    """The AR server's name, a parameter of every address."""
    advertised_address: str = ""
    """What the WSDLs say the endpoint is; "" is where this one listens. Real ones name private hosts."""
    anonymous_user: str = ""
    """Who a call without AuthenticationInfo acts as; "" refuses it."""
    time_zone: str = "Europe/Berlin"
    """The business time zone: of dates without a zone, and of callers who name none."""
    empty_list: Literal["fault", "empty"] = "fault"
    """A list that finds nothing: fault 302, or no getListValues at all."""
    max_entries: int = 2000
    """Most rows of one list; more are left out without a word."""
    first_record: int = 0
    """The number of the first row for startRecord."""
    soap_action: Literal["check", "ignore"] = "check"
    """A SOAPAction of another operation than the body's is refused; none at all never is."""
    unknown_element: Literal["ignore", "fault"] = "ignore"
    wrong_action: Literal["ignore", "fault"] = "ignore"
    """An Action other than the operation's: the workflow does not run and nothing is written, or a fault."""
    unique_external: bool = True
    """Fields marked unique (External Reference) refuse a value that another entry has."""
    derive_priority: bool = True
    impact_weights: dict[str, int] = field(default_factory=lambda: dict(IMPACT_WEIGHTS))
    urgency_weights: dict[str, int] = field(default_factory=lambda: dict(URGENCY_WEIGHTS))
    priority_from: dict[str, int] = field(default_factory=lambda: dict(PRIORITY_FROM))
    status_reasons: dict[str, list[str]] = field(
        default_factory=lambda: {status: list(reasons) for status, reasons in STATUS_REASONS.items()}
    )
    """Statuses that demand a reason, and which; empty: a reason is an ordinary field."""
    resolution_required: bool = True
    status_model: bool = True
    """Closed and cancelled entries refuse changes; a change request follows its stages."""
    assignment_rules: bool = True
    """The group must exist, its assignee be a member; an assigned ticket has a group, one in progress a person."""
    assignee_outside_group: Literal["reject", "clear"] = "reject"
    default_group: str = ""
    """Who gets what nobody is assigned to; "" leaves it unassigned."""
    customer_lookup: bool = True
    """The customer of a new ticket must be a person by name, or by login where names are not unique."""
    row_access: dict[str, str] = field(default_factory=dict)
    """Form to the qualification of the rows that callers without the role admin may see."""
    denied_forms: list[str] = field(default_factory=list)
    """Forms that callers without the role admin may not use: 353."""
    codes: dict[str, int] = field(default_factory=dict)
    """Error numbers that differ here, by the names of ``arerr.TEXTS``."""
    max_body: int = 10_485_760

    def change(self, **values: Any) -> None:
        """Set switches by name. Raises ValueError for a name that is none."""
        known = {f.name for f in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"no such switch: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        for name, value in values.items():
            setattr(self, name, value)


@dataclass(frozen=True, slots=True)
class User:
    """An account. Roles: ``admin`` may all, ``write`` reads and writes, none only reads."""

    name: str
    password: str
    roles: frozenset[str] = frozenset({"write"})

    @property
    def admin(self) -> bool:
        return "admin" in self.roles

    @property
    def writes(self) -> bool:
        return bool(self.roles & {"admin", "write"})


DEFAULT_USERS = (
    User("Demo", "demo", frozenset({"admin"})),
    User("integration", "integration"),
    User("reader", "reader", frozenset()),
)

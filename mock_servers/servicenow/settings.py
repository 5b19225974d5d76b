"""How this instance behaves where instances differ, and who may call it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

# (impact, urgency) to priority, as the product ships it.
DEFAULT_MATRIX = {
    "1,1": "1",
    "1,2": "2",
    "2,1": "2",
    "1,3": "3",
    "2,2": "3",
    "3,1": "3",
    "2,3": "4",
    "3,2": "4",
    "3,3": "5",
}


@dataclass(slots=True)
class Switches:
    """One field for each thing that differs between instances, versions, and configurations."""

    invalid_query: Literal["ignore", "empty", "403"] = "ignore"
    """An invalid clause is dropped (it widens!), or finds nothing, or is refused (query ACLs)."""
    javascript: bool = True
    """False: ``javascript:`` clauses evaporate, as on locked-down instances."""
    not_equal_matches_empty: bool = True
    shuffle_unordered: bool = True
    """A list without ORDERBY comes in another order each time."""
    parent_columns_only: bool = True
    """A GET on a parent table shows only the parent's columns."""
    row_acl: dict[str, str] = field(default_factory=dict)
    """Table to encoded query of the rows that callers without the role admin may read; applied after the limit."""
    column_acl: dict[str, list[str]] = field(default_factory=dict)
    """Table to columns that callers without the role admin cannot read."""
    denied_tables: list[str] = field(default_factory=list)
    """Tables that callers without the role admin may not use at all: 403."""
    unknown_choice: Literal["ignore", "reject", "allow"] = "ignore"
    """A written value outside the choice list is left out, refused, or taken."""
    data_policy: bool = True
    state_model: bool = True
    incident_states: dict[str, str] = field(default_factory=dict)
    """An instance's own codes of incident states, each with the product's code whose rules it follows."""
    priority_matrix: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_MATRIX))
    """``impact,urgency`` to priority; empty: priority is an ordinary field."""
    auth_message: Literal["new", "old"] = "new"
    rate_limit: int = 0
    """Requests an hour for each user; 0 is none."""
    rate_limit_bare: bool = False
    """429 without body and Retry-After, as a full semaphore answers."""
    session_queue: int = 0
    """Requests that may wait in one session; more are dropped with 202. 0: sessions do not serialise."""
    link_base: str = ""
    """The instance's own URL, from which links are made; "" is the URL it listens on."""
    api_key_paths: list[str] = field(default_factory=lambda: ["/api/now/"])
    """Where API keys are accepted."""
    ire_sys_id: bool = True
    """``sys_id`` among an item's values identifies it; False: it is ignored."""
    ire_skip_source_matching: bool = False
    """True: a source's own key (sys_object_source) is not looked at."""
    ire_empty: Literal["clear", "ignore"] = "clear"
    """An empty value in a payload clears the attribute, or is not looked at."""
    ire_reclassification: Literal["allow", "refuse"] = "allow"
    """``refuse``: reclassification restriction rules forbid every change of class."""
    ire_no_insert: dict[str, list[str]] = field(default_factory=dict)
    """Class to data sources that may update but not insert there (IRE data source rules)."""
    ire_errors: dict[str, str] = field(default_factory=dict)
    """Class to an error code that every item of it ends with, such as LOCK_TIMEOUT or INSERT_FAILED."""
    reconcile_empty: bool = True
    """An authorised source of lower priority may fill an empty attribute."""
    skip_duplicates: bool = True
    """Of several CIs that match, the oldest is updated; False: an error."""
    duplicates_threshold: int = 5
    """So many CIs that match are an error in any case."""
    catalog_checks: bool = False
    """An order's values are held to lists, references and expressions; else only mandatory ones count."""
    order_defaults: bool = True
    """Variables that an order leaves out get their default; False: they stay empty, and missing where mandatory."""
    form_mandatory: dict[str, list[str]] = field(default_factory=dict)
    """Item to variables that UI policies of its form demand, and that the API does not tell."""
    two_step_checkout: bool = False
    """Checking out a cart shows the order; submitting it makes it."""
    request_for_others: bool = True
    """An order may name somebody else as the one it is for."""
    conflict_polls: int = 1
    """So often a check for conflicts of a change says "In progress" before it is done."""
    max_url: int = 16_384
    max_body: int = 10_485_760
    max_attachment: int = 1_073_741_824
    token_seconds: int = 1800

    def change(self, **values: Any) -> None:
        """Set switches by name. Raises ValueError for a name that is none."""
        known = {f.name for f in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"no such switch: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        for name, value in values.items():
            setattr(self, name, value)


@dataclass(frozen=True, slots=True)
class User:
    """A local account. ``roles``: ``admin`` may all, ``itil`` reads and writes, none only reads."""

    name: str
    password: str
    roles: frozenset[str] = frozenset({"itil"})
    time_zone: str = "GMT"
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered OAuth client; ``user`` is who it acts as with client_credentials."""

    client_id: str
    secret: str
    user: str


DEFAULT_USERS = (
    User("admin", "admin", frozenset({"admin", "itil"}), full_name="System Administrator"),
    User("integration", "integration", frozenset({"itil"}), full_name="Integration User"),
    User("reader", "reader", frozenset(), full_name="Read Only"),
)
DEFAULT_CLIENTS = (Client("interlock-client", "interlock-secret", "integration"),)
DEFAULT_API_KEYS = {"interlock-api-key": "integration"}

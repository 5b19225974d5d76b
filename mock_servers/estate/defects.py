"""What is wrong with the estate: the planter spoils rows and writes down what it meant by it.

The answer key is this list of intents. Nothing here looks at finished rows to find out what they violate; where
one deed violates two rules, the plan declares the second as collateral. A record is spoilt at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Generic, TypeVar

from mock_servers.estate.assumptions import CLASS_OS, DAY, ENDED, MATRIX, RELATED, REQUIRED, TAXONOMY, max_age
from mock_servers.estate.model import Ci, Defect, Incident, Relation, dice, ident
from mock_servers.estate.organisation import Organisation

Changes = dict[str, Any]

GONE = "gone"  # purpose of ids that no row has


Row = TypeVar("Row", Ci, Incident)


@dataclass(frozen=True, slots=True)
class _Plan(Generic[Row]):
    """Spoil ``per_mille`` of the rows that fit: at least two of them, if so many fit."""

    code: str
    reason: str
    per_mille: float
    fits: Callable[[Row], bool]
    change: Callable[[Row, Random, int], Changes]
    fields: tuple[str, ...]
    collateral: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def _put(**changes: Any) -> Callable[[Any, Random, int], Changes]:
    return lambda row, rng, as_of: changes


def _any(field: str, *values: str) -> Callable[[Any, Random, int], Changes]:
    return lambda row, rng, as_of: {field: rng.choice(values)}


# -- configuration items --------------------------------------------------------------------------------------------


def _live_discovered(ci: Ci) -> bool:
    return ci.status == "live" and ci.last_seen_at is not None and max_age(ci.cls) is not None


def _unseen_for_long(ci: Ci, rng: Random, as_of: int) -> Changes:
    """Half of them were edited by a person since: an edit is no sighting."""
    seen = as_of - rng.randint(65, 400) * DAY
    edited = rng.random() < 0.5
    return {
        "last_seen_at": seen,
        "first_seen_at": min(ci.first_seen_at or seen, seen - 30 * DAY),
        "created_at": min(ci.created_at, seen - 31 * DAY),
        "installed_at": min(ci.installed_at, seen - 32 * DAY),
        "updated_at": as_of - rng.randint(1, 20) * DAY if edited else seen + 60,
        "updated_by": "cmdb.import" if edited else "discovery",
    }


def _never_seen(ci: Ci, rng: Random, as_of: int) -> Changes:
    return {
        "last_seen_at": None,
        "first_seen_at": None,
        "discovery_source": "Manual Entry",
        "created_by": "cmdb.import",
        "updated_by": "cmdb.import",
    }


def _seen_lately(ci: Ci, rng: Random, as_of: int) -> Changes:
    seen = as_of - rng.randint(DAY, 10 * DAY)
    return {"status": "retired", "operational_status": "retired", "last_seen_at": seen, "updated_at": seen + 60}


def _quiet(status: str) -> Callable[[Ci, Random, int], Changes]:
    """Operational in one column, ``status`` in the other; not seen lately, so that this is all that is wrong."""

    def change(ci: Ci, rng: Random, as_of: int) -> Changes:
        found: Changes = {"status": status, "operational_status": "operational"}
        if ci.last_seen_at is not None:
            found["last_seen_at"] = seen = as_of - rng.randint(35, 55) * DAY
            found["updated_at"] = seen + 60
        return found

    return change


def _hardware(ci: Ci) -> bool:
    return bool(ci.asset_tag)


def _requiring(field: str) -> Callable[[Ci], bool]:
    return lambda ci: field in REQUIRED.get(ci.cls, ())


_MISSING_SERIAL = (("CI-MISS-REQ", "missing", ("serial",)),)

CI_PLANS: tuple[_Plan[Ci], ...] = (
    _Plan("CI-STALE", "stale", 16, _live_discovered, _unseen_for_long, ("last_seen_at",)),
    _Plan("CI-STALE", "never_seen", 5, _live_discovered, _never_seen, ("last_seen_at",)),
    _Plan("CI-MISS-REQ", "missing", 8, _requiring("support_group"), _put(support_group=None), ("support_group",)),
    _Plan("CI-MISS-REQ", "missing", 15, _requiring("assigned_to"), _put(assigned_to=None), ("assigned_to",)),
    _Plan("CI-MISS-REQ", "missing", 10, _requiring("serial"), _put(serial=""), ("serial",)),
    _Plan("CI-MISS-REQ", "missing", 4, _requiring("os"), _put(os="", os_version=""), ("os",)),
    _Plan(
        "CI-PLACEHOLDER",
        "placeholder",
        8,
        _requiring("serial"),
        _any("serial", "To be filled by O.E.M.", "System Serial Number", "0"),
        ("serial",),
        _MISSING_SERIAL,
    ),
    _Plan(
        "CI-PLACEHOLDER",
        "placeholder",
        6,
        lambda ci: _hardware(ci) and "serial" not in REQUIRED.get(ci.cls, ()),
        _any("serial", "To be filled by O.E.M.", "Default string", "XXXXXXXX", "N/A"),
        ("serial",),
    ),
    _Plan("CI-PLACEHOLDER", "placeholder", 4, _hardware, _any("asset_tag", "N/A", "0", "tbd"), ("asset_tag",)),
    _Plan("CI-PLACEHOLDER", "placeholder", 3, lambda ci: bool(ci.mac), _put(mac="00:00:00:00:00:00"), ("mac",)),
    _Plan("CI-PLACEHOLDER", "placeholder", 3, lambda ci: ci.cls == "computer", _put(os="Unknown"), ("os",)),
    _Plan("CI-PLACEHOLDER", "placeholder", 2, lambda ci: bool(ci.fqdn), _put(fqdn="localhost.localdomain"), ("fqdn",)),
    _Plan(
        "CI-STATUS-CONTRA",
        "retired_seen",
        5,
        _live_discovered,
        _seen_lately,
        ("status", "operational_status", "last_seen_at"),
    ),
    _Plan(
        "CI-STATUS-CONTRA",
        "retired_operational",
        4,
        lambda ci: ci.status == "live" and ci.cls != "service",
        _quiet("retired"),
        ("status", "operational_status"),
    ),
    _Plan(
        "CI-STATUS-CONTRA",
        "in_stock_operational",
        4,
        lambda ci: ci.status == "live" and _hardware(ci),
        _quiet("in_stock"),
        ("status", "operational_status"),
    ),
    _Plan(
        "CI-CLASS",
        "os",
        4,
        lambda ci: ci.form in CLASS_OS,
        lambda ci, rng, as_of: {
            "os": "Windows Server 2016" if ci.form == "linux_server" else "Linux Red Hat Enterprise"
        },
        ("os",),
    ),
)


# -- incidents ------------------------------------------------------------------------------------------------------


def _ended(ticket: Incident) -> bool:
    return ticket.state in ENDED


def _closed(ticket: Incident) -> bool:
    return ticket.state == "closed"


def _other_priority(ticket: Incident, rng: Random, as_of: int) -> Changes:
    right = MATRIX[ticket.impact, ticket.urgency]
    return {"priority": rng.choice([p for p in ("p1", "p2", "p3", "p4", "p5") if p != right])}


def _resolved_before_opened(ticket: Incident, rng: Random, as_of: int) -> Changes:
    return {"resolved_at": ticket.opened_at - rng.randint(600, 5 * DAY)}


def _closed_before_resolved(ticket: Incident, rng: Random, as_of: int) -> Changes:
    assert ticket.resolved_at is not None
    return {"closed_at": rng.randint(ticket.opened_at, ticket.resolved_at - 60)}


def _resolved_in_future(ticket: Incident, rng: Random, as_of: int) -> Changes:
    return {"state": "resolved", "resolved_at": as_of + rng.randint(2, 300) * DAY, "closed_at": None, "closed_by": None}


def _other_subcategory(ticket: Incident, rng: Random, as_of: int) -> Changes:
    fit = TAXONOMY[ticket.category]
    return {"subcategory": rng.choice(sorted({s for subs in TAXONOMY.values() for s in subs} - set(fit)))}


TICKET_PLANS: tuple[_Plan[Incident], ...] = (
    _Plan("TKT-PRIO", "differs", 25, lambda t: True, _other_priority, ("priority",)),
    _Plan("TKT-CLOSE", "code", 12, _ended, _put(close_code=""), ("close_code",)),
    _Plan("TKT-CLOSE", "notes", 15, _ended, _put(close_notes=""), ("close_notes",)),
    _Plan("TKT-CLOSE", "resolved_time", 15, _closed, _put(resolved_at=None), ("resolved_at",)),
    _Plan(
        "TKT-TIME",
        "resolved_before_opened",
        6,
        _closed,
        _resolved_before_opened,
        ("opened_at", "resolved_at"),
    ),
    _Plan("TKT-TIME", "closed_before_resolved", 5, _closed, _closed_before_resolved, ("resolved_at", "closed_at")),
    _Plan("TKT-TIME", "future", 4, _closed, _resolved_in_future, ("resolved_at",)),
    _Plan(
        "TKT-CAT-CANON",
        "variant",
        8,
        lambda t: True,
        _any("category", "Hardware", "NETWORK", "netork", "sofwtare", "databases"),
        ("category",),
        (("TKT-SUBCAT", "not_of_category", ("category", "subcategory")),),
    ),
    _Plan(
        "TKT-CAT-UNKNOWN",
        "unknown",
        8,
        lambda t: True,
        _any("category", "Sonstiges", "misc", "Software / Anwendung"),
        ("category",),
        (("TKT-SUBCAT", "not_of_category", ("category", "subcategory")),),
    ),
    _Plan("TKT-CAT-UNKNOWN", "missing", 6, lambda t: True, _put(category="", subcategory=""), ("category",)),
    _Plan("TKT-SUBCAT", "not_of_category", 12, lambda t: True, _other_subcategory, ("category", "subcategory")),
    _Plan("TKT-SUBCAT", "missing", 12, lambda t: True, _put(subcategory=""), ("subcategory",)),
)


class Planter:
    """Spoils the lists it is given, in place, and keeps the key in ``defects``."""

    def __init__(
        self,
        seed: int,
        as_of: int,
        cis: list[Ci],
        relations: list[Relation],
        incidents: list[Incident],
        untouchable: frozenset[str],
        planted: Sequence[Defect],
    ) -> None:
        self._seed = seed
        self._as_of = as_of
        self._cis = cis
        self._relations = relations
        self._incidents = incidents
        self._spoilt = set(untouchable)
        self._rng = dice(seed, "defects")
        self.defects = list(planted)

    def plant(self, org: Organisation, orphans: frozenset[str]) -> list[Defect]:
        """Everything, in a fixed order; returns the key."""
        self._spoilt |= orphans
        self._note_orphans(orphans)
        self._rows(self._cis, "ci", CI_PLANS)
        self._shared("CI-DUP-IN", "serial", "serial", lambda ci: ci.cls == "computer" and bool(ci.serial))
        self._shared("CI-IP-SHARED", "ip", "ip", lambda ci: ci.status == "live" and ci.cls == "server" and bool(ci.ip))
        self._cycles()
        self._dangling_relations()
        self._repeated_relations()
        self._stale_relations()
        self._rows(self._incidents, "incident", TICKET_PLANS)
        self._dangling_references(org)
        return self.defects

    def _write(
        self, code: str, reason: str, kind: str, record: str, label: str, fields: tuple[str, ...], collateral: bool
    ) -> None:
        self.defects.append(Defect(code, reason, kind, record, label, fields, collateral))

    def _draw(self, rows: Sequence[Row], fits: Callable[[Row], bool], per_mille: float, least: int = 2) -> list[int]:
        """Places of unspoilt rows that fit, now counted as spoilt."""
        places = [at for at, row in enumerate(rows) if row.id not in self._spoilt and fits(row)]
        many = max(least, round(len(places) * per_mille / 1000))
        drawn = sorted(self._rng.sample(places, min(many, len(places))))
        self._spoilt.update(rows[at].id for at in drawn)
        return drawn

    def _rows(self, rows: list[Row], kind: str, plans: Sequence[_Plan[Row]]) -> None:
        for plan in plans:
            for at in self._draw(rows, plan.fits, plan.per_mille):
                rows[at] = row = replace(rows[at], **plan.change(rows[at], self._rng, self._as_of))
                name = row.number if isinstance(row, Incident) else row.name
                self._write(plan.code, plan.reason, kind, row.id, name, plan.fields, collateral=False)
                for code, reason, fields in plan.collateral:
                    self._write(code, reason, kind, row.id, name, fields, collateral=True)

    def _note_orphans(self, orphans: frozenset[str]) -> None:
        for ci in self._cis:
            if ci.id in orphans:
                self._write("CI-ORPHAN", "unrelated", "ci", ci.id, ci.name, (), collateral=False)

    def _shared(self, code: str, reason: str, field: str, fits: Callable[[Ci], bool]) -> None:
        """Pairs of CIs of which the second has the first's value; both are members of the finding."""
        drawn = self._draw(self._cis, fits, 6)
        for first, second in zip(drawn[::2], drawn[1::2], strict=False):
            self._cis[second] = replace(self._cis[second], **{field: getattr(self._cis[first], field)})
            for at in (first, second):
                self._write(code, reason, "ci", self._cis[at].id, self._cis[at].name, (field,), collateral=False)

    def _relate(self, subject: str, word: str, target: str) -> Relation:
        found = Relation(
            ident(self._seed, "relation", len(self._relations)), subject, word, target, self._as_of - 40 * DAY
        )
        self._relations.append(found)
        return found

    def _cycles(self) -> None:
        """Service instances that depend on each other in rings of two or three."""
        drawn = self._draw(self._cis, lambda ci: ci.form == "service_instance", 60)
        step = 3 if len(drawn) % 2 else 2
        rings = [drawn[:step], *(drawn[at : at + 2] for at in range(step, len(drawn), 2))]
        for ring in rings:
            members = [self._cis[at] for at in ring]
            for ci, following in zip(members, (*members[1:], members[0]), strict=True):
                self._relate(ci.id, "depends_on", following.id)
                self._write("REL-CYCLE", "cycle", "ci", ci.id, ci.name, (), collateral=False)

    def _dangling_relations(self) -> None:
        """Relations whose object was deleted, and some that never had one."""
        subjects = [ci for ci in self._cis if ci.form == "application" and ci.id not in self._spoilt]
        for n, ci in enumerate(self._rng.sample(subjects, max(2, len(subjects) // 30))):
            target = "" if n % 4 == 3 else ident(self._seed, GONE, ci.id)
            found = self._relate(ci.id, "uses", target)
            self._write(
                "REL-DANGLING",
                "gone" if target else "empty",
                "relationship",
                found.id,
                ci.name,
                ("object",),
                collateral=False,
            )

    def _repeated_relations(self) -> None:
        """The same sentence a second time; both rows are members of the finding."""
        hosted = [found for found in self._relations if found.type == "hosted_on"]
        for found in self._rng.sample(hosted, max(2, len(hosted) // 200)):
            again = self._relate(found.subject, found.type, found.object)
            for row in (found, again):
                self._write(
                    "REL-DUP", "repeated", "relationship", row.id, "", ("subject", "type", "object"), collateral=False
                )

    def _stale_relations(self) -> None:
        """A relation with a stale side follows from the stale CI."""
        stale = {defect.record for defect in self.defects if defect.code == "CI-STALE"}
        for found in self._relations:
            if found.subject in stale or found.object in stale:
                self._write("REL-STALE", "side", "relationship", found.id, "", (), collateral=True)

    def _dangling_references(self, org: Organisation) -> None:
        """Open tickets with somebody who left, or on a CI that was deleted."""
        gone = self._draw(self._incidents, lambda t: t.active and t.ci is not None, 40)
        for at in gone:
            ticket = self._incidents[at]
            self._incidents[at] = replace(ticket, ci=ident(self._seed, GONE, ticket.id))
            self._write("REF-DANGLING", "gone", "incident", ticket.id, ticket.number, ("ci",), collateral=False)
        for at in self._draw(self._incidents, lambda t: t.active and t.assignee is not None, 40):
            ticket = self._incidents[at]
            self._incidents[at] = replace(ticket, assignee=self._rng.choice(org.leavers).id)
            self._write(
                "REF-DANGLING", "inactive", "incident", ticket.id, ticket.number, ("assignee",), collateral=False
            )


def choose_orphans(seed: int, cis: Sequence[Ci], untouchable: frozenset[str]) -> frozenset[str]:
    """CIs that will be left without any relation although their class needs one. To be chosen before linking."""
    fit = [
        ci.id
        for ci in cis
        if ci.cls in RELATED and ci.form in ("linux_server", "windows_server", "switch") and ci.id not in untouchable
    ]
    return frozenset(dice(seed, "orphans").sample(fit, max(2, len(fit) // 100)))

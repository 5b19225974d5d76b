"""What is wrong with the estate: the planter spoils rows and writes down what it meant by it.

The answer key is this list of intents. Nothing here looks at finished rows to find out what they violate; where
one deed violates two rules, the plan declares the second as collateral. A record is spoilt at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from mock_servers.estate import near_misses
from mock_servers.estate.assumptions import DAY, IN_USE, RELATED, REPEAT_WITHIN_S, TICKET_CLASSES
from mock_servers.estate.model import Ci, Defect, Incident, Relation, dice, ident
from mock_servers.estate.near_misses import ASKED, GONE
from mock_servers.estate.organisation import Organisation
from mock_servers.estate.plans import CI_PLANS, LATER_CI_PLANS, LATER_TICKET_PLANS, TICKET_PLANS, Plan, Row


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
        self.seed = seed
        self.as_of = as_of
        self.cis = cis
        self.relations = relations
        self.incidents = incidents
        self._spoilt = set(untouchable)
        self.rng = dice(seed, "defects")
        self.defects = list(planted)

    def plant(self, org: Organisation, orphans: frozenset[str]) -> list[Defect]:
        """Everything, in a fixed order; returns the key."""
        self._spoilt |= orphans
        self._note_orphans(orphans)
        self._rows(self.cis, "ci", CI_PLANS)
        self._shared("CI-DUP-IN", "serial", "serial", lambda ci: ci.cls == "computer" and bool(ci.serial))
        self._shared("CI-IP-SHARED", "ip", "ip", lambda ci: ci.status == "live" and ci.cls == "server" and bool(ci.ip))
        self._cycles()
        self._dangling_relations()
        self._repeated_relations()
        self._rows(self.incidents, "incident", TICKET_PLANS)
        self._dangling_references(org)
        self._rows(self.cis, "ci", LATER_CI_PLANS)
        self._turned_relations()
        self._rows(self.incidents, "incident", LATER_TICKET_PLANS)
        self._impossible_cis()
        self._repeated_tickets()
        near_misses.plant(self, org)
        self._stale_relations()
        return self.defects

    def _write(
        self, code: str, reason: str, kind: str, record: str, label: str, fields: tuple[str, ...], collateral: bool
    ) -> None:
        self.defects.append(Defect(code, reason, kind, record, label, fields, collateral))

    def draw(self, rows: Sequence[Row], fits: Callable[[Row], bool], per_mille: float, least: int = 2) -> list[int]:
        """Places of unspoilt rows that fit, now counted as spoilt."""
        places = [at for at, row in enumerate(rows) if row.id not in self._spoilt and fits(row)]
        many = max(least, round(len(places) * per_mille / 1000))
        drawn = sorted(self.rng.sample(places, min(many, len(places))))
        self._spoilt.update(rows[at].id for at in drawn)
        return drawn

    def sound(self, record: str) -> bool:
        """Whether nobody has touched a row yet."""
        return record not in self._spoilt

    def spare(self, record: str) -> None:
        """Keep a row from being touched again."""
        self._spoilt.add(record)

    def _rows(self, rows: list[Row], kind: str, plans: Sequence[Plan[Row]]) -> None:
        for plan in plans:
            for at in self.draw(rows, plan.fits, plan.per_mille):
                rows[at] = row = replace(rows[at], **plan.change(rows[at], self.rng, self.as_of))
                name = row.number if isinstance(row, Incident) else row.name
                self._write(plan.code, plan.reason, kind, row.id, name, plan.fields, collateral=False)
                for code, reason, fields in plan.collateral:
                    self._write(code, reason, kind, row.id, name, fields, collateral=True)

    def _note_orphans(self, orphans: frozenset[str]) -> None:
        for ci in self.cis:
            if ci.id in orphans:
                self._write("CI-ORPHAN", "unrelated", "ci", ci.id, ci.name, (), collateral=False)

    def _shared(self, code: str, reason: str, field: str, fits: Callable[[Ci], bool]) -> None:
        """Pairs of CIs of which the second has the first's value; both are members of the finding."""
        drawn = self.draw(self.cis, fits, 6)
        for first, second in zip(drawn[::2], drawn[1::2], strict=False):
            self.cis[second] = replace(self.cis[second], **{field: getattr(self.cis[first], field)})
            for at in (first, second):
                self._write(code, reason, "ci", self.cis[at].id, self.cis[at].name, (field,), collateral=False)

    def relate(self, subject: str, word: str, target: str) -> Relation:
        """One more relation."""
        found = Relation(
            ident(self.seed, "relation", len(self.relations)), subject, word, target, self.as_of - 40 * DAY
        )
        self.relations.append(found)
        return found

    def _cycles(self) -> None:
        """Service instances that depend on each other in rings of two or three."""
        drawn = self.draw(self.cis, lambda ci: ci.form == "service_instance", 60)
        step = 3 if len(drawn) % 2 else 2
        rings = [drawn[:step], *(drawn[at : at + 2] for at in range(step, len(drawn), 2))]
        for ring in rings:
            members = [self.cis[at] for at in ring]
            for ci, following in zip(members, (*members[1:], members[0]), strict=True):
                self.relate(ci.id, "depends_on", following.id)
                self._write("REL-CYCLE", "cycle", "ci", ci.id, ci.name, (), collateral=False)

    def _dangling_relations(self) -> None:
        """Relations whose object was deleted, and some that never had one."""
        subjects = [ci for ci in self.cis if ci.form == "application" and ci.id not in self._spoilt]
        for n, ci in enumerate(self.rng.sample(subjects, max(2, len(subjects) // 30))):
            target = "" if n % 4 == 3 else ident(self.seed, GONE, ci.id)
            found = self.relate(ci.id, "uses", target)
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
        hosted = [found for found in self.relations if found.type == "hosted_on"]
        for found in self.rng.sample(hosted, max(2, len(hosted) // 200)):
            again = self.relate(found.subject, found.type, found.object)
            for row in (found, again):
                self._write(
                    "REL-DUP", "repeated", "relationship", row.id, "", ("subject", "type", "object"), collateral=False
                )

    def _turned_relations(self) -> None:
        """Servers that contain a rack: the sentence stands on its head."""
        racks = [ci for ci in self.cis if ci.form == "rack"]
        servers = [ci for ci in self.cis if ci.form == "linux_server" and ci.id not in self._spoilt]
        for ci in self.rng.sample(servers, max(2, len(servers) // 100)):
            found = self.relate(ci.id, "contains", self.rng.choice(racks).id)
            self._write(
                "REL-RULE", "not_allowed", "relationship", found.id, ci.name, ("subject", "type", "object"),
                collateral=False,
            )  # fmt: skip

    def _stale_relations(self) -> None:
        """A relation with a stale side follows from the stale CI."""
        stale = {defect.record for defect in self.defects if defect.code == "CI-STALE"}
        for found in self.relations:
            if found.subject in stale or found.object in stale:
                self._write("REL-STALE", "side", "relationship", found.id, "", (), collateral=True)

    def _dangling_references(self, org: Organisation) -> None:
        """Open tickets with somebody who left, or on a CI that was deleted."""
        gone = self.draw(self.incidents, lambda t: t.active and t.ci is not None, 40)
        for at in gone:
            ticket = self.incidents[at]
            self.incidents[at] = replace(ticket, ci=ident(self.seed, GONE, ticket.id))
            self._write("REF-DANGLING", "gone", "incident", ticket.id, ticket.number, ("ci",), collateral=False)
        for at in self.draw(self.incidents, lambda t: t.active and t.assignee is not None, 40):
            ticket = self.incidents[at]
            self.incidents[at] = replace(ticket, assignee=self.rng.choice(org.leavers).id)
            self._write(
                "REF-DANGLING", "inactive", "incident", ticket.id, ticket.number, ("assignee",), collateral=False
            )

    def _impossible_cis(self) -> None:
        """Tickets about a thing that their category cannot be about."""
        things = [ci for ci in self.cis if ci.cls in ("certificate", "rack", "business_application")]
        for at in self.draw(self.incidents, lambda t: t.category in TICKET_CLASSES and t.ci is not None, 12):
            self.incidents[at] = ticket = replace(self.incidents[at], ci=self.rng.choice(things).id)
            self._write(
                "TKT-CI-CLASS", "impossible", "incident", ticket.id, ticket.number, ("category", "ci"), collateral=False
            )

    def _repeated_tickets(self) -> None:
        """Somebody asks again for the same within hours, and gets a second ticket: that one is the finding."""
        free = [at for at, ticket in enumerate(self.incidents) if ticket.id not in self._spoilt]
        opened = [self.incidents[at].opened_at for at in free]
        pairs = [
            (first, second)
            for n, (first, second) in enumerate(pairwise(free))
            if not n % 2
            and self.incidents[first].ci is not None
            and 0 <= opened[n + 1] - opened[n] < REPEAT_WITHIN_S - 3600
        ]
        for first, second in sorted(self.rng.sample(pairs, min(len(pairs), max(2, len(free) // 200)))):
            asked = self.incidents[first]
            self.incidents[second] = replace(
                self.incidents[second],
                **{name: getattr(asked, name) for name in ASKED},
            )
            again = self.incidents[second]
            self._spoilt |= {asked.id, again.id}
            self._write(
                "TKT-REOPEN-DUP", "repeat", "incident", again.id, again.number, ("caller", "ci", "title"),
                collateral=False,
            )  # fmt: skip


def choose_orphans(seed: int, cis: Sequence[Ci], untouchable: frozenset[str]) -> frozenset[str]:
    """CIs that will be left without any relation although their class needs one. To be chosen before linking."""
    fit = [
        ci.id
        for ci in cis
        if ci.cls in RELATED
        and ci.status in IN_USE
        and ci.form in ("linux_server", "windows_server", "switch")
        and ci.id not in untouchable
    ]
    return frozenset(dice(seed, "orphans").sample(fit, max(2, len(fit) // 100)))

"""The whole enterprise of the quality benchmark: its sources as rows, and everything that is wrong with them.

| source | what | how its rows are made |
| --- | --- | --- |
| snow | CMDB and tickets | ServiceNow's shape, the adapter's mapping |
| branch | the same of a company that was bought, with a matrix of its own | likewise |
| rem | a second CMDB of the data centres | Remedy's shape, the adapter's mapping |
| mon | hosts and alerts of monitoring | canonical |
| assets | assets of purchasing | canonical |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mock_servers.estate import Defect, Estate, Size, assumptions, generate
from mock_servers.estate.acquired import acquired
from mock_servers.estate.model import SMALLEST, ident
from mock_servers.estate.second import Second, second
from mock_servers.estate.silos import Silo, assets, monitoring

from benchmarks.estate_rows import Row, remedy_rows, servicenow_rows
from interlock.quality.profile import Profile
from interlock.quality.stored import stored

ROLES: Mapping[str, tuple[str, ...]] = {
    "snow": ("cmdb", "itsm"),
    "branch": ("cmdb", "itsm"),
    "rem": ("cmdb",),
    "mon": ("monitoring",),
    "assets": ("asset",),
}


@dataclass(frozen=True, slots=True)
class Planted:
    """A finding that a check has to make: ``ref`` as the gateway names the record."""

    code: str
    ref: str
    reason: str


class Enterprise:
    """Everything for one seed and number of CIs. Equal arguments give equal rows in every process."""

    def __init__(self, cis: int, seed: int = 7, as_of: int = assumptions.DEFAULT_AS_OF) -> None:
        self.as_of = as_of
        self.main: Estate = generate(seed, Size.of(cis), as_of)
        branch = max(SMALLEST, cis // 20)
        self.branch: Estate = acquired(seed + 1, Size.of(branch, max(1000, branch // 2)), as_of)
        self.second: Second = second(self.main)
        misplaced = {d.record for d in self.second.first if d.code == "CI-CONFLICT" and d.fields == ("ip",)}
        self.silos: dict[str, Silo] = {"mon": monitoring(self.main, misplaced), "assets": assets(self.main)}

    def sources(self) -> Iterator[tuple[str, Iterable[Row]]]:
        """The rows of each source, made as they are taken."""
        yield "snow", servicenow_rows(self.main, "snow")
        yield "branch", servicenow_rows(self.branch, "branch")
        yield "rem", remedy_rows(self.second.estate, "rem")
        for name, silo in self.silos.items():
            yield name, self._canonical(name, silo)

    def key(self) -> set[Planted]:
        """What is wrong, all told."""
        first = [*self.second.first, *(defect for silo in self.silos.values() for defect in silo.first)]
        found = set(_named("snow", self.main, (*self.main.defects, *first)))
        found |= set(_named("branch", self.branch, self.branch.defects))
        found |= {
            Planted(d.code, f"rem:ci:RE-{ident(self.main.seed, 'reconciliation', d.record).upper()}", d.reason)
            for d in self.second.estate.defects
        }
        for name, silo in self.silos.items():
            found |= {Planted(d.code, f"{name}:{d.kind}:{d.record}", d.reason) for d in silo.defects}
        return found

    def profile(self) -> Profile:
        """The profile under which exactly this is wrong."""
        profile = Profile.default()
        for source in ("snow", "branch"):
            profile = profile.merge(assumptions.profile(source))
        apart: Mapping[str, Any] = {"monitored": [], "needs_asset": []}  # our own monitoring and purchasing
        return profile.merge(
            {
                "source": {"sources": {name: {"roles": list(roles)} for name, roles in ROLES.items()}},
                "ci": {"sources": {"branch": apart, "rem": apart}},
            }
        )

    def _canonical(self, name: str, silo: Silo) -> Iterator[Row]:
        for kind, handle, record in silo.records(name, "snow"):
            yield Row(kind, stored(kind, record, handle, name, self.as_of))


def _named(source: str, estate: Estate, defects: Iterable[Defect]) -> Iterator[Planted]:
    numbers = {incident.id: incident.number for incident in estate.incidents}
    for defect in defects:
        if defect.kind == "matrix":
            yield Planted(defect.code, f"{source}:source:matrix/{defect.record}", defect.reason)
        else:
            record = numbers.get(defect.record, defect.record)
            yield Planted(defect.code, f"{source}:{defect.kind}:{record}", defect.reason)

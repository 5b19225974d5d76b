"""What other tools of the enterprise have: hosts and alerts of monitoring, assets of purchasing.

Canonical records only, since no product of theirs is mocked. Each tool is told apart from what is wrong between
it and the CMDB: ``defects`` are on its own records, ``first`` on those of the CMDB.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from interlock.records import times
from mock_servers.estate.assumptions import DAY, IN_USE, MONITORED, NEEDS_ASSET
from mock_servers.estate.model import Ci, Defect, Estate, dice, ident

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silo:
    """One tool. ``records``: kind, id and record, made when asked for, under the names of the sources."""

    defects: tuple[Defect, ...]
    first: tuple[Defect, ...]
    _tool: _Monitoring | _Assets

    def records(self, source: str, cmdb: str) -> Iterator[tuple[str, str, Record]]:
        """Everything the tool has. ``cmdb`` is the source that some of its links point to."""
        return self._tool.records(source, cmdb)


def monitoring(estate: Estate, misplaced: Collection[str] = ()) -> Silo:
    """Hosts of everything in use that has to be watched, and alerts on some of them.

    Planted: hosts nobody told the CMDB of, CIs nobody watches, and open alerts on things that were retired.
    ``misplaced``: ids of CIs that another CMDB has under another address, which monitoring contradicts, too.
    """
    tool = _Monitoring(estate, dice(estate.seed, "monitoring"))
    unwatched = [
        *(Defect("CI-UNMONITORED", "no_host", "ci", ci.id, ci.name, ()) for ci in tool.unwatched),
        *(Defect("CI-UNMONITORED", "no_host", "ci", ci.id, ci.name, (), True) for ci in tool.unknowable),
    ]
    hosts = [
        *(Defect("MON-NO-CI", "no_ci", "ci", _key(estate, "host", name), name, ()) for name in tool.strangers),
        *(
            Defect("CI-CONFLICT", "differs", "ci", _key(estate, "host", ci.id), ci.name, ("ip",), True)
            for ci in tool.hosts
            if ci.id in misplaced
        ),
        *(
            Defect("CI-IP-SHARED", "ip", "ci", _key(estate, "host", ci.id), ci.name, ("ip",), True)
            for ci in tool.hosts
            if ci.id in tool.doubled
        ),
    ]
    alerts = [
        Defect("ALR-RETIRED", "retired", "alert", _key(estate, "alert", ci.id), ci.name, ("ci",)) for ci in tool.ghosts
    ]
    return Silo((*hosts, *alerts), tuple(unwatched), tool)


def assets(estate: Estate) -> Silo:
    """The asset of everything that was bought; planted: assets without a CI, and CIs without an asset."""
    tool = _Assets(estate, dice(estate.seed, "assets"))
    lost = [Defect("AST-NO-CI", "no_ci", "asset", _key(estate, "asset", name), name, ()) for name in tool.strangers]
    bare = [Defect("CI-NO-ASSET", "no_asset", "ci", ci.id, ci.name, ()) for ci in tool.unbought]
    return Silo(tuple(lost), tuple(bare), tool)


def _known_by(cls: str) -> str:
    """What monitoring knows a host by: its agent tells the full name, a device tells its serial number."""
    return "fqdn" if cls == "server" else "serial"


def _key(estate: Estate, purpose: str, name: str) -> str:
    return ident(estate.seed, purpose, name)[:16]


def _some(rng: Random, rows: list[Ci], per_mille: float) -> list[Ci]:
    many = max(2, round(len(rows) * per_mille / 1000))
    return rng.sample(rows, min(many, len(rows)))


def _spoilt(estate: Estate) -> dict[str, set[str]]:
    """Fields that no longer say what they should, by record. What stands twice is a value all the same."""
    found: dict[str, set[str]] = {}
    for defect in estate.defects:
        found.setdefault(defect.record, set()).update(() if defect.code == "CI-DUP-IN" else defect.fields)
    return found


class _Monitoring:
    """What monitoring has, by what the planter chose."""

    def __init__(self, estate: Estate, rng: Random) -> None:
        self._estate = estate
        spoilt = _spoilt(estate)
        watched = [ci for ci in estate.cis if ci.cls in MONITORED and ci.status in IN_USE]
        self.unknowable = [ci for ci in watched if _known_by(ci.cls) in spoilt.get(ci.id, ())]
        sound = [ci for ci in watched if ci.id not in spoilt]
        self.doubled = {ci.id for ci in watched if "ip" in spoilt.get(ci.id, ())}  # monitoring took them over so
        self.unwatched = _some(rng, sound, 15)
        self.strangers = [f"shadow{n + 1:05d}" for n in range(max(2, len(watched) // 100))]
        retired = [ci for ci in estate.cis if ci.cls in MONITORED and ci.status == "retired" and ci.id not in spoilt]
        self.ghosts = _some(rng, retired, 330)
        haunted = {ci.id for ci in self.ghosts}
        left_out = {ci.id for ci in (*self.unknowable, *self.unwatched)}
        self.hosts = [*(ci for ci in watched if ci.id not in left_out), *self.ghosts]
        self._quiet = [ci for ci in retired if ci.id not in haunted]
        self._noisy = _some(rng, [ci for ci in sound if ci.id not in left_out], 60)

    def records(self, source: str, cmdb: str) -> Iterator[tuple[str, str, Record]]:
        at = self._estate.as_of
        for ci in self.hosts:
            own = {_known_by(ci.cls): getattr(ci, _known_by(ci.cls)).lower()}
            yield self._host(source, ci.id, ci.cls, ci.name, own, ci.ip, at - 300)
        for n, name in enumerate(self.strangers):
            address = f"10.{208 + n // 62_500}.{n // 250 % 250}.{n % 250 + 2}"
            own = {"fqdn": f"{name}.lab.bruckner.example"}
            yield self._host(source, name, "server", name, own, address, at - 300)
        for n, ci in enumerate(self._noisy):
            yield self._alert(source, cmdb, ci, n, "open" if n % 3 else "closed")
        for n, ci in enumerate(self.ghosts):
            yield self._alert(source, cmdb, ci, n, "open")
        for n, ci in enumerate(self._quiet):  # over since they were retired
            yield self._alert(source, cmdb, ci, 2 * n, "closed")

    def _host(
        self, source: str, key: str, cls: str, name: str, own: Record, ip: str, at: int
    ) -> tuple[str, str, Record]:
        key = _key(self._estate, "host", key)
        told = {"ref": f"{source}:ci:{key}", "name": name, "cls": cls, "ip": ip, **own}
        return "ci", key, {**told, "last_seen_at": times.to_text(at), "updated_at": times.to_text(at)}

    def _alert(self, source: str, cmdb: str, ci: Ci, n: int, state: str) -> tuple[str, str, Record]:
        """Every other alert is already tied to the CI of the CMDB; the rest know their own host."""
        key = _key(self._estate, "alert", ci.id)
        began = self._estate.as_of - 3600 * (n % 40 + 1) - (0 if state == "open" else 90 * DAY)
        target = f"{cmdb}:ci:{ci.id}" if n % 2 == 0 else f"{source}:ci:{_key(self._estate, 'host', ci.id)}"
        return (
            "alert",
            key,
            {
                "ref": f"{source}:alert:{key}",
                "number": f"ALR{n + 1:07d}",
                "title": f"{ci.name} does not answer",
                "severity": "critical",
                "state": state,
                "ci": {"ref": target, "name": ci.name},
                "node": ci.fqdn.lower(),
                "metric": "ping",
                "first_at": times.to_text(began),
                "last_at": times.to_text(began + 600),
                "updated_at": times.to_text(began + 600),
                "count": 3,
            },
        )


class _Assets:
    """What purchasing has, by what the planter chose."""

    def __init__(self, estate: Estate, rng: Random) -> None:
        self._estate = estate
        spoilt = _spoilt(estate)
        bought = [ci for ci in estate.cis if ci.cls in NEEDS_ASSET]
        sound = [ci for ci in bought if ci.id not in spoilt and ci.status in IN_USE]
        self.unbought = _some(rng, sound, 12)
        self.strangers = [f"lost{n + 1:05d}" for n in range(max(2, len(bought) // 100))]
        without = {ci.id for ci in self.unbought}
        self._bought = [ci for ci in bought if ci.id not in without]
        self._spoilt = spoilt
        self._maker = {company.id: company.name for company in estate.companies}
        self._model = {product.id: product.name for product in estate.products}

    def records(self, source: str, cmdb: str) -> Iterator[tuple[str, str, Record]]:
        for n, ci in enumerate(self._bought):
            wrong = self._spoilt.get(ci.id, ())
            # who bought it wrote down what stands on the thing, whatever the CMDB has
            serial = f"AST{n + 1_000_000}" if "serial" in wrong else ci.serial
            tag = f"PX{n + 1_000_000}" if "asset_tag" in wrong else ci.asset_tag
            yield self._asset(source, cmdb if n % 3 == 0 else "", ci.id, ci.name, serial, tag, ci)
        for n, name in enumerate(self.strangers):
            yield self._asset(source, "", name, name, f"LOST{n + 1_000_000}", f"PL{n + 1_000_000}", None)

    def _asset(
        self, source: str, cmdb: str, key: str, name: str, serial: str, tag: str, ci: Ci | None
    ) -> tuple[str, str, Record]:
        """``cmdb``: the source whose CI the asset is tied to; "" for those that only the numbers tell of."""
        key = _key(self._estate, "asset", key)
        told: dict[str, Any] = {"ref": f"{source}:asset:{key}", "name": name, "serial": serial, "asset_tag": tag}
        told["status"] = "in_use" if ci is None else _STATUS.get(ci.status, "in_use")
        told["ci"] = {"ref": f"{cmdb}:ci:{ci.id}", "name": ci.name} if cmdb and ci is not None else None
        if ci is not None:
            told |= {"vendor": self._maker.get(ci.vendor or ""), "model": self._model.get(ci.model or "")}
        return "asset", key, {**told, "updated_at": times.to_text(self._estate.as_of - DAY)}


_STATUS = {"in_stock": "in_stock", "ordered": "ordered", "retired": "retired", "repair": "maintenance"}

"""A company that was bought: an estate of its own, whose things bear other numbers than ours, and whose desk makes
the priority of one combination of impact and urgency by a matrix of its own."""

from __future__ import annotations

from dataclasses import replace

from mock_servers.estate.assumptions import MATRIX
from mock_servers.estate.generate import generate
from mock_servers.estate.model import Ci, Defect, Estate, Incident, Size

CELL = ("medium", "low")
"""Impact and urgency of the combination."""
OWN_PRIORITY = "p3"
"""What the desk makes of it; ``assumptions.MATRIX`` says p4."""
_MAKERS = ("5CG", "PF", "CZJ", "FOC", "JW", "VMware-")  # how real serial numbers begin


def acquired(seed: int, size: Size | int, as_of: float) -> Estate:
    """The estate of the company; the finding about its matrix has the kind ``matrix``."""
    estate = generate(seed, size, as_of)
    spoilt = {defect.record for defect in estate.defects if defect.code == "TKT-PRIO"}
    incidents = tuple(
        replace(ticket, priority=OWN_PRIORITY) if _in_cell(ticket) and ticket.id not in spoilt else ticket
        for ticket in estate.incidents
    )
    deviating = [
        Defect("TKT-PRIO", "matrix", "incident", ticket.id, ticket.number, ("priority",), collateral=True)
        for ticket in incidents
        if _in_cell(ticket) and ticket.id not in spoilt
    ]
    matrix = Defect("TKT-MATRIX", "differs", "matrix", "/".join(CELL), "", ("priority",))
    cis = tuple(_renumbered(ci) for ci in estate.cis)
    return replace(estate, cis=cis, incidents=incidents, defects=(*estate.defects, matrix, *deviating))


def _in_cell(ticket: Incident) -> bool:
    return (ticket.impact, ticket.urgency) == CELL and MATRIX[CELL] != OWN_PRIORITY


def _renumbered(ci: Ci) -> Ci:
    """The CI with numbers that ours cannot have; what is no number stays."""
    return replace(
        ci,
        serial=f"AQ-{ci.serial}" if ci.serial.startswith(_MAKERS) else ci.serial,
        asset_tag=f"A{ci.asset_tag}" if ci.asset_tag.startswith("P") else ci.asset_tag,
        mac=ci.mac.replace("3C:52:82", "3C:52:84"),
        fqdn=ci.fqdn.replace("bruckner.example", "acquired.example"),
    )

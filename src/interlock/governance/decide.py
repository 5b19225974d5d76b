"""The one decision: a pure function from what is known of a call to a verdict.

The pipeline, dry runs, release of approvals and explanations all call it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Effect = Literal["allow", "hold", "refuse"]
_WEIGHT: dict[Effect, int] = {"allow": 0, "hold": 1, "refuse": 2}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for holding or refusing a call."""

    kind: str  # authority, scope, quality, stage, status, budget, freshness, moved, ledger
    effect: Effect
    detail: str
    code: str | None = None
    ref: str | None = None
    evidence: str | None = None
    lifts: str | None = None

    @property
    def identity(self) -> tuple[str, str | None, str | None]:
        """What makes two reasons the same finding, whatever its evidence says by now."""
        return (self.kind, self.code, self.ref)


@dataclass(frozen=True, slots=True)
class Authority:
    """What policy says: the effect, who may decide a held call, and how long it may wait."""

    effect: Effect
    detail: str = ""
    deciders: tuple[str, ...] = ("approver",)
    expires_s: float = 14_400.0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All a decision depends on."""

    effect: Literal["read", "write", "destructive"]
    stage: Literal["shadow", "reviewed", "autonomous"]
    authority: Authority
    quality: Sequence[Reason] = ()  # flags and unchecked, each with the effect the profile gives it on this tool
    budget_left: bool = True
    ledger_ready: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """allow, hold or refuse, and why. ``reasons`` are those that weigh; informing flags are not among them."""

    effect: Effect
    reasons: tuple[Reason, ...] = ()
    deciders: tuple[str, ...] = ()
    expires_s: float = 0.0


def decide(inputs: Inputs) -> Verdict:
    """The heaviest reason wins: refuse over hold over allow.

    Reads are never held or refused for quality: flags inform. In stage ``shadow`` a write is decided but
    never performed; in ``reviewed`` every write waits for a person.
    """
    reasons: list[Reason] = []
    if inputs.authority.effect != "allow":
        reasons.append(Reason("authority", inputs.authority.effect, inputs.authority.detail))
    if not inputs.budget_left:
        reasons.append(Reason("budget", "refuse", "the budget of this agent is spent", lifts="wait, or ask its owner"))
    if inputs.effect != "read":
        if inputs.stage == "shadow":
            detail = "this agent is in stage shadow: writes are decided and recorded, never performed"
            reasons.append(Reason("stage", "refuse", detail, lifts="its owner moves it to reviewed"))
        elif inputs.stage == "reviewed":
            reasons.append(Reason("stage", "hold", "this agent is in stage reviewed: a person decides every write"))
        if not inputs.ledger_ready:
            reasons.append(Reason("ledger", "refuse", "the ledger cannot record this write", lifts="repair the ledger"))
        reasons += [reason for reason in inputs.quality if reason.effect != "allow"]
    effect: Effect = max((reason.effect for reason in reasons), key=_WEIGHT.__getitem__, default="allow")
    weighing = tuple(reason for reason in reasons if reason.effect != "allow")
    if effect != "hold":
        return Verdict(effect, weighing)
    return Verdict("hold", weighing, inputs.authority.deciders, inputs.authority.expires_s)

"""What the flags of a record do to a write: one reason a flag, and the flags that do not let it through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from interlock.gateway import render
from interlock.gateway.context import Context
from interlock.governance.decide import Reason
from interlock.principals.models import Scope
from interlock.quality.gate.quality import Quality
from interlock.quality.judge import Flag, Judged, repairs
from interlock.quality.profile import UNCHECKED
from interlock.quality.rowlevel import Effect


@dataclass(slots=True)
class Weighed:
    """Reasons from quality, whatever their effect, and the flags among them that hold or refuse."""

    reasons: list[Reason] = field(default_factory=list)
    stops: list[Flag] = field(default_factory=list)

    def add(self, other: Weighed) -> None:
        self.reasons += other.reasons
        self.stops += other.stops


def effect_of(quality: Quality, context: Context, flag: Flag) -> Effect:
    """What a flag does to the call's tool, whatever is written."""
    return quality.effect(flag.code, context.tool.name, context.tool.effect) if flag.stops else "allow"


def weigh(
    quality: Quality,
    context: Context,
    kind: str,
    judged: Judged,
    ref: str | None,
    scope: Scope | None,
    written: frozenset[str],
    target: str | None,
) -> Weighed:
    """Weigh what is known of a record of a kind. ``ref`` None: it is still to be made; ``scope`` None: the agent may
    not read it. ``target``: the ref that is written."""
    tool, found = context.tool, Weighed()
    for flag in judged.flags:
        effect = effect_of(quality, context, flag)
        if target is not None and effect != "allow" and repairs(flag, written, target):
            effect = "allow"
        found.reasons.append(_reason(flag, effect, scope))
        if effect != "allow":
            found.stops.append(flag)
    told = ref if scope is not None else None
    if judged.fault is not None:
        lifts = "somebody who runs the gateway repairs or removes flags.sqlite in the state folder"
        found.reasons.append(Reason("quality", "refuse", judged.fault, UNCHECKED, told, None, lifts))
    elif unmet := quality.unmet(kind, judged):
        effect = quality.effect(UNCHECKED, tool.name, tool.effect)
        detail = f"demanded checks could not run: {', '.join(sorted(unmet))}"
        lifts = quality.lifts_unmet(unmet)
        found.reasons.append(Reason("quality", effect, detail, UNCHECKED, told, None, lifts))
    return found


def weigh_path(quality: Quality, context: Context, flags: Sequence[Flag]) -> Weighed:
    """Weigh the flags on what depends on the CIs of a write: one reason a check. Who may not read all CIs and
    relations is told that they are there, not where."""
    scopes = (context.agent.scopes.get("ci"), context.agent.scopes.get("relationship"))
    open_to = all(scope is not None and not scope.filter for scope in scopes)
    found = Weighed()
    for code in sorted({flag.code for flag in flags}):
        same = [flag for flag in flags if flag.code == code]
        effect = effect_of(quality, context, same[0])
        hidden = frozenset[str]().union(*(scope.hidden for scope in scopes if scope is not None))
        evidence = None
        if open_to and hidden.isdisjoint(same[0].fields):
            evidence = f"{same[0].ref}: {render.evidence(same[0].evidence)}"
        detail = f"{code} is raised on {len(same)} of the CIs and relations that depend on it"
        found.reasons.append(Reason("quality", effect, detail, code, None, evidence, same[0].lifts))
        if effect != "allow":
            found.stops += same
    return found


def findings(quality: Quality, context: Context, judged: Iterable[Judged]) -> list[list[str]]:
    """The flags that weigh on the tool with the values they are about, for people and for release."""
    return sorted(
        [flag.code, flag.ref, render.evidence(flag.evidence)]
        for each in judged
        for flag in each.flags
        if effect_of(quality, context, flag) != "allow"
    )


def _reason(flag: Flag, effect: Effect, scope: Scope | None) -> Reason:
    if flag.ref.split(":")[1] == "source":
        where = f"the source {flag.ref.partition(':')[0]}"
    else:
        where = "the record" if scope else "the CI behind it"
    return Reason(
        "quality",
        effect,
        f"{flag.code} is raised on {where}",
        flag.code,
        flag.ref if scope is not None else None,
        render.flag(flag, scope).get("evidence"),
        flag.lifts,
    )

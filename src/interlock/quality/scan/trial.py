"""A trial: what a check would find under another setting, against what it finds now, on the same snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from interlock.quality.judge import Judge, ToolEffect
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan import nightly
from interlock.records.problems import invalid

_SECTIONS = {"ci": "ci", "relationship": "relation", "incident": "incident", "source": "source"}


@dataclass(frozen=True, slots=True)
class Trial:
    """Findings of a check now and as tried; refs on which it would be raised, and cleared."""

    code: str
    now: int
    then: int
    raised: frozenset[str]
    cleared: frozenset[str]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the past: what it was and whom it was about."""

    id: str
    tool: str
    tool_effect: ToolEffect
    refs: tuple[str, ...]


def changed(profile: Profile, code: str, settings: Iterable[str]) -> Profile:
    """The profile with settings like ``max_age=90d`` or ``ci.max_age.server=90d``.

    A name without its section is one of the check's kind; one value for a setting by class is its default.
    Raises Problem invalid-argument for what is no check or no setting, as a profile file would.
    """
    checks = shipped().checks
    if code not in checks:
        raise invalid("CODE", code, "is not a check", f"Checks: {', '.join(checks)}.")
    told = profile.model_dump(mode="json")
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise invalid("--set", setting, "is not NAME=VALUE", "For example: --set max_age=90d")
        path = name.split(".")
        if path[0] not in told:
            path = [_SECTIONS.get(checks[code].kind, "ci"), *path]
        profile = profile.merge(_nested(path, _value(told, path, yaml.safe_load(value))))
    return profile


def _value(told: Any, path: list[str], value: Any) -> Any:
    at = told
    for step in path:
        at = at.get(step) if isinstance(at, dict) else None
    return {"default": value} if isinstance(at, dict) and not isinstance(value, dict) else value


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: value}
    whole: dict[str, Any] = value
    return whole


def trial(state: Path, code: str, profile: Profile, tried: Profile, as_of: float, **how: Any) -> Trial:
    """Run a check under both profiles as of one moment. Raises what a scan raises."""
    now = _refs(nightly.run(state, profile, as_of, codes=[code], **how).findings)
    then = _refs(nightly.run(state, tried, as_of, codes=[code], **how).findings)
    return Trial(code, len(now), len(then), then - now, now - then)


def _refs(findings: Path) -> frozenset[str]:
    with duckdb.connect() as con:
        return frozenset(
            ref for (ref,) in con.execute("SELECT DISTINCT ref FROM read_parquet(?)", [str(findings)]).fetchall()
        )


def would_stop(calls: Iterable[Call], code: str, raised: frozenset[str], profile: Profile) -> dict[str, list[str]]:
    """Ids of past calls about records on which a check would be raised, by what its flag does to them."""
    judge = Judge(profile)
    try:
        found: dict[str, list[str]] = {"hold": [], "refuse": []}
        for call in calls:
            effect = judge.effect(code, call.tool, call.tool_effect)
            if effect != "allow" and not raised.isdisjoint(call.refs):
                found[effect].append(call.id)
        return found
    finally:
        judge.close()


def past_calls(entries: Iterable[Mapping[str, Any]], since: float, effects: Mapping[str, ToolEffect]) -> list[Call]:
    """The calls of ledger entries that went through since a time (epoch seconds), each once."""
    found: dict[str, Call] = {}
    for entry in entries:
        tool, id_ = entry.get("tool"), entry.get("call_id")
        if entry["at"] >= since * 1_000_000 and tool in effects and id_ and entry.get("verdict") == "allow":
            found[id_] = Call(id_, str(tool), effects[str(tool)], tuple(entry.get("refs") or ()))
    return list(found.values())

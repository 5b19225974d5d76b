"""Trying a setting before it is changed: one check over the current snapshots, under both profiles.

What would be raised, what would be cleared, and which of the writes that agents asked for lately would have met
another answer. Nothing comes into force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan.engine import Bounds, engine, parquet, view_stored
from interlock.quality.scan.nightly import TRIALS, run
from interlock.records.problems import Problem, Slug, invalid

if TYPE_CHECKING:
    from interlock.config import Config
    from interlock.quality.scan.full import Progress

_TICKETS = ("incident", "change", "problem", "alert", "asset")
"""Kinds whose CI a write relies on, too."""
_SECTIONS = {"ci": ("ci", "relations"), "incident": ("incident",), "source": ("source",)}


@dataclass(frozen=True, slots=True)
class Call:
    """A write that an agent asked for: its id, the tool, the records it named, and the checks that weighed on it."""

    id: str
    tool: str
    refs: tuple[str, ...]
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What another profile would change for one check. ``held``: calls that were allowed and would be held or
    refused; ``passed``: calls that only this check stopped, on records it would no longer be raised on."""

    code: str
    before: int
    after: int
    raised: tuple[str, ...]
    cleared: tuple[str, ...]
    calls: int
    held: tuple[str, ...]
    passed: tuple[str, ...]


def changed_profile(profile: Profile, code: str, settings: Iterable[tuple[str, Any]]) -> Profile:
    """The profile with settings of a check changed: ``("max_age", 90)``, ``("ci.max_age.server", "120d")``.

    A name without its section is looked for where the check's settings are. One value for a setting that has one
    a class (or source) stands for all that have a value. A bare number for an age counts days.
    Raises Problem invalid-argument.
    """
    check = shipped().checks.get(code)
    if check is None:
        near = get_close_matches(code.upper(), shipped().checks, n=1)
        raise invalid("code", code, "is not a check", f"Did you mean {near[0]}?" if near else "See: checks list.")
    values = profile.model_dump(mode="json")
    changes: dict[str, Any] = {}
    for name, value in settings:
        path = _path(values, check.kind, name)
        old = _at(values, path)
        new = _spread(old, _days(path, value)) if isinstance(old, Mapping) else _days(path, value)
        _put(changes, path, new)
    return profile.merge(changes)


def _path(values: Mapping[str, Any], kind: str, name: str) -> tuple[str, ...]:
    parts = tuple(name.split("."))
    sections = [""] if parts[0] in values else list(_SECTIONS.get(kind, tuple(values)))
    for section in sections:
        path = (section, *parts) if section else parts
        if _at(values, path[:-1]) is not None and (len(path) > 2 or path[-1] in _at(values, path[:-1])):
            return path
    known = sorted(key for section in sections for key in (values.get(section) or {}))
    near = get_close_matches(parts[-1], known, n=1)
    way = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    raise invalid("set", name, "is not a setting of this check", way)


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return None
        values = values[part]
    return values


def _spread(old: Mapping[str, Any], value: Any) -> Any:
    """One value for every entry that has one; a mapping stands for itself."""
    if isinstance(value, Mapping):
        return value
    return {key: value for key, was in old.items() if was is not None}


def _days(path: tuple[str, ...], value: Any) -> Any:
    return f"{value}d" if "max_age" in path and isinstance(value, int | float) else value


def _put(changes: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        changes = changes.setdefault(part, {})
    changes[path[-1]] = value


def attempt(
    state: Path,
    profile: Profile,
    changed: Profile,
    code: str,
    calls: Iterable[Call],
    as_of: float,
    *,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
    config: Config | None = None,
) -> Trial:
    """Judge everything by one check under both profiles. Raises what ``nightly.run`` raises."""
    if changed.version == profile.version:
        raise Problem(Slug.INVALID_ARGUMENT, "the setting is as it was", field="set", next_step="Pass another value.")
    files = []
    for one in (profile, changed):
        found = run(state, one, as_of, codes=[code], bounds=bounds, progress=progress, config=config)
        files.append(found.findings)
    snapshots = state / "snapshots"
    with engine(state / TRIALS, [snapshots, state / TRIALS], bounds) as con:
        for name, file in zip(("was", "will"), files, strict=True):
            con.execute(
                f"CREATE TEMP TABLE {name} AS SELECT DISTINCT ref FROM {parquet([file])} WHERE code = ?", [code]
            )
        raised, cleared = (_refs(con, a, b) for a, b in (("will", "was"), ("was", "will")))
        before, after = (con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("was", "will"))
        asked = list(calls)
        relied = _relied(con, snapshots, asked)
    return Trial(
        code, before, after, raised, cleared, len(asked), *_moved(profile, code, asked, relied, raised, cleared)
    )


def _refs(con: Any, one: str, other: str) -> tuple[str, ...]:
    rows = con.execute(f"SELECT ref FROM {one} EXCEPT SELECT ref FROM {other} ORDER BY ref").fetchall()
    return tuple(ref for (ref,) in rows)


def _relied(con: Any, snapshots: Path, calls: list[Call]) -> dict[str, set[str]]:
    """By ref that a call named, the CI behind it."""
    files: dict[str, list[Path]] = {}
    for snapshot in Snapshots(snapshots).all_current():
        files.setdefault(snapshot.kind, []).extend(snapshot.files)
    view_stored(con, files)
    con.execute("CREATE TEMP TABLE named (ref VARCHAR)")
    if named := sorted({ref for call in calls for ref in call.refs}):
        con.executemany("INSERT INTO named VALUES (?)", [(ref,) for ref in named])
    behind: dict[str, set[str]] = {}
    for kind in _TICKETS:
        sql = f"SELECT ref, ci FROM stored_{kind} JOIN named USING (ref) WHERE ci IS NOT NULL"
        for ref, ci in con.execute(sql).fetchall():
            behind.setdefault(ref, set()).add(ci)
    return behind


def _moved(
    profile: Profile,
    code: str,
    calls: list[Call],
    behind: Mapping[str, set[str]],
    raised: tuple[str, ...],
    cleared: tuple[str, ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    check = shipped().checks[code]
    own = profile.matrix.get(code, {})
    new, gone = frozenset(raised), frozenset(cleared)
    held, passed = [], []
    for call in calls:
        effect = own.get(call.tool) or own.get("default") or check.effects.get(call.tool, check.effect)
        if effect == "allow":
            continue
        refs = set(call.refs).union(*(behind.get(ref, set()) for ref in call.refs))
        if call.verdict == "allow" and refs & new:
            held.append(call.id)
        elif call.verdict != "allow" and set(call.reasons) == {code} and refs & gone:
            passed.append(call.id)
    return tuple(held), tuple(passed)

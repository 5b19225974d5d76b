"""What the records of a source say: rights to read, the time zone, and what must stand ready for writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.clock import Clock
from interlock.conformance.declaration import Need
from interlock.conformance.doctor.finding import Finding, cannot_tell, ok, skipped, wrong
from interlock.conformance.doctor.trial import Trial
from interlock.records import times
from interlock.records.filters import Query, read_filter
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.sources.source import Source

ZONE_S = 60
"""A record is sought by its time, give or take so much: zones differ by quarters of an hour."""


def readable(source: Source, trial: Trial) -> Finding:
    """Whether a kind can be read, and whether all its mapped fields come."""
    step, problem = f"read.{trial.kind}", trial.problem
    if problem is not None:
        return _unread(step, trial.kind, problem)
    if not trial.records:
        return cannot_tell(
            step,
            f"No {trial.kind} came, and no refusal: there are none, or access rules hide every one.",
            f"If there are {trial.kind} records, ask the administrator for the right to read them.",
        )
    present = {name for record in trial.records for name in record}
    lacking = sorted(name for name in source.fields(trial.kind) if name not in present)
    if lacking:
        return cannot_tell(
            step,
            f"{trial.kind} is read, but {len(lacking)} mapped fields came with none of {len(trial.records)} records: "
            f"{', '.join(lacking)}. The account may not read them, or these records have no such columns.",
            "If the source has them, ask the administrator for the right to read these fields; else remove them in "
            "an overlay.",
        )
    return ok(step, f"{trial.kind} is read with all mapped fields.")


def _unread(step: str, kind: str, problem: Problem) -> Finding:
    said = f"{kind} cannot be read: {problem.detail}."
    if problem.slug is Slug.SOURCE_DENIED:
        return wrong(step, said, f"Ask the administrator for the right to read {kind} (table and fields).")
    if problem.slug is Slug.RATE_LIMITED:
        return cannot_tell(step, said, "See the limits.")
    return wrong(step, said, problem.next_step or "Ask the administrator what the source's log says of this call.")


def writable(source: Source, trials: Sequence[Trial]) -> list[Finding]:
    """For each kind that the adapter writes: what can be known of the right to, with nothing written."""
    found = []
    read = {trial.kind: trial for trial in trials}
    for kind, able in source.abilities.kinds.items():
        operations = [op for op in ("create", "update", "note") if getattr(able, op) is not None]
        if not operations:
            continue
        step, words = f"write.{kind}", ", ".join(operations)
        trial = read.get(kind)
        if trial is None or (trial.problem is not None and not trial.forbidden):
            found.append(skipped(step, f"reading {kind}"))
        elif trial.forbidden:
            found.append(
                wrong(
                    step,
                    f"{kind} cannot be written: what was written must be read again.",
                    f"Ask the administrator for the right to read {kind}, and to {words} it where agents shall.",
                )
            )
        else:
            found.append(
                cannot_tell(
                    step,
                    f"The right to write {kind} ({words}) shows only when something is written.",
                    "Try it on a test instance with `interlock adapter check --source`.",
                )
            )
    return found


async def time_zone(source: Source, trials: Sequence[Trial], zone: str, clock: Clock) -> Finding:
    """Whether times mean what they say: none is in the future, and a record is found by the time it shows."""
    known = [
        (times.to_epoch(record["updated_at"]), trial.kind, record)
        for trial in trials
        for record in trial.records
        if isinstance(record.get("updated_at"), str)
    ]
    if not known:
        return cannot_tell("time_zone", "No record with a time of change was read.")
    newest, kind, record = max(known, key=lambda each: each[0])
    ahead = newest - clock.now()
    if ahead > ZONE_S:
        return wrong(
            "time_zone",
            f"{record['ref']} was changed at {record['updated_at']}, {_span(ahead)} from now.",
            f"`time_zone` ({zone}) is not the zone in which the source writes times, or a clock is wrong. Ask the "
            "administrator for the zone of the server, and of the account.",
        )
    return await _by_time(source, kind, record)


async def _by_time(source: Source, kind: str, record: Mapping[str, Any]) -> Finding:
    at = times.to_epoch(record["updated_at"])
    clauses = [
        {"field": "updated_at", "op": op, "value": times.to_text(at + by)}
        for op, by in (("ge", -ZONE_S), ("le", ZONE_S))
    ]
    try:
        found = await source.search(kind, Query(read_filter(clauses, FIELDS[kind]), limit=200))
        again = await source.get(kind, record["ref"].split(":", 2)[2])
    except Problem as problem:
        return cannot_tell("time_zone", f"{kind} cannot be found by time ({problem.slug.value}).")
    if any(each["ref"] == record["ref"] for each in found.records):
        return ok("time_zone", f"No time is in the future, and {kind} records are found by the times they show.")
    if again.record.get("updated_at") != record["updated_at"] or len(found.records) >= 200:
        return cannot_tell("time_zone", f"{record['ref']} changed meanwhile.", "Try again.")
    return wrong(
        "time_zone",
        f"{record['ref']} was changed at {record['updated_at']}, but is not found by that time: the source takes times "
        "in questions for another zone than it writes them in.",
        "Ask the administrator to set the time zone of our account to the one that the adapter's README asks for, GMT "
        "where it names none.",
    )


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"


async def ready(source: Source, need: Need, settings: Mapping[str, Any]) -> Finding:
    """Whether a choice that writes depend on is there."""
    step = f"choice.{need.kind}.{need.field}"
    wanted = str(settings.get(need.setting or "") or need.choice)
    try:
        choices = await source.choices(need.kind, need.field)
    except Problem as problem:
        return cannot_tell(
            step,
            f"The choices of {need.field} cannot be read ({problem.slug.value}).",
            f"{wanted} must be one. {need.ask}",
        )
    if any(choice.value == wanted and choice.active for choice in choices):
        return ok(step, f"{wanted} is a choice of {need.field}: {need.kind} can be written under this name.")
    return wrong(step, f"{wanted} is no choice of {need.field}: every write of {need.kind} is refused.", need.ask)

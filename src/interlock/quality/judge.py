"""The judge: runs the row checks of one live record, and says what their flags do to a call.

One cached SQLite statement a kind, on an empty in-memory database: the record, its settings and the time
are bound, the answer is one column of evidence per check. No data engine is imported here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from interlock.quality.columns import RELATIONS
from interlock.quality.profile import UNCHECKED, Profile
from interlock.quality.rowlevel import Check, Effect, RowLevel, Severity, Statement, shipped
from interlock.quality.settings import SETTINGS, CiSettings, IncidentSettings
from interlock.records.problems import Problem, Slug

Standing = Literal["trusted", "caution", "unchecked", "flagged"]
ToolEffect = Literal["read", "write", "destructive"]


@dataclass(frozen=True, slots=True)
class Flag:
    """One finding of a check on one record.

    ``evidence`` is ``reason[,reason]: fact; fact`` with times as ``@epoch``; ``reason`` is its part before
    the colon. ``fields`` are the canonical fields the evidence speaks of: whoever may not see them may not
    see the evidence. ``stops``: false when it is shown and counted, but holds and refuses nothing.
    """

    code: str
    severity: Severity
    ref: str
    reason: str
    evidence: str
    lifts: str
    fields: frozenset[str]
    stops: bool = True

    @property
    def reasons(self) -> tuple[str, ...]:
        """The single reason words."""
        return tuple(self.reason.split(","))


@dataclass(frozen=True, slots=True)
class Judged:
    """What the checks say of one record. ``unknown``: codes that could not run, or not in full.

    ``fault``: why the stored flags could not be read; then nothing may be written on the strength of this.
    """

    flags: tuple[Flag, ...]
    unknown: frozenset[str]
    standing: Standing
    fault: str | None = None


_RECENT = 256  # cached records that agents ask for again and again


_UNCHECKED_DEFAULT: dict[ToolEffect, Effect] = {"read": "allow", "write": "hold", "destructive": "refuse"}


class Judge:
    """The row checks under one profile.

    Holds one SQLite connection. Evaluating is a matter of microseconds, so call it on the event loop;
    it may be used from any one thread at a time.
    """

    def __init__(self, profile: Profile | None = None, level: RowLevel | None = None) -> None:
        self.level = level or shipped()
        # one thread at a time, but not always the one that built it
        self._recent: dict[int, tuple[Mapping[str, Any], int, Judged]] = {}
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.use(profile or Profile.default())

    def use(self, profile: Profile) -> None:
        """Judge under another profile from now on: at once and whole, between two records."""
        self.profile = profile
        self._recent.clear()
        self._kinds = {
            kind: _Kind(statement, SETTINGS[kind](self.profile, statement), self.demands(kind))
            for kind, statement in self.level.kinds.items()
        }
        matrix = self.profile.matrix
        self._generic: dict[str, Effect] = {
            code: matrix.get(code, {}).get("default", check.effect) for code, check in self.level.checks.items()
        }

    @property
    def version(self) -> str:
        """What verdicts depend on: the profile and the compiled checks."""
        return f"{self.profile.version}-{self.level.hash[:16]}"

    def close(self) -> None:
        self._connection.close()

    def fields(self, kind: str) -> frozenset[str]:
        """Canonical fields that must be read for the checks of a kind to run; empty for kinds without."""
        return RELATIONS[kind].reads if kind in self._kinds else frozenset()

    def judge(self, kind: str, record: Mapping[str, Any], now: float) -> Judged:
        """Run the checks of the kind on one canonical record, as of ``now`` (epoch seconds, UTC).

        A kind without checks demands nothing and so is ``trusted``. Flags come in order of code. A record
        is not changed once it was judged: the same one is answered for from memory within a second.
        """
        second = int(now)
        kept = self._recent.get(id(record))
        if kept is not None and kept[0] is record and kept[1] == second:
            return kept[2]
        judged = self._judged(kind, record, second)
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent[id(record)] = (record, second, judged)
        return judged

    def _judged(self, kind: str, record: Mapping[str, Any], now: int) -> Judged:
        found = self._kinds.get(kind)
        if found is None:
            return Judged((), frozenset(), "trusted")
        ref: str = record.get("ref") or ""
        prepared = RELATIONS[kind].prepare(record)
        values, needs = found.settings.of(ref.partition(":")[0], record)
        unknown = needs.unknown(prepared[0])  # type: ignore[arg-type]
        row = self._run(found.statement.sql, (*prepared, *values, now))
        if not any(row):  # evidence is never empty text
            return found.clean(unknown)
        flags = tuple(
            [
                flag_of(check, ref, evidence)
                for check, evidence in zip(found.statement.checks, row, strict=True)
                if evidence is not None
            ]
        )
        return Judged(flags, unknown, self.standing(kind, flags, unknown))

    def findings(self, records: Iterable[Mapping[str, Any]], kind: str, now: float) -> Iterator[Flag]:
        """The flags of many records, one after the other."""
        for record in records:
            yield from self._judged(kind, record, int(now)).flags

    def effect(self, code: str, tool: str, tool_effect: ToolEffect) -> Effect:
        """What a flag (or ``unchecked``) does to a call of a tool: the profile's matrix, else the check's.

        Reads are always allowed. Raises Problem internal for a code that does not exist.
        """
        if tool_effect == "read":
            return "allow"
        effects = self.profile.matrix.get(code, {})
        chosen = effects.get(tool) or effects.get("default")
        if chosen is not None:
            return chosen
        if code == UNCHECKED:
            return _UNCHECKED_DEFAULT[tool_effect]
        check = self.level.checks.get(code)
        if check is None:
            raise Problem(Slug.INTERNAL, f"{code} is not a check", field="code", value=code)
        return check.effects.get(tool, check.effect)

    def unmet(self, kind: str, judged: Judged) -> frozenset[str]:
        """Demanded checks that could not run on a record, whatever else was raised on it."""
        return judged.unknown & self.demands(kind)

    def demands(self, kind: str) -> frozenset[str]:
        """The checks without which a record of the kind is not trusted."""
        return frozenset(getattr(self.profile.demands, kind, ()))

    def standing(self, kind: str, flags: Iterable[Flag], unknown: frozenset[str]) -> Standing:
        """What flags and unknown checks come to for whoever reads the record."""
        for flag in flags:
            if flag.stops and self._generic[flag.code] != "allow":
                return "flagged"
        if not self.demands(kind).isdisjoint(unknown):
            return "unchecked"
        return "caution" if flags else "trusted"

    def _run(self, sql: str, values: tuple[Any, ...]) -> tuple[str | None, ...]:
        try:
            row: tuple[str | None, ...] = self._connection.execute(sql, values).fetchone()
        except UnicodeEncodeError:
            # half a surrogate pair, as broken JSON can hold: SQLite takes only valid text
            clean = tuple(
                value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values
            )
            row = self._connection.execute(sql, clean).fetchone()
        return row


@dataclass(frozen=True, slots=True)
class _Kind:
    statement: Statement
    settings: CiSettings | IncidentSettings
    demands: frozenset[str]
    kept: dict[frozenset[str], Judged] = field(default_factory=dict)

    def clean(self, unknown: frozenset[str]) -> Judged:
        """What is said of a record without flags: few values, so they are kept and shared."""
        judged = self.kept.get(unknown)
        if judged is None:
            standing: Standing = "trusted" if self.demands.isdisjoint(unknown) else "unchecked"
            judged = self.kept[unknown] = Judged((), unknown, standing)
        return judged


def flag_of(check: Check, ref: str, evidence: str) -> Flag:
    """The flag of a check with this evidence."""
    reason, _, facts = evidence.partition(": ")
    fields = check.fields
    if check.itemised:
        fields &= {fact.partition(" ")[0] for fact in facts.split("; ")}
    return Flag(check.code, check.severity, ref, reason, evidence, check.lifts, fields)


def repairs(flag: Flag, written_fields: Collection[str], target: str | None = None) -> bool:
    """Whether a write only repairs what the flag found: it writes nothing but fields the flag names.

    Such a write is not held by that flag, else the flag would lock the record for ever. ``target``: the
    ref being written; a flag on another record (the CI behind a ticket) is never repaired by it.
    """
    if target is not None and target != flag.ref:
        return False
    return bool(written_fields) and flag.fields.issuperset(written_fields)

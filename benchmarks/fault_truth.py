"""After the run: what the source holds, what the journal says, what agents were told, side by side."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault_clients import Intent

DONE = frozenset({"applied", "partial"})
OPEN = frozenset({"performing", "unknown", "released", "held"})


@dataclass(frozen=True, slots=True)
class Write:
    """A row of the journal of writes, as far as it is compared."""

    id: str
    state: str
    arguments: Mapping[str, Any]
    needs_person: bool
    found_by: str | None
    attempts: int


def journal(state: Path) -> list[Write]:
    """All rows, read beside the running gateway."""
    with sqlite3.connect(f"file:{state / 'state.sqlite'}?mode=ro", uri=True, timeout=10) as db:
        rows = db.execute("SELECT id, state, call, receipt, needs_person, attempts FROM writes").fetchall()
    found = []
    for id, word, call, receipt, person, attempts in rows:  # noqa: A001
        shown = json.loads(receipt) if receipt else {}
        found.append(Write(id, word, json.loads(call)["raw"], bool(person), shown.get("found_by"), attempts))
    return found


def unsettled(writes: Iterable[Write]) -> list[Write]:
    """Writes whose end nobody knows and that no person was told of."""
    return [write for write in writes if write.state in OPEN and not write.needs_person]


@dataclass(slots=True)
class Store:
    """The records of the source, by the word that each write puts into one place."""

    titles: Counter[str] = field(default_factory=Counter)
    descriptions: Counter[str] = field(default_factory=Counter)
    close_notes: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    correlations: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, incidents: Iterable[Mapping[str, str]], notes: Iterable[Mapping[str, str]]) -> Store:
        store = cls()
        for row in incidents:
            store.titles[row.get("short_description", "")] += 1
            store.descriptions[row.get("description", "")] += 1
            if row.get("state") == "6":
                store.close_notes[row.get("close_notes", "")] += 1
            if correlation := row.get("correlation_id"):
                store.correlations[correlation] += 1
        for note in notes:
            store.notes[note.get("value", "").partition("\n")[0]] += 1
        return store

    def count(self, intent: Intent) -> int:
        """How often the source holds what an agent asked for."""
        places = {
            "create": self.titles,
            "update": self.descriptions,
            "resolve": self.close_notes,
            "note": self.notes,
        }
        return places[intent.op][intent.word]


@dataclass(slots=True)
class Findings:
    """What must be zero, and what is worth knowing. Words name the writes concerned."""

    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    false_applied: list[str] = field(default_factory=list)
    false_not_applied: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    found_by_probe: int = 0
    sent_again: int = 0


def compare(intents: Sequence[Intent], writes: Sequence[Write], store: Store) -> Findings:
    """Hold journal and agents to what the source holds."""
    found = Findings()
    rows: dict[str, list[Write]] = defaultdict(list)
    for write in writes:
        rows[_word(write.arguments)].append(write)
        found.ends[write.state] += 1
        found.found_by_probe += write.found_by == "probe" and write.state in DONE
        found.sent_again += write.attempts > 1
    for intent in intents:
        there = store.count(intent)
        mine = rows[intent.word]
        done = [write for write in mine if write.state in DONE]
        told = DONE.intersection(intent.told)
        if there > 1 or len(done) > 1:
            found.duplicates.append(intent.word)
        if not there and done:
            found.lost.append(intent.word)
        if not there and told:
            found.false_applied.append(intent.word)
        if there and not done and (("not_applied" in intent.told) or any(w.state == "not_applied" for w in mine)):
            found.false_not_applied.append(intent.word)
        if there and not mine:
            found.unrecorded.append(intent.word)
    found.duplicates += [correlation for correlation, count in store.correlations.items() if count > 1]
    found.unsettled += [f"{write.id} {write.state} {_word(write.arguments)}" for write in unsettled(writes)]
    return found


def _word(arguments: Mapping[str, Any]) -> str:
    changes = arguments.get("changes") or {}
    for value in (arguments.get("title"), arguments.get("text"), arguments.get("close_notes")):
        if value is not None:
            return str(value)
    return str(changes.get("description", ""))

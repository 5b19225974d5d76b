"""What the checks find in a data set: harvested into snapshots, scanned, under a profile made for its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks.realdata.loading import SOURCE, DataSet, Records
from interlock.clock import ManualClock
from interlock.quality import matrices
from interlock.quality.categories import plain
from interlock.quality.harvest.snapshots import Snapshots
from interlock.quality.profile import Profile
from interlock.quality.scan.full import scan
from interlock.quality.stored import stored
from interlock.records import times

AFTER = times.to_epoch("2026-11-27T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Finding:
    """One flag: its check, the source and the record it is on, and the parts of its evidence."""

    code: str
    source: str
    record: Mapping[str, Any]
    reasons: tuple[str, ...]
    facts: tuple[str, ...]


def findings(data: DataSet, sources: Mapping[str, Records], folder: Path) -> dict[str, list[Finding]]:
    """The flags of all checks, as published (``""``) and after the matrix that was found is accepted."""
    changes = merged_changes(data, sources)
    as_of = _as_of(sources)
    snapshots = Snapshots(folder / "snapshots", ManualClock(as_of))
    records: dict[str, Mapping[str, Any]] = {}
    for source, kinds in sources.items():
        for kind, held in kinds.items():
            draft = snapshots.begin(source, kind)
            draft.write([stored(kind, record, handle, source, as_of) for handle, record in held])
            draft.publish()
            records |= {record["ref"]: record for _, record in held}
    file = folder / "profile.yaml"
    file.write_text(yaml.safe_dump(changes), encoding="utf-8")
    found = {"": _scanned(folder, snapshots, Profile.load(file), as_of, records)}
    matrix = [
        (f.record["ref"], f"{','.join(f.reasons)}: {'; '.join(f.facts)}") for f in found[""] if f.code == matrices.CODE
    ]
    if matrix:
        matrices.accept(file, SOURCE, matrix)
        found["accept-matrix"] = _scanned(folder, snapshots, Profile.load(file), as_of, records)
    return found


def merged_changes(data: DataSet, sources: Mapping[str, Records]) -> dict[str, Any]:
    """The data set's profile, with the words that its numbers take as declared."""
    changes: dict[str, Any] = yaml.safe_load(yaml.safe_dump(data.about.get("profile") or {}))
    declares = data.about.get("declares") or {}
    if declares:
        held = [record for _, record in sources[SOURCE]["incident"]]
        incident = changes.setdefault("incident", {})
        own = incident.setdefault("sources", {}).setdefault(SOURCE, {})
        categories = _categories(held, most=declares["categories"] == "most")
        own["categories"] = categories
        if "pairs" in declares:
            own["pairs"] = _pairs(held)
        if "needs_ci" in declares:
            incident["needs_ci"] = categories
    return changes


def _categories(held: Iterable[Mapping[str, Any]], most: bool) -> list[str]:
    """The categories that are used; with ``most`` only the commonest way of writing each."""
    used = Counter(record["category"] for record in held if record.get("category"))
    if not most:
        return sorted(used)
    chosen: dict[str, str] = {}
    for word, _ in used.most_common():
        chosen.setdefault(plain(word), word)
    return sorted(chosen.values())


def _pairs(held: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    pairs: dict[str, set[str]] = {}
    for record in held:
        if record.get("category") and record.get("subcategory"):
            pairs.setdefault(record["category"], set()).add(record["subcategory"])
    return {category: sorted(found) for category, found in sorted(pairs.items())}


def _as_of(sources: Mapping[str, Records]) -> int:
    """The newest change in the data; without any, a day after all of it."""
    told = [
        record["updated_at"]
        for kinds in sources.values()
        for held in kinds.values()
        for _, record in held
        if record.get("updated_at")
    ]
    return times.to_epoch(max(told)) if told else AFTER


def _scanned(
    folder: Path, snapshots: Snapshots, profile: Profile, as_of: int, records: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    result = scan(folder, snapshots.all_current(), profile, float(as_of))
    with duckdb.connect() as con:
        rows = con.execute("SELECT code, ref, evidence FROM read_parquet(?)", [str(result.findings)]).fetchall()
    found = []
    for code, ref, evidence in rows:
        reason, _, facts = evidence.partition(": ")
        record = records.get(ref) or {"ref": ref}
        found.append(Finding(code, ref.partition(":")[0], record, tuple(reason.split(",")), tuple(facts.split("; "))))
    return found

"""Writing the published contracts, and keeping what a frozen version promised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from interlock.records.problems import Problem, Slug
from interlock.tools.changes import Finding
from interlock.tools.compatibility import breaking, compare, read_contracts
from interlock.tools.contracts import VERSION, documents


def broken_promises(folder: Path, wanted: Mapping[str, bytes], version: str) -> list[Finding]:
    """What these documents would break of the frozen version that lies below ``folder``; v0 promises nothing."""
    if version == "v0":
        return []
    new = {path.removeprefix(f"{version}/"): orjson.loads(body) for path, body in wanted.items()}
    return breaking(compare(read_contracts(folder / version), new))


def export(
    folder: Path, extra: Mapping[str, bytes] | None = None, *, version: str = VERSION, first: bool = False
) -> list[str]:
    """Write the contracts below ``folder``; files no longer published are removed. Returns paths that changed.

    Raises Problem refused when a frozen version would break a promise, and when it is not there to compare with;
    ``first`` writes one that is not there yet, and no other.
    """
    wanted = {**documents(version), **(extra or {})}
    there = any((folder / version).rglob("*.json"))
    if first and there:
        raise Problem(
            Slug.REFUSED,
            f"{folder / version} is there: its promises hold",
            field="first",
            value=version,
            next_step="Leave out --first, or raise VERSION in tools/contracts.py.",
        )
    if not (there or first or version == "v0"):
        raise Problem(
            Slug.REFUSED,
            f"{folder / version} is not there, so nothing shows that {version} keeps what it promised",
            field="folder",
            value=str(folder),
            next_step="Restore it; or, when this version was never published, say --first.",
        )
    if there and (broken := broken_promises(folder, wanted, version)):
        told = "; ".join(f"{one.file}{one.pointer}: {one.what}" for one in broken[:5])
        raise Problem(
            Slug.REFUSED,
            f"{version} is frozen, and {len(broken)} changes break it: {told}",
            field="version",
            value=version,
            next_step="Take them back, or raise VERSION in tools/contracts.py.",
        )
    changed = []
    for path, body in wanted.items():
        target = folder / path
        if not target.exists() or target.read_bytes() != body:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
            changed.append(path)
    for old in (folder / version).rglob("*.json"):
        if str(old.relative_to(folder)) not in wanted:
            old.unlink()
            changed.append(str(old.relative_to(folder)))
    return sorted(changed)

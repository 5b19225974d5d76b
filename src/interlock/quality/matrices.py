"""A source's own priority matrix: what TKT-MATRIX found of it, and taking it over into the profile.

A finding of TKT-MATRIX is about one cell of one source's matrix, under a ref of its own:
``snow:source:matrix/high/low``. Until somebody accepts it or waives it, the flags TKT-PRIO of that cell are
shown and counted but gate nothing: most of them are one decision, not many mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.quality.profile import Profile
from interlock.quality.profile_edit import put, write
from interlock.quality.profile_errors import read_yaml
from interlock.quality.profile_words import Matrix
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.ticket import Level

CODE = "TKT-MATRIX"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A matrix that was taken over: the cells, and the profile's version before and after."""

    source: str
    cells: Matrix
    before: str
    after: str


def implied(source: str, found: Iterable[tuple[str, str]]) -> Matrix:
    """The cells that findings of TKT-MATRIX (ref, evidence) imply for a source."""
    cells: dict[str, dict[str, str]] = {}
    for where, evidence in found:
        if where.startswith(f"{source}:source:matrix/"):
            facts = _facts(evidence)
            cells.setdefault(facts["impact"], {})[facts["urgency"]] = facts["priority"]
    return cells  # type: ignore[return-value]


def accept(file: Path | None, source: str, found: Iterable[tuple[str, str]]) -> Accepted:
    """Write the implied cells into the profile file, as ``incident.sources.<source>.priority``.

    Cells that the file sets already stay unless they are found. From the next start, or scan, priorities of
    the source are judged by the new matrix. Raises Problem: no such findings, no profile file, or one that
    is wrong or cannot be changed.
    """
    cells = implied(source, found)
    if not cells:
        raise Problem(
            Slug.NOT_FOUND,
            f"no open {CODE} says anything of the matrix of {source}",
            field="source",
            value=source,
            next_step=f"interlock flags list --code {CODE} shows which sources have one.",
        )
    if file is None:
        raise invalid(
            "quality.profile",
            None,
            "is not set, so there is no file to write the matrix to",
            "Name a file there (it may be empty), or set the matrix in your profile by hand.",
        )
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    values, place = read_yaml(text, str(file))
    before = Profile.default().merge(values, place)
    own = before.incident.sources.get(source)
    changed = put(text, ("incident", "sources", source, "priority"), _over(own.priority if own else {}, cells))
    after = Profile.default().merge(*read_yaml(changed, str(file)))
    write(file, changed)
    return Accepted(source, cells, before.version, after.version)


def _over(own: Matrix, cells: Matrix) -> dict[str, Any]:
    rows: tuple[Level, ...] = (*own, *(impact for impact in cells if impact not in own))
    return {impact: {**own.get(impact, {}), **cells.get(impact, {})} for impact in rows}


def _facts(evidence: str) -> dict[str, str]:
    told = evidence.partition(": ")[2].split("; ")
    return {name: value for name, _, value in (fact.partition(" ") for fact in told)}

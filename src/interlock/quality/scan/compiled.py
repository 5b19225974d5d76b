"""The shipped checks as a scan runs them, compiled once a process: Ibis takes longer than DuckDB on small data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import ibis
import ibis.expr.operations as ops

from interlock.quality import build, setsql
from interlock.quality.columns import NOW
from interlock.quality.kit import RowCheck, SetCheck
from interlock.quality.relations import Relations
from interlock.quality.rowlevel import shipped

_NOW = 8_888_777_766_665_554  # stands for the time


@dataclass(frozen=True, slots=True)
class CompiledSet:
    """A set check in DuckDB's SQL over everything. ``tables``: those it reads, settings and derived ones too."""

    text: str
    tables: frozenset[str]

    def sql(self, now: int) -> str:
        """SQL of ``record`` and ``evidence``, as of epoch seconds."""
        return self.text.replace(str(_NOW), str(now))


@lru_cache(maxsize=1)
def shipped_checks() -> dict[str, RowCheck | SetCheck]:
    """The checks of this installation by code."""
    return {check.code: check for check in sorted(map(build.check_of, build.modules()), key=lambda c: c.code)}


@lru_cache(maxsize=256)
def compiled(code: str) -> CompiledSet:
    """A set check, compiled. Raises KeyError for a code that is none."""
    check = shipped_checks()[code]
    assert isinstance(check, SetCheck)
    expression = setsql.expression(check, _NOW)
    return CompiledSet(setsql.merged_sql(expression), frozenset(t.name for t in expression.op().find(ops.UnboundTable)))


@lru_cache(maxsize=256)
def compiled_for(code: str, refs: str) -> CompiledSet:
    """A set check whose keys are refs, over what has one of those in a table ``refs`` (column ``ref``)."""
    check = shipped_checks()[code]
    assert isinstance(check, SetCheck)
    relations, chosen = Relations(ibis.literal(_NOW)), ibis.table({"ref": "string"}, name=refs)
    inputs = {name: relations[name] for name in (*check.reads, *check.joins)}
    for name, key in check.reads.items():
        inputs[name] = inputs[name].semi_join(chosen, inputs[name][key] == chosen.ref)
    return CompiledSet(setsql.merged_sql(check(inputs)), compiled(code).tables)


@lru_cache(maxsize=256)
def reads_now(code: str) -> bool:
    """Whether what a check finds depends on the time."""
    check = shipped_checks()[code]
    if isinstance(check, SetCheck):
        return shipped().sets[code].reads_now
    return any(field.name == NOW.name for field in check(build.relation(check.on)).op().find(ops.Field))

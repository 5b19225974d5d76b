"""Evidence put together: what several findings of one check on one record say, as one text.

A set check may find a record under several keys (two ends of a relation, two serial numbers). A record has one
flag a check, so its evidence is merged: reasons and facts, each once and in order.
"""

from __future__ import annotations

from collections.abc import Iterable


def merged(parts: Iterable[str]) -> str | None:
    """One text of ``reason: facts`` texts; None when there is none."""
    reasons: set[str] = set()
    facts: set[str] = set()
    for part in parts:
        reason, _, rest = part.partition(": ")
        reasons.add(reason)
        facts.add(rest)
    return f"{','.join(sorted(reasons))}: {'; '.join(sorted(facts))}" if reasons else None


MERGED = """\
SELECT record, CASE WHEN len(parts) = 1 THEN parts[1] ELSE
    array_to_string(list_sort(list_distinct(
        list_transform(parts, lambda part: substring(part, 1, instr(part, ': ') - 1)))), ',') || ': ' ||
    array_to_string(list_sort(list_distinct(
        list_transform(parts, lambda part: substring(part, instr(part, ': ') + 2)))), '; ') END AS evidence
FROM (SELECT record, list(evidence) AS parts FROM ({found}) GROUP BY record)"""
"""The same in DuckDB, over ``{found}``: SQL that gives ``record`` and ``evidence``. Most records have one part."""

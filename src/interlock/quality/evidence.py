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
SELECT record, string_agg(DISTINCT reason, ',' ORDER BY reason) || ': '
    || string_agg(DISTINCT facts, '; ' ORDER BY facts) AS evidence
FROM (SELECT record, substring(evidence, 1, instr(evidence, ': ') - 1) AS reason,
        substring(evidence, instr(evidence, ': ') + 2) AS facts FROM ({found}))
GROUP BY record"""
"""The same in DuckDB, over ``{found}``: SQL that gives ``record`` and ``evidence``."""

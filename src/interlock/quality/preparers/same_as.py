"""``same_as(ref, other, thing, by, score)``: CIs of different sources that are one thing.

Both directions are told. As in ``matching``: the strongest key that both have decides, so two CIs with the same
MAC address and different serial numbers are not one. ``thing`` is that key (``serial:471108``), ``by`` its
field; ``score`` is out of 1000, and what keys say is certain. A key that stands on very many records is none.
"""

from __future__ import annotations

from typing import Any

import ibis

from interlock.quality.matching import KEYS
from interlock.quality.relations import Relations

SCHEMA = 'ref VARCHAR, other VARCHAR, thing VARCHAR, "by" VARCHAR, score BIGINT'

MOST = 20
"""Records that may have one key, in all sources together, for it to say that they are one."""


def prepare(con: Any, cis: str = "stored_ci") -> None:
    """Make the table from ``cis`` (a table of stored CIs), ``ci_setting`` and ``junk_key``."""
    con.execute(f"CREATE OR REPLACE TABLE same_as ({SCHEMA})")
    if len(con.execute("SELECT DISTINCT source FROM ci_setting LIMIT 2").fetchall()) < 2:
        return
    keys = _keys().replace('"stored_ci"', cis)
    con.execute(f"CREATE OR REPLACE TABLE key_in_use AS {keys}")
    con.execute(f"CREATE OR REPLACE TABLE key_pair AS {_PAIRS}")
    ranks = ", ".join(f"{rank}: '{field}'" for rank, field in enumerate(KEYS))
    con.execute(
        f"""INSERT INTO same_as
        WITH said AS (SELECT * FROM key_pair ANTI JOIN ({_CONTRADICTED}) USING (one, two)),
            named AS (SELECT one, two, MAP {{{ranks}}}[rank] AS field, key FROM said)
        SELECT one, two, field || ':' || key, field, 1000 FROM named
        UNION ALL SELECT two, one, field || ':' || key, field, 1000 FROM named"""
    )
    con.execute("DROP TABLE key_in_use; DROP TABLE key_pair")


def _keys() -> str:
    found = Relations(ibis.literal(0)).ci_key
    ranks = " ".join(f"WHEN '{field}' THEN {rank}" for rank, field in enumerate(KEYS))
    return f"SELECT ref, source, CASE field {ranks} END::UTINYINT AS rank, key FROM ({ibis.to_sql(found, 'duckdb')})"


_PAIRS = f"""
WITH shared AS (
    SELECT rank, key FROM key_in_use GROUP BY ALL HAVING count(*) <= {MOST} AND min(source) <> max(source)),
    member AS (SELECT * FROM key_in_use SEMI JOIN shared USING (rank, key))
SELECT a.ref AS one, b.ref AS two, min(a.rank) AS rank, arg_min(a.key, a.rank) AS key
FROM member a JOIN member b ON a.rank = b.rank AND a.key = b.key AND a.source < b.source
GROUP BY ALL"""
"""Every pair of records that share a key, with the strongest one that they share."""

_CONTRADICTED = """
SELECT DISTINCT one, two FROM key_pair p
JOIN key_in_use a ON a.ref = p.one JOIN key_in_use b ON b.ref = p.two
WHERE p.rank > 0 AND a.rank = b.rank AND a.rank < p.rank AND a.key <> b.key"""
"""Pairs that have a stronger key each, and not the same."""

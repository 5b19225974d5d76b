"""``repeat_group(ref, group_key, n, first)``: tickets that say the same again within hours.

Incidents of one source with the same caller, CI and title (without case and punctuation), each opened within
the window after the one before it. Only groups of two or more have rows; ``n`` counts the group, ``first`` is
its earliest ticket. All three must be filled: who opens tickets without a CI for many machines repeats nothing.
"""

from __future__ import annotations

import duckdb

from interlock.quality.preparers import create

_GROUPS = r"""
WITH ticket AS (
    SELECT ref, coalesce(opened_at, created_at) AS opened,
        md5(concat_ws(chr(31), source, caller, ci,
            trim(regexp_replace(lower(title), '[^\p{L}\p{N}]+', ' ', 'g')))) AS same
    FROM stored_incident
    WHERE caller IS NOT NULL AND ci IS NOT NULL AND regexp_matches(title, '[\p{L}\p{N}]')
        AND coalesce(opened_at, created_at) IS NOT NULL
), apart AS (
    SELECT ref, opened, same,
        CASE WHEN opened - lag(opened) OVER line <= $within THEN 0 ELSE 1 END AS anew
    FROM ticket
    WINDOW line AS (PARTITION BY same ORDER BY opened, ref)
), run AS (
    SELECT ref, opened, same, sum(anew) OVER (PARTITION BY same ORDER BY opened, ref) AS place FROM apart
), counted AS (
    SELECT ref, same || ':' || CAST(place AS BIGINT) AS group_key,
        count(*) OVER whole AS n, first_value(ref) OVER (whole ORDER BY opened, ref) AS first
    FROM run
    WINDOW whole AS (PARTITION BY same, place)
)
SELECT ref, group_key, n, first FROM counted WHERE n > 1
"""


def prepare(con: duckdb.DuckDBPyConnection, within: int) -> None:
    """Make the table from ``stored_incident``. ``within``: seconds from one ticket to the next."""
    con.execute(create("repeat_group"))
    con.execute(f"INSERT INTO repeat_group {_GROUPS}", {"within": within})

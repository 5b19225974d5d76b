"""``category_match(source, category, canonical, score)``: categories in use against those their source declares.

One row for each distinct category of a source that is declared or a variant of a declared one; ``score`` is in
hundredths. A category without a row is near none. Sources that declare no categories have no rows.
"""

from __future__ import annotations

import duckdb

from interlock.quality.categories import Categories
from interlock.quality.preparers import create


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the table from ``stored_incident`` and ``declared_category``."""
    con.execute(create("category_match"))
    declared: dict[str, list[str]] = {}
    for source, category in con.execute("SELECT source, category FROM declared_category").fetchall():
        declared.setdefault(source, []).append(category)
    by_source = {source: Categories(words) for source, words in declared.items()}
    used = con.execute(
        "SELECT DISTINCT source, category FROM stored_incident"
        " WHERE category IS NOT NULL AND source IN (SELECT source FROM declared_category) ORDER BY ALL"
    ).fetchall()
    rows = [
        (source, category, match.canonical, match.score)
        for source, category in used
        if (match := by_source[source].match(category))
    ]
    if rows:
        con.executemany("INSERT INTO category_match VALUES (?, ?, ?, ?)", rows)

"""``label_score(ref, suggested, own, best)``: what a ticket's text says of its category.

``suggested`` is the category a model of the source's own tickets takes it for, ``best`` and ``own`` its
confidence in that one and in the ticket's own, in hundredths. No model ships yet, so the table is there and
empty, and the check that reads it reports that it did not run.
"""

from __future__ import annotations

import duckdb

from interlock.quality.preparers import create

WHY = "no text model scores the tickets yet"


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table."""
    con.execute(create("label_score"))

"""The steps of ``state.sqlite``, in the order in which they were released. Append only."""

from __future__ import annotations

from interlock.state import journal
from interlock.state.schema import Step

STEPS: tuple[Step, ...] = (journal.SCHEMA,)

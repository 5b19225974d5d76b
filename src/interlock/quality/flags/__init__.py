"""Flags that last: what the checks found, since when, what people said of it, and what it stopped."""

from interlock.quality.flags.rows import Event, FlagRow, Published, Status
from interlock.quality.flags.store import FlagStore

__all__ = ["Event", "FlagRow", "FlagStore", "Published", "Status"]

"""How long things are kept."""

from __future__ import annotations

from pydantic import Field

from interlock.config.section import Section


class Kept(Section):
    """The newest ``keep`` of a thing stay, and everything younger than ``days``."""

    keep: int = Field(default=3, ge=2, le=10_000)
    days: float = Field(default=7, ge=0, le=3650)


class Storage(Section):
    """What is removed by age. ``payloads_days`` None: payloads of the ledger stay for ever."""

    snapshots: Kept = Kept()
    payloads_days: float | None = Field(default=None, gt=0, le=36_500)
    flags_days: float = Field(default=365, ge=30, le=3650)
    runs_days: float = Field(default=90, ge=1, le=3650)

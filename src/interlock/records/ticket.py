"""Words that tickets of all kinds share: levels, priorities, approval."""

from __future__ import annotations

from typing import Literal

Level = Literal["high", "medium", "low", "unmapped"]
Priority = Literal["p1", "p2", "p3", "p4", "p5", "unmapped"]
Approval = Literal["not_requested", "requested", "approved", "rejected", "unmapped"]

LEVELS = ("high", "medium", "low")
PRIORITIES = ("p1", "p2", "p3", "p4", "p5")
APPROVALS = ("not_requested", "requested", "approved", "rejected")

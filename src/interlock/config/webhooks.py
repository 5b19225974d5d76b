"""Who is told of what happens to flags."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from interlock.config.secrets import Secret
from interlock.config.section import Section

HappeningName = Literal["open", "return", "resolve", "ack", "assign", "waive", "unwaive", "reopen"]
HAPPENINGS: tuple[HappeningName, ...] = ("open", "return", "resolve", "ack", "assign", "waive", "unwaive", "reopen")


class Webhook(Section):
    """One address that events are posted to, signed with ``secret``. ``owners``: the weekly owner list goes there."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=2000)]
    secret: Secret
    events: tuple[HappeningName, ...] = HAPPENINGS
    severities: tuple[Literal["high", "medium", "low", "info"], ...] = ("high", "medium", "low", "info")
    owners: bool = True
    timeout_s: float = Field(default=10, gt=0, le=60)

"""What runs by the clock. Nothing does unless it is written down."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from interlock.config.section import Section
from interlock.jobs.cron import read_cron
from interlock.jobs.windows import first_outside, read_window
from interlock.records.problems import Problem


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        near = get_close_matches(value, available_timezones(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{value!r} is not a time zone of the IANA database{hint}") from None
    return value


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _cron(value: str) -> str:
    return _told(read_cron, value)


def _window(value: str) -> str:
    return _told(read_window, value)


def _told(read: Any, value: str) -> str:
    try:
        read(value)
    except Problem as problem:
        raise ValueError(f"{value!r}: {problem.detail}. {problem.next_step or ''}".rstrip()) from None
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
Crons = Annotated[tuple[Annotated[str, AfterValidator(_cron)], ...], BeforeValidator(_listed)]
"""One cron expression, or a list of them."""
Windows = Annotated[tuple[Annotated[str, AfterValidator(_window)], ...], BeforeValidator(_listed)]


class SourceSchedule(Section):
    """When a source is harvested. ``reconcile``: everything is read, so that what was deleted is found too.

    In ``quiet`` hours nothing is started; during ``maintenance`` what runs is also stopped, and goes on
    afterwards. ``grace_s``: how long after its time a harvest may end before the source counts as late.
    """

    harvest: Crons = ()
    reconcile: Crons = ()
    quiet: Windows = ()
    maintenance: Windows = ()
    grace_s: float = Field(default=3600, ge=0, le=604_800)

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        try:
            first_outside(0.0, [read_window(text) for text in self.quiet + self.maintenance])
        except Problem as problem:
            raise ValueError(f"{problem.detail}. {problem.next_step}") from None
        return self


class Schedule(Section):
    """When the gateway's own work is done, and how. Times of day are those of ``time_zone``, everywhere.

    ``jitter_s``: each start is put off by up to so much, so that not everything begins on the full hour.
    """

    time_zone: TimeZone = "UTC"
    jitter_s: float = Field(default=60, ge=0, le=3600)
    timeout_s: float = Field(default=14_400, gt=0, le=604_800)
    parallel: int = Field(default=2, ge=1, le=64)
    scan: Crons = ()
    owner_list: Crons = ()
    retention: Crons = ()

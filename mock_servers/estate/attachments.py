"""Files and clocks of the estate's stories, product-neutral."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mock_servers.estate.model import Estate
from mock_servers.estate.stories import NUMBERS

HOUR = 3600
LARGE = 300_000
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"


@dataclass(frozen=True, slots=True)
class File:
    """A file on an incident."""

    incident: str
    name: str
    content_type: str
    body: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Clock:
    """A service level on an incident; ``percentage`` of its time is used."""

    incident: str
    name: str
    started_at: int
    due_at: int
    ended_at: int | None
    breached: bool
    percentage: float


def files(estate: Estate) -> Iterator[File]:
    """A log, a picture and a dump on the P1 incident."""
    story = _story(estate, "p1_caution")
    log = "2026-10-31 23:50:01 ERROR pool exhausted: Bestellung für Zürich abgelehnt\n" * 3
    at = estate.as_of - HOUR
    yield File(story, "application.log", "text/plain", log.encode(), at)
    yield File(story, "screen.png", "image/png", _PNG, at)
    yield File(story, "heap.bin", "application/octet-stream", bytes(LARGE), at)


def clocks(estate: Estate) -> Iterator[Clock]:
    """The P1 incident is late; the one that can be resolved is in time."""
    for name, sla, hours, used in (
        ("p1_caution", "Priority 1 resolution (4 hours)", 4, 6.0),
        ("resolvable", "Priority 4 resolution (5 days)", 120, 30.0),
    ):
        started = estate.as_of - int(used * HOUR)
        due = started + hours * HOUR
        share = round(100 * used / hours, 2)
        yield Clock(_story(estate, name), sla, started, due, None, due < estate.as_of, share)


def _story(estate: Estate, name: str) -> str:
    number = NUMBERS[name]
    return next((each.id for each in estate.incidents if each.number == number), estate.incidents[0].id)

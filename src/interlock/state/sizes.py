"""How large the parts of a state folder are, how they grew, and when the disk will be full."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

DAY = 86_400.0
LOG = "sizes.jsonl"
LOGGED = 400
"""So many days are remembered."""
_EVERY_S = 0.9 * DAY
_OVER_S = 28 * DAY
_LEAST_S = 7 * DAY
_FOLDERS = {"snapshots": 3, "scans": 1, "masks": 1}
"""Folders that are a part, or whose folders are: how many names make a part of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """What the folder took at a moment (epoch seconds): bytes on disk by part, and bytes free beside it."""

    at: float
    parts: Mapping[str, int]
    free: int

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the disk is full (epoch seconds) if everything goes on as it did, and what that rests on.

    ``full_at`` None: ``why`` says why there is no such day. ``per_day`` None: it cannot be told.
    """

    per_day: float | None
    days_seen: float
    full_at: float | None
    why: str


def measure(folder: Path, now: float) -> Size:
    """Walk the folder. A file with several names counts once; one that goes meanwhile does not."""
    parts: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder).parts
        for name in names:
            try:
                told = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            if (told.st_dev, told.st_ino) not in seen:
                seen.add((told.st_dev, told.st_ino))
                part = _part((*inside, name))
                parts[part] = parts.get(part, 0) + told.st_blocks * 512
    return Size(now, dict(sorted(parts.items())), shutil.disk_usage(folder).free)


def _part(names: Sequence[str]) -> str:
    if len(names) == 1:
        base = names[0].split(".sqlite")[0]
        return base if base != names[0] else "other"
    return "/".join(names[: min(_FOLDERS.get(names[0], 1), len(names) - 1)])


def read_log(folder: Path) -> list[Size]:
    """The sizes that were noted, oldest first. A line that a kill cut short is passed over."""
    path = folder / LOG
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found.append(Size(**orjson.loads(line)))
        except (orjson.JSONDecodeError, TypeError):
            continue
    return found


def note(folder: Path, now: float) -> bool:
    """Measure and remember, once a day. False: today's size is known already."""
    before = read_log(folder)
    if before and 0 <= now - before[-1].at < _EVERY_S:
        return False
    lines = [orjson.dumps(asdict(size)) for size in (*before[1 - LOGGED :], measure(folder, now))]
    path = folder / f"{LOG}.new"
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(b"\n".join(lines) + b"\n")
    path.replace(folder / LOG)
    return True


def forecast(log: Sequence[Size], now: Size) -> Forecast:
    """A straight line through the sizes of the last four weeks, carried on until the free space is used up."""
    points = [(size.at, size.total) for size in (*log, now) if now.at - _OVER_S <= size.at <= now.at]
    seen = (now.at - points[0][0]) / DAY
    if seen * DAY < _LEAST_S or len(points) < 5:
        return Forecast(None, seen, None, f"{seen:.0f} days are known, a forecast needs {_LEAST_S / DAY:.0f}")
    middle_at, middle = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((at - middle_at) ** 2 for at, _ in points)
    slope = sum((at - middle_at) * (size - middle) for at, size in points) / spread
    if slope <= 0:
        return Forecast(slope * DAY, seen, None, "it does not grow")
    full_at = now.at + now.free / slope
    if full_at - now.at > 3650 * DAY:
        return Forecast(slope * DAY, seen, None, "not within ten years")
    return Forecast(slope * DAY, seen, full_at, f"a line through {seen:.0f} days")

"""What one step found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "wrong", "cannot_tell", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``means`` is what was seen, ``do`` what to do or whom to ask for what; empty when there is nothing to do."""

    id: str
    result: Result
    means: str
    do: str = ""


def ok(step: str, means: str, do: str = "") -> Finding:
    """All right; ``do`` may still advise."""
    return Finding(step, "ok", means, do)


def wrong(step: str, means: str, do: str) -> Finding:
    """Something that somebody must correct."""
    return Finding(step, "wrong", means, do)


def cannot_tell(step: str, means: str, do: str = "") -> Finding:
    """Not to be seen from here."""
    return Finding(step, "cannot_tell", means, do)


def skipped(step: str, after: str) -> Finding:
    """Pointless after what another step found."""
    return Finding(step, "skipped", f"Not tried: {after} comes first.")

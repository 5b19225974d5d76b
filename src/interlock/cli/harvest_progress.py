"""How a harvest goes: bars with rate and time left on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task

    from interlock.quality.harvest.history import Run
    from interlock.quality.harvest.run import Watch

LINE_S = 10.0
"""A line of progress every so often, where there is no terminal."""


class _Rate(TextColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "")


class Bars:
    """A bar a kind, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def began(self, source: str, kind: str, expected: int | None) -> None:
        self._tasks[source, kind] = self._progress.add_task(f"{source} {kind}", total=expected)

    def read(self, source: str, kind: str, rows: int, total: int | None) -> None:
        task = self._tasks[source, kind]
        if total is not None:
            self._progress.update(task, total=max(total, rows))
        self._progress.update(task, completed=rows)

    def ended(self, run: Run) -> None:
        task = self._tasks[run.source, run.kind]
        if run.outcome == "not offered":
            self._progress.remove_task(task)
            return
        self._progress.update(task, completed=run.read, total=run.read or 1)
        self._progress.stop_task(task)


class Lines:
    """A plain line when a kind begins and ends, and every ten seconds between."""

    def __init__(self) -> None:
        self._began: dict[tuple[str, str], float] = {}
        self._expected: dict[tuple[str, str], int | None] = {}
        self._told: dict[tuple[str, str], float] = {}

    def began(self, source: str, kind: str, expected: int | None) -> None:
        self._began[source, kind] = self._told[source, kind] = time.monotonic()
        self._expected[source, kind] = expected

    def read(self, source: str, kind: str, rows: int, total: int | None) -> None:
        at, now = (source, kind), time.monotonic()
        if now - self._told[at] < LINE_S:
            return
        self._told[at] = now
        rate = rows / (now - self._began[at])
        whole = total or self._expected[at]
        left = f" of about {whole:,}, {max(0.0, (whole - rows) / rate):,.0f} s left" if whole and rate else ""
        _say(f"{source} {kind}: {rows:,} rows, {rate:,.0f} a second{left}")

    def ended(self, run: Run) -> None:
        if run.outcome != "not offered":
            why = f": {run.detail}" if run.detail else ""
            _say(f"{run.source} {run.kind}: {run.outcome}, {run.rows:,} rows, {run.calls:,} calls{why}")


class Silent:
    """Nothing is shown."""

    def began(self, source: str, kind: str, expected: int | None) -> None: ...
    def read(self, source: str, kind: str, rows: int, total: int | None) -> None: ...
    def ended(self, run: Run) -> None: ...


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def watching(quiet: bool) -> Iterator[Watch]:
    """What shows the progress here."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield Lines()
    else:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(""), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=console) as progress:
            yield Bars(progress)

"""What is wrong with a configuration: every fault with its file, line, key and the nearest valid word."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.records.problems import Problem, Slug


class ConfigError(Problem):
    """A configuration that cannot be used. ``faults`` holds one line for each thing to correct."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(
            Slug.INVALID_ARGUMENT,
            "\n".join(faults),
            next_step="Correct the configuration and start again.",
            layer="argument",
        )
        self.faults = tuple(faults)

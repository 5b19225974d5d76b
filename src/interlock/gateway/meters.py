"""Metrics of calls, with their children bound once: looking labels up costs more than counting."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from interlock.gateway.context import Context
from interlock.records.problems import Problem
from interlock.telemetry import Metrics


class Meters:
    """Counts calls by tool, verdict and outcome, flags by code, receipts by outcome."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._calls: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    def count(self, context: Context, problem: Problem | None, seconds: float) -> None:
        """Count one finished call."""
        verdict = context.verdict.effect if context.verdict else "allow"
        outcome = str(problem.slug) if problem else "ok"
        key = (context.tool.name, verdict, outcome)
        bound = self._calls.get(key)
        if bound is None:
            bound = self._calls[key] = (
                self._metrics.calls.labels(*key),
                self._metrics.call_seconds.labels(context.tool.name),
            )
        bound[0].inc()
        bound[1].observe(seconds)
        for code in context.flags:
            self._metrics.flags.labels(code).inc()
        if context.tool.write and context.outcome:
            self._metrics.receipts.labels(context.tool.name, context.outcome).inc()

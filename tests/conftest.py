"""Skips are listed with their reason; in CI one that nobody expected fails the run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

EXPECTED: tuple[str, ...] = ()
"""Reasons a test may give for skipping where INTERLOCK_CI is set; with real exports at hand none may."""

NEEDS_SHARED = "INTERLOCK_SHARED"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and os.environ.get("INTERLOCK_CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        wanted = NEEDS_SHARED in reason and NEEDS_SHARED not in os.environ
        if not wanted and not any(text in reason for text in EXPECTED):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, and nobody expected it: {reason}"
    return report

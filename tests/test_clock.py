"""Clocks."""

from __future__ import annotations

import time

from interlock.clock import AsOfClock, ManualClock, SystemClock


def test_the_machine_s_clock_goes() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()


def test_a_manual_clock_goes_only_when_moved() -> None:
    clock = ManualClock(5.0)
    assert (clock.now(), clock.now()) == (5.0, 5.0)
    clock.advance(0.5)
    assert clock.now() == 5.5


def test_an_as_of_clock_stands() -> None:
    clock = AsOfClock(7.0)
    assert {clock.now() for _ in range(3)} == {7.0}

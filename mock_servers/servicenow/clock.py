"""The instance's own clock: the machine's, shifted or stopped at run time."""

from __future__ import annotations

from datetime import UTC, datetime

from interlock.clock import Clock, SystemClock
from mock_servers.servicenow.gs_dates import FORMAT


class InstanceClock:
    """A clock over another: ``set`` moves it, ``freeze`` stops it, so that updates share one second."""

    def __init__(self, base: Clock | None = None) -> None:
        self._base = base or SystemClock()
        self._shift = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        return self._frozen if self._frozen is not None else self._base.now() + self._shift

    def base(self) -> float:
        """The time of the machine it runs on, which answers are dated by; nothing moves it."""
        return self._base.now()

    def set(self, epoch: float, frozen: bool = False) -> None:
        self._shift = epoch - self._base.now()
        self._frozen = epoch if frozen else None

    def advance(self, seconds: float) -> None:
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._shift += seconds

    def reset(self) -> None:
        self._shift, self._frozen = 0.0, None

    def moment(self) -> datetime:
        """Now, as naive UTC, the way the instance stores it."""
        return datetime.fromtimestamp(int(self.now()), UTC).replace(tzinfo=None)

    def text(self) -> str:
        return self.moment().strftime(FORMAT)

"""What an adapter is: one product's API behind a handful of native operations.

The base class does what the manifest (adapter.yaml) and the mappings say. A product overrides only what
data cannot say: sessions, odd errors, journals at another address, writes of several calls. Field names,
codes, zones and escaping never stand in an adapter's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.records.taxonomy import Choice


class Adapter(Protocol):
    """One configured connection to one product. All methods raise Problem; none returns an empty success."""

    async def open(self) -> None:
        """Log in where the product has sessions; single flight; called again after expiry."""

    async def close(self) -> None:
        """Release connections."""

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        """One row by readable key or by handle. Raises not-found, ambiguous-ref."""

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """The next rows of a plan; ``cursor`` is what the last page gave, or None."""

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        """Journal entries of a record, newest first."""

    async def write(self, write: NativeWrite) -> Written:
        """Send one write, once. ``Problem.reached`` tells what is known when it fails."""

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        """Rows whose correlation field holds exactly this key (probe of a create)."""

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """Live values of a canonical field; raises unsupported when the source cannot tell."""


@runtime_checkable
class Snapshots(Protocol):
    """An adapter whose data were taken at some moment and do not change until the next: exports."""

    async def exported_at(self, kind: str) -> float:
        """When the data of a kind were taken, epoch seconds; what is read from it is that old."""

"""Readers' leases: a snapshot that somebody reads is not removed.

A lease is a shared lock on a file in the snapshot's folder. The kernel lets go of it when the reader ends, however
it ends, so nothing is left behind that would keep a snapshot for ever.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from interlock.quality.harvest.snapshots import Snapshot
from interlock.state.errors import StateError

LEASE = "lease"


@contextmanager
def reading(snapshots: Iterable[Snapshot]) -> Iterator[None]:
    """Hold these snapshots as long as this is open. Raises StateError when one of them is gone already."""
    with ExitStack() as held:
        for snapshot in snapshots:
            try:
                descriptor = os.open(snapshot.folder / LEASE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                raise StateError(
                    f"the snapshot {snapshot.source} {snapshot.kind} {snapshot.generation} is being removed",
                    "Try again: a newer one is there.",
                    retryable=True,
                ) from error
        yield


@contextmanager
def unread(snapshot: Snapshot) -> Iterator[bool]:
    """Whether nobody reads a snapshot; while this is open and it is True, nobody can begin to."""
    with ExitStack() as held:
        free = False
        with suppress(OSError):
            descriptor = os.open(snapshot.folder / LEASE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        yield free

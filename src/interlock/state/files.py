"""Private files: folders that only we may enter (0700), files that only we may read (0600), one writer."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from interlock.state.errors import StateError, state_error

BUSY_S = 5.0
"""How long a statement waits for another process's short transaction."""


def private_folder(folder: Path) -> Path:
    """Make the folder, or tighten an empty one, to 0700. Raises StateError when others may enter it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            # A folder with somebody's things in it is not ours to close.
            if any(folder.iterdir()):
                raise StateError(
                    f"{folder} holds files and can be entered by other users",
                    f"Choose an empty folder, or run: chmod 700 {folder}",
                )
            folder.chmod(0o700)
    except OSError as error:
        raise StateError(
            f"{folder} cannot be used as a state folder: {error.strerror}", "Choose another folder."
        ) from error
    return folder


def private_file(path: Path) -> Path:
    """Make the file when it is missing, with 0600. SQLite's side files take the same mode.

    One that is there is not even opened: to close a file lets go of every lock that this process has on it, also
    of those of its SQLite connections, and the next process to close the database takes the log away under them.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error
    return path


def connect(path: Path, *, readonly: bool = False, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open one SQLite file in WAL mode, in autocommit: transactions are written out.

    ``readonly`` opens an existing file for reading beside a writer. Raises StateError.
    """
    if synchronous not in ("FULL", "NORMAL"):
        raise StateError(f"synchronous is FULL or NORMAL, not {synchronous}")
    if not readonly:
        private_file(path)
    elif not path.exists():
        raise StateError(f"{path} is not there", "Is this the state folder of a gateway that has run?")
    mode = "ro" if readonly else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        if not readonly:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_size_limit=67108864")
    except sqlite3.Error as error:
        raise state_error(error) from error
    return connection


LATE_CHECKPOINT = 20_000
"""Pages (80 MB) of write-ahead log at which a writer checkpoints itself, where ``checkpoint`` is called beside it."""


def checkpoint(path: Path) -> None:
    """Bring a file's write-ahead log into it, beside its writers and without waiting for them. Raises StateError.

    It waits for the disk, so a writer that must be quick leaves it to another thread.
    """
    connection = connect(path, synchronous="NORMAL")
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as error:
        raise state_error(error) from error
    finally:
        connection.close()


class WriterLock:
    """One writing process a file: an advisory lock on ``<file>.lock`` that ends with the process.

    The kernel drops it after a kill -9 too. The lock file names the holder for people.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        private_file(self.path)
        self._descriptor: int | None = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise StateError(
                f"{path} is in use by process {holder}",
                "Stop that process, or send it the command over its REST face.",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

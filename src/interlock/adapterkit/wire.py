"""One HTTP call and its answer, what connects them, and how a call that got no answer is told.

A transport sends one call once. It follows no redirect, keeps no cookie, reads nothing from the
environment, always verifies certificates, and bounds every answer in size and time. What it cannot
finish it raises as a Problem whose ``reached`` is honest: ``no`` only when no complete request can have
left the machine, else ``maybe``.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from interlock.records.problems import Problem, Slug, invalid

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every call, in seconds and bytes. Each is finite: nothing waits or grows for ever."""

    connect_s: float = 5.0  # TCP, proxy and TLS together
    read_s: float = 20.0  # silence while an answer is awaited or read
    total_s: float = 30.0  # the whole call, from asking for a connection
    pool_s: float = 5.0  # waiting for a free connection
    idle_s: float = 20.0  # an unused connection is closed before the server may close it
    connections: int = 64
    answer_bytes: int = 32 * MEGABYTE  # after decompression


@dataclass(frozen=True, slots=True)
class Trust:
    """Who is believed and who we say we are. Certificates are always verified; there is no switch."""

    ca_file: Path | None = None  # PEM, one or more private authorities, beside the public ones
    certificate_file: Path | None = None  # PEM of the client certificate (and its chain)
    key_file: Path | None = None  # PEM of its key; None when it stands in certificate_file
    key_password: SecretStr | None = None
    proxy: str | None = None  # http://host:port
    proxy_user: str | None = None
    proxy_password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. ``not_after`` (epoch seconds) is the last moment at which it may leave."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    timeout_s: float | None = None
    not_after: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``headers`` are found in any case; ``body`` is decompressed; ``elapsed`` seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    elapsed: float


class Transport(Protocol):
    """Sends calls. Safe for many tasks of one event loop at once."""

    name: str

    async def send(self, call: Call) -> Answer:
        """Send once. Raises Problem; never retries."""

    async def close(self) -> None:
        """Close all connections."""


def late(call: Call) -> Problem:
    """The send guard held a call back: its time had passed before any of it left."""
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"{call.method} was not sent: the time until which it may leave had passed",
        next_step="Ask again; nothing was changed.",
        layer="transport",
        reached="no",
    )


def unsent(call: Call, why: str) -> Problem:
    """No connection, or none free in time: nothing left."""
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"the source could not be reached: {why}",
        next_step="Try again later; if it stays so, check the source's address, proxy and certificates.",
        layer="transport",
        reached="no",
        native_message=why,
    )


def unanswered(call: Call, why: str) -> Problem:
    """Something may have left, but no whole answer came."""
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"the source gave no complete answer: {why}",
        next_step="Try again later; after a write, read the record first.",
        layer="transport",
        reached="maybe",
        native_message=why,
    )


def garbled(call: Call, why: str) -> Problem:
    """An answer that cannot be decoded as HTTP says."""
    return Problem(
        Slug.SOURCE_FAULT,
        f"the source's answer cannot be read: {why}",
        next_step="Try again; if it stays so, look at the source or the proxy before it.",
        layer="transport",
        reached="maybe",
        native_message=why,
    )


def too_large(call: Call, limit: int) -> Problem:
    """The answer passed the bound; the rest of it was not read."""
    return Problem(
        Slug.TOO_LARGE,
        f"the source's answer is larger than {limit} bytes",
        next_step="Ask for fewer rows or fields.",
        layer="transport",
        reached="maybe",
    )


def inflater(encoding: str, call: Call) -> zlib._Decompress | None:
    """What undoes a content-encoding; None where there is none. Raises the Problem of an unknown one."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by their first bytes
    raise garbled(call, f"content-encoding {name[:40]} was not asked for")


def unreadable_pem(field: str, path: object, failure: Exception) -> Problem:
    """A certificate or key file that cannot be used; nothing of its content is told."""
    why = failure.strerror if isinstance(failure, OSError) and failure.strerror else "it is not usable PEM"
    return invalid(field, str(path), why, "Give a readable PEM file, and the key's password if it has one.")

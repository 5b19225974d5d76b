"""What the gateway tells its operators: JSON log lines with call ids and no secrets, and metrics.

A log line costs a few microseconds: it is encoded into a buffer, and scrubbed and written
with its neighbours. Metrics live in a registry that is passed in; callers on the path of a call bind
their children once.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import quote

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from interlock.clock import Clock

CALL_ID: ContextVar[str | None] = ContextVar("interlock_call_id", default=None)
"""The id of the call that the running task serves; every log line written meanwhile carries it."""

HIDDEN = "***"
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# fmt: off
_SENSITIVE = frozenset((
    "password", "passwd", "secret", "client_secret", "token", "access_token", "refresh_token", "id_token",
    "authorization", "proxy_authorization", "api_key", "apikey", "x_api_key", "cookie", "set_cookie",
    "credentials", "private_key",
))
# fmt: on
_IN_TEXT = re.compile(
    r"\b(?P<scheme>(?i:bearer|basic))\s+(?=[a-z+/._~-]*[A-Z0-9=])[A-Za-z0-9+/=._~-]{6,}"
    r"|(?P<user>://[^/\s:@\"]{1,200}):[^/\s@\"]{1,500}@"
    r"|(?P<name>(?i:\b(?:password|passwd|client_secret|(?:access_|refresh_|id_)?token|api_?key))"
    r"[\"'\\]*\s*[=:]\s*[\"'\\]*)[^\s\"'\\&,;}]{1,4000}"
)
_MARKS = ("earer", "asic", "://", "assw", "ecret", "oken", "key", "ARER", "ASIC", "ASSW", "ECRET", "OKEN", "KEY")


class Scrubber:
    """Removes secrets from text: the ones it was told, in the forms they travel in, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str, username: str | None = None) -> None:
        """Never let this text out again. Values under four characters would hide ordinary words: left out."""
        if len(secret) < 4:
            return
        forms = {secret, quote(secret, safe=""), orjson.dumps(secret).decode()[1:-1]}
        forms.add(base64.b64encode(secret.encode()).decode())
        if username is not None:
            forms.add(base64.b64encode(f"{username}:{secret}".encode()).decode())
        # Longest first: a form may hold a shorter one.
        self._known = sorted({*self._known, *forms}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text with every secret written as ``***``."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        if any(mark in text for mark in _MARKS):
            text = _IN_TEXT.sub(_hide, text)
        return text


def _hide(found: re.Match[str]) -> str:
    if found["scheme"]:
        return f"{found['scheme']} {HIDDEN}"
    if found["user"]:
        return f"{found['user']}:{HIDDEN}@"
    return f"{found['name']}{HIDDEN}"


class Log:
    """JSON lines: ``{"t": ..., "level": ..., "event": ..., "call": ..., ...}``.

    ``write`` takes finished bytes (for example ``sys.stderr.buffer.write``). Lines are held back at most
    ``hold_s`` seconds inside a running event loop; warnings and errors, and lines written outside a loop,
    go out at once. A sink that fails loses lines, counts them (``lost``), and never breaks a call.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        clock: Clock,
        *,
        level: str = "info",
        scrubber: Scrubber | None = None,
        hold_s: float = 0.25,
        most_lines: int = 500,
    ) -> None:
        self._write = write
        self._clock = clock
        self._least = LEVELS[level]
        self._hold_s = hold_s
        self._most_lines = most_lines
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self.scrubber = scrubber or Scrubber()
        self.lost = 0

    def debug(self, event: str, **fields: object) -> None:
        if self._least <= 10:
            self._add("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        if self._least <= 20:
            self._add("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        if self._least <= 30:
            self._add("warning", event, fields)
            self.flush()

    def error(self, event: str, **fields: object) -> None:
        self._add("error", event, fields)
        self.flush()

    def _add(self, level: str, event: str, fields: dict[str, object]) -> None:
        if not _SENSITIVE.isdisjoint(fields):
            fields = {name: HIDDEN if name in _SENSITIVE else value for name, value in fields.items()}
        line: dict[str, object] = {"t": round(self._clock.now(), 3), "level": level, "event": event}
        call = CALL_ID.get()
        if call is not None:
            line["call"] = call
        line.update(fields)
        self._lines.append(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
        if len(self._lines) >= self._most_lines:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(self._hold_s, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write out what is held back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            self._write(self.scrubber.clean(b"".join(lines).decode()).encode())
        except (OSError, ValueError):  # a full disk, a closed stream
            self.lost += len(lines)


class LogHandler(logging.Handler):
    """Takes the log records of libraries into our log, so that they are structured and scrubbed too."""

    def __init__(self, log: Log, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
            if record.exc_info and record.exc_info[1] is not None:
                fields["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            if record.levelno >= logging.ERROR:
                self._log.error("library", **fields)
            elif record.levelno >= logging.WARNING:
                self._log.warning("library", **fields)
            else:
                self._log.info("library", **fields)
        except Exception:  # a broken record must not break its caller
            self.handleError(record)


_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The gateway's figures in a Prometheus registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.calls = Counter("interlock_calls", "Calls answered.", ["tool", "verdict", "outcome"], registry=registry)
        self.call_seconds = Histogram(
            "interlock_call_seconds", "Time to answer a call.", ["tool"], buckets=_QUICK, registry=registry
        )
        self.receipts = Counter("interlock_receipts", "Writes by receipt.", ["tool", "receipt"], registry=registry)
        self.flags = Counter("interlock_flags_raised", "Flags on records that were read.", ["code"], registry=registry)
        self.unsettled = Gauge("interlock_writes_unsettled", "Writes whose outcome is unknown.", registry=registry)
        self.held = Gauge("interlock_writes_held", "Writes that wait for a person.", registry=registry)
        self.ledger_entries = Counter("interlock_ledger_entries", "Entries appended.", registry=registry)
        self.ledger_failures = Counter(
            "interlock_ledger_failures", "Entries of reads that could not be written.", registry=registry
        )
        self.source_calls = Counter(
            "interlock_source_calls", "Calls sent to a source.", ["source", "operation", "outcome"], registry=registry
        )
        self.source_seconds = Histogram(
            "interlock_source_seconds",
            "Time a source took.",
            ["source", "operation"],
            buckets=_QUICK,
            registry=registry,
        )
        self.source_refused = Counter(
            "interlock_source_refused",
            "Calls a source's own limits turned away.",
            ["source", "reason"],
            registry=registry,
        )
        self.source_cache = Counter(
            "interlock_source_cache", "Reads by where they were answered.", ["source", "answer"], registry=registry
        )
        self.source_in_flight = Gauge(
            "interlock_source_in_flight", "Calls a source works on.", ["source"], registry=registry
        )
        self.source_up = Gauge("interlock_source_up", "1 closed, 0.5 half-open, 0 open.", ["source"], registry=registry)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Log and metrics, passed to whoever has something to tell."""

    log: Log
    metrics: Metrics


def silent_telemetry(clock: Clock) -> Telemetry:
    """Telemetry that goes nowhere: for commands and tests."""
    return Telemetry(Log(len, clock, level="error"), Metrics(CollectorRegistry()))

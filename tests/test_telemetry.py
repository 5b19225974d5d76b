"""Log lines: structured, buffered, with call ids, and never with a secret. Metrics: in the registry given."""

from __future__ import annotations

import asyncio
import base64
import logging

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from interlock.clock import ManualClock
from interlock.telemetry import CALL_ID, Log, LogHandler, Metrics, Scrubber, silent_telemetry


class Sink:
    def __init__(self) -> None:
        self.raw = b""
        self.writes = 0

    def __call__(self, data: bytes) -> None:
        self.raw += data
        self.writes += 1

    @property
    def lines(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.raw.splitlines()]


@pytest.fixture
def sink() -> Sink:
    return Sink()


def log_to(sink: Sink, **more: object) -> Log:
    return Log(sink, ManualClock(1000.0), scrubber=Scrubber(["hunter2secret"]), **more)  # type: ignore[arg-type]


async def test_lines_are_held_back_and_written_together(sink: Sink) -> None:
    log = log_to(sink, hold_s=0.01)
    for n in range(10):
        log.info("call", n=n)
    assert sink.writes == 0
    await asyncio.sleep(0.05)
    assert sink.writes == 1
    assert sink.lines[3] == {"t": 1000.0, "level": "info", "event": "call", "n": 3}


async def test_the_buffer_is_bounded_and_warnings_go_out_at_once(sink: Sink) -> None:
    log = log_to(sink, hold_s=60, most_lines=5)
    for n in range(7):
        log.info("call", n=n)
    assert len(sink.lines) == 5
    log.warning("careful")
    assert [line["event"] for line in sink.lines] == ["call"] * 7 + ["careful"]


def test_outside_a_loop_lines_go_out_at_once(sink: Sink) -> None:
    log_to(sink).info("start")
    assert sink.lines[0]["event"] == "start"


async def test_lines_carry_the_call_of_their_task(sink: Sink) -> None:
    log = log_to(sink)

    async def call(name: str) -> None:
        CALL_ID.set(name)
        await asyncio.sleep(0)
        log.info("work", mine=name)

    await asyncio.gather(*(call(f"c{n}") for n in range(5)))
    log.info("idle")
    log.flush()
    assert all(line["call"] == line["mine"] for line in sink.lines[:5])
    assert "call" not in sink.lines[5]


def test_levels(sink: Sink) -> None:
    log = log_to(sink, level="warning")
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert [line["level"] for line in sink.lines] == ["warning", "error"]


def test_a_sink_that_fails_never_breaks_a_call() -> None:
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    log = Log(full, ManualClock())
    log.info("x")
    log.error("y")
    assert log.lost == 2


@pytest.mark.parametrize(
    "text",
    [
        "password was hunter2secret",
        "Authorization: Basic " + base64.b64encode(b"svc:hunter2secret").decode(),
        base64.b64encode(b"hunter2secret").decode(),
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abcdef",
        "https://svc:othersecret@acme.example/api",
        "grant_type=password&password=othersecret&x=1",
        '{"access_token": "othersecret"}',
        "api_key=othersecret",
    ],
)
def test_secrets_do_not_get_out_in_text(sink: Sink, text: str) -> None:
    log_to(sink).info("x", text=text, inner={"deep": [text]})
    assert b"hunter2secret" not in sink.raw
    assert b"othersecret" not in sink.raw
    assert b"eyJ" not in sink.raw
    assert base64.b64encode(b"svc:hunter2secret") not in sink.raw
    assert b"***" in sink.raw
    assert sink.lines[0]["event"] == "x"  # still JSON


def test_fields_named_like_secrets_are_hidden(sink: Sink) -> None:
    log_to(sink).info("x", password="p", token="t", user="u")
    assert sink.lines[0] | {"t": 0} == {
        "t": 0, "level": "info", "event": "x", "password": "***", "token": "***", "user": "u",
    }  # fmt: skip


def test_ordinary_text_is_left_alone() -> None:
    text = "The tokens of basic training: a key figure. See https://acme.example:8080/a@b and INC0010023."
    assert Scrubber(["abc"]).clean(text) == text


@given(
    secret=st.text(min_size=4, max_size=30).filter(lambda s: s.strip() == s),
    around=st.text(max_size=20),
)
def test_a_known_secret_never_survives(secret: str, around: str) -> None:
    sink = Sink()
    Log(sink, ManualClock(), scrubber=Scrubber([secret])).info("e", text=around + secret + around)
    shown = sink.raw.decode()
    # What is left may hold the secret only where our own words do.
    own = '{"t":0.0,"level":"info","event":"e","text":"***"}'
    assert secret not in shown.replace("***", "") or secret in own or secret in around


def test_libraries_are_logged_scrubbed(sink: Sink) -> None:
    logger = logging.getLogger("interlock-test-library")
    handler = LogHandler(log_to(sink), logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        try:
            raise ValueError("bad hunter2secret")
        except ValueError:
            logger.exception("failed with %s", "hunter2secret")
        logger.info("HTTP Request")
    finally:
        logger.removeHandler(handler)
    assert sink.lines[0]["error"] == "ValueError: bad ***"
    assert sink.lines[0]["message"] == "failed with ***"
    assert sink.lines[1]["level"] == "info"


def test_metrics_live_in_their_own_registry() -> None:
    one, two = CollectorRegistry(), CollectorRegistry()
    Metrics(one).calls.labels("incident_get", "allow", "ok").inc()
    Metrics(two)
    assert b'interlock_calls_total{outcome="ok",tool="incident_get",verdict="allow"} 1.0' in generate_latest(one)
    assert b"incident_get" not in generate_latest(two)


def test_silent_telemetry_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = silent_telemetry(ManualClock())
    telemetry.log.warning("x")
    assert capsys.readouterr() == ("", "")

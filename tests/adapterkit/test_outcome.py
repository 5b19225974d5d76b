"""What answers mean: property of the whole table, and the shapes seen in the wild."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapterkit.manifest import ErrorRule
from interlock.adapterkit.outcome import BROKEN, read_json, retry_after
from interlock.adapterkit.retry import Retries, reading
from interlock.adapterkit.wire import Answer
from interlock.clock import ManualClock
from interlock.records.problems import Problem, Slug

RULES = (
    ErrorRule(status=403, message="(?i)data policy", type=Slug.SOURCE_REJECTED, reached="yes", next_step="Give them."),
    ErrorRule(status=403, type=Slug.SOURCE_DENIED, reached="yes"),
    ErrorRule(body="(?i)transaction cancelled", type=Slug.SOURCE_UNAVAILABLE, retryable=True, reached="maybe"),
)


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content, 0.0)


def problem(status: int, body: object = b"", **headers: str) -> Problem:
    with pytest.raises(Problem) as told:
        read_json(answer(status, body, **headers), RULES, now=1_767_225_600.0)
    assert told.value.layer == "source"
    assert told.value.next_step
    return told.value


def test_good_answers() -> None:
    assert read_json(answer(200, {"result": []})) == {"result": []}
    assert read_json(answer(201, b'\xef\xbb\xbf {"a":1}'.lstrip(b"\xef\xbb\xbf"))) == {"a": 1}
    assert read_json(answer(200, b" \n[1]")) == [1]
    assert read_json(answer(204)) is None
    assert read_json(answer(202, {"id": 1})) == {"id": 1}
    assert read_json(answer(200, {"error": None, "a": 1})) == {"error": None, "a": 1}
    assert read_json(answer(200, {"error": "x"}), error_key=None) == {"error": "x"}


@pytest.mark.parametrize(
    ("page", "slug"),
    [
        (b"<html><div class='instance-hibernating-page'>Your instance is hibernating</div>", Slug.SOURCE_UNAVAILABLE),
        (b"\n\n<!DOCTYPE html><h1>The instance is currently offline</h1>", Slug.SOURCE_UNAVAILABLE),
        (b"<html>Scheduled maintenance</html>", Slug.SOURCE_UNAVAILABLE),
        (b"<html><form>Log in <input type=password></form>", Slug.SOURCE_DENIED),
        (b"<html>something else</html>", Slug.SOURCE_FAULT),
        (b"", Slug.SOURCE_FAULT),
        (b"plain words", Slug.SOURCE_FAULT),
    ],
)
def test_a_page_with_200_is_no_data(page: bytes, slug: Slug) -> None:
    told = problem(200, page)
    assert told.slug is slug
    assert "something else" not in str(told.body())
    assert told.reached == ("no" if slug is Slug.SOURCE_DENIED else "maybe")


def test_a_sleeping_instance_is_not_waited_for() -> None:
    assert problem(200, b"<html>hibernating").retry_after_s == 300


@pytest.mark.parametrize(
    "body",
    [
        {"result": [{"a": "1"}], "error": {"message": "Transaction cancelled", "detail": "x"}, "status": "failure"},
        b'{"result":[{"a":"1"}""\n],"error":{"message":"Transaction cancelled: maximum execution time"}}',
    ],
)
def test_an_error_after_rows_with_200(body: object) -> None:
    told = problem(200, body)
    assert (told.slug, told.reached, told.retryable) == (Slug.SOURCE_UNAVAILABLE, "maybe", True)


def test_an_error_far_behind_many_rows_is_seen() -> None:
    rows = b",".join(b'{"a":"%d"}' % n for n in range(20_000))
    told = problem(200, b'{"result":[' + rows + b'""],"error":{"message":"Transaction cancelled"}}')
    assert (told.slug, told.native_code) == (Slug.SOURCE_UNAVAILABLE, BROKEN)


def test_json_that_breaks_off() -> None:
    told = problem(200, b'{"result":[{"a":')
    assert (told.slug, told.reached, told.native_code) == (Slug.SOURCE_FAULT, "maybe", BROKEN)


@pytest.mark.parametrize(
    ("status", "slug", "reached"),
    [
        (202, Slug.SOURCE_UNAVAILABLE, "maybe"),
        (400, Slug.SOURCE_REJECTED, "yes"),
        (401, Slug.SOURCE_DENIED, "no"),
        (403, Slug.SOURCE_DENIED, "yes"),
        (404, Slug.NOT_FOUND, "yes"),
        (409, Slug.VERSION_CONFLICT, "yes"),
        (412, Slug.VERSION_CONFLICT, "yes"),
        (413, Slug.TOO_LARGE, "yes"),
        (418, Slug.SOURCE_REJECTED, "yes"),
        (429, Slug.RATE_LIMITED, "maybe"),
        (500, Slug.SOURCE_FAULT, "maybe"),
        (502, Slug.SOURCE_UNAVAILABLE, "maybe"),
        (503, Slug.SOURCE_UNAVAILABLE, "maybe"),
        (504, Slug.SOURCE_UNAVAILABLE, "maybe"),
        (599, Slug.SOURCE_FAULT, "maybe"),
    ],
)
def test_statuses(status: int, slug: Slug, reached: str) -> None:
    told = problem(status)
    assert (told.slug, told.reached, told.native_code) == (slug, reached, str(status))


def test_the_first_rule_that_fits_wins_over_the_table() -> None:
    told = problem(403, {"error": {"message": "Operation Failed", "detail": "Data Policy Exception: mandatory: A"}})
    assert (told.slug, told.next_step) == (Slug.SOURCE_REJECTED, "Give them.")
    assert told.native_message == "Operation Failed: Data Policy Exception: mandatory: A"
    assert problem(403, {"error": {"message": "ACL"}}).slug is Slug.SOURCE_DENIED


def test_a_503_page_keeps_its_status() -> None:
    assert problem(503, b"<html>Service Unavailable</html>").slug is Slug.SOURCE_UNAVAILABLE
    assert problem(500, b"<html>nothing known</html>").slug is Slug.SOURCE_FAULT
    assert problem(404, b"<html>login</html>").slug is Slug.NOT_FOUND


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, 1_767_225_600.0) == seconds
    assert problem(429, b"", retry_after=said).retry_after_s == seconds


@given(st.integers(100, 599), st.binary(max_size=200))
def test_every_answer_is_data_or_a_problem(status: int, body: bytes) -> None:
    """Nothing else comes out, whatever a source sends; and 2xx with an error key is never data."""
    try:
        found = read_json(Answer(status, {}, body, 0.0), RULES)
    except Problem as told:
        reached = told.reached
    else:
        assert 200 <= status < 300
        assert not (isinstance(found, dict) and found.get("error"))
        reached = "yes"
    assert reached in ("no", "maybe", "yes")


# --- retries ----------------------------------------------------------------------------------------


class Waits:
    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.asked = clock, []  # type: ignore[var-annotated]

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.clock.advance(seconds)


async def tried(
    problems: list[Problem], retries: Retries | None = None, takes: float = 0.0
) -> tuple[object, list[float]]:
    clock = ManualClock(0.0)
    waits = Waits(clock)
    left = list(problems)

    async def read() -> str:
        clock.advance(takes)
        if left:
            raise left.pop(0)
        return "rows"

    try:
        return await reading(read, retries or Retries(), clock, random.Random(1), waits), waits.asked
    except Problem as last:
        return last, waits.asked


def busy(wait: float | None = None) -> Problem:
    return Problem(Slug.RATE_LIMITED, "busy", retry_after_s=wait)


async def test_retries_are_few_and_jittered() -> None:
    found, waits = await tried([busy(), busy()])
    assert found == "rows"
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.2
    assert 0 <= waits[1] <= 0.4
    last = busy()
    assert (await tried([busy(), busy(), last]))[0] is last


async def test_retry_after_is_honoured_within_patience() -> None:
    assert (await tried([busy(2.5)]))[1] == [2.5]
    long = busy(60)
    assert await tried([long]) == (long, [])


async def test_what_is_not_retryable_is_told_at_once() -> None:
    denied = Problem(Slug.SOURCE_DENIED, "no")
    assert await tried([denied]) == (denied, [])


async def test_the_deadline_counts_the_tries_too() -> None:
    slow = busy(1.0)
    found, waits = await tried([busy(1.0), slow, busy(1.0)], Retries(attempts=9, deadline_s=5.0), takes=3.0)
    assert found is slow
    assert waits == [1.0]

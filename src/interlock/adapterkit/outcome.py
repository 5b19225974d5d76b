"""What an HTTP answer means. A status of 2xx is not success, and a page of HTML is not data.

Order of checks: content type and first byte, then parsing, then the error key, then the types of the
elements; only then there are rows. A product's manifest may name errors of its own, and the first one
that fits wins over the general table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from interlock.adapterkit.manifest import ErrorRule
from interlock.adapterkit.wire import Answer
from interlock.records.problems import Problem, Reached, Slug

Rules = Sequence[ErrorRule]


def rule_for(rules: Rules, answer: Answer, code: str | None, message: str | None) -> ErrorRule | None:
    """The first of a product's own rules that fits this answer; its patterns are searched, not matched."""
    text: str | None = None
    for rule in rules:
        if rule.status is not None and answer.status not in rule.status:
            continue
        if rule.code is not None and rule.code != code:
            continue
        if rule.message is not None and not re.search(rule.message, message or ""):
            continue
        if rule.body is not None:
            if text is None:
                text = _seen(answer.body)
            if not re.search(rule.body, text):
                continue
        return rule
    return None


def _seen(body: bytes) -> str:
    """Where an error can stand: the beginning, and after many rows the end."""
    if len(body) > 2 * _PAGE_BYTES:
        body = body[:_PAGE_BYTES] + b"\n" + body[-_PAGE_BYTES:]
    return body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Meaning:
    slug: Slug
    detail: str
    reached: Reached
    next_step: str


_CHECK = "Check the account that the source is configured with."
_LATER = "Try again later; after a write, read the record first."
_STATUS: dict[int, _Meaning] = {
    202: _Meaning(Slug.SOURCE_UNAVAILABLE, "the source accepted the request but answered nothing", "maybe", _LATER),
    400: _Meaning(Slug.SOURCE_REJECTED, "the source rejects the request", "yes", "Correct what native_message names."),
    401: _Meaning(Slug.SOURCE_DENIED, "the source does not accept our credentials", "no", _CHECK),
    403: _Meaning(
        Slug.SOURCE_DENIED,
        "the source denies this to our account",
        "yes",
        "Use another record or field, or have the account's rights in the source widened.",
    ),
    404: _Meaning(Slug.NOT_FOUND, "no such record, or our account may not see it", "yes", "Check the ref by a search."),
    405: _Meaning(Slug.UNSUPPORTED, "the source does not offer this operation", "yes", _CHECK),
    406: _Meaning(Slug.SOURCE_FAULT, "the source cannot answer in our format", "yes", _CHECK),
    407: _Meaning(
        Slug.SOURCE_UNAVAILABLE, "the proxy asks for credentials", "no", "Set the proxy's user and password."
    ),
    408: _Meaning(Slug.SOURCE_UNAVAILABLE, "the source waited too long for us", "maybe", _LATER),
    409: _Meaning(Slug.VERSION_CONFLICT, "the source sees a conflict", "yes", "Read the record again and repeat."),
    412: _Meaning(
        Slug.VERSION_CONFLICT, "the record has changed meanwhile", "yes", "Read the record again and repeat."
    ),
    413: _Meaning(Slug.TOO_LARGE, "the request is too large for the source", "yes", "Send less."),
    414: _Meaning(Slug.TOO_LARGE, "the query is too long for the source", "yes", "Use fewer conditions."),
    415: _Meaning(Slug.SOURCE_FAULT, "the source does not take our format", "yes", _CHECK),
    # Some sources answer 429 after they have acted: for a write it proves nothing.
    429: _Meaning(Slug.RATE_LIMITED, "the source limits how often it may be called", "maybe", _LATER),
    500: _Meaning(Slug.SOURCE_FAULT, "the source failed", "maybe", _LATER),
    501: _Meaning(Slug.UNSUPPORTED, "the source does not offer this operation", "yes", _CHECK),
    502: _Meaning(Slug.SOURCE_UNAVAILABLE, "the source is not reached by its own gateway", "maybe", _LATER),
    503: _Meaning(Slug.SOURCE_UNAVAILABLE, "the source is not available", "maybe", _LATER),
    504: _Meaning(Slug.SOURCE_UNAVAILABLE, "the source took too long", "maybe", _LATER),
}
_OTHER_4XX = _Meaning(Slug.SOURCE_REJECTED, "the source rejects the request", "yes", _CHECK)
_OTHER_5XX = _STATUS[500]
_OTHER = _Meaning(Slug.SOURCE_FAULT, "the source answers with an unexpected status", "maybe", _LATER)

_PAGES: tuple[tuple[tuple[str, ...], Slug, str, float | None, str], ...] = (
    (
        ("hibernat",),
        Slug.SOURCE_UNAVAILABLE,
        "the source is hibernating",
        300.0,
        "Have somebody wake the instance, then try again after some minutes.",
    ),
    (
        ("offline", "maintenance", "upgrad", "temporarily unavailable"),
        Slug.SOURCE_UNAVAILABLE,
        "the source is offline or in maintenance",
        300.0,
        "Try again later.",
    ),
    (
        ("login", "log in", "sign in", "signin", "password", "saml"),
        Slug.SOURCE_DENIED,
        "the source answers with a login page",
        None,
        "Use an account that may sign in to the API directly, not through single sign-on.",
    ),
)
_PAGE_BYTES = 16_384
BROKEN = "broken-answer"
"""``native_code`` of an answer that came with 2xx but could not be read to its end."""
_DETAIL = {
    Slug.SOURCE_REJECTED: "the source rejects the request",
    Slug.SOURCE_DENIED: "the source denies this to our account",
    Slug.SOURCE_FAULT: "the source cannot serve this request",
    Slug.SOURCE_UNAVAILABLE: "the source is not available",
    Slug.NOT_FOUND: "no such record, or our account may not see it",
    Slug.TOO_LARGE: "the request or answer is too large for the source",
}

Describe = Callable[[Any], tuple[str | None, str | None]]
"""Takes code and message out of a parsed error answer."""


def describe(found: Any) -> tuple[str | None, str | None]:
    """Code and message of the usual JSON error shapes: ``error`` as object or text, ``message``, RFC 9457."""
    if not isinstance(found, Mapping):
        return None, None
    error = found.get("error", found)
    if isinstance(error, str):
        detail = found.get("error_description") or found.get("message")
        return error[:100], _text(detail) or error[:500]
    if isinstance(error, Mapping):
        parts = [_text(error.get(name)) for name in ("message", "title", "detail")]
        said = ": ".join(dict.fromkeys(part for part in parts if part))
        code = error.get("code")
        return (str(code)[:100] if code is not None else None), said[:500] or None
    return None, None


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def read_json(
    answer: Answer,
    rules: Rules = (),
    *,
    now: float = 0.0,
    describe: Describe = describe,
    error_key: str | None = "error",
) -> Any:
    """The parsed body of a good answer (None for 204); anything else raises Problem.

    ``rules`` are the product's own errors, ``now`` the time a Retry-After date counts from, ``error_key``
    a member that means failure even with 2xx. Failures inside a 2xx answer say ``reached="maybe"``: the
    source answered as if it had acted.
    """
    body, status = answer.body, answer.status
    good = 200 <= status < 300
    lead = body[:1] if body[:1] in b"{[" else body[:64].lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
    if status == 204 and not body:
        return None
    if lead != b"{" and lead != b"[":
        if good and status != 202:
            raise page(answer, rules)
        if lead == b"<" and status not in (401, 403, 404, 407):
            raise page(answer, rules)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        if good and status != 202:
            raise _broken(answer, rules) from None
        raise failure(answer, rules, None, now, describe) from None
    if not good:
        raise failure(answer, rules, found, now, describe)
    if error_key is not None and isinstance(found, dict) and found.get(error_key):
        raise failure(answer, rules, found, now, describe)
    return found


def failure(answer: Answer, rules: Rules, found: Any, now: float, describe: Describe = describe) -> Problem:
    """The problem that a refusing answer tells of; ``found`` is its parsed body."""
    status = answer.status
    code, message = describe(found)
    general = _OTHER_4XX if 400 <= status < 500 else _OTHER_5XX if status >= 500 else _OTHER
    meaning = _STATUS.get(status, general)
    rule = rule_for(rules, answer, code, message)
    detail = meaning.detail
    if rule is not None and rule.type is not meaning.slug:
        detail = _DETAIL.get(rule.type, detail)
    return Problem(
        rule.type if rule else meaning.slug,
        f"{detail}: {message}" if message else detail,
        next_step=(rule.next_step if rule else None) or meaning.next_step,
        retryable=rule.retryable if rule else None,
        retry_after_s=retry_after(answer.headers, now) if status in (429, 503) else None,
        layer="source",
        native_code=code or str(status),
        native_message=message,
        reached=(rule.reached if rule else None) or meaning.reached,
    )


def page(answer: Answer, rules: Rules = ()) -> Problem:
    """The problem of an answer that is a web page (or nothing), whatever its status."""
    text = answer.body[:_PAGE_BYTES].decode("utf-8", "replace").lower()
    rule = rule_for([rule for rule in rules if rule.body is not None], answer, None, None)
    if rule is not None:
        return _page(answer, rule.type, "the source answers with a web page", None, rule.next_step)
    for words, slug, detail, wait, next_step in _PAGES:
        if any(word in text for word in words):
            # With 5xx it may be a passing fault of a proxy: only an honest-looking 200 means minutes.
            return _page(answer, slug, detail, None if answer.status >= 500 else wait, next_step)
    if answer.status in _STATUS or answer.status >= 500:
        meaning = _STATUS.get(answer.status, _OTHER_5XX)
        return _page(answer, meaning.slug, f"{meaning.detail} (a web page)", None, meaning.next_step)
    what = "a web page" if text.lstrip().startswith("<") else "no data"
    return _page(
        answer,
        Slug.SOURCE_FAULT,
        f"the source answers {answer.status} with {what} instead of data",
        None,
        "Check the source's base address, and the proxy before it.",
    )


def _page(answer: Answer, slug: Slug, detail: str, wait: float | None, next_step: str | None) -> Problem:
    # The page itself is not quoted: it may hold anything, and names no cause a caller could use.
    return Problem(
        slug,
        detail,
        next_step=next_step or _LATER,
        retry_after_s=wait,
        layer="source",
        native_code=f"{answer.status} page",
        reached="no" if slug is Slug.SOURCE_DENIED else "maybe",
    )


def _broken(answer: Answer, rules: Rules) -> Problem:
    """JSON that does not parse: cut off, or with an error appended after the rows."""
    rule = rule_for([rule for rule in rules if rule.body is not None], answer, None, None)
    return Problem(
        rule.type if rule else Slug.SOURCE_FAULT,
        "the source's answer breaks off or is no valid JSON",
        next_step="Ask for fewer rows or fields; after a write, read the record first.",
        retryable=rule.retryable if rule else None,
        layer="source",
        native_code=BROKEN,
        reached="maybe",
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the Retry-After header (seconds or a date, RFC 9110), or None."""
    said = headers.get("retry-after")
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        seconds = None
    if seconds is not None:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())

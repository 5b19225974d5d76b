"""What the answers of a source say beside their data: whether they are data, of log-in, clock and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from interlock.config import SourceConfig
from interlock.conformance.doctor.finding import Finding, cannot_tell, ok, wrong
from interlock.conformance.doctor.trial import Heard, Trial
from interlock.records.problems import Problem, Slug

SKEW_S = 60.0
"""Clocks that differ by more are wrong: times of records and of tokens no longer mean what they say."""

_BROKEN = (Slug.SOURCE_UNAVAILABLE, Slug.SOURCE_FAULT, Slug.NOT_FOUND)
_FEW = 0.1  # of what a limit allows


def http(trials: Sequence[Trial]) -> Finding:
    """Whether data come back, and not a page, a redirect or an error."""
    if any(trial.problem is None for trial in trials):
        return ok("http", "The API answers with data.")
    first = trials[0]
    problem = first.problem
    assert problem is not None
    if not first.heard:
        return wrong("http", _sentence(problem), _way_out(problem))
    if first.status == 407:
        return wrong(
            "http",
            "The proxy asks for credentials.",
            "Write user and password into `proxy`; ask the proxy's administrator for an account.",
        )
    if first.page or problem.slug in _BROKEN:
        return wrong("http", f"HTTP {first.status}: {_sentence(problem)}", _way_out(problem))
    return ok("http", f"The API answers (HTTP {first.status}).")


def credentials(trials: Sequence[Trial], config: SourceConfig) -> Finding:
    """Whether the source takes the account."""
    way = next((name for name in type(config.auth).model_fields if getattr(config.auth, name) is not None), None)
    if any(trial.problem is None for trial in trials):
        return ok("credentials", f"The source accepts {way}." if way else "The source is read without credentials.")
    problem = trials[0].problem
    assert problem is not None
    if problem.slug is Slug.SOURCE_DENIED and not trials[0].forbidden:
        means = f"The source does not accept the credentials ({way or 'none are configured'}): {_sentence(problem)}"
        return wrong(
            "credentials",
            means,
            f"{_way_out(problem)} Ask the source's administrator whether the account is active, not locked, and may "
            "use the API. It is not tried again here, so that it is not locked.",
        )
    if problem.slug is Slug.RATE_LIMITED:
        return cannot_tell("credentials", "The source is over its limit before it says whether it takes the account.")
    return cannot_tell("credentials", "Nothing could be read, so it is not clear whether the account is accepted.")


def our_clock(heard: Sequence[Heard]) -> Finding:
    """Our clock beside the source's, by the Date header of an answer that no cache kept."""
    for each in heard:
        said = each.answer.headers.get("date")
        if not said or each.answer.headers.get("age"):
            continue
        try:
            moment = parsedate_to_datetime(said)
        except ValueError:
            continue
        theirs = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        skew = theirs + 0.5 - (each.at - each.answer.elapsed / 2)  # the header cuts fractions
        if abs(skew) <= SKEW_S:
            return ok("clock", f"The clocks agree within {max(1, round(abs(skew)))} s.")
        side = "behind" if skew > 0 else "ahead of"
        return wrong(
            "clock",
            f"This machine's clock is {round(abs(skew))} s {side} the source's.",
            "Let both machines take their time from NTP; ask the administrator of the one that is wrong.",
        )
    return cannot_tell("clock", "The answers do not say what time it is there.", "Keep this machine on NTP.")


def limits(heard: Sequence[Heard], config: SourceConfig) -> Finding:
    """What the source says of how often it may be called."""
    refused = next((each.answer for each in heard if each.answer.status == 429), None)
    if refused is not None:
        wait = refused.headers.get("retry-after")
        return wrong(
            "limits",
            "The source refuses calls because there were too many (HTTP 429)"
            + (f"; it asks to wait: {wait[:40]}{' s' if wait.isdecimal() else ''}." if wait else "."),
            "Set `limits.per_hour`, `limits.per_second` or `limits.concurrency` below what it allows. Ask its "
            "administrator which rule holds for this account, and who else uses it.",
        )
    if not heard:
        return cannot_tell("limits", "No answer came.")
    headers = heard[-1].answer.headers
    most, left = _number(headers, "limit"), _number(headers, "remaining")
    if most is None and left is None:
        return ok("limits", "The source tells no limit, and refused nothing.")
    said = f"The source allows {most if most is not None else 'an untold number of'} calls a period"
    said += f", {left} are left." if left is not None else "."
    if left is not None and left <= _FEW * (most or 0):
        return wrong("limits", said, "Ask its administrator for more, or lower `limits` and find out who else calls.")
    ours = config.limits.per_hour
    if most is not None and (ours is None or ours > most):
        return ok("limits", said, f"If the period is an hour, set `limits.per_hour` to less than {most}.")
    return ok("limits", said)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    for prefix in ("x-ratelimit-", "x-rate-limit-", "ratelimit-"):
        said = headers.get(prefix + name)
        if said is not None and said.strip().isdecimal():
            return int(said)
    return None


def _sentence(problem: Problem) -> str:
    text = problem.detail[:1].upper() + problem.detail[1:]
    return text if text.endswith(".") else f"{text}."


def _way_out(problem: Problem) -> str:
    return problem.next_step or "Ask the source's administrator what its log says of this call."

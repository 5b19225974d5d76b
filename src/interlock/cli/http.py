"""Talking to a running gateway, as the person or agent whose key is given."""

from __future__ import annotations

from typing import IO, Any

import httpx

from interlock.records.problems import Problem, Slug

TIMEOUT_S = 60.0


def request(method: str, url: str, path: str, key: str | None, body: Any = None) -> Any:
    """The JSON answer of a gateway. Raises Problem: the gateway's own, or that it cannot be reached."""
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
            return _read(url, client.request(method, path, headers=_bearer(key), json=body))
    except httpx.HTTPError as error:
        raise _silent(url, error) from None


def download(url: str, path: str, key: str | None, into: IO[bytes]) -> None:
    """Write an answer into a file piece by piece. Raises Problem as ``request`` does."""
    try:
        with (
            httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client,
            client.stream("GET", path, headers=_bearer(key)) as answer,
        ):
            if answer.status_code >= 400:
                answer.read()
                _read(url, answer)
            for piece in answer.iter_bytes():
                into.write(piece)
    except httpx.HTTPError as error:
        raise _silent(url, error) from None


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _silent(url: str, error: httpx.HTTPError) -> Problem:
    return Problem(
        Slug.SOURCE_UNAVAILABLE,
        f"no gateway answers at {url}: {type(error).__name__}",
        next_step="Start one with `interlock serve`, or pass --url.",
    )


def _read(url: str, answer: httpx.Response) -> Any:
    try:
        found = answer.json()
    except ValueError:
        raise Problem(Slug.SOURCE_FAULT, f"{url} did not answer with JSON (HTTP {answer.status_code})") from None
    if answer.status_code >= 400:
        slug = found.get("slug", "")
        known = Slug(slug) if slug in set(Slug) else Slug.SOURCE_FAULT
        more = {"reasons": found["reasons"]} if "reasons" in found else {}
        detail = str(found.get("detail", f"HTTP {answer.status_code}"))
        raise Problem(known, detail, next_step=found.get("next_step"), more=more)
    return found

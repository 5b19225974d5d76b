"""Signed posts, as Standard Webhooks 1.0 has it (https://www.standardwebhooks.com): whoever knows the secret can
tell that a message is ours, whole and recent."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import httpx

TAKEN = range(200, 300)
_PREFIX = "whsec_"


def signed(secret: str, id: str, at: float, body: bytes) -> dict[str, str]:  # noqa: A002 - the standard's word
    """The headers of a message: its id, when it was signed (epoch seconds), HMAC-SHA256 over id, time and body.

    A secret that begins with ``whsec_`` is base64 behind it, any other is taken as it stands.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else secret.encode()
    moment = str(int(at))
    digest = hmac.new(key, b".".join((id.encode(), moment.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def post(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
) -> str | None:
    """Send a message once. None when it was taken, else what went wrong, without any address or secret in it."""
    try:
        async with client.stream(
            "POST",
            url,
            content=body,
            headers={"content-type": "application/json", **headers},
            timeout=timeout_s,
            follow_redirects=False,
        ) as answer:  # what is said beside the status is not read
            return None if answer.status_code in TAKEN else f"HTTP {answer.status_code}"
    except httpx.HTTPError as error:
        return type(error).__name__

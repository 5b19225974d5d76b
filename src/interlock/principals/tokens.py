"""Keys: ``ilk_<id>_<secret>`` for agents, ``ilp_`` for people, ``ils_`` for services.

The id (8 letters and digits) names the key in lists, logs and the ledger; the secret is 32 random bytes,
URL-safe. Only the SHA-256 of the whole token is stored. A slow hash would buy nothing: it protects
passwords, which can be guessed; 256 random bits cannot, and the hash is taken on every call.
The fixed prefixes let secret scanners find a token that was committed somewhere.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from interlock.principals.models import PrincipalKind

PREFIXES: dict[PrincipalKind, str] = {"agent": "ilk", "person": "ilp", "service": "ils"}
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: ids are read aloud
_FORM = re.compile(r"il[kps]_([a-z2-9]{8})_[A-Za-z0-9_-]{32,128}")


def new_token(kind: PrincipalKind) -> tuple[str, str]:
    """A new key's id and its token. The token is shown once and stored nowhere."""
    key = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return key, f"{PREFIXES[kind]}_{key}_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def key_of(token: str) -> str | None:
    """The id in a token, or None when it is not a token's form."""
    found = _FORM.fullmatch(token)
    return found[1] if found else None

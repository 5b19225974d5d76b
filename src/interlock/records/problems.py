"""The one exception of Interlock: a problem with a stable slug, readable by a model (RFC 9457)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal


class Slug(StrEnum):
    """Every problem type there is. Stable: agents branch on these words."""

    INVALID_ARGUMENT = "invalid-argument"
    NOT_FOUND = "not-found"
    AMBIGUOUS_REF = "ambiguous-ref"
    UNAUTHENTICATED = "unauthenticated"
    REFUSED = "refused"
    VERSION_CONFLICT = "version-conflict"
    WRONG_STATE = "wrong-state"
    UNMAPPED_VALUE = "unmapped-value"
    UNSUPPORTED = "unsupported"
    IDEMPOTENCY_MISMATCH = "idempotency-mismatch"
    RATE_LIMITED = "rate-limited"
    TOO_LARGE = "too-large"
    SOURCE_UNAVAILABLE = "source-unavailable"
    SOURCE_DENIED = "source-denied"
    SOURCE_REJECTED = "source-rejected"
    SOURCE_FAULT = "source-fault"
    INTERNAL = "internal"


STATUS: dict[Slug, int] = {
    Slug.INVALID_ARGUMENT: 422,
    Slug.NOT_FOUND: 404,
    Slug.AMBIGUOUS_REF: 409,
    Slug.UNAUTHENTICATED: 401,
    Slug.REFUSED: 403,
    Slug.VERSION_CONFLICT: 409,
    Slug.WRONG_STATE: 409,
    Slug.UNMAPPED_VALUE: 422,
    Slug.UNSUPPORTED: 422,
    Slug.IDEMPOTENCY_MISMATCH: 409,
    Slug.RATE_LIMITED: 429,
    Slug.TOO_LARGE: 413,
    Slug.SOURCE_UNAVAILABLE: 503,
    Slug.SOURCE_DENIED: 502,
    Slug.SOURCE_REJECTED: 409,
    Slug.SOURCE_FAULT: 502,
    Slug.INTERNAL: 500,
}

RETRYABLE = frozenset({Slug.RATE_LIMITED, Slug.SOURCE_UNAVAILABLE})

Reached = Literal["no", "maybe", "yes"]
Layer = Literal["argument", "gateway", "transport", "source"]


class Problem(Exception):
    """What went wrong, in which field, and what to do about it.

    ``reached`` says for a call to a source whether the request can have taken effect there:
    ``no`` (never left, or the source said so before acting), ``maybe`` (time-out, reset, 5xx),
    ``yes`` (the source answered and refused).
    """

    def __init__(
        self,
        slug: Slug,
        detail: str,
        *,
        field: str | None = None,
        value: object = None,
        next_step: str | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
        layer: Layer = "gateway",
        native_code: str | None = None,
        native_message: str | None = None,
        reached: Reached | None = None,
        source: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail
        self.field = field
        self.value = value
        self.next_step = next_step
        self.retryable = slug in RETRYABLE if retryable is None else retryable
        self.retry_after_s = retry_after_s
        self.layer = layer
        self.native_code = native_code
        self.native_message = native_message
        self.reached = reached
        self.source = source
        self.more = more or {}

    @property
    def status(self) -> int:
        """The HTTP status of this problem."""
        return STATUS[self.slug]

    def body(self) -> dict[str, Any]:
        """The RFC 9457 document, JSON-ready, empty members left out."""
        document: dict[str, Any] = {
            "type": f"urn:interlock:problem:{self.slug}",
            "slug": str(self.slug),
            "status": self.status,
            "detail": _clean(self.detail),
            "retryable": self.retryable,
        }
        value = self.value
        if isinstance(value, int) and abs(value) > _WHOLE:
            value = f"a whole number of {len(hex(value)) - 2} hexadecimal digits"
        elif value is not None and not isinstance(value, str | int | float | bool):
            value = str(value)
        if isinstance(value, str):
            value = _clean(value[:200] + "…" if len(value) > 200 else value)
        optional = {
            "field": self.field and _clean(self.field),
            "value": value,
            "next_step": self.next_step and _clean(self.next_step),
            "retry_after_s": self.retry_after_s,
            "layer": self.layer if self.layer != "gateway" else None,
            "source": self.source,
            "native_code": self.native_code,
            "native_message": self.native_message,
        }
        document.update({name: entry for name, entry in optional.items() if entry is not None})
        document.update(self.more)
        return document


_WHOLE = 2**53


def _clean(text: str) -> str:
    """Text that can be written as UTF-8: half of a surrogate pair, as broken JSON can hold, is spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def invalid(field: str, value: object, why: str, next_step: str | None = None) -> Problem:
    """An argument that cannot be taken: names the field, the value and the way out."""
    return Problem(
        Slug.INVALID_ARGUMENT,
        f"{field}: {why}",
        field=field,
        value=value,
        next_step=next_step,
        layer="argument",
    )

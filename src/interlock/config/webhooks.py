"""Who is told of what happens to flags."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from interlock.config import secrets
from interlock.config.secrets import Secret
from interlock.config.section import Section

HappeningName = Literal["open", "return", "resolve", "ack", "assign", "waive", "unwaive", "reopen"]
HAPPENINGS: tuple[HappeningName, ...] = ("open", "return", "resolve", "ack", "assign", "waive", "unwaive", "reopen")


class Webhook(Section):
    """One address that events are posted to, signed with ``secret``. ``owners``: the weekly owner list goes there."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=2000)]
    secret: Secret
    events: tuple[HappeningName, ...] = HAPPENINGS
    severities: tuple[Literal["high", "medium", "low", "info"], ...] = ("high", "medium", "low", "info")
    owners: bool = True
    timeout_s: float = Field(default=10, gt=0, le=60)

    @model_validator(mode="after")
    def _kept_apart(self) -> Self:
        """What leaves this machine is encrypted, and signed with a secret that does not stand in the file."""
        address = urlsplit(self.url)
        if address.hostname in ("127.0.0.1", "::1", "localhost"):
            return self
        if address.scheme != "https":
            raise PydanticCustomError(
                "not_https", "must be https: flags tell what is wrong with a site", {"key": "url"}
            )
        if isinstance(self.secret, secrets.Literal):
            raise PydanticCustomError(
                "literal_secret", "may stand in the configuration only for an address of this machine; "
                "write env:NAME or file:/path", {"key": "secret"},
            )  # fmt: skip
        return self

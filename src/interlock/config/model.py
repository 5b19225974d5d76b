"""What a configuration file may say: one typed model a section, unknown keys are errors."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from interlock.config import secrets
from interlock.config.schedule import Schedule, SourceSchedule, TimeZone
from interlock.config.secrets import Secret, secrets_in
from interlock.config.section import Section
from interlock.config.storage import Storage
from interlock.config.webhooks import Webhook
from interlock.records.kinds import MODELS


def _beside(value: Path, info: ValidationInfo) -> Path:
    """A relative path is meant from the folder of the configuration file, not from where we were started."""
    folder = (info.context or {}).get("folder", Path())
    return Path(folder / value.expanduser())


FilePath = Annotated[Path, AfterValidator(_beside)]


def _http_address(value: str) -> str:
    url = AnyHttpUrl(value)
    if url.username or url.password:
        raise ValueError("must not hold a user name or password")
    if url.query or url.fragment:
        raise ValueError("must not hold a query or a fragment")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_http_address)]
Settings = Annotated[dict[str, Any], BeforeValidator(secrets.resolve_tree)]
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class Basic(Section):
    """User name and password with every request (RFC 7617)."""

    username: str = Field(min_length=1)
    password: Secret


class OAuth2(Section):
    """An access token from a token endpoint (RFC 6749; jwt-bearer: RFC 7523).

    ``token_path`` is relative to the source's base address, or a whole URL.
    """

    grant: Literal["client_credentials", "password", "refresh_token", "jwt-bearer"] = "client_credentials"
    client_id: str = Field(min_length=1)
    client_secret: Secret | None = None
    token_path: str = "/oauth_token.do"  # noqa: S105 - an address
    client_auth: Literal["body", "basic"] = "body"
    username: str | None = None
    password: Secret | None = None
    refresh_token: Secret | None = None
    private_key: Secret | None = None
    key_id: str | None = None
    audience: str | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in GRANT_NEEDS[self.grant] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"the grant {self.grant} also needs {' and '.join(missing)}")
        return self


GRANT_NEEDS: dict[str, tuple[str, ...]] = {
    "client_credentials": ("client_secret",),
    "password": ("client_secret", "username", "password"),
    "refresh_token": ("client_secret", "refresh_token"),
    "jwt-bearer": ("private_key", "username"),
}


class ApiKey(Section):
    """A key in a header of every request, after an optional prefix (``token ``)."""

    header: str = Field(default="x-api-key", pattern=r"^[A-Za-z0-9-]{1,64}$")
    key: Secret
    prefix: str = ""


class Bearer(Section):
    """A fixed token in the Authorization header of every request."""

    token: Secret


class Auth(Section):
    """How to log in to a source: one of these; none for a source that asks for nothing."""

    basic: Basic | None = None
    oauth2: OAuth2 | None = None
    api_key: ApiKey | None = None
    bearer: Bearer | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"names {' and '.join(given)}; give one of them")
        return self


class Limits(Section):
    """How hard a source may be used, over all agents."""

    concurrency: int = Field(default=8, ge=1, le=10_000)
    per_second: float | None = Field(default=50, gt=0, le=100_000)
    per_hour: int | None = Field(default=None, ge=1, le=1_000_000)
    queue: int = Field(default=64, ge=0, le=100_000)


class Cache(Section):
    """What may be answered from memory, and for how long (seconds). ``kinds`` says it for single kinds."""

    ttl_s: float = Field(default=30, ge=0, le=86_400)
    entries: int = Field(default=10_000, ge=0, le=1_000_000)
    kinds: dict[str, Annotated[float, Field(ge=0, le=86_400)]] = {}

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: dict[str, float]) -> dict[str, float]:
        for kind in value:
            if kind not in MODELS:
                raise PydanticCustomError(
                    "unknown_key", "is not a kind; kinds are {kinds}", {"kinds": ", ".join(MODELS), "key": kind}
                )
        return value


class Harvest(Section):
    """How everything of a source is read into snapshots: in a budget of calls of its own, beside the agents'.

    Without ``per_second`` and ``per_hour`` it is a fifth, and half, of what ``limits`` allows. ``overlap_s``:
    how far before the last change already seen the next incremental harvest begins. Every ``sweep_every``-th
    harvest of a kind looks for deletions. A harvest that lost more than ``shrink_percent`` of the rows, and
    more than ``shrink_rows`` of them, is set aside.
    """

    per_second: float | None = Field(default=None, gt=0, le=100_000)
    per_hour: int | None = Field(default=None, ge=1, le=1_000_000)
    page: int = Field(default=1000, ge=1, le=100_000)
    kinds: tuple[str, ...] = ()
    overlap_s: float = Field(default=600, ge=0, le=604_800)
    checkpoint_s: float = Field(default=30, ge=0, le=3600)
    sweep_every: int = Field(default=24, ge=1, le=10_000)
    shrink_percent: float = Field(default=20, ge=0, le=100)
    shrink_rows: int = Field(default=50, ge=0)

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for kind in value:
            if kind not in MODELS:
                raise ValueError(f"{kind!r} is not a kind; kinds are {', '.join(MODELS)}")
        return value


class SourceConfig(Section):
    """One configured backend instance."""

    adapter: str
    environment: Literal["production", "test"] = "production"
    base_url: Address | None = None
    auth: Auth = Auth()
    transport: Literal["auto", "asyncio", "httpx", "pyreqwest"] = "auto"
    proxy: Secret | None = None  # may hold a user name and a password
    ca_file: FilePath | None = None
    client_cert: FilePath | None = None
    client_key: FilePath | None = None
    time_zone: TimeZone = "UTC"
    timeout_s: float = Field(default=20, gt=0, le=600)
    limits: Limits = Limits()
    cache: Cache = Cache()
    harvest: Harvest = Harvest()
    scan_limit: int = Field(default=2000, ge=1, le=1_000_000)
    overlays: FilePath | None = None
    mapping: dict[str, Any] = {}
    settings: Settings = {}
    schedule: SourceSchedule = SourceSchedule()
    settle_s: float | None = Field(default=None, ge=0, le=86_400)

    @model_validator(mode="after")
    def _literal_secrets(self) -> Self:
        if self.environment != "test":
            for part in ("auth", "settings"):
                if any(isinstance(secret, secrets.Literal) for secret in secrets_in(getattr(self, part))):
                    raise PydanticCustomError(
                        "literal_secret",
                        "a secret may stand in the configuration only when environment is test; "
                        "write env:NAME or file:/path",
                        {"key": part},
                    )
            if isinstance(self.proxy, secrets.Literal) and "@" in self.proxy.get_secret_value():
                raise PydanticCustomError(
                    "literal_secret", "holds a password; write env:NAME or file:/path", {"key": "proxy"}
                )
        if (self.client_key is not None) and self.client_cert is None:
            raise ValueError("client_key needs client_cert beside it")
        return self


class Listen(Section):
    """``hosts``: further names a proxy reaches this gateway by, ``name`` or ``name:*`` (any port)."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    hosts: tuple[str, ...] = ()


class Quality(Section):
    """``checks``: a folder of checks of one's own, which scans run after the shipped ones."""

    profile: FilePath | None = None
    checks: FilePath | None = None


class SearchConfig(Section):
    """Joined searches. ``patience_s``: how long further sources are waited for once one has answered."""

    patience_s: float = Field(default=3, gt=0, le=60)


class LedgerConfig(Section):
    """``reads: committed`` makes every read wait until its entry is durable."""

    reads: Literal["queued", "committed"] = "queued"
    anchor: FilePath | None = None


class Config(Section):
    """The whole configuration of a gateway, secrets resolved."""

    state: FilePath = Field(default=Path(".interlock"), validate_default=True)
    listen: Listen = Listen()
    as_of: datetime | None = None
    sources: dict[SourceName, SourceConfig] = {}
    quality: Quality = Quality()
    search: SearchConfig = SearchConfig()
    ledger: LedgerConfig = LedgerConfig()
    schedule: Schedule = Schedule()
    storage: Storage = Storage()
    webhooks: tuple[Webhook, ...] = Field(default=(), max_length=20)
    adapters: tuple[FilePath, ...] = ()

    @field_validator("as_of")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("has no time zone; write it as 2017-02-18T15:00:00Z")
        return value

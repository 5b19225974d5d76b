"""From a source's configuration to its session: address, credentials, trust, bounds."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from interlock.adapterkit.auth import ApiKey, Auth, Basic, NoAuth, OAuth
from interlock.adapterkit.session import Session, open_session
from interlock.adapterkit.wire import Limits, Trust
from interlock.clock import Clock
from interlock.config.model import Auth as AuthConfig
from interlock.config.model import SourceConfig
from interlock.records.problems import invalid


def connect(source: SourceConfig, clock: Clock, login: Literal["http", "envelope"] = "http") -> Session:
    """The session of one configured source; nothing is sent yet. Raises Problem invalid-argument.

    ``login: envelope``: the account goes into the messages, and HTTP carries none.
    """
    if source.base_url is None:
        raise invalid("base_url", None, "is needed to reach this source", "Write base_url: https://…")
    limits = Limits(
        connect_s=min(5.0, source.timeout_s),
        read_s=source.timeout_s,
        total_s=source.timeout_s * 1.5,
        pool_s=min(5.0, source.timeout_s),
        connections=source.limits.concurrency,
    )
    return open_session(
        source.base_url,
        clock,
        auth=credentials(source.auth) if login == "http" else NoAuth(),
        limits=limits,
        trust=trusted(source),
        transport=source.transport,
    )


def credentials(auth: AuthConfig) -> Auth:
    """The way to log in that the configuration names."""
    if auth.basic is not None:
        return Basic(auth.basic.username, auth.basic.password)
    if auth.oauth2 is not None:
        return OAuth(auth.oauth2)
    if auth.api_key is not None:
        return ApiKey(auth.api_key.header, auth.api_key.key, auth.api_key.prefix)
    if auth.bearer is not None:
        return ApiKey("authorization", auth.bearer.token, "Bearer ")
    return NoAuth()


def trusted(source: SourceConfig) -> Trust:
    """Whom a source believes: authorities, its own certificate, the proxy. Raises Problem invalid-argument."""
    proxy = user = password = None
    if source.proxy is not None:
        found = urlsplit(source.proxy.get_secret_value())
        if found.scheme not in ("http", "https") or not found.hostname:
            raise invalid("proxy", "***", "is not a proxy's address", "Write it as http://host:port.")
        host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
        proxy = f"{found.scheme}://{host}" + (f":{found.port}" if found.port else "")
        user = unquote(found.username) if found.username else None
        password = SecretStr(unquote(found.password)) if found.password else None
    return Trust(
        ca_file=source.ca_file,
        certificate_file=source.client_cert,
        key_file=source.client_key,
        proxy=proxy,
        proxy_user=user,
        proxy_password=password,
    )

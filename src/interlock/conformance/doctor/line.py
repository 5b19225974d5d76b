"""The way to a source, below HTTP: its name, its port, its certificate. Nothing is logged in to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from interlock.adapterkit.tls import tls_context
from interlock.adapterkit.wire import Trust
from interlock.clock import Clock
from interlock.conformance.doctor.finding import Finding, cannot_tell, ok, wrong

SOON_DAYS = 21
"""A certificate that ends within so many days is worth a word."""

# X509_V_ERR_* of OpenSSL (x509_vfy.h): what is told apart, and what each needs.
_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAME = (62, 64)  # HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)


async def walk(base_url: str, trust: Trust, timeout_s: float, clock: Clock) -> AsyncIterator[Finding]:
    """The findings one by one; it ends at the first that is wrong. With a proxy it is the proxy that is reached."""
    target = urlsplit(trust.proxy or base_url)
    what = "the proxy" if trust.proxy else "the source"
    host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
    found = await _resolved(host, port, what, timeout_s)
    yield found
    if found.result == "wrong":
        return
    found = await _connected(host, port, what, timeout_s)
    yield found
    if found.result == "wrong":
        return
    if trust.proxy:
        yield cannot_tell("tls", "The connection goes through a proxy; the first request shows whether TLS holds.")
    elif target.scheme != "https":
        yield ok("tls", "The address is http: nothing is encrypted.", "Use https outside of tests.")
    else:
        yield await _shaken(host, port, trust, timeout_s, clock)


async def _resolved(host: str, port: int, what: str, timeout_s: float) -> Finding:
    try:
        async with asyncio.timeout(timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return wrong(
            "name",
            f"The name {host} of {what} is not known here.",
            "Check the spelling of the address, and ask the network's administrators whether this machine's DNS "
            "should know the name.",
        )
    addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
    return ok("name", f"{host} is {addresses}.")


async def _connected(host: str, port: int, what: str, timeout_s: float) -> Finding:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return wrong(
            "connect",
            f"{host} refuses connections on port {port}: nothing listens there.",
            f"Check the port in the address of {what}, and ask its administrator whether it runs.",
        )
    except TimeoutError:
        return wrong(
            "connect",
            f"{host} does not answer on port {port} within {timeout_s:g} s.",
            "Ask the network's administrators to open the firewall from this machine to that port"
            + ("." if what == "the proxy" else ", or set `proxy` if calls must go through one."),
        )
    except OSError as failure:
        return wrong(
            "connect",
            f"{host} cannot be reached on port {port}: {failure.strerror or type(failure).__name__}.",
            "Ask the network's administrators about the route from this machine.",
        )
    await _closed(writer)
    return ok("connect", f"{host} accepts connections on port {port}.")


async def _shaken(host: str, port: int, trust: Trust, timeout_s: float, clock: Clock) -> Finding:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=tls_context(trust), server_hostname=host)
    except ssl.SSLCertVerificationError as failure:
        return _distrusted(host, failure)
    except (ssl.SSLError, OSError, TimeoutError) as failure:
        why = getattr(failure, "reason", None) or getattr(failure, "strerror", None) or type(failure).__name__
        return wrong(
            "tls",
            f"{host} does not complete a TLS handshake on port {port}: {why}.",
            "Check that the port speaks https. If the source asks for a client certificate, set `client_cert` and "
            "`client_key`; ask its administrator which authority it must come from.",
        )
    certificate = writer.get_extra_info("peercert") or {}
    await _closed(writer)
    days = int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - clock.now()) // 86_400)
    soon = "Ask the source's administrator to renew it before then." if days < SOON_DAYS else ""
    return ok("tls", f"The certificate of {host} is trusted and ends in {days} days.", soon)


def _distrusted(host: str, failure: ssl.SSLCertVerificationError) -> Finding:
    code = failure.verify_code
    if code == _EXPIRED:
        return wrong(
            "tls",
            f"The certificate of {host} has expired.",
            "Ask the source's administrator to renew it; check this machine's date.",
        )
    if code == _NOT_YET:
        return wrong(
            "tls", f"The certificate of {host} is not valid yet.", "Check this machine's clock; else as for an old one."
        )
    if code in _OTHER_NAME:
        return wrong(
            "tls",
            f"The certificate is not for the name {host}.",
            "Use the name that stands in the certificate as the address, or ask for a certificate with this name.",
        )
    if code in _UNKNOWN_ISSUER:
        return wrong(
            "tls",
            f"The certificate of {host} is signed by an authority that is not trusted here.",
            "Ask the source's administrator for the authority's certificate (PEM, with all in between) and name the "
            "file in `ca_file`. If a proxy opens TLS on the way, it is the proxy's authority.",
        )
    return wrong(
        "tls",
        f"The certificate of {host} is refused: {failure.verify_message}.",
        "Ask its administrator to correct it.",
    )


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()

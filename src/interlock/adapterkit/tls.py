"""Whom a connection believes: the TLS context of one source."""

from __future__ import annotations

import ssl

import certifi

from interlock.adapterkit.wire import Trust, unreadable_pem


def tls_context(trust: Trust) -> ssl.SSLContext:
    """Public authorities, the private ones beside them, and our certificate. Raises Problem."""
    context = ssl.create_default_context(cafile=certifi.where())
    field = "ca_file"
    try:
        if trust.ca_file is not None:
            context.load_verify_locations(cafile=str(trust.ca_file))
        field = "certificate_file"
        if trust.certificate_file is not None:
            password = trust.key_password.get_secret_value() if trust.key_password else ""
            context.load_cert_chain(
                str(trust.certificate_file), str(trust.key_file) if trust.key_file else None, password
            )
    except (OSError, ssl.SSLError) as failure:
        raise unreadable_pem(field, getattr(trust, field), failure) from None
    return context

"""Compiled services by WSDL digest: kept on disk, so that a start with a known WSDL imports no zeep."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import orjson

from interlock.adapterkit.soap.bundle import Bundle, read_bundle
from interlock.adapterkit.soap.model import Service
from interlock.records.problems import invalid

FORMAT = 2
"""Of the kept file; one that says another is made anew."""


def load_service(wsdl: Path, version: str = "1.1", cache: Path | None = None) -> Service:
    """The service of a WSDL file, from ``cache`` when these very bytes were compiled before.

    Raises Problem: the WSDL is at fault, or zeep is needed and not installed.
    """
    bundle = read_bundle(wsdl)
    kept = cache / f"{bundle.digest}-{version}.json" if cache is not None else None
    found = _read(kept, bundle) if kept is not None else None
    if found is not None:
        return found
    try:
        from interlock.adapterkit.soap.wsdl import compile_wsdl
    except ImportError:
        raise invalid(
            "wsdl", wsdl.name, "is new, and zeep is needed to read it", "Install interlock-gateway[soap]."
        ) from None
    service = compile_wsdl(bundle, version)
    if kept is not None:
        _write(kept, service)
    return service


def _read(path: Path, bundle: Bundle) -> Service | None:
    try:
        data = orjson.loads(path.read_bytes())
        if data["format"] != FORMAT or data["digest"] != bundle.digest:
            return None
        return Service.read(data["service"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, of another version, or damaged: compiled again


def _write(path: Path, service: Service) -> None:
    """Whole or not at all; a folder that cannot be written costs the next start a compilation, no more."""
    body = orjson.dumps({"format": FORMAT, "digest": path.stem.rpartition("-")[0], "service": service.body()})
    try:
        # The folder above is the state folder, perhaps not made yet, and mkdir closes only the last of a path.
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".wsdl-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return

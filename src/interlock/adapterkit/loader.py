"""Loading adapters: ours and others', all one way, from a folder."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from interlock.adapterkit.adapter import Adapter
from interlock.adapterkit.rest import RestAdapter
from interlock.adapterkit.session import Session
from interlock.clock import Clock
from interlock.records.problems import Problem, invalid


def open_adapter(
    folder: Path,
    product: Any,
    session: Session | None,
    settings: Mapping[str, Any],
    clock: Clock,
    *,
    login: Any = None,
    cache: Path | None = None,
) -> Adapter:
    """The adapter of a folder: the class of its ``adapter.py``, else the one of its protocol that is all data.

    The class is the only one defined there whose name ends in ``Adapter``; it takes by name what it needs
    of product, session, settings, clock, source, folder, login (an account that travels in messages) and
    cache (a folder for what is compiled once). Raises Problem invalid-argument.
    """
    cls = adapter_class(folder, product.manifest.transport.protocol if hasattr(product, "manifest") else "http-json")
    given = {
        "product": product,
        "session": session,
        "settings": settings,
        "clock": clock,
        "source": getattr(product, "source", None) or folder.name,
        "folder": folder,
        "login": login,
        "cache": cache,
    }
    wanted = inspect.signature(cls).parameters
    if "session" in wanted and session is None:
        raise invalid("base_url", None, f"is needed by the adapter {folder.name}", "Give the source a base_url.")
    return cast(Adapter, cls(**{name: value for name, value in given.items() if name in wanted}))


def adapter_class(folder: Path, protocol: str = "http-json") -> type[Any]:
    """The class that serves a folder."""
    file = folder / "adapter.py"
    if not file.is_file():
        if protocol != "soap":
            return RestAdapter
        try:
            from interlock.adapterkit.soap.adapter import SoapAdapter
        except ImportError:
            raise invalid("adapter", folder.name, "needs lxml", "Install interlock-gateway[soap].") from None
        return SoapAdapter
    module = _module(file)
    found = [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and name.endswith("Adapter") and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise invalid("adapter", str(file), f"defines {len(found)} classes named …Adapter", "Define exactly one.")
    return cast(type[Any], found[0])


def _module(file: Path) -> ModuleType:
    """The module of ``adapter.py``, in a package that is its folder, so that files beside it are ``from .name``.

    The package has a name that no other folder's adapter has; the folder needs no ``__init__.py``.
    """
    digest = hashlib.blake2b(str(file.resolve()).encode(), digest_size=6).hexdigest()
    package = f"interlock_adapter_{re.sub(r'[^A-Za-z0-9_]', '_', file.parent.name)}_{digest}"
    name = f"{package}.{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    folder = ModuleType(package)
    folder.__path__ = [str(file.parent)]
    sys.modules[package] = folder
    importlib.invalidate_caches()  # the files may be younger than what Python remembers of the folder
    try:
        return importlib.import_module(name)
    except Exception as failure:
        for each in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
            del sys.modules[each]
        if isinstance(failure, Problem):
            raise
        raise invalid(
            "adapter", str(file), f"cannot be loaded: {type(failure).__name__}: {failure}", "Correct the file."
        ) from failure

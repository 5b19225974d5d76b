"""Adapters that came as distributions: entry points of the group ``interlock.adapters``.

An entry point is the adapter's name and a package with ``adapter.yaml`` beside its ``__init__.py``, or a callable
that gives the folder. Looking through what is installed takes time, and loading an entry point runs its code: both
happen only when a source names an adapter that no folder holds, and for ``interlock adapter list``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from interlock.config.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "interlock.adapters"
MANIFEST = "adapter.yaml"


def installed_adapters(names: Collection[str] | None = None) -> dict[str, Path]:
    """Name and folder of the installed adapters, or of those among ``names``.

    Raises ConfigError for one that two distributions bring, and for one that leads to no adapter.
    """
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if names is not None and entry.name not in names:
            continue
        other = found.setdefault(entry.name, entry)
        if _origin(other) != _origin(entry):
            raise ConfigError(
                [f"the adapter {entry.name} is in {_origin(other)} and in {_origin(entry)}; uninstall one of them"]
            )
    return {name: _folder(entry) for name, entry in sorted(found.items())}


def _origin(entry: EntryPoint) -> str:
    distribution = f"distribution {entry.dist.name}" if entry.dist is not None else "a distribution"
    return f"{distribution} ({entry.value})"


def _folder(entry: EntryPoint) -> Path:
    """Where an entry point leads."""
    try:
        target = entry.load()
        if callable(target):
            target = target()
    except Exception as failure:
        told = f"{type(failure).__name__}: {failure}"
        raise ConfigError([f"the adapter {entry.name} of {_origin(entry)} cannot be loaded: {told}"]) from failure
    if isinstance(target, ModuleType) and target.__file__:
        target = Path(target.__file__).parent
    if not isinstance(target, str | Path) or not (Path(target) / MANIFEST).is_file():
        told = f"leads to no folder with {MANIFEST}: {target}"
        raise ConfigError([f"the adapter {entry.name} of {_origin(entry)} {told}"])
    return Path(target)

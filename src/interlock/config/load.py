"""Reading a configuration file: YAML to models, with errors an operator can act on."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from interlock.config.document import Place, read_document
from interlock.config.errors import ConfigError
from interlock.config.installed import MANIFEST, installed_adapters
from interlock.config.model import Config
from interlock.places import place


def load_config(path: Path, *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a YAML file. Raises ConfigError, which names every fault with its line."""
    data, lines = read_document(path)
    return read_config(data, path.resolve().parent, environ=environ, name=str(path), lines=lines)


def read_config(
    data: Mapping[str, Any],
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    name: str = "configuration",
    lines: Mapping[Place, int] | None = None,
) -> Config:
    """The same from plain data; relative paths are meant from ``folder``. Raises ConfigError."""
    context = {"environ": os.environ if environ is None else environ, "folder": folder}
    try:
        config = Config.model_validate(data, context=context)
    except ValidationError as error:
        raise ConfigError([_fault(entry, name, lines or {}) for entry in error.errors()]) from None
    _check_adapters(config, name, lines or {})
    return config


def available_adapters(folders: Iterable[Path], wanted: Collection[str] | None = ()) -> dict[str, Path]:
    """Name and folder of every adapter in these folders, and of those ``wanted`` that came as distributions.

    What is installed is looked through only when a wanted name is in no folder; ``None`` wants all. Raises
    ConfigError for a name that is there twice.
    """
    found: dict[str, Path] = {}
    for parent in folders:
        if not parent.is_dir():
            raise ConfigError([f"adapters: {parent} is not a folder"])
        for manifest in sorted(parent.glob(f"*/{MANIFEST}")):
            name = manifest.parent.name
            if name in found:
                raise ConfigError([f"the adapter {name} is in {found[name]} and in {manifest.parent}; rename one"])
            found[name] = manifest.parent
    missing = None if wanted is None else set(wanted) - found.keys()
    if missing is None or missing:
        for name, folder in installed_adapters(missing).items():
            if name in found:
                raise ConfigError([f"the adapter {name} is in {found[name]} and installed in {folder}; remove one"])
            found[name] = folder
    return dict(sorted(found.items()))


def adapter_folders(config: Config) -> tuple[Path, ...]:
    """Where this configuration's adapters lie: the ones that come with us, then its own."""
    return (place("adapters"), *config.adapters)


def _check_adapters(config: Config, name: str, lines: Mapping[Place, int]) -> None:
    if not config.sources:
        return
    known = available_adapters(adapter_folders(config), {entry.adapter for entry in config.sources.values()})
    faults = []
    for source, entry in config.sources.items():
        if entry.adapter not in known:
            near = get_close_matches(entry.adapter, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            at: Place = ("sources", source, "adapter")
            faults.append(
                f"{_where(name, at, lines)}: {entry.adapter!r} is not an adapter; "
                f"{hint}Available: {', '.join(known) or 'none'}."
            )
    if faults:
        raise ConfigError(faults)


def _fault(entry: Any, name: str, lines: Mapping[Place, int]) -> str:
    at: Place = entry["loc"]
    context = entry.get("ctx", {})
    if "key" in context:
        at = (*at, context["key"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    return f"{_where(name, at, lines)}: {message[:1].lower()}{message[1:]}"


def _where(name: str, at: Place, lines: Mapping[Place, int]) -> str:
    # pydantic adds steps of its own ("[key]"), and a missing key has no line: the nearest known place serves.
    line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), None)
    key = ".".join(str(step) for step in at)
    return f"{name}{f':{line}' if line else ''}: {key or 'the configuration'}"

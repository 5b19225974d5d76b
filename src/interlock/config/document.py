"""A YAML document that remembers on which line each key stands, and takes no key twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from interlock.config.errors import ConfigError

Place = tuple[str | int, ...]
"""Where a value stands: the keys and indexes that lead to it."""

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 100_000


def read_document(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """The mapping in a YAML file, and the line of each of its values. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_BYTES} bytes"])
    loader = None
    try:
        loader = yaml.SafeLoader(raw)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        lines: dict[Place, int] = {}
        data = _build(loader, node, (), lines, path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([_syntax(path, error)]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(data, dict):
        raise ConfigError([f"{path}:1: must be a mapping of keys, not {type(data).__name__}"])
    return data, lines


def _build(loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int], path: Path) -> Any:
    lines[place] = node.start_mark.line + 1
    if len(place) > MAX_DEPTH or len(lines) > MAX_NODES:  # also what an alias inside itself runs into
        raise ConfigError([f"{path}:{lines[place]}: is nested or repeated too often"])
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str | int):
                raise ConfigError([f"{path}:{line}: a key must be a word"])
            if key in found:
                raise ConfigError([f"{path}:{line}: {'.'.join(map(str, (*place, key)))} stands there twice"])
            found[key] = _build(loader, value_node, (*place, key), lines, path)
            lines[(*place, key)] = line
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*place, n), lines, path) for n, child in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _syntax(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark is not None else ""
    # Only the parser's own words: its snippet could show a secret that stands on the line.
    why = getattr(error, "problem", None) or "is not UTF-8 text"
    return f"{path}{line}: is not YAML: {why}"

"""Setting one value in a profile file without disturbing what a person wrote there.

Only the text of that value changes: comments, order and style of everything else stay. Where the file is
written so that this cannot be done (anchors, merge keys), the Problem says which lines to add by hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from interlock.quality.profile_errors import read_yaml
from interlock.records.problems import Problem, Slug


def put(text: str, path: Sequence[str], value: Mapping[str, Any]) -> str:
    """The YAML text with ``value`` at the path of keys. Raises Problem invalid-argument when it cannot be set."""
    wanted = _with(read_yaml(text, "profile")[0], path, value)
    changed = _put(text, path, value)
    try:
        held = yaml.safe_load(changed)
    except yaml.YAMLError:
        held = None
    if held != wanted:
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"{'.'.join(path)} cannot be set in a file written like this",
            field=".".join(path),
            next_step=f"Put it there by hand: {_flow(path[-1], value)}",
        )
    return changed


def write(file: Path, text: str) -> None:
    """Replace a file whole or not at all; it keeps its permissions."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, file.stat().st_mode & 0o777 if file.exists() else 0o600)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _put(text: str, path: Sequence[str], value: Mapping[str, Any]) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return text.rstrip("\n") + ("\n" if text.strip() else "") + _lines(path, value, 0)
    for depth, key in enumerate(path):
        entry = next((v for k, v in node.value if k.value == key), None)
        rest = path[depth:]
        if entry is None:
            return _add(text, node, rest, value)
        if depth == len(path) - 1 or not isinstance(entry, yaml.MappingNode) or not entry.value:
            held: Mapping[str, Any] = value
            for name in reversed(rest[1:]):
                held = {name: held}
            return _replace(text, entry, _inline(held))
        node = entry
    raise AssertionError("a path has keys")


def _add(text: str, node: yaml.MappingNode, rest: Sequence[str], value: Mapping[str, Any]) -> str:
    """A new key, behind the last one of its mapping."""
    if node.flow_style:
        at = node.start_mark.index + 1
        return f"{text[:at]}{_nested(rest, value)}, {text[at:]}"
    line_end = text.find("\n", _end(node))
    kept, behind = (text, "") if line_end < 0 else (text[:line_end], text[line_end + 1 :])
    return f"{kept}\n{_lines(rest, value, node.start_mark.column)}{behind}"


def _replace(text: str, node: yaml.Node, new: str) -> str:
    """The text of a value, up to its last character; what a block mapping drags along behind it stays."""
    start, end = node.start_mark.index, _end(node)
    if start == end:  # nothing after the colon
        start = end = text.rindex(":", 0, start) + 1
        new = f" {new}"
    return f"{text[:start]}{new}{text[end:]}"


def _end(node: yaml.Node) -> int:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (last, last)
        return _end(key if value.start_mark.index == value.end_mark.index else value)
    end: int = node.end_mark.index
    return end


def _lines(path: Sequence[str], value: Mapping[str, Any], column: int) -> str:
    """The keys of a path a line each, the value in one line."""
    lines = [f"{' ' * (column + 2 * depth)}{_key(key)}:" for depth, key in enumerate(path)]
    return "\n".join(lines) + f" {_inline(value)}\n"


def _nested(path: Sequence[str], value: Mapping[str, Any]) -> str:
    held: Mapping[str, Any] = value
    for key in reversed(path[1:]):
        held = {key: held}
    return _flow(path[0], held)


def _flow(key: str, value: Mapping[str, Any]) -> str:
    return f"{_key(key)}: {_inline(value)}"


def _inline(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)).strip()


def _key(key: str) -> str:
    return str(yaml.safe_dump({key: 0}, default_flow_style=False)).rpartition(":")[0]


def _with(values: Mapping[str, Any], path: Sequence[str], value: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(values)
    inner = made.get(path[0])
    inner = inner if isinstance(inner, Mapping) else {}
    made[path[0]] = dict(value) if len(path) == 1 else _with(inner, path[1:], value)
    return made

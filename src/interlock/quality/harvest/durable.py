"""Files that are there whole or not at all, also after the power went."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: bytes) -> None:
    """The file holds ``text`` from now on; a reader sees the old or the new, never a part. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with open(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def replace_json(path: Path, body: Any) -> None:
    """The same for JSON."""
    replace_text(path, orjson.dumps(body, option=orjson.OPT_INDENT_2))


def read_json(path: Path) -> Any | None:
    """What a file holds; None when it is not there or is no JSON."""
    try:
        return orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None

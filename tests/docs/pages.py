"""The documents as the tests see them: pages, fenced blocks, tables, shell lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interlock.places import place

ROOT = place("adapters").parent
PAGES = tuple(
    sorted(
        path.relative_to(ROOT)
        for pattern in (
            "README.md",
            "docs/*.md",
            "adapters/*/README.md",
            "mock_servers/README.md",
            "contracts/README.md",
        )
        for path in ROOT.glob(pattern)
    )
)
_FENCE = re.compile(
    r"(?:<!-- (?P<mark>[a-z]+)(?:: (?P<name>\S+))? -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; ``mark`` and ``name`` are of the comment before it, as in ``file: interlock.yaml``."""

    page: Path
    language: str
    body: str
    mark: str | None
    name: str | None


def text(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str | Path, language: str | None = None) -> Iterator[Block]:
    for found in _FENCE.finditer(text(page)):
        if language is None or found["language"] == language:
            yield Block(Path(page), found["language"], found["body"], found["mark"], found["name"])


def files(page: str | Path) -> dict[str, str]:
    """Blocks marked as files, by name."""
    return {block.name: block.body for block in blocks(page) if block.mark == "file" and block.name}


def prose(page: str | Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def tables(page: str | Path) -> dict[str, list[list[str]]]:
    """Rows of the tables below each heading (bold lines count), without their head; cells as written."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in prose(page).splitlines():
        if title := re.match(r"#+ (.+)", line) or re.match(r"\*\*([^*]+)\*\*", line):
            heading = title[1]
        elif line.startswith("|") and not re.match(r"\|[ -]+\|[ -|]*$", line):
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(heading, []).append(cells)
    return found


def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.replace(" ", "-")

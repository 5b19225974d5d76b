"""Reading an agent's declaration with the catalogue's own words."""

from __future__ import annotations

from pathlib import Path

from interlock.principals.declaration import read_declaration
from interlock.principals.models import Agent
from interlock.records.kinds import FIELDS
from interlock.records.problems import invalid
from interlock.tools.catalogue import BY_NAME, GENERAL, TOOL_SETS


def read_agent(path: Path) -> Agent:
    """The agent of a YAML declaration. Raises Problem naming file, key and the nearest valid word."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise invalid("declaration", str(path), f"cannot be read ({error.strerror})") from None
    return declared(text)


def declared(text: str) -> Agent:
    """The agent of a declaration in YAML."""
    tools = [name for name in BY_NAME if name not in GENERAL]
    return read_declaration(text, tools=tools, tool_sets=TOOL_SETS, fields=FIELDS)

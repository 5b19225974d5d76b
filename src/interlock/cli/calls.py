"""``interlock call`` and ``interlock tools``."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer

from interlock.cli.http import request
from interlock.cli.options import DEFAULT_URL, AsJson, Url, print_json, print_table
from interlock.records.problems import invalid


def call(
    tool: Annotated[str, typer.Argument(help="Name of the tool.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="name=value; a value may be JSON.")] = None,
    url: Url = DEFAULT_URL,
    key: Annotated[str | None, typer.Option("--key", envvar="INTERLOCK_KEY", help="The agent's key.")] = None,
) -> None:
    """Call a tool of a running gateway as an agent, and print the answer."""
    print_json(request("POST", url, f"/v1/tools/{tool}", key, dict(map(_pair, arguments or []))))


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise invalid("arguments", text, "is not name=value")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def tools(
    name: Annotated[str | None, typer.Argument(help="Show one tool whole.")] = None,
    as_json: AsJson = False,
) -> None:
    """The catalogue of tools; with a name, its input and output schema."""
    from interlock.gateway.pipeline import known_tool
    from interlock.principals.models import Agent
    from interlock.tools.catalogue import TOOLS
    from interlock.tools.contracts import input_schema, listed, output_schema

    if name is not None:
        everyone = Agent("cli", "cli", "", frozenset(tool.name for tool in TOOLS))
        tool = known_tool(everyone, name)
        schemas = {"input": input_schema(name), "output": output_schema(name)}
        print_json({"name": tool.name, "description": tool.description, "effect": tool.effect, **schemas})
    elif as_json:
        print_json({"tools": [listed(tool) for tool in TOOLS]})
    else:
        rows = [[t.name, t.effect, t.description] for t in TOOLS]
        size = len(orjson.dumps({"tools": [listed(tool) for tool in TOOLS]}))
        print_table("Tools", ["name", "effect", "what it does"], rows)
        typer.echo(f"{len(rows)} tools; the whole list is {size:,} bytes in an agent's context")

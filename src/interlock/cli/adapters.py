"""``interlock adapter``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from interlock.cli import conformance
from interlock.cli.options import AsJson, print_json, print_table
from interlock.places import place
from interlock.records.problems import Problem, Slug, invalid

app = typer.Typer(help="Adapters: what there is, and trying one.", no_args_is_help=True)
app.command("check")(conformance.check)
Folders = Annotated[list[Path] | None, typer.Option("--folder", help="A further folder with adapters; repeatable.")]


def _available(folders: list[Path] | None) -> dict[str, Path]:
    from interlock.config.load import available_adapters

    return dict(available_adapters([place("adapters"), *(folders or [])], wanted=None))


@app.command("list")
def list_command(folder: Folders = None) -> None:
    """Every adapter that can be used."""
    from interlock.adapterkit.product import compile_product

    rows = []
    for name, path in sorted(_available(folder).items()):
        product = compile_product(path, source="example", settings={"base_url": "https://example.invalid"})
        rows.append([name, product.manifest.title, str(product.manifest.versions), ", ".join(sorted(product.mappings))])
    print_table("Adapters", ["name", "product", "versions", "kinds"], rows)


@app.command("docs")
def docs_command(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when the page differs.")] = False,
) -> None:
    """Write the page of what our adapters can do, docs/capabilities.md of this checkout (developers)."""
    from interlock.adapterkit.abilities_page import page
    from interlock.adapterkit.loader import adapter_class
    from interlock.adapterkit.product import compile_product

    file = place("adapters").parent / "docs" / "capabilities.md"
    if not file.parent.is_dir():
        raise Problem(
            Slug.UNSUPPORTED, f"there is no folder {file.parent}", next_step="Run it in a checkout of Interlock."
        )
    parts = []
    for _, path in sorted(_available(None).items()):
        product = compile_product(path, source="example", settings={"base_url": "https://example.invalid"})
        parts.append((product, adapter_class(path, product.manifest.transport.protocol)))
    text = page(parts)
    if check:
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            typer.echo(f"out of date: {file.name}", err=True)
            raise typer.Exit(1)
        typer.echo("up to date")
        return
    file.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {file}")


@app.command("try")
def try_command(
    name: Annotated[str, typer.Argument(help="Name or folder of the adapter.")],
    native: Annotated[str | None, typer.Option("--native", help="A native row as JSON.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="Kind of record.")] = "incident",
    changes: Annotated[str | None, typer.Option("--changes", help="Canonical changes as JSON, to encode.")] = None,
    filter: Annotated[str | None, typer.Option("--filter", help="A canonical filter as JSON.")] = None,  # noqa: A002
    folder: Folders = None,
    as_json: AsJson = False,
) -> None:
    """Decode a native row, encode it back, and show a query for it: side by side, nothing is called."""
    from interlock.adapterkit.product import compile_product
    from interlock.records.filters import Query, read_filter
    from interlock.records.kinds import FIELDS

    known = _available(folder)
    path = Path(name) if "/" in name or name not in known else known[name]
    if not path.is_dir():
        raise invalid("name", name, "is not an adapter", f"Adapters: {', '.join(sorted(known))}; or give a folder.")
    product = compile_product(path, source="try", settings={"base_url": "https://example.invalid"})
    if kind not in product.mappings:
        raise invalid("--kind", kind, f"is not mapped by {name}", f"Kinds: {', '.join(sorted(product.mappings))}.")
    mapping = product.mappings[kind]
    record = mapping.decode(_object(native, "--native")) if native is not None else {}
    back = _object(changes, "--changes") if changes is not None else _writable(mapping, record)
    try:
        encoded: Any = mapping.encode(back, "update")
    except Problem as problem:
        encoded = {"problem": problem.body()}
    asked = _list(filter, "--filter") if filter is not None else _guess(record, FIELDS[kind])
    plan = mapping.plan(Query(read_filter(asked, FIELDS[kind])))
    found = {
        "decode": record,
        "encode": {"changes": back, "native": encoded},
        "query": {
            "filter": asked,
            "native": plan.pushed,
            "columns": list(plan.columns),
            "checked_afterwards": list(plan.why),
            "empty": plan.empty,
        },
    }
    if as_json:
        print_json(found)
        return
    for title, body in found.items():
        typer.echo(f"== {title}")
        print_json(body)


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(option, text, f"is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise invalid(option, text, "is not a JSON object")
    return found


def _list(text: str, option: str) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(option, text, f"is not JSON ({error})") from None
    if not isinstance(found, list):
        raise invalid(option, text, "is not a JSON list of conditions")
    return found


def _writable(mapping: Any, record: dict[str, Any]) -> dict[str, Any]:
    """The part of a decoded record that this source can write: what a round trip would send."""
    can = {name for name, use in mapping.fields.items() if use.writable}
    return {name: value for name, value in record.items() if name in can and value != "unmapped"}


def _guess(record: dict[str, Any], fields: Any) -> list[dict[str, Any]]:
    """A filter that finds the record by up to three of its plain values."""
    found = []
    for name, value in record.items():
        field = fields.get(name)
        if field is not None and "eq" in field.operators and isinstance(value, str) and value != "unmapped":
            found.append({"field": name, "op": "eq", "value": value})
    return found[:3]

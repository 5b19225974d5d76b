"""``interlock sources``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json, print_table
from interlock.records.problems import invalid

app = typer.Typer(help="Configured sources.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Configured sources."""


@app.command("list")
def list_command(config: ConfigFile = CONFIG, as_json: AsJson = False) -> None:
    """Open every configured source, read one record of each kind, and say how it is."""
    found = asyncio.run(_look(config))
    if as_json:
        print_json(found)
        return
    rows = [
        [s["name"], s["product"], s["environment"], ", ".join(s["kinds"]), s["health"]["state"], s["reads"]]
        for s in found
    ]
    print_table("Sources", ["name", "product", "environment", "kinds", "line", "reads"], rows)


@app.command("mapping")
def mapping_command(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    kind: Annotated[str | None, typer.Option("--kind", help="One kind; adapter is the manifest.")] = None,
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """The mapping of a source with its overlays, and the file and line that each entry comes from."""
    from interlock.adapterkit.overlays import written

    documents = product_of(config, name)[1].documents
    chosen = [kind] if kind is not None else sorted(documents)
    if unknown := [each for each in chosen if each not in documents]:
        raise invalid("--kind", unknown[0], f"is not mapped by {name}", f"Kinds: {', '.join(sorted(documents))}.")
    lines = {each: written(documents[each]) for each in chosen}
    if as_json:
        print_json({each: [asdict(line) for line in found] for each, found in lines.items()})
        return
    for each, found in lines.items():
        typer.echo(f"# {each}")
        width = min(96, max((len(line.text) for line in found), default=0))
        for line in found:
            typer.echo(f"{line.text:<{width}}  # {line.origin}")


@app.command("test")
def try_command(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what is wrong with a source, and what to ask its administrator for. Nothing is written."""
    findings = asyncio.run(_examine(config, name))
    good = all(each.result != "wrong" for each in findings)
    if as_json:
        print_json({"source": name, "good": good, "steps": [asdict(each) for each in findings]})
    else:
        for each in findings:
            typer.echo(f"{_RESULT[each.result]:<12} {each.id:<14} {each.means}")
            if each.do:
                typer.echo(f"{'':<27} To do: {each.do}")
    if not good:
        raise typer.Exit(1)


_RESULT = {"ok": "ok", "wrong": "WRONG", "cannot_tell": "cannot tell", "skipped": "skipped"}


async def _examine(path: ConfigFile, name: str) -> list[Any]:
    from interlock.clock import SystemClock
    from interlock.config.load import adapter_folders, available_adapters
    from interlock.conformance.doctor.examine import examine
    from interlock.telemetry import silent_telemetry

    config = config_of(path)
    entry = _entry(config, name)
    folder = available_adapters(adapter_folders(config), [entry.adapter])[entry.adapter]
    clock = SystemClock()
    return await examine(name, entry, folder, clock, silent_telemetry(clock), cache=config.state / "wsdl")


@app.command("inspect")
def inspect_command(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    write: Annotated[Path | None, typer.Option("--write", help="A folder to write the overlays to.")] = None,
    config: ConfigFile = CONFIG,
) -> None:
    """Ask an instance (or read its WSDLs) for what it has, and propose an overlay where it differs."""
    entry, product = product_of(config, name)
    found, remarks = _proposed(config, name, entry, product)
    taken = [kind for kind in found if write is not None and (write / f"{kind}.yaml").exists()]
    if taken:
        at = f"{write}/{taken[0]}.yaml"
        raise invalid("--write", at, "is there already", "Name a new folder, and take over what you want.")
    for remark in remarks:
        typer.echo(f"# {remark}")
    if not found and not remarks:
        typer.echo(f"{name} has what its mapping says.")
    for kind, text in found.items():
        if write is None:
            typer.echo(f"# {kind}.yaml\n{text}")
        else:
            write.mkdir(parents=True, exist_ok=True)
            (write / f"{kind}.yaml").write_text(text, "utf-8")
            typer.echo(f"{write / kind}.yaml")


def _proposed(config: Path, name: str, entry: Any, product: Any) -> tuple[dict[str, str], list[str]]:
    """Overlays by kind, and what concerns no single one. WSDLs tell it without a call; else the instance is asked."""
    if product.manifest.transport.protocol == "soap":
        from interlock.adapterkit.soap.inspection import soap_proposals
        from interlock.config.load import adapter_folders, available_adapters
        from interlock.sources.opening import settings_of

        wsdls = settings_of(entry).get("wsdl_folder")
        if not wsdls:
            raise invalid(
                "settings.wsdl_folder", None, f"is needed to inspect {name}",
                "Save the WSDLs of the site's services to a folder and name it there.",
            )  # fmt: skip
        folder = available_adapters(adapter_folders(config_of(config)), [entry.adapter])[entry.adapter]
        return soap_proposals(product, folder, Path(str(wsdls)).expanduser())
    from interlock.adapterkit.comparison import proposals

    return proposals(product, asyncio.run(_inspected(config, name, entry))), []


async def _inspected(path: Path, name: str, entry: Any) -> Any:
    from interlock.adapterkit.inspection import OffersInspection
    from interlock.clock import SystemClock
    from interlock.sources.opening import open_sources
    from interlock.telemetry import silent_telemetry

    clock = SystemClock()
    config = config_of(path).model_copy(update={"sources": {name: entry}})
    sources = await open_sources(config, clock, silent_telemetry(clock))
    try:
        return await sources[name].ask(OffersInspection, "inspection", lambda adapter: adapter.inspect())
    finally:
        await sources.close()


def product_of(path: ConfigFile, name: str) -> tuple[Any, Any]:
    """The configuration of a source, and its adapter compiled for it. Nothing is called."""
    from interlock.adapterkit.product import compile_product
    from interlock.config.load import adapter_folders, available_adapters
    from interlock.sources.opening import settings_of

    config = config_of(path)
    entry = _entry(config, name)
    folder = available_adapters(adapter_folders(config), [entry.adapter])[entry.adapter]
    settings = settings_of(entry)
    return entry, compile_product(
        folder, source=name, settings=settings, overlay=entry.mapping, overlays=entry.overlays
    )


def _entry(config: Any, name: str) -> Any:
    if name not in config.sources:
        raise invalid("name", name, "is not a source", f"Sources: {', '.join(config.sources) or 'none'}.")
    return config.sources[name]


async def _look(path: ConfigFile) -> list[dict[str, Any]]:
    from interlock.clock import SystemClock
    from interlock.gateway.describe import source_entry
    from interlock.records.filters import Query
    from interlock.records.problems import Problem
    from interlock.sources.opening import open_sources
    from interlock.telemetry import silent_telemetry

    clock = SystemClock()
    sources = await open_sources(config_of(path), clock, silent_telemetry(clock))
    found: list[dict[str, Any]] = []
    try:
        for source in sources.values():
            said = []
            for kind in sorted(source.kinds):
                try:
                    await source.search(kind, Query(limit=1))
                    said.append(f"{kind} ok")
                except Problem as problem:
                    said.append(f"{kind}: {problem.detail}")
            found.append({**source_entry(source), "reads": "; ".join(said)})
    finally:
        await sources.close()
    return found

"""``interlock adapter check``: the conformance kit on the command line."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlock.cli.options import CONFIG, ConfigFile, config_of
from interlock.places import place
from interlock.records.problems import Problem, Slug, invalid

if TYPE_CHECKING:
    from interlock.conformance.reports import Report
    from interlock.conformance.rules import Level, Rule

Output = Annotated[Path | None, typer.Option(dir_okay=False)]
_STYLE = {"passed": "green", "failed": "bold red", "skipped": "yellow", "does_not_apply": "dim"}
_WORD = {"passed": "passed", "failed": "FAILED", "skipped": "not checked", "does_not_apply": "does not apply"}


def check(
    folder: Annotated[str, typer.Argument(help="Folder of the adapter, or the name of one that comes with us.")],
    source: Annotated[str | None, typer.Option("--source", help="A source of the configuration, to run it on.")] = None,
    config: ConfigFile = CONFIG,
    mock: Annotated[bool, typer.Option("--mock", help="Start the product's mock and run it on that.")] = False,
    level: Annotated[
        str | None, typer.Option("--level", help="Level to reach; else what the adapter promises.")
    ] = None,
    real_server: Annotated[
        str | None, typer.Option("--real-server", help="The source is a real server, of this product and version.")
    ] = None,
    proofs: Annotated[
        Path | None, typer.Option("--proofs", help="Folder of what public clients said of the mock.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only rules that begin so; repeatable.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write JSON to this file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to this file.")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Record what the read rules ask of --source, under pseudonyms.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show what passed and what does not apply, too.")] = False,
) -> None:
    """Check an adapter rule by rule; exit code 0 when it reaches its level."""
    path = _folder(folder)
    if source is not None and mock:
        raise invalid("--mock", None, "and --source exclude each other", "Give one of them.")
    if record and source is None:
        raise invalid("--record", None, "needs a source", "Name it with --source.")
    report = asyncio.run(_run(path, source, config, mock, _level(level), only, real_server, proofs, record))
    _show(report, everything)
    _write(report, junit, json, html)
    if not report.good:
        raise typer.Exit(1)


def _folder(name: str) -> Path:
    shipped = place("adapters") / name
    path = shipped if "/" not in name and (shipped / "adapter.yaml").is_file() else Path(name)
    if not (path / "adapter.yaml").is_file():
        raise invalid("folder", name, "is not an adapter: it has no adapter.yaml", "Give the folder of an adapter.")
    return path.resolve()


def _level(given: str | None) -> Level | None:
    from interlock.conformance.rules import LEVELS

    for level in LEVELS:
        if given == level:
            return level
    if given is not None:
        raise invalid("--level", given, "is not a level", f"Levels: {', '.join(LEVELS)}.")
    return None


async def _run(
    folder: Path,
    source: str | None,
    config: Path,
    mock: bool,
    level: Level | None,
    only: list[str] | None,
    claimed: str | None,
    proofs: Path | None,
    record: bool,
) -> Report:
    from interlock.clock import SystemClock
    from interlock.conformance.bench import Bench
    from interlock.conformance.recording import Recorder, Replay, recorded
    from interlock.conformance.reports import Report
    from interlock.conformance.run import RULES, check, prepared, recordable
    from interlock.records.times import to_text

    clock = SystemClock()
    known = recordable() if record else RULES
    rules = [rule for rule in known if not only or any(rule.id.startswith(start) for start in only)]
    if not rules:
        what = "begins no rule that is recorded" if record else "begins no rule"
        raise invalid("--only", ", ".join(only or ()), what, "docs/kit.md lists them.")
    async with contextlib.AsyncExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-kit-")))
        against, name, settings, control = await _against(stack, folder, source, config, mock, work)
        replay = Replay(folder) if settings is None and recorded(folder) else None
        if replay is not None:
            against, settings = f"the recordings of {replay.at}", _wide(replay.config)
        product, declaration = prepared(folder, name, settings)
        recorder = Recorder(product, settings) if record and product is not None else None
        bench = Bench(
            folder,
            product,
            declaration,
            clock,
            work / "wsdl",
            name,
            settings,
            replay=replay,
            recorder=recorder,
            control=control,
            claimed=claimed,
            proofs=proofs,
            mocked=declaration.mock.module if mock and declaration.mock else None,
        )
        results = await check(bench, rules=rules, told=stack.enter_context(_progress()))
        if recorder is not None:
            recorder.save(folder, to_text(clock.now()))
        title = product.manifest.title if product else folder.name
    return Report(folder.name, title, against, level or declaration.level, to_text(clock.now()), results)


async def _against(
    stack: contextlib.AsyncExitStack, folder: Path, source: str | None, config: Path, mock: bool, work: Path
) -> tuple[str, str, Any, Any]:
    """What it runs on: in words, the source's name and configuration, and a way to change a mock's switches."""
    from interlock.conformance.mocks import mocked
    from interlock.conformance.run import prepared

    if mock:
        part = prepared(folder, "kit", None)[1].mock
        if part is None:
            raise Problem(
                Slug.UNSUPPORTED,
                f"{folder.name} has no mock: its conformance.yaml declares none",
                next_step="Run it on a test system with --source.",
            )
        settings, control = await stack.enter_async_context(mocked(folder.name, part, work / "files"))
        what = f"its mock (mock_servers/{part.module})" if part.module else "files that it declares"
        return what, "kit", _wide(settings), control
    if source is None:
        return "its folder only", "kit", None, None
    known = config_of(config).sources
    if source not in known:
        raise invalid("--source", source, "is not configured", f"Sources: {', '.join(known) or 'none'}.")
    if known[source].adapter != folder.name:
        raise invalid(
            "--source", source, f"uses the adapter {known[source].adapter}", f"Check that one, not {folder.name}."
        )
    return f"the source {source} ({known[source].environment})", source, _wide(known[source]), None


def _wide(settings: Any) -> Any:
    """The kit compares with scans of everything: what is checked afterwards must not stop early."""
    return settings.model_copy(update={"scan_limit": max(settings.scan_limit, 200_000)})


@contextlib.contextmanager
def _progress() -> Any:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rule, kind: None
        return
    with console.status("") as status:

        def told(rule: Rule, kind: str | None) -> None:
            status.update(f"{rule.id}{f' {kind}' if kind else ''}: {rule.about}")

        yield told


def _show(report: Report, everything: bool) -> None:
    from interlock.conformance.rules import LEVELS

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 150
    for level in LEVELS:
        mine = [result for result in report.results if result.rule.level == level]
        shown = [r for r in mine if everything or r.outcome in ("failed", "skipped")]
        passed = sum(result.outcome == "passed" for result in mine)
        applies = sum(result.outcome != "does_not_apply" for result in mine)
        if not mine:
            continue
        console.print(f"[bold]{level}[/]  {passed} of {applies} rules hold")
        if not shown:
            continue
        table = Table(show_lines=False, pad_edge=False)
        for column, ratio in (("rule", 2), ("result", None), ("seen", 4), ("what to do", 4)):
            table.add_column(column, ratio=ratio, overflow="fold")
        for result in shown:
            style = _STYLE[result.outcome]
            table.add_row(
                Text(result.name), Text(_WORD[result.outcome], style), Text(result.seen or result.rule.about),
                Text(result.todo),
            )  # fmt: skip
        console.print(table)
    reached = f"[bold green]{report.reached}[/]" if report.reached else "[bold red]no level[/]"
    console.print(f"{report.adapter} reaches {reached} on {report.against}.", end=" " if not report.good else "\n")
    if not report.good:
        console.print(f"It should reach [bold]{report.wanted}[/]: {len(report.back)} results keep it from that.")


def _write(report: Report, junit: Path | None, json: Path | None, html: Path | None) -> None:
    from interlock.conformance.page import as_html
    from interlock.conformance.reports import as_json, as_junit

    made: tuple[tuple[Path | None, Callable[[], bytes]], ...] = (
        (junit, lambda: as_junit(report)),
        (json, lambda: as_json(report)),
        (html, lambda: as_html(report).encode()),
    )
    for path, content in made:
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content())
            except OSError as failure:
                raise invalid("file", str(path), f"cannot be written: {failure.strerror}") from None

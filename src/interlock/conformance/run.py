"""One run of the kit: rules in their order, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.yamlfile import MappingError
from interlock.config import SourceConfig
from interlock.conformance import golden, harvests, laws, proven, questions, reads, statics, writes
from interlock.conformance.bench import Bench
from interlock.conformance.declaration import Declaration, load_declaration
from interlock.conformance.rules import Book, DoesNotApply, Failed, Needs, Outcome, Result, Rule, Skipped
from interlock.records.problems import Problem

_BASE = Book()


@_BASE.rule("STATIC-COMPILES", "reads", needs="folder")
async def compiles(bench: Bench) -> str | None:
    """adapter.yaml, every mapping and conformance.yaml can be read: no unknown key, no second meaning.

    To do: Correct the entry that is named; the nearest valid key stands beside it.
    """
    load_declaration(bench.folder, compiled(bench.folder, bench.name, bench.config))
    return None


BOOKS = (
    _BASE,
    statics.BOOK,
    laws.BOOK,
    golden.BOOK,
    reads.BOOK,
    questions.BOOK,
    harvests.BOOK,
    writes.BOOK,
    proven.BOOK,
)
RULES: tuple[Rule, ...] = tuple(rule for book in BOOKS for rule in book.rules)
"""Every rule, in the order in which they are checked. WRITE-TIDY comes last: it takes back what all others made."""


def recordable() -> list[Rule]:
    """Rules whose exchanges are recorded: those that hold on the disguised answers as well, and write nothing."""
    return [rule for rule in RULES if rule.offline and rule.needs == "source"]


def ordered(rules: Iterable[Rule] = RULES) -> list[Rule]:
    """Rules as they are run: taking back is the last."""
    return sorted(rules, key=lambda rule: rule.id == "WRITE-TIDY")


def compiled(folder: Path, name: str, config: SourceConfig | None) -> Product:
    """The adapter as the source has it: with its settings and its overlay. Raises MappingError."""
    settings: dict[str, Any] = {"base_url": "https://example.invalid", "time_zone": "UTC"}
    overlay: dict[str, Any] = {}
    if config is not None:
        settings = {**config.settings, "base_url": config.base_url, "time_zone": config.time_zone}
        overlay = config.mapping
    return compile_product(folder, source=name, settings=settings, overlay=overlay)


def prepared(folder: Path, name: str, config: SourceConfig | None) -> tuple[Product | None, Declaration]:
    """Product and declaration; None and an empty one where they cannot be read: STATIC-COMPILES says why."""
    try:
        product = compiled(folder, name, config)
        return product, load_declaration(folder, product)
    except MappingError:
        return None, Declaration()


async def check(
    bench: Bench,
    *,
    rules: Iterable[Rule] = RULES,
    told: Callable[[Rule, str | None], None] = lambda rule, kind: None,
) -> list[Result]:
    """Check rules, each kind of a rule by itself; ``told`` hears of each before it runs. Always takes back."""
    results: list[Result] = []
    try:
        if bench.config is not None and bench.product is not None and bench.source is None:
            bench.source, bench.tap = bench.open()
        for rule in ordered(rules):
            kinds: list[str | None] = [*bench.kinds()] if rule.per_kind else [None]
            for kind in kinds:
                told(rule, kind)
                if bench.recorder is not None and kind is not None:
                    bench.recorder.kind = kind
                results.append(await _one(bench, rule, kind))
    finally:
        if bench.source is not None:
            await bench.tidy_up()
            await bench.source.close()
    return results


async def _one(bench: Bench, rule: Rule, kind: str | None) -> Result:
    began = time.perf_counter()
    outcome, seen, todo = await _outcome(bench, rule, kind)
    return Result(rule, kind, outcome, seen, todo, time.perf_counter() - began)


async def _outcome(bench: Bench, rule: Rule, kind: str | None) -> tuple[Outcome, str, str]:
    if rule.needs == "source" and bench.config is None:
        return "skipped", "no source was given", "Name a source with --source, or --mock."
    if bench.replay is not None and not rule.offline:
        return "skipped", "recordings cannot tell", "Run it against a source: --source or --mock."
    gap = bench.declaration.gap(rule.id, kind)
    if gap is not None:
        return "skipped", f"known gap: {gap}", rule.todo
    try:
        return "passed", await rule.run(bench, kind) or "", ""
    except Failed as failed:
        return "failed", str(failed), failed.todo or rule.todo
    except Skipped as skipped:
        return "skipped", str(skipped), rule.todo
    except DoesNotApply as absent:
        return "does_not_apply", str(absent), ""
    except Problem as problem:
        return "failed", f"{problem.slug}: {problem.detail}{_native(problem)}", rule.todo
    except Exception as failure:  # an adapter may raise anything: that, too, is a finding
        return "failed", f"{type(failure).__name__}: {failure}"[:500], rule.todo


def _native(problem: Problem) -> str:
    return f" ({problem.native_message})" if problem.native_message else ""


def needs(rules: Iterable[Rule], what: Needs) -> list[Rule]:
    """Rules that need no more than this."""
    return [rule for rule in rules if what == "source" or rule.needs == "folder"]

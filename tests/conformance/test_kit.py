"""The kit: it passes what is right, and fails on an adapter that is broken, one for each family of rules."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store

from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.conformance.bench import Bench
from interlock.conformance.declaration import load_declaration
from interlock.conformance.mocks import mocked
from interlock.conformance.page import as_html
from interlock.conformance.pages import badge, kit_page, with_badge
from interlock.conformance.reports import Report, as_json, as_junit
from interlock.conformance.rules import Result, level_of
from interlock.conformance.run import RULES, check, prepared
from interlock.places import place

ROOT = place("adapters").parent
SHIPPED = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/adapter.yaml"))


def rules(*starts: str) -> list[Any]:
    return [rule for rule in RULES if rule.id.startswith(starts)]


async def checked(folder: Path, tmp: Path, *starts: str, config: SourceConfig | None = None) -> dict[str, Result]:
    product, declaration = prepared(folder, "kit", config)
    bench = Bench(folder, product, declaration, SystemClock(), tmp / "wsdl", config=config)
    return {result.name: result for result in await check(bench, rules=rules(*starts))}


def bad(results: dict[str, Result]) -> set[str]:
    return {result.rule.id for result in results.values() if result.outcome == "failed"}


def copied(name: str, tmp: Path, file: str, change: Callable[[str], str]) -> Path:
    """A copy of an adapter with one thing broken."""
    folder = tmp / name
    shutil.copytree(ROOT / "adapters" / name, folder)
    path = folder / file
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    return folder


def swapped(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


# --- documentation -------------------------------------------------------------------------------------


def test_the_page_of_rules_is_made_from_the_rules() -> None:
    assert (ROOT / "docs/kit.md").read_text() == kit_page(), "run python -m interlock.conformance.pages"


@pytest.mark.parametrize("name", SHIPPED)
def test_readmes_say_the_level_that_is_promised(name: str) -> None:
    readme = (ROOT / "adapters" / name / "README.md").read_text()
    line = badge(load_declaration(ROOT / "adapters" / name))
    assert with_badge(readme, line) == readme, "run python -m interlock.conformance.pages"


@pytest.mark.parametrize("name", SHIPPED)
async def test_shipped_adapters_keep_the_rules_of_the_folder(name: str, tmp_path: Path) -> None:
    results = await checked(ROOT / "adapters" / name, tmp_path, "STATIC", "GOLDEN", "LAW-WORDS", "LAW-HOSTILE")
    assert {result.name: result.seen for result in results.values() if result.outcome == "failed"} == {}


# --- the folder ----------------------------------------------------------------------------------------

INCIDENT = "mapping/incident.yaml"
BROKEN_FOLDERS = [
    ("servicenow", "adapter.yaml", swapped("adapter: servicenow", "adapter: snow"), "STATIC-FOLDER"),
    ("servicenow", "README.md", lambda text: "# ServiceNow\n", "STATIC-README"),
    ("servicenow", "adapter.py", lambda text: f"import interlock.gateway.reads\n{text}", "STATIC-IMPORTS"),
    ("servicenow", "adapter.yaml", swapped("settle_s: ", "settle_s: 1 #"), "STATIC-SETTLE"),
    ("servicenow", INCIDENT, swapped("title: short_description", "titel: short_description"), "STATIC-COMPILES"),
    ("servicenow", INCIDENT, swapped("codes: state}", "codes: sate}"), "STATIC-COMPILES"),
    ("servicenow", INCIDENT, swapped("description: description", "description: short_text"), "GOLDEN-DECODE"),
    ("servicenow", INCIDENT, swapped("{high: 1, medium: 2, low: 3}", "{high: 3, medium: 2, low: 1}"), "GOLDEN-DECODE"),
    ("servicenow", "adapter.yaml", swapped(r"refuse: ['\^', ", "refuse: ["), "LAW-HOSTILE"),
    ("remedy", "adapter.yaml", swapped("escape: double", "escape: none"), None),
    ("remedy", "adapter.yaml", swapped("quote: '\"'", "quote: ''"), "LAW-HOSTILE"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "change", "rule"), BROKEN_FOLDERS)
async def test_a_broken_folder_is_found(name: str, file: str, change: Any, rule: str | None, tmp_path: Path) -> None:
    folder = copied(name, tmp_path, file, change)
    families = ("STATIC", "GOLDEN", "LAW-HOSTILE")
    found = bad(await checked(folder, tmp_path, *families))
    assert (rule in found) if rule else "LAW-HOSTILE" not in found


async def test_a_word_that_does_not_come_back_breaks_the_laws(tmp_path: Path) -> None:
    change = swapped("{new: 1, in_progress: 2,", "{new: {write: 2}, in_progress: 2,")
    folder = copied("servicenow", tmp_path, "mapping/incident.yaml", change)
    assert "LAW-ROUND-TRIP" in bad(await checked(folder, tmp_path, "LAW-ROUND"))


# --- reading, asking, harvesting: an export whose adapter misbehaves --------------------------------------


async def exported(tmp: Path, code: str, *starts: str) -> dict[str, Result]:
    folder = tmp / "export"
    shutil.copytree(ROOT / "adapters/export", folder)
    (folder / "adapter.py").write_text((folder / "adapter.py").read_text() + code)
    part = load_declaration(folder).mock
    assert part is not None
    async with mocked("export", part, tmp / "files") as (config, _):
        return await checked(folder, tmp, *starts, config=config)


BROKEN_CODE = [
    ("", "READ", None),
    ("""
_page = ExportAdapter.page
async def _lossy(self, kind, plan, cursor, limit):
    page = await _page(self, kind, plan, cursor, limit)
    return Page(page.rows[:-1] if page.cursor and limit > 1 else page.rows, page.cursor, page.seen)
ExportAdapter.page = _lossy
""", "READ", "READ-PAGES"),
    ("""
_read = ExportAdapter.read
async def _any(self, kind, key, columns, *, by_handle):
    try:
        return await _read(self, kind, key, columns, by_handle=by_handle)
    except Exception:
        raise Problem(Slug.SOURCE_FAULT, "odd") from None
ExportAdapter.read = _any
""", "READ", "READ-NOT-FOUND"),
    ("""
_page = ExportAdapter.page
async def _unordered(self, kind, plan, cursor, limit):
    page = await _page(self, kind, plan, cursor, limit)
    return Page(list(reversed(page.rows)), page.cursor, page.seen) if plan.order else page
ExportAdapter.page = _unordered
""", "ASK", "ASK-ORDER"),
    ("""
_page = ExportAdapter.page
_kept = {}
async def _stateful(self, kind, plan, cursor, limit):
    page = await _page(self, kind, plan, _kept.get(id(self), {}).get(cursor) if cursor else None, limit)
    if page.cursor is None:
        return page
    word = str(len(_kept.setdefault(id(self), {})))
    _kept[id(self)][word] = page.cursor
    return Page(page.rows, word, page.seen)
ExportAdapter.page = _stateful
""", "HARVEST-RESUME", "HARVEST-RESUME"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "family", "rule"), BROKEN_CODE)
async def test_an_adapter_that_reads_wrongly_is_found(code: str, family: str, rule: str | None, tmp_path: Path) -> None:
    found = bad(await exported(tmp_path, code, family))
    assert (rule in found) if rule else found == set()


# --- writing -----------------------------------------------------------------------------------------


async def written(folder: Path, tmp: Path, *starts: str, environment: str = "test") -> tuple[dict[str, Result], Store]:
    store = Store()
    store.load(tables(generate(1, Size.of(200), DEFAULT_AS_OF)))
    async with MockServiceNow(store) as mock:
        config = SourceConfig.model_validate(
            {
                "adapter": "servicenow",
                "environment": "test",
                "base_url": mock.url,
                "auth": {"basic": {"username": "admin", "password": "admin"}},
                "limits": {"per_second": None},
            }
        ).model_copy(update={"environment": environment})
        return await checked(folder, tmp, *starts, config=config), store


async def test_what_was_made_is_taken_back_and_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    folder = ROOT / "adapters/servicenow"
    results, store = await written(folder, tmp_path, "WRITE-CREATE", "PROBE-CREATE", "WRITE-TIDY")
    assert {results[name].outcome for name in ("WRITE-CREATE/incident", "PROBE-CREATE/incident", "WRITE-TIDY")} == {
        "passed"
    }
    ours = [row for row in store.rows("incident") if "Interlock conformance" in row.get("short_description", "")]
    assert [row["state"] for row in ours] == ["8", "8"]
    refused, store = await written(folder, tmp_path, "WRITE", "PROBE", environment="production")
    assert {r.outcome for r in refused.values() if r.kind == "incident"} == {"skipped"}
    assert not [row for row in store.rows("incident") if "Interlock conformance" in row.get("short_description", "")]


async def test_orders_relations_and_journals_are_tried_as_their_kind_is_made(tmp_path: Path) -> None:
    rules = ("READ-JOURNAL", "WRITE-CREATE", "WRITE-REFUSED", "PROBE-CREATE", "WRITE-TIDY")
    results, store = await written(ROOT / "adapters/servicenow", tmp_path, *rules)
    assert {name: result.seen for name, result in results.items() if result.outcome in ("failed", "skipped")} == {}
    assert results["PROBE-CREATE/relationship"].seen == "known by what it says"
    assert results["PROBE-CREATE/request"].outcome == "does_not_apply"  # an order holds no key of ours
    assert "Transition" in str(results["WRITE-REFUSED/problem"].seen)
    assert not [row for row in store.rows("problem") if "Interlock conformance" in row.get("short_description", "")]


VAGUE = [
    ("adapter.yaml", swapped("match: [type, subject, object]", "match: [type]"), "PROBE-CREATE/relationship", "failed"),
    ("conformance.yaml", swapped("refused: {state: fix_in_progress}", "refused: {change: \"kit:change:no\"}"),
     "WRITE-REFUSED/problem", "skipped"),
    ("conformance.yaml", swapped("Distribution list", "Distribution lisp"), "WRITE-CREATE/request", "skipped"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "name", "outcome"), VAGUE)
async def test_what_shows_nothing_does_not_pass(
    file: str, change: Any, name: str, outcome: str, tmp_path: Path
) -> None:
    folder = copied("servicenow", tmp_path, file, change)
    results, _ = await written(folder, tmp_path, name.partition("/")[0])
    assert results[name].outcome == outcome, results[name].seen


BROKEN_WRITES = [
    ("""
_find = ServiceNowAdapter.find_written
async def _nothing(self, kind, correlation):
    return []
ServiceNowAdapter.find_written = _nothing
""", "PROBE-CREATE"),
    ("""
_write = ServiceNowAdapter.write
async def _forgets(self, write):
    payload = {k: v for k, v in write.payload.items() if k != "description"}
    less = NativeWrite(write.kind, write.op, write.handle, payload, write.correlation, write.not_after)
    return await _write(self, less)
ServiceNowAdapter.write = _forgets
""", "WRITE-CREATE"),
    ("""
_write = ServiceNowAdapter.write
async def _late(self, write):
    return await _write(self, NativeWrite(write.kind, write.op, write.handle, write.payload, write.correlation, None))
ServiceNowAdapter.write = _late
""", "WRITE-LATE"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "rule"), BROKEN_WRITES)
async def test_an_adapter_that_writes_wrongly_is_found(code: str, rule: str, tmp_path: Path) -> None:
    folder = copied("servicenow", tmp_path, "adapter.py", lambda text: text + code)
    results, _ = await written(folder, tmp_path, rule)
    assert results[f"{rule}/incident"].outcome == "failed"


# --- levels and reports --------------------------------------------------------------------------------


async def test_a_rule_that_was_not_checked_holds_the_level_back_and_reports_say_so(tmp_path: Path) -> None:
    results = list((await exported(tmp_path, "", "STATIC", "READ", "HARVEST")).values())
    assert level_of(results) == "harvests"
    skipped = [r if r.rule.id != "READ-PAGES" else Result(r.rule, r.kind, "skipped", "<why>", "", 0) for r in results]
    assert level_of(skipped) is None
    report = Report("export", "Exported files", "files", "harvests", "2026-03-01T00:00:00Z", skipped)
    assert not report.good
    assert {r.rule.id for r in report.back} == {"READ-PAGES"}
    body = orjson.loads(as_json(report))
    assert body["level"] == {"wanted": "harvests", "reached": None, "good": False}
    suites = ElementTree.fromstring(as_junit(report))
    cases = suites.findall("testsuite/testcase")
    assert len(cases) == len(skipped)
    assert any(case.find("skipped") is not None and case.get("name", "").startswith("READ-PAGES") for case in cases)
    page = as_html(report)
    assert "&lt;why&gt;" in page
    assert "<why>" not in page
    assert "src=" not in page
    assert "href=" not in page

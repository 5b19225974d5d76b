"""``docs/capabilities.md`` is what the adapters can do today, and every word of its tables is explained."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tests.docs.pages import tables, text, words
from typer.testing import CliRunner

from interlock.adapterkit.abilities import Proof
from interlock.cli import adapters
from interlock.cli.main import app

PAGE = "docs/capabilities.md"


def test_the_page_is_up_to_date() -> None:
    result = CliRunner().invoke(app, ["adapter", "docs", "--check"])
    assert (result.exit_code, result.output) == (0, "up to date\n"), "run: interlock adapter docs"


def test_a_page_that_differs_is_told_and_then_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, there = adapters.place("adapters"), adapters._available(None)
    (tmp_path / "docs").mkdir()
    page = tmp_path / PAGE
    monkeypatch.setattr(adapters, "place", lambda name: tmp_path / name)
    monkeypatch.setattr(adapters, "_available", lambda folders: there)
    assert real.is_dir()
    for stale in (None, text(PAGE).replace("`marker`", "`field`")):
        if stale is not None:
            page.write_text(stale)
        result = CliRunner().invoke(app, ["adapter", "docs", "--check"])
        assert (result.exit_code, "out of date" in result.output) == (1, True)
    assert CliRunner().invoke(app, ["adapter", "docs"]).exit_code == 0
    assert page.read_text(encoding="utf-8") == text(PAGE)


def test_every_word_for_how_a_write_is_found_is_explained() -> None:
    assert [words(row[0])[0] for row in tables(PAGE)["Capabilities"][1:]] == list(get_args(Proof))

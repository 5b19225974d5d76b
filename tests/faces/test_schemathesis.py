"""schemathesis, unchanged, against the loaded mock: all checks, a key that may use every tool, nothing found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faces.faces_house import House, served_house
from tests.faces.schemathesis_runs import run

SHARE = 0.6


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway whose records may be changed in any way."""
    with served_house(tmp_path_factory.mktemp("used")) as house:
        yield house


def test_a_few_examples_of_some_operations(used: House, tmp_path: Path) -> None:
    """The short form, for every run of the tests."""
    some = ["incident_get", "incident_add_note", "ci_related", "taxonomy_values", "whoami"]
    chosen = [option for name in some for option in ("--include-operation-id", name)]
    found = run(used, tmp_path, 5, "--phases", "fuzzing", *chosen)
    assert found.status == 0, found.output
    assert found.positive >= len(some)
    assert found.share >= SHARE


FLAGS = ["flags", "flags_export", "flag", "flag_ack", "flag_assign", "flag_waive", "flag_reopen"]


def test_a_few_examples_of_what_a_steward_does_with_flags(used: House, tmp_path: Path) -> None:
    chosen = [option for name in FLAGS for option in ("--include-operation-id", name)]
    key = used.person("anna", "steward")
    found = run(used, tmp_path, 3, "--phases", "fuzzing", *chosen, key=key)
    assert found.status == 0, found.output


@pytest.mark.slow
def test_a_hundred_examples_an_operation(tmp_path: Path) -> None:
    with served_house(tmp_path / "house") as house:
        found = run(house, tmp_path, 100)
    sys.stdout.write(found.output[-3000:])
    sys.stdout.write(f"{found.accepted} of {found.positive} valid calls of tools answered 2xx ({found.share:.0%})\n")
    assert found.status == 0, found.output
    assert found.share >= SHARE

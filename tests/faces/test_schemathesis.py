"""schemathesis, unchanged, against the loaded mock: all checks, a key that may use every tool, nothing found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.faces.faces_house import served_house
from tests.faces.schemathesis_runs import run

SHARE = 0.6


def test_a_few_examples_of_some_operations(tmp_path: Path) -> None:
    """The short form, for every run of the tests."""
    some = ["incident_get", "incident_add_note", "ci_related", "taxonomy_values", "whoami"]
    chosen = [option for name in some for option in ("--include-operation-id", name)]
    with served_house(tmp_path / "house") as house:
        found = run(house, tmp_path, 5, "--phases", "fuzzing", *chosen)
    assert found.status == 0, found.output
    assert found.positive >= len(some)
    assert found.share >= SHARE


@pytest.mark.slow
def test_a_hundred_examples_an_operation(tmp_path: Path) -> None:
    with served_house(tmp_path / "house") as house:
        found = run(house, tmp_path, 100)
    sys.stdout.write(found.output[-3000:])
    sys.stdout.write(f"{found.accepted} of {found.positive} valid calls of tools answered 2xx ({found.share:.0%})\n")
    assert found.status == 0, found.output
    assert found.share >= SHARE

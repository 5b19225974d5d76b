"""One value is set in a profile file; everything else in it stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interlock.quality.profile_edit import put, write
from interlock.records.problems import Problem

PATH = ("incident", "sources", "snow", "priority")
CELLS = {"high": {"low": "p4"}}

TEXTS = [
    "",
    "# nothing yet\n",
    "matrix:\n  CI-STALE: hold  # why\n",
    "incident:\n  clock_skew_s: 5 # s\n\nmatrix: {}\n",
    "incident:\n# nothing\nmatrix: {}\n",
    "incident: {clock_skew_s: 5}   # short\n",
    "incident: {}\n",
    "incident: null # none\n",
    "incident:\n    # of sources\n    sources:\n        other: {subcategory_required: true}\n    clock_skew_s: 5\n",
    "incident:\n  sources:\n    snow: {categories: [a, b]} # list\n    other: {}\n",
    "incident:\n  sources:\n    snow:\n      categories:\n        - a\n        - b\n      # end\nci: {}\n",
    "incident:\n  sources:\n    snow:\n      priority: {low: {low: p4}}  # ours\n",
    "incident:\n  sources:\n    snow:\n      priority:\n        low:\n          low: p4\n      # after\n    b: {}\n",
    "incident:\n  sources:\n    snow:\n      priority:\n        low: {low: p4}\n\n# end",
    "{incident: {sources: {}}, matrix: {}}",
    "matrix: {}\nincident:\n  clock_skew_s: 5\n  sources:\n    # none\n",
    "incident:\n  sources:\n    snow:\n      categories:\n      - a # first\n      -\n# end",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_there_and_all_else_is_kept(text: str) -> None:
    changed = put(text, PATH, CELLS)
    held = yaml.safe_load(changed)
    assert held["incident"]["sources"]["snow"].pop("priority") == CELLS
    before = yaml.safe_load(text) or {}
    inner = ((before.get("incident") or {}).get("sources") or {}).get("snow") or {}
    inner.pop("priority", None)
    for name, value in before.items():
        if name != "incident":
            assert held[name] == value
    for name, value in (before.get("incident") or {}).items():
        if name != "sources":
            assert held["incident"][name] == value
    assert held["incident"]["sources"]["snow"] == inner
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in changed.splitlines() if "#" in line] == comments
    assert put(changed, PATH, CELLS) == changed


def test_a_new_key_stands_behind_the_others() -> None:
    changed = put("# of CIs\nci:\n  discovered_within_days: 20  # not 30\n# end\n", PATH, CELLS)
    assert changed == (
        "# of CIs\nci:\n  discovered_within_days: 20  # not 30\n"
        "incident:\n  sources:\n    snow:\n      priority: {high: {low: p4}}\n# end\n"
    )


def test_an_anchor_is_not_broken() -> None:
    text = "incident:\n  sources:\n    a: &same {priority: {low: {low: p4}}}\n    snow: *same\n"
    with pytest.raises(Problem) as caught:
        put(text, PATH, CELLS)
    assert "priority: {high: {low: p4}}" in str(caught.value.next_step)


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text("old")
    file.chmod(0o640)
    write(file, "new\n")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new\n", 0o640)
    assert [entry.name for entry in tmp_path.iterdir()] == ["profile.yaml"]

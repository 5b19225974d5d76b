"""From the tickets of a source to its own matrix in the profile, and to tickets judged by it."""

from __future__ import annotations

import orjson
from tests.cli.commands import Shell

from interlock.quality.profile import Profile

CONFIG = """
state: state
quality: {profile: profile.yaml}
sources:
  old:
    adapter: export
    settings: {folder: ., files: {incident: tickets.csv}}
    harvest: {per_second: 1000}
"""


def counts(shell: Shell) -> tuple[int, int]:
    found = orjson.loads(shell.ok("scan", "--full", "--json"))["counts"]
    return found["TKT-PRIO"], found["TKT-MATRIX"]


def test_a_matrix_that_a_scan_found_is_accepted_and_gone_by(shell: Shell) -> None:
    tickets = [f"INC{number},low,low,p4" for number in range(60)] + ["INC60,low,low,p5", "INC61,high,high,p2"]
    shell.write("tickets.csv", "\n".join(["number,impact,urgency,priority", *tickets]))
    shell.write("profile.yaml", "# ours\nci: {discovered_within_days: 20}  # not 30\n")
    shell.write("interlock.yaml", CONFIG)
    shell.monkeypatch.chdir(shell.folder)
    assert "TKT-MATRIX" in shell.fails("checks", "accept-matrix", "old")
    shell.ok("harvest")
    assert counts(shell) == (61, 1)
    assert "impact low, urgency low: p4" in shell.ok("checks", "accept-matrix", "old")
    assert (
        (shell.folder / "profile.yaml").read_text().startswith("# ours\nci: {discovered_within_days: 20}  # not 30\n")
    )
    profile = Profile.load(shell.folder / "profile.yaml")
    assert profile.incident.sources["old"].priority == {"low": {"low": "p4"}}
    assert counts(shell) == (2, 0)  # the one that is low indeed, and the one that is wrong by any matrix

"""A shell in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.commands import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("INTERLOCK_CONFIG", "INTERLOCK_URL", "INTERLOCK_KEY", "INTERLOCK_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    found = Shell(tmp_path, monkeypatch, capsys)
    found.write("interlock.yaml", "state: state\nlisten: {port: 0}\n")
    return found

"""Running commands as the shell does: through ``main``, with its exit code and both streams."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.cli.main import main


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Shell:
    """A folder with a configuration, and commands run in it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["interlock", *words])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        return Done(code, out, err)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.code == 0, done
        return done.out

    def fails(self, *words: str) -> str:
        """A command that cannot be done: exit code 1, the reason on stderr, in a line and a way out."""
        done = self.run(*words)
        assert (done.code, done.out) == (1, ""), done
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) <= 3, done.err
        return done.err

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

"""Where the data folders are: beside ``src`` in a checkout, else inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("adapters", "contracts", "mock_servers")


def place(folder: str) -> Path:
    """The path of one of FOLDERS. Raises FileNotFoundError when the installation is incomplete."""
    package = Path(__file__).resolve().parent
    for candidate in (package.parent.parent / folder, package / "_data" / folder):
        if candidate.is_dir() and (package.parent.name != "src" or candidate.parent != package.parent):
            return candidate
    raise FileNotFoundError(
        f"{folder} is neither beside src nor inside the installed package; reinstall Interlock"
    )

"""Where the data folders are: beside ``src`` in a checkout, else inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("adapters", "contracts", "mock_servers")


def place(folder: str) -> Path:
    """The path of one of FOLDERS. Raises FileNotFoundError when the installation is incomplete."""
    package = Path(__file__).resolve().parent
    candidates = [package / "_data" / folder]
    if package.parent.name == "src":  # elsewhere a folder two levels up is somebody else's
        candidates.insert(0, package.parent.parent / folder)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{folder} is neither beside src nor inside the installed package; reinstall Interlock")

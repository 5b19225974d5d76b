"""The data folders are found in a checkout, in an editable install, and in a wheel in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interlock import places

ROOT = Path(__file__).resolve().parents[1]


def package(at: Path) -> None:
    at.mkdir(parents=True)
    (at / "places.py").write_bytes(Path(places.__file__).read_bytes())


def ask(python_path: Path, folder: str, cwd: Path) -> str:
    """Where the places module that stands at a path finds a folder; the error's words if it does not."""
    code = (
        "import sys, pathlib, places\n"
        "try: print(places.place(sys.argv[1]))\n"
        "except FileNotFoundError as error: print('missing:', error)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(python_path)!r})\n{code}", folder],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("folder", places.FOLDERS)
def test_in_this_checkout_or_editable_install(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places.place(folder) == ROOT / folder


def test_in_a_checkout_the_folders_beside_src_win(tmp_path: Path) -> None:
    package(tmp_path / "src" / "interlock")
    (tmp_path / "adapters").mkdir()
    (tmp_path / "src" / "interlock" / "_data" / "adapters").mkdir(parents=True)
    assert ask(tmp_path / "src" / "interlock", "adapters", tmp_path) == str(tmp_path / "adapters")


def test_installed_only_the_package_s_own_folders_count(tmp_path: Path) -> None:
    """Somebody's folder of the same name two levels up, or where one stands, is not ours."""
    site = tmp_path / "lib" / "site-packages"
    package(site / "interlock")
    own = site / "interlock" / "_data" / "adapters"
    own.mkdir(parents=True)
    (tmp_path / "lib" / "adapters").mkdir()
    (tmp_path / "adapters").mkdir()
    assert ask(site / "interlock", "adapters", tmp_path) == str(own)
    assert "missing: contracts is neither" in ask(site / "interlock", "contracts", tmp_path)


def test_a_folder_that_is_none_of_ours() -> None:
    with pytest.raises(FileNotFoundError, match="reinstall"):
        places.place("nonsense")


@pytest.mark.slow
def test_a_wheel_in_an_empty_folder_runs_the_demo(tmp_path: Path) -> None:
    """Built, installed without its dependencies beside those of this environment, run where nothing of ours is."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "INTERLOCK_SHARED")}

    def run(*words: str, cwd: Path = tmp_path) -> str:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # The machine's pip, working on this environment: environments of the README have none of their own.
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    pip = (str(base), "-m", "pip", "--python", sys.executable)
    run(*pip, "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("interlock_gateway-*.whl")
    target = tmp_path / "site"
    run(*pip, "install", "--no-deps", "--quiet", "--target", str(target), str(wheel))
    empty = tmp_path / "empty"
    empty.mkdir()
    # -S -E: no editable install of ours; the dependencies are named by path, behind the wheel.
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    code = f"import sys; sys.path[:0] = [{str(target)!r}]; sys.path += {dependencies!r}\n"
    where = run(sys.executable, "-S", "-E", "-c", code + "from interlock.places import place; print(place('adapters'))")
    assert where.strip() == str(target / "interlock" / "_data" / "adapters")
    demo = "sys.argv = ['interlock', 'demo', '--size', '300']\nfrom interlock.cli.main import main; main()"
    told = run(sys.executable, "-S", "-E", "-c", code + demo, cwd=empty)
    assert "NOT ok" not in told
    assert "the ledger verifies" in told
    assert list(empty.iterdir()) == []

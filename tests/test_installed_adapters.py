"""Adapters that came as distributions are found by name, and only when they are needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from mock_servers.estate import generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.store import Store

import interlock
from interlock.adapterkit.product import compile_product
from interlock.clock import SystemClock
from interlock.config import ConfigError, available_adapters, read_config
from interlock.config.installed import installed_adapters
from interlock.places import place
from interlock.records.filters import Query
from interlock.sources.opening import open_sources
from interlock.telemetry import silent_telemetry

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with the files of one of our adapters on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def make(
        package: str, value: str | None = None, *, name: str = "acme", like: str = "export", code: str = ""
    ) -> Path:
        if like:
            shutil.copytree(place("adapters") / like, site / package)
        else:
            (site / package).mkdir()
        (site / package / "__init__.py").write_text(code)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[interlock.adapters]\n{name} = {value or package}\n")
        return site / package

    yield make
    for module in set(sys.modules) - before:
        if module.startswith("acme"):
            del sys.modules[module]


CALLABLE = "from pathlib import Path\ndef folder():\n    return Path(__file__).parent\n"


@pytest.mark.parametrize(("value", "code"), [(None, ""), ("acme_adapter:folder", CALLABLE)])
def test_a_package_and_a_callable_lead_to_the_folder(install: Install, value: str | None, code: str) -> None:
    folder = install("acme_adapter", value, code=code)
    assert available_adapters([place("adapters")], ["acme"])["acme"] == folder
    assert available_adapters([place("adapters")], None)["acme"] == folder
    assert "incident" in compile_product(folder, source="a", settings={}).mappings


async def test_a_source_is_opened_with_it_and_answers(install: Install, tmp_path: Path) -> None:
    install("acme_adapter", like="servicenow")
    store = Store()
    store.load(tables(generate(7, 200, DEFAULT_AS_OF)))
    async with MockServiceNow(store) as mock:
        entry = {
            "adapter": "acme",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "admin", "password": "admin"}},
        }
        config = read_config({"sources": {"desk": entry}, "state": str(tmp_path / "state")}, tmp_path, environ={})
        opened = await open_sources(config, SystemClock(), silent_telemetry(SystemClock()))
        try:
            found = await opened["desk"].search("incident", Query((), limit=5))
            assert len(found.records) == 5
            assert all(record["ref"].startswith("desk:incident:") for record in found.records)
        finally:
            await opened.close()


def test_what_is_installed_is_not_looked_through_without_need(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(**_: Any) -> Any:
        raise AssertionError("looked through the distributions")

    monkeypatch.setattr(metadata, "entry_points", never)
    assert "servicenow" in available_adapters([place("adapters")], ["servicenow"])
    read_config({"sources": {"s": {"adapter": "export"}}}, tmp_path, environ={})
    with pytest.raises(AssertionError, match="looked through"):
        available_adapters([place("adapters")], ["acme"])


def test_a_name_that_is_there_twice_is_an_error_that_names_both(install: Install) -> None:
    install("acme_export", name="export")
    with pytest.raises(ConfigError, match=r"(?s)export is in .*adapters/export and installed in .*acme_export"):
        available_adapters([place("adapters")], None)
    install("acme_one", name="twice")
    install("acme_two", name="twice")
    with pytest.raises(ConfigError, match=r"twice is in distribution acme_\w+ .* and in distribution acme_\w+"):
        installed_adapters(["twice"])


@pytest.mark.parametrize(
    ("value", "code", "why"),
    [
        (None, "", "leads to no folder with adapter.yaml"),
        (None, "raise RuntimeError('broken')", "cannot be loaded: RuntimeError: broken"),
        ("acme_adapter:nothing", "", "cannot be loaded: AttributeError"),
        ("acme_adapter:number", "number = 5", "leads to no folder"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_told(install: Install, value: str | None, code: str, why: str) -> None:
    install("acme_adapter", value, like="", code=code)
    with pytest.raises(ConfigError, match=why):
        installed_adapters(["acme"])


@pytest.mark.slow
def test_a_real_distribution_is_installed_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hatchling")
    project, site = tmp_path / "project", tmp_path / "site"
    shutil.copytree(place("adapters") / "export", project / "acme_desk")
    (project / "acme_desk" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "acme-desk"\nversion = "1.0"\n'
        '[project.entry-points."interlock.adapters"]\nacme-desk = "acme_desk"\n'
    )
    # The machine's pip, working on this environment: environments of the README have none of their own.
    pip = [
        str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"),
        "-m",
        "pip",
        "--python",
        sys.executable,
        "install",
    ]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, *options, str(site), str(project)], check=True, timeout=300)
    monkeypatch.setenv("PYTHONPATH", f"{site}:{Path(interlock.__file__).parent.parent}")
    command = [sys.executable, "-c", "from interlock.cli.main import main; main()", "adapter", "list"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert "acme-desk" in listed.stdout, listed.stderr

"""A frozen version gains what breaks nothing, and is never rewritten otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from interlock.records.problems import Problem, Slug
from interlock.tools import contracts
from interlock.tools.publishing import broken_promises, export

FILE = "v1/tools/incident_get.json"


@pytest.fixture(scope="module")
def documents() -> dict[str, bytes]:
    return contracts.documents("v1")


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    export(tmp_path, version="v1", first=True)
    return tmp_path


def _as_published(folder: Path, **input_members: Any) -> None:
    """Make the published file promise something else of an input."""
    tool = orjson.loads((folder / FILE).read_bytes())
    for name, schema in input_members.items():
        if schema is None:
            del tool["input"]["properties"][name]
        else:
            tool["input"]["properties"][name] = schema
    (folder / FILE).write_bytes(orjson.dumps(tool))


def test_a_version_that_is_not_there_is_written_only_when_it_is_said_to_be_the_first(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="nothing shows") as told:
        export(tmp_path, version="v1")
    assert told.value.slug is Slug.REFUSED
    assert list(tmp_path.iterdir()) == []
    assert FILE in export(tmp_path, version="v1", first=True)
    assert export(tmp_path, version="v1") == []
    with pytest.raises(Problem, match="its promises hold"):
        export(tmp_path, version="v1", first=True)


def test_what_breaks_a_frozen_version_is_not_written(frozen: Path, documents: dict[str, bytes]) -> None:
    _as_published(frozen, promised={"type": "string"})  # the code no longer takes it
    before = {path: path.read_bytes() for path in frozen.rglob("*.json")}
    with pytest.raises(Problem, match="frozen") as told:
        export(frozen, version="v1")
    assert "no longer takes `promised`" in told.value.detail
    assert "VERSION" in str(told.value.next_step)
    assert {path: path.read_bytes() for path in frozen.rglob("*.json")} == before
    assert [one.pointer for one in broken_promises(frozen, documents, "v1")] == ["/input/properties/promised"]


def test_a_file_that_is_no_longer_made_is_a_broken_promise(frozen: Path) -> None:
    (frozen / "v1" / "tools" / "gone.json").write_bytes((frozen / FILE).read_bytes())
    with pytest.raises(Problem, match="the file is gone"):
        export(frozen, version="v1")


def test_what_a_frozen_version_gains_is_written(frozen: Path, documents: dict[str, bytes]) -> None:
    _as_published(frozen, max_age_s=None)  # the code takes more than was published
    assert broken_promises(frozen, documents, "v1") == []
    assert export(frozen, version="v1") == [FILE]
    assert (frozen / FILE).read_bytes() == documents[FILE]


def test_v0_promises_nothing(tmp_path: Path) -> None:
    export(tmp_path, version="v0")
    file = tmp_path / FILE.replace("v1", "v0")
    tool = orjson.loads(file.read_bytes())
    tool["input"]["properties"]["promised"] = {"type": "string"}
    file.write_bytes(orjson.dumps(tool))
    assert export(tmp_path, version="v0") == [FILE.replace("v1", "v0")]

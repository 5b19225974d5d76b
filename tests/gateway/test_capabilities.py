"""What source_list tells of real adapters: true to their manifests, typed, and small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from interlock.clock import ManualClock
from interlock.config.model import SourceConfig
from interlock.gateway.describe import source_entry
from interlock.places import place
from interlock.sources.opening import build_source
from interlock.telemetry import silent_telemetry
from interlock.tools.answers import SourceOut

BASIC = {"basic": {"username": "u", "password": "p"}}
SOURCES: dict[str, dict[str, Any]] = {
    "servicenow": {"auth": BASIC},
    "remedy": {"auth": BASIC, "settings": {"server": "ars"}, "settle_s": 7},
    "nautobot": {"auth": {"api_key": {"header": "Authorization", "key": "k", "prefix": "Token "}}},
}


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """source_list of three products; nothing is sent."""
    clock = ManualClock(1_700_000_000.0)
    found = {}
    for name, more in SOURCES.items():
        entry = {"adapter": name, "environment": "test", "base_url": "http://127.0.0.1:9", **more}
        cache: Path = tmp_path_factory.mktemp(name)
        source = build_source(
            name,
            SourceConfig.model_validate(entry),
            place("adapters") / name,
            clock,
            silent_telemetry(clock),
            cache=cache,
        )
        found[name] = source_entry(source)
    return found


def test_three_sources_take_less_than_three_kilobytes(entries: dict[str, dict[str, Any]]) -> None:
    assert len(orjson.dumps(list(entries.values()))) < 3_000


def test_each_is_what_the_contract_says(entries: dict[str, dict[str, Any]]) -> None:
    for entry in entries.values():
        told = SourceOut.model_validate(entry).capabilities
        assert sorted(told.kinds) == entry["kinds"]
        assert all(kind.read > 0 for kind in told.kinds.values())


def test_writes_are_told_with_how_they_are_found_again(entries: dict[str, dict[str, Any]]) -> None:
    snow = entries["servicenow"]["capabilities"]
    kinds = snow["kinds"]
    assert {kinds["incident"][effect] for effect in ("create", "update", "note")} == {"field", "fields", "marker"}
    assert [kinds[kind]["create"] for kind in ("ci", "relationship", "request")] == ["adapter", "match", "unfindable"]
    assert "update" not in kinds["relationship"]
    assert {"read", "search"} == set(kinds["person"])
    assert {"slas", "catalog"} <= set(snow["offers"])
    assert "offers" not in entries["nautobot"]["capabilities"]


def test_a_source_tells_its_own_time_to_settle(entries: dict[str, dict[str, Any]]) -> None:
    assert entries["remedy"]["capabilities"]["settle_s"] == 7
    assert entries["servicenow"]["capabilities"]["settle_s"] == 120

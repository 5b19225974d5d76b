"""An export as a configured source: the README's example, with everything a source adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.clock import SystemClock
from interlock.config.model import SourceConfig
from interlock.places import place
from interlock.records.filters import Query, read_filter, read_sort
from interlock.records.kinds import FIELDS, MODELS
from interlock.records.problems import Problem, Slug
from interlock.sources.opening import build_source
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry

README = place("adapters") / "export" / "README.md"


@pytest.fixture
def legacy(tmp_path: Path) -> Source:
    (tmp_path / "tickets-2026-03-01.csv").write_bytes(
        "Ticket;Subject;Status;Caller;Team;Opened;Closed;Active\r\n"
        'T1;"Drucker; Büro";New;Ida Öst;Desk;1/7/2026 09:30;;Yes\r\n'
        "T2;VPN;Work in progress;?;Desk;2/7/2026 09:30;;Yes\r\n"
        "T3;VPN;Odd;Ida Öst;n/a;3/12/2026 09:30;4/12/2026 10:00;No\r\n".encode("cp1252")
    )
    text = README.read_text(encoding="utf-8")
    example: dict[str, Any] = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    entry = example["sources"]["legacy"]
    entry["settings"]["folder"] = str(tmp_path)
    clock = SystemClock()
    return build_source("legacy", SourceConfig(**entry), place("adapters") / "export", clock, silent_telemetry(clock))


async def test_the_example_of_the_readme_works(legacy: Source) -> None:
    fields = FIELDS["incident"]
    found = await legacy.search("incident", Query(sort=read_sort(["-opened_at"], fields)))
    for record in found.records:
        MODELS["incident"].model_validate(record)
    third, second, first = found.records
    assert first["title"] == "Drucker; Büro"
    assert first["caller"] == {"ref": "legacy:person:Ida Öst", "name": "Ida Öst"}
    assert (first["opened_at"], third["opened_at"]) == ("2026-07-01T07:30:00Z", "2026-12-03T08:30:00Z")
    assert (second["state"], second["caller"]) == ("in_progress", None)
    assert (third["state"], third["native"]) == ("unmapped", {"state": "Odd"})
    assert "priority" not in first, "a column the export lacks is unknown"


async def test_a_source_finds_and_gets_what_the_export_holds(legacy: Source) -> None:
    vpn = read_filter(
        [{"field": "title", "value": "vpn"}, {"field": "state", "op": "ne", "value": "new"}], FIELDS["incident"]
    )
    page = await legacy.search("incident", Query(vpn, limit=1))
    assert [r["number"] for r in page.records] == ["T2"]
    rest = await legacy.search("incident", Query(vpn, limit=1), cursor=page.cursor)
    assert [r["number"] for r in rest.records] == ["T3"]
    got = await legacy.get("incident", "T3")
    assert got.record["ref"] == "legacy:incident:T3"
    again = await legacy.get("incident", f"~{got.handle}")
    assert again.record == got.record
    caller = await legacy.get("person", "Ida Öst")
    assert caller.record == {"ref": "legacy:person:Ida Öst", "name": "Ida Öst"}
    with pytest.raises(Problem) as caught:
        await legacy.get("incident", "T9")
    assert caught.value.slug == Slug.NOT_FOUND


async def test_nothing_can_be_written(legacy: Source) -> None:
    assert legacy.writable("incident") == frozenset()


async def test_a_key_that_is_no_column_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Ticket,Subject\nT1,VPN\n")
    settings = {"folder": str(tmp_path), "files": {"incident": "t.csv"}}
    config = SourceConfig(adapter="export", settings=settings)
    clock = SystemClock()
    source = build_source("old", config, place("adapters") / "export", clock, silent_telemetry(clock))
    with pytest.raises(Problem) as caught:
        await source.search("incident", Query())
    assert (caught.value.field, caught.value.value) == ("mapping.incident.key", "number")
    assert "key: Ticket" in str(caught.value.next_step)

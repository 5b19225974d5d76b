"""The plan that a configuration makes, and its mistakes, each with its line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from interlock.config import ConfigError, load_config
from interlock.jobs.plan import plan_of

TEXT = """\
sources:
  snow:
    adapter: servicenow
    base_url: https://acme.example
    schedule:
      harvest: ["*/30 6-20 * * *", "0 0 * * *"]
      reconcile: "0 3 * * sun"
      quiet: "mon-fri 08:00-10:00"
      maintenance: "sun 02:00-04:00"
  legacy: {adapter: servicenow, base_url: "https://legacy.example"}
schedule:
  time_zone: Europe/Berlin
  jitter_s: 0
  scan: "10 * * * *"
"""


def load(folder: Path, text: str) -> Path:
    path = folder / "interlock.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_source_and_job_has_its_place_in_the_plan(tmp_path: Path) -> None:
    path = load(tmp_path, TEXT)
    plan = {job.name: job for job in plan_of(load_config(path, environ={}), path)}
    assert {name for name, job in plan.items() if job.schedule} == {"harvest:snow", "reconcile:snow", "scan"}
    assert plan.keys() - {"harvest:snow", "reconcile:snow", "scan"} == {
        "harvest:legacy",
        "reconcile:legacy",
        "owner_list",
        "retention",
    }
    assert plan["reconcile:snow"].command == ("harvest", "snow", "--full", "--config", str(path))
    assert plan["reconcile:snow"].lane == plan["harvest:snow"].lane != plan["harvest:legacy"].lane
    zone = ZoneInfo("Europe/Berlin")
    sunday = datetime(2026, 3, 1, tzinfo=zone).timestamp()
    # Three o'clock is within the maintenance of that source, by the clock of Berlin.
    start = plan["reconcile:snow"].next_start(sunday)
    assert start == datetime(2026, 3, 1, 4, tzinfo=zone).timestamp()
    assert plan["harvest:snow"].next_start(start) == datetime(2026, 3, 1, 6, tzinfo=zone).timestamp()


def test_nothing_is_scheduled_unless_it_is_written(tmp_path: Path) -> None:
    config = load_config(load(tmp_path, "sources: {}\n"), environ={})
    assert not any(job.schedule for job in plan_of(config))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"10 * * * *"', '"10 * * *"'), "14: schedule.scan.0: '10 * * *': cron: has 4 fields"),
        (("Europe/Berlin", "Europe/Berln"), "12: schedule.time_zone: 'Europe/Berln' is not a time zone"),
        (("*/30 6-20", "*/30 20-6"), "6: sources.snow.schedule.harvest.0: '*/30 20-6 * * *': cron: hour '20-6'"),
        (("08:00-10:00", "8-10"), "8: sources.snow.schedule.quiet.0: 'mon-fri 8-10': window: is neither"),
        (("sun 02:00-04:00", "00:00-24:00"), "5: sources.snow.schedule: the windows leave no time at all"),
        (("reconcile:", "reconsile:"), "7: sources.snow.schedule.reconsile: is not a key; did you mean reconcile?"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    path = load(tmp_path, TEXT.replace(*change))
    with pytest.raises(ConfigError) as wrong:
        load_config(path, environ={})
    (told,) = wrong.value.faults
    assert told.removeprefix(f"{path}:").startswith(fault)

"""Findings on a real company's 24,918 incidents equal what was counted from the file by other means."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.times import to_epoch

SHARED = os.environ.get("INTERLOCK_SHARED")

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(SHARED is None, reason="INTERLOCK_SHARED is not set: no real exports"),
]

LEVELS = {"1 - High": "high", "2 - Medium": "medium", "3 - Low": "low"}


def _value(text: str) -> str | None:
    return None if text == "?" else text


def _instant(text: str) -> str | None:
    if text == "?":
        return None
    return datetime.strptime(text, "%d/%m/%Y %H:%M").strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007


@pytest.fixture(scope="module")
def incidents() -> list[dict[str, Any]]:
    """The last row of each number as a canonical record; the file has no column of close notes."""
    path = Path(SHARED or "") / "data" / "uci_incident_event_log" / "incident_event_log.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        last = {row["number"]: row for row in csv.DictReader(file)}
    assert {row["incident_state"] for row in last.values()} == {"Closed"}
    return [
        {
            "ref": f"uci:incident:{number}",
            "state": "closed",
            "impact": LEVELS[row["impact"]],
            "urgency": LEVELS[row["urgency"]],
            "priority": f"p{row['priority'][0]}",
            "category": _value(row["category"]),
            "subcategory": _value(row["subcategory"]),
            "close_code": _value(row["closed_code"]),
            "opened_at": _instant(row["opened_at"]),
            "updated_at": _instant(row["sys_updated_at"]),
            "resolved_at": _instant(row["resolved_at"]),
            "closed_at": _instant(row["closed_at"]),
        }
        for number, row in last.items()
    ]


def _count(profile: Profile, incidents: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    now = max(to_epoch(record["updated_at"]) for record in incidents)
    flags = Judge(profile).findings(incidents, "incident", now)
    return Counter((flag.code, reason) for flag in flags for reason in flag.reasons)


def test_findings_under_the_default_profile(incidents: list[dict[str, Any]]) -> None:
    assert len(incidents) == 24_918
    assert _count(Profile.default(), incidents) == {
        ("TKT-PRIO", "differs"): 671,
        ("TKT-CLOSE", "resolved_time"): 1_556,
        ("TKT-CLOSE", "code"): 107,
        ("TKT-CAT-UNKNOWN", "missing"): 7,
    }


def test_no_priority_contradicts_the_instances_own_matrix(incidents: list[dict[str, Any]]) -> None:
    own = {"incident": {"sources": {"uci": {"priority": {"low": {"low": "p4"}}}}}}
    found = _count(Profile.default().merge(own), incidents)
    assert found[("TKT-PRIO", "differs")] == 0
    assert found[("TKT-CLOSE", "resolved_time")] == 1_556


def test_pairs_that_occur_are_the_only_ones_known(incidents: list[dict[str, Any]]) -> None:
    """With one frequent pair taken out of the declared ones, exactly its incidents are found."""
    pairs = Counter((i["category"], i["subcategory"]) for i in incidents if i["category"] and i["subcategory"])
    (taken, times), *_ = pairs.most_common(1)
    profile = Profile.default().with_taxonomy("uci", {c for c, _ in pairs}, set(pairs) - {taken})
    found = _count(profile, incidents)
    assert found[("TKT-SUBCAT", "not_of_category")] == times
    assert found[("TKT-CAT-UNKNOWN", "unknown")] == 0

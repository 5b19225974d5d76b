"""Canonical records for the quality tests: good ones, and generated ones of every odd shape."""

from __future__ import annotations

import random
from typing import Any

from interlock.quality.columns import REQUIRABLE
from interlock.records.times import to_text

NOW = 1_700_000_000
DAY = 86_400

LINKS = ("owner", "assigned_to", "support_group")
ODD = (
    "",
    " ",
    "\t",
    "'",
    "''",
    '"',
    "|",
    "||",
    "|os|",
    "a|b",
    "; ",
    ": ",
    "ß",
    "Ümläut",
    "İ",
    "😀",
    "%",
    "_",
    "?",
    "@1",
)
JUNK = ("n/a", " N/A ", "To be filled by O.E.M.", "0", "UNKNOWN", "00:00:00:00:00:00", "tbd")


def ci(**changes: Any) -> dict[str, Any]:
    """A CI that no check finds anything on."""
    record: dict[str, Any] = {
        "ref": "snow:ci:srv1",
        "name": "srv1",
        "cls": "server",
        "status": "live",
        "operational_status": "operational",
        "environment": "production",
        "serial": "A1",
        "os": "Linux",
        "owner": {"ref": "snow:person:ann", "name": "Ann"},
        "last_seen_at": to_text(NOW - DAY),
        "attested_at": None,
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


def incident(**changes: Any) -> dict[str, Any]:
    """An incident that no check finds anything on."""
    record: dict[str, Any] = {
        "ref": "snow:incident:INC1",
        "state": "in_progress",
        "impact": "medium",
        "urgency": "medium",
        "priority": "p3",
        "category": "network",
        "subcategory": "vpn",
        "close_code": None,
        "close_notes": None,
        "opened_at": to_text(NOW - DAY),
        "resolved_at": None,
        "closed_at": None,
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


def _instant(chance: random.Random) -> str | None:
    edges = [0, -5, NOW, NOW + 60, NOW + 61, NOW - 60 * DAY, NOW - 60 * DAY - 1, NOW - 30 * DAY, NOW - 30 * DAY - 1]
    picked = chance.choice([*edges, None, "", "not a time", chance.randrange(NOW - 100 * DAY, NOW + DAY)])
    return to_text(picked) if isinstance(picked, int) else picked


def _word(chance: random.Random) -> str | None:
    return chance.choice([None, "x", *ODD, *JUNK])


def _drop(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name == "ref" or chance.random() > 0.1}


def odd_cis(count: int, seed: int) -> list[dict[str, Any]]:
    """Generated CIs: nulls, blanks, quotes, bars, umlauts, boundary times, absent and unmapped fields."""
    chance = random.Random(seed)
    found = []
    for index in range(count):
        record: dict[str, Any] = {
            "ref": f"{chance.choice(['snow', 'other'])}:ci:{index}",
            "cls": chance.choice(["server", "service", "computer", "other", "unmapped", None]),
            "native_class": chance.choice(["srv'", None, *ODD]),
            "status": chance.choice(["live", "retired", "in_stock", "unmapped", None]),
            "operational_status": chance.choice(["operational", "retired", "standby", "unmapped", None]),
            "last_seen_at": _instant(chance),
            "attested_at": chance.choice([None, _instant(chance)]),
        }
        for name in REQUIRABLE:
            word = _word(chance)
            record[name] = None if name in LINKS and word is None else word
            if name in LINKS and word is not None:
                record[name] = {"ref": f"snow:person:{index}", "name": word or None}
        record["environment"] = chance.choice(["production", "test", "unmapped", None])
        record["criticality"] = chance.choice(["high", "unmapped", None])
        found.append(_drop(record, chance))
    return found


def odd_incidents(count: int, seed: int) -> list[dict[str, Any]]:
    """Generated incidents, likewise."""
    chance = random.Random(seed)
    levels = ["high", "medium", "low", "unmapped", None]
    categories = ["network", "hardware", "netork", "NETWORKS", None, *ODD]
    found = []
    for index in range(count):
        record: dict[str, Any] = {
            "ref": f"{chance.choice(['snow', 'other'])}:incident:{index}",
            "state": chance.choice(["new", "resolved", "closed", "cancelled", "unmapped", None]),
            "impact": chance.choice(levels),
            "urgency": chance.choice(levels),
            "priority": chance.choice(["p1", "p3", "p4", "p5", "unmapped", None]),
            "category": chance.choice(categories),
            "subcategory": chance.choice(["vpn", "disk", None, *ODD]),
            "ci": chance.choice([None, {"ref": "snow:ci:srv1"}, {"name": "srv1"}]),
            "close_code": chance.choice([None, "", "fixed", "unmapped"]),
            "close_notes": chance.choice([None, "", " \n", "done"]),
            "opened_at": _instant(chance),
            "resolved_at": _instant(chance),
            "closed_at": _instant(chance),
        }
        found.append(_drop(record, chance))
    return found


def columns_of(judge: Any, kind: str, record: dict[str, Any], now: int = NOW) -> tuple[Any, ...]:
    """What is bound for one record: prepared columns, settings, now."""
    from interlock.quality.columns import RELATIONS

    prepared = RELATIONS[kind].prepare(record)
    values, _ = judge._kinds[kind].settings.of(record["ref"].partition(":")[0], record)
    return (*prepared, *values, now)

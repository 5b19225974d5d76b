"""What the checks must find in a data set, counted from its files alone.

Plain Python over the CSV as published: none of the code that reads, maps or checks records is used, so
that a table of expected and found means something. Where the data set's ``profile.json`` has the same
number, it is named as the origin, and a difference between it and the files is a Problem.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from interlock.quality.profile import Profile
from interlock.records.problems import Problem, Slug
from mock_servers.datasets.loading import Found, find

Raw = dict[str, str]
Counts = Counter[tuple[str, str]]

FILES = "counted from the files"


class Expectation(NamedTuple):
    """How many records a check must find for one reason, and where the number comes from.

    Reasons that are not listed are expected nowhere.
    """

    code: str
    reason: str
    records: int
    origin: str


def expectations(
    where: Path | str | Found, profile: Profile | None = None, own_matrix: bool = False
) -> list[Expectation]:
    """The findings to expect under a profile (thresholds only; by default the shipped one).

    ``own_matrix``: judge priorities by the instance's own matrix. Raises Problem like ``load``, and when
    ``profile.json`` beside the files says another number.
    """
    if isinstance(where, Found):
        found = where
    else:
        several = find(where)
        if len(several) > 1:
            raise Problem(
                Slug.INVALID_ARGUMENT,
                f"{where} holds several data sets",
                field="folder",
                value=str(where),
                next_step="Pass one of what find() gives.",
            )
        found = several[0]
    counts, zero = _COUNTED[found.name](found, profile or Profile.default(), own_matrix)
    facts = _facts(found.folder)
    return [
        _expectation(code, reason, counts[code, reason], facts, found.name, own_matrix)
        for code, reason in sorted({*counts, *zero})
    ]


# -- the two data sets ---------------------------------------------------------------------------------


def _uci(found: Found, profile: Profile, own_matrix: bool) -> tuple[Counts, set[tuple[str, str]]]:
    last: dict[str, Raw] = {}
    for row in _rows(found, "incident"):
        last[row["number"]] = row
    tickets = list(last.values())
    codes = {"1 - High": "1", "2 - Medium": "2", "3 - Low": "3"}
    counts: Counts = Counter()
    as_of = max(_uci_time(row["sys_updated_at"]) or 0 for row in tickets)
    for row in tickets:
        _priority(
            counts, codes[row["impact"]], codes[row["urgency"]], row["priority"][0], found if own_matrix else None
        )
        if row["incident_state"] in ("Resolved", "Closed"):
            counts["TKT-CLOSE", "code"] += row["closed_code"] == "?"
            counts["TKT-CLOSE", "resolved_time"] += row["resolved_at"] == "?"
        counts["TKT-CAT-UNKNOWN", "missing"] += row["category"] == "?"
        times = [_uci_time(row[name]) for name in ("opened_at", "resolved_at", "closed_at")]
        _order(counts, times, as_of + profile.incident.clock_skew_s)
    return counts, _TICKET_REASONS


def _uci_time(text: str) -> int | None:
    if text == "?":
        return None
    day, clock = text.split(" ")
    d, m, y = day.split("/")
    hours, minutes = clock.split(":")
    return int(datetime(int(y), int(m), int(d), int(hours), int(minutes), tzinfo=UTC).timestamp())


def _demo(found: Found, profile: Profile, own_matrix: bool) -> tuple[Counts, set[tuple[str, str]]]:
    tickets, cis = list(_rows(found, "incident")), list(_rows(found, "ci"))
    counts: Counts = Counter()
    as_of = max(_demo_time(row["sys_updated_on"]) or 0 for row in (*tickets, *cis))
    known = {str(word) for word in found.description.quality.get("categories", ())}
    for row in tickets:
        _priority(counts, row["impact"], row["urgency"], row["priority"], found if own_matrix else None)
        if row["incident_state"] in ("6", "7"):
            counts["TKT-CLOSE", "code"] += row["close_code"] == ""
            counts["TKT-CLOSE", "resolved_time"] += row["resolved_at"] == ""
        counts["TKT-CAT-UNKNOWN", "missing"] += row["category"] == ""
        if known and row["category"] not in known | {""}:
            variant = row["category"].casefold() in known  # the data has no other kind
            counts["TKT-CAT-CANON", "variant"] += variant
            counts["TKT-CAT-UNKNOWN", "unknown"] += not variant
        times = [_demo_time(row[name]) for name in ("opened_at", "resolved_at", "closed_at")]
        _order(counts, times, as_of + profile.incident.clock_skew_s)
    for row in cis:
        _ci(counts, row, profile, as_of)
    return counts, _TICKET_REASONS | _CI_REASONS


def _ci(counts: Counts, row: Raw, profile: Profile, as_of: int) -> None:
    rules = profile.ci
    cls = DEMO_CLASSES.get(row["class"])
    junk = set(rules.junk)
    if cls is not None:
        allowed = rules.max_age.get(cls, rules.max_age.get("default"))
        seen = _demo_time(row["last_discovered"])
        if allowed is not None:
            counts["CI-STALE", "never_seen"] += seen is None
            counts["CI-STALE", "stale"] += seen is not None and as_of - seen > allowed
        needed = [DEMO_COLUMNS[name] for name in rules.requires.get(cls, ()) if name in DEMO_COLUMNS]
        counts["CI-MISS-REQ", "missing"] += any(_blank(row[c]) or _plain(row[c]) in junk for c in needed)
    counts["CI-PLACEHOLDER", "placeholder"] += any(_plain(row[column]) in junk for column in DEMO_COLUMNS.values())
    in_stock = row["install_status"] == "In Stock" and row["operational_status"] == "Operational"
    counts["CI-STATUS-CONTRA", "in_stock_operational"] += in_stock


def _demo_time(text: str) -> int | None:
    if text == "":
        return None
    day, clock = text.split(" ")
    return int(datetime.fromisoformat(f"{day}T{clock.zfill(8)}+00:00").timestamp())


DEMO_COLUMNS = {
    "name": "name",
    "serial": "serial_number",
    "asset_tag": "tag",
    "vendor": "manufacturer",
    "model": "model_id",
    "location": "location",
    "assigned_to": "assigned_to",
}
"""Attributes a profile can require, and the export's column; the others the export does not have."""

DEMO_CLASSES = {
    "AIX Server": "server",
    "Application": "application",
    "Application Service Group": "service",
    "Cluster": "cluster",
    "Cluster Node": "cluster",
    "Computer": "computer",
    "Computer Peripheral": "peripheral",
    "Computer Room": "location",
    "Configuration Item": "other",
    "Data Center": "location",
    "Data Center Zone": "location",
    "Database": "database",
    "Disk": "disk",
    "Email Server": "application",
    "IP Router": "network_device",
    "IP Switch": "network_device",
    "JavaServer": "application",
    "Linux Server": "server",
    "Mass Storage Device": "storage",
    "MySQL Catalog": "database",
    "Network Adapter": "network_adapter",
    "Network Gear": "network_device",
    "Oracle Catalog": "database",
    "Printer": "printer",
    "Rack": "rack",
    "Server": "server",
    "Service": "service",
    "Software": "software",
    "Storage Switch": "network_device",
    "UNIX Server": "server",
    "UPS": "ups",
    "Web Server": "web_server",
    "Windows Cluster": "cluster",
    "Windows Cluster Node": "cluster",
    "Windows Server": "server",
}
"""What the labels of the demo's classes mean; a class that means none of the contract's is not judged."""

# -- what both have in common --------------------------------------------------------------------------

_TICKET_REASONS = {
    ("TKT-PRIO", "differs"),
    ("TKT-CLOSE", "code"),
    ("TKT-CLOSE", "notes"),
    ("TKT-CLOSE", "resolved_time"),
    ("TKT-CAT-CANON", "variant"),
    ("TKT-CAT-UNKNOWN", "missing"),
    ("TKT-CAT-UNKNOWN", "unknown"),
    ("TKT-SUBCAT", "not_of_category"),
    ("TKT-TIME", "resolved_before_opened"),
    ("TKT-TIME", "closed_before_resolved"),
    ("TKT-TIME", "closed_before_opened"),
    ("TKT-TIME", "future"),
}
_CI_REASONS = {
    ("CI-STALE", "never_seen"),
    ("CI-STALE", "stale"),
    ("CI-MISS-REQ", "missing"),
    ("CI-PLACEHOLDER", "placeholder"),
    ("CI-STATUS-CONTRA", "in_stock_operational"),
    ("CI-STATUS-CONTRA", "retired_operational"),
    ("CI-STATUS-CONTRA", "retired_seen"),
}

_COUNTED: dict[str, Callable[[Found, Profile, bool], tuple[Counts, set[tuple[str, str]]]]] = {
    "uci_incident_event_log": _uci,
    "servicenow_demo": _demo,
}

_FROM_PROFILE: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("uci_incident_event_log", "TKT-PRIO", "differs"): (
        "priority_vs_servicenow_default_matrix",
        "incident_last_row",
        "mismatch",
    ),
    ("uci_incident_event_log", "TKT-CLOSE", "resolved_time"): (
        "chronology_incident_level",
        "resolved_missing_but_closed",
    ),
    ("uci_incident_event_log", "TKT-CAT-UNKNOWN", "missing"): ("incidents_missing_category",),
    ("uci_incident_event_log", "TKT-TIME", "resolved_before_opened"): (
        "chronology_incident_level",
        "resolved_before_opened",
    ),
    ("uci_incident_event_log", "TKT-TIME", "closed_before_resolved"): (
        "chronology_incident_level",
        "closed_before_resolved",
    ),
    ("uci_incident_event_log", "TKT-TIME", "closed_before_opened"): (
        "chronology_incident_level",
        "closed_before_opened",
    ),
    ("servicenow_demo", "TKT-PRIO", "differs"): ("incidents_demo", "priority_matrix_mismatch"),
    ("servicenow_demo", "TKT-CAT-UNKNOWN", "missing"): ("incidents_demo", "missing", "category"),
    ("servicenow_demo", "TKT-CLOSE", "code"): ("incidents_demo", "closed_state7_without_close_code"),
    ("servicenow_demo", "TKT-CLOSE", "resolved_time"): ("incidents_demo", "closed_state7_without_resolved_at"),
    ("servicenow_demo", "TKT-TIME", "resolved_before_opened"): ("incidents_demo", "resolved_before_opened"),
    ("servicenow_demo", "TKT-TIME", "closed_before_resolved"): ("incidents_demo", "closed_before_resolved"),
    ("servicenow_demo", "TKT-TIME", "closed_before_opened"): ("incidents_demo", "closed_before_opened"),
    ("servicenow_demo", "CI-STATUS-CONTRA", "in_stock_operational"): ("in_stock_but_operational",),
}
"""Numbers that ``profile.json`` has, by data set, code and reason: the path to each."""


def _expectation(
    code: str, reason: str, count: int, facts: Mapping[str, Any], name: str, own_matrix: bool
) -> Expectation:
    path = _FROM_PROFILE.get((name, code, reason), ())
    if own_matrix and code == "TKT-PRIO":
        return Expectation(code, reason, count, f"{FILES}, by the instance's own matrix")
    stated: Any = facts if path else None
    for step in path:
        stated = stated.get(step) if isinstance(stated, Mapping) else None
    if stated is None:
        return Expectation(code, reason, count, FILES)
    if stated != count:
        raise Problem(
            Slug.SOURCE_FAULT,
            f"{code} {reason}: the files hold {count}, profile.json says {stated}",
            field="folder",
            next_step="The files and their profile.json are not of one version.",
        )
    return Expectation(code, reason, count, f"profile.json: {'.'.join(path)}")


def _priority(counts: Counts, impact: str, urgency: str, priority: str, own: Found | None) -> None:
    wanted = str(int(impact) + int(urgency) - 1)
    if own is not None:
        wanted = own.description.matrix.get((impact, urgency), wanted)
    counts["TKT-PRIO", "differs"] += priority != wanted


def _order(counts: Counts, moments: Iterable[int | None], latest: int) -> None:
    opened, resolved, closed = moments
    if opened is not None and resolved is not None:
        counts["TKT-TIME", "resolved_before_opened"] += resolved < opened
    if resolved is not None and closed is not None:
        counts["TKT-TIME", "closed_before_resolved"] += closed < resolved
    if opened is not None and closed is not None:
        counts["TKT-TIME", "closed_before_opened"] += closed < opened
    counts["TKT-TIME", "future"] += any(m is not None and m > latest for m in (opened, resolved, closed))


def _blank(text: str) -> bool:
    return not text.strip()


def _plain(text: str) -> str:
    return text.strip().casefold()


def _rows(found: Found, table: str) -> Iterable[Raw]:
    path = found.description.plan.files[table].find(found.folder)
    assert path is not None
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _facts(folder: Path) -> Mapping[str, Any]:
    path = folder / "profile.json"
    facts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return facts

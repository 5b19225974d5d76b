"""Prepared columns: what the row checks of a kind see of one record, besides settings and time.

A check sees only text, int64 and boolean columns. Times are epoch seconds (UTC); long texts are reduced to
"is anything in it"; an empty text is ``''`` and a boolean 0 or 1, because Python's sqlite3 takes eight times
as long to bind None or a bool as an int. ``known`` is a bar list (``|cls|status|``) of
the fields that are present and readable, so that absent (unknown) and empty stay two things: the column
of an absent field looks like that of an empty one, but only the empty one is in ``known``. An enum
whose native value has no mapping, and a time that cannot be read, are not known either.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from interlock.records.fields import UNMAPPED

Prepared = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the relation a check is written over.

    ``speaks`` names the canonical fields that evidence built on it tells about.
    """

    name: str
    type: Literal["string", "int64", "boolean"]
    speaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """The columns of one kind in binding order: record, settings, ``now``; and how a record is prepared."""

    record: tuple[Column, ...]
    settings: tuple[Column, ...]
    reads: frozenset[str]  # canonical fields that must be fetched for the checks to run
    prepare: Callable[[Mapping[str, Any]], Prepared]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.record, *self.settings, NOW)


NOW = Column("now", "int64")
KNOWN = Column("known", "string")

REQUIRABLE = (
    "name",
    "environment",
    "criticality",
    "serial",
    "asset_tag",
    "fqdn",
    "ip",
    "mac",
    "os",
    "os_version",
    "vendor",
    "model",
    "location",
    "owner",
    "assigned_to",
    "support_group",
)
"""Fields of a CI that a profile may require, and that are looked at for placeholders."""

_LINKS = frozenset({"owner", "assigned_to", "support_group"})

MAX_SHOWN = 100  # characters of a source's own word that evidence repeats


def _epoch(text: str | None) -> int | None:
    return int(datetime.fromisoformat(text).timestamp()) if text else None


def attributes(record: Mapping[str, Any], junk: Container[str]) -> tuple[str, str, str]:
    """What the attributes of a CI are worth: bar list of empty ones, of placeholders, and these as facts.

    An absent attribute counts as empty here; checks ask ``known`` first.
    """
    empty: list[str] = []
    placeholders: list[str] = []
    facts: list[str] = []
    get = record.get
    for name in REQUIRABLE:
        value = get(name)
        if value:
            if name in _LINKS:
                value = (value.get("name") or "").strip() or value.get("ref") or ""
            value = value.strip()
            if value.casefold() in junk:
                placeholders.append(name)
                facts.append(f"{name} {value}")
            if value:
                continue
        empty.append(name)
    if not placeholders:
        return f"|{'|'.join(empty)}|", "", ""
    return f"|{'|'.join(empty)}|", f"|{'|'.join(placeholders)}|", "; ".join(facts)


def _word(value: str | None) -> str:
    """A source's own word without the blanks around it, cut to a length."""
    return value.strip()[:MAX_SHOWN] if value else ""


def _without_unreadable(
    record: Mapping[str, Any], enums: tuple[str, ...], instants: tuple[str, ...]
) -> Mapping[str, Any]:
    """The record less the fields whose value says nothing: unmapped enums and unreadable times."""
    kept = {name: value for name, value in record.items() if not (name in enums and value == UNMAPPED)}
    for name in instants:
        try:
            _epoch(kept.get(name))
        except (ValueError, TypeError, OverflowError):
            del kept[name]
    return kept


_CI_ENUMS = ("cls", "status", "operational_status", "environment", "criticality")
_CI_INSTANTS = ("last_seen_at", "attested_at")


def _prepare_ci(record: Mapping[str, Any]) -> Prepared:
    get = record.get
    cls, status, operation = get("cls"), get("status"), get("operational_status")
    environment, criticality = get("environment"), get("criticality")
    if UNMAPPED in (cls, status, operation, environment, criticality):
        return _prepare_ci(_without_unreadable(record, _CI_ENUMS, _CI_INSTANTS))
    try:
        seen_at, attested_at = _epoch(get("last_seen_at")), _epoch(get("attested_at"))
    except (ValueError, TypeError, OverflowError):
        return _prepare_ci(_without_unreadable(record, _CI_ENUMS, _CI_INSTANTS))
    return (
        f"|{'|'.join(record)}|",
        cls or "",
        _word(get("native_class")),
        (get("os") or "").strip(),
        status or "",
        operation or "",
        seen_at,
        attested_at,
    )


_INCIDENT_ENUMS = ("state", "impact", "urgency", "priority")
_INCIDENT_INSTANTS = ("opened_at", "resolved_at", "closed_at")


def _prepare_incident(record: Mapping[str, Any]) -> Prepared:
    get = record.get
    state, impact, urgency, priority = get("state"), get("impact"), get("urgency"), get("priority")
    if UNMAPPED in (state, impact, urgency, priority):
        return _prepare_incident(_without_unreadable(record, _INCIDENT_ENUMS, _INCIDENT_INSTANTS))
    try:
        opened_at, resolved_at = _epoch(get("opened_at")), _epoch(get("resolved_at"))
        closed_at = _epoch(get("closed_at"))
    except (ValueError, TypeError, OverflowError):
        return _prepare_incident(_without_unreadable(record, _INCIDENT_ENUMS, _INCIDENT_INSTANTS))
    notes = get("close_notes")
    return (
        f"|{'|'.join(record)}|",
        state or "",
        impact or "",
        urgency or "",
        priority or "",
        _word(get("category")),
        _word(get("subcategory")),
        1 if get("ci") else 0,
        get("close_code") or "",
        1 if notes and not notes.isspace() else 0,
        opened_at,
        resolved_at,
        closed_at,
    )


RELATIONS: dict[str, Relation] = {
    "ci": Relation(
        record=(
            KNOWN,
            Column("cls", "string", ("cls",)),
            Column("native_class", "string", ("native_class",)),
            Column("os", "string", ("os",)),
            Column("status", "string", ("status",)),
            Column("operational_status", "string", ("operational_status",)),
            Column("seen_at", "int64", ("last_seen_at",)),
            Column("attested_at", "int64", ("attested_at",)),
        ),
        settings=(
            Column("max_age", "int64"),  # seconds; null: the class is not discoverable
            Column("requires", "string"),  # bar list of fields
            Column("recommends", "string"),  # bar list of fields
            Column("discovered_within", "int64"),  # seconds
            # looked up by the record's own values (see attributes)
            Column("empty", "string", REQUIRABLE),  # bar list of fields
            Column("placeholders", "string", REQUIRABLE),  # bar list of fields
            Column("placeholder_facts", "string", REQUIRABLE),  # "serial N/A; os unknown"
            Column("os_fits", "boolean", ("cls", "native_class", "os")),  # null: the class says nothing of it
        ),
        reads=frozenset({"cls", "native_class", "status", "operational_status", *_CI_INSTANTS, *REQUIRABLE}),
        prepare=_prepare_ci,
    ),
    "incident": Relation(
        record=(
            KNOWN,
            Column("state", "string", ("state",)),
            Column("impact", "string", ("impact",)),
            Column("urgency", "string", ("urgency",)),
            Column("priority", "string", ("priority",)),
            Column("category", "string", ("category",)),
            Column("subcategory", "string", ("subcategory",)),
            Column("has_ci", "boolean", ("ci",)),
            Column("close_code", "string", ("close_code",)),
            Column("has_close_notes", "boolean", ("close_notes",)),
            Column("opened_at", "int64", ("opened_at",)),
            Column("resolved_at", "int64", ("resolved_at",)),
            Column("closed_at", "int64", ("closed_at",)),
        ),
        settings=(
            # looked up by the record's own values, as a batch joins them from a small table
            Column("want_priority", "string", ("impact", "urgency")),  # empty: the matrix has no such cell
            Column("category_declared", "boolean", ("category",)),  # null: the source declares none
            Column("canonical", "string", ("category",)),  # the declared category it is or is a variant of; or empty
            Column("needs_ci", "boolean", ("category",)),  # does not apply where the profile names no category
            Column("pair_declared", "boolean", ("category", "subcategory")),  # null: likewise
            Column("subcategory_required", "boolean"),
            Column("clock_skew", "int64"),  # seconds
        ),
        reads=frozenset(
            {*_INCIDENT_ENUMS, *_INCIDENT_INSTANTS, "category", "subcategory", "ci", "close_code", "close_notes"}
        ),
        prepare=_prepare_incident,
    ),
}
"""The kinds that have row checks."""

"""Stored rows: what a snapshot keeps of a record, one table a kind, flat, and the same for every engine.

Only text, int64 and booleans. Texts are stripped, an empty one is null; times are epoch seconds (UTC); a link
is the readable ref of the other record in the column of the field, its name in ``<field>_name``. ``known`` is
the bar list of the fields that were present and readable, as in ``columns``: an enum whose native value has no
mapping and a time that cannot be read are neither known nor stored. CIs and assets also carry their keys,
normalised (``serial_key`` and so on, see ``matching``), and CIs the form in which values of other sources are
compared with theirs (``os_meant``); what is junk is for the profile to say, at the scan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from interlock.quality.columns import Column
from interlock.quality.matching import KEYS, WORDED, keys_of, meanings_of
from interlock.records.fields import UNMAPPED, Field
from interlock.records.kinds import FIELDS

Stored = tuple[str | int | bool | None, ...]
"""One row, in the order of ``TABLES``."""

MAX_TEXT = 4_000
"""Characters of a long text that are kept."""

_OWN = (Column("ref", "string"), Column("handle", "string"), Column("source", "string"), Column("known", "string"))
_LAST = (Column("ext", "string"), Column("observed_at", "int64"))
_INTEGERS = frozenset({"int", "duration", "instant"})
KEYED: dict[str, tuple[str, ...]] = {"ci": KEYS, "asset": ("serial", "asset_tag")}


def _columns(field: Field) -> tuple[Column, ...]:
    if field.type == "ref":
        return (
            Column(field.name, "string", (field.name,)),
            Column(f"{field.name}_name", "string", (field.name,)),
        )
    kind = "boolean" if field.type == "bool" else "int64" if field.type in _INTEGERS else "string"
    return (Column(field.name, kind, (field.name,)),)  # type: ignore[arg-type]


TABLES: dict[str, tuple[Column, ...]] = {
    kind: (
        *_OWN,
        *(column for field in fields.values() if field.type != "url" for column in _columns(field)),
        *(Column(f"{name}_key", "string", (name,)) for name in KEYED.get(kind, ())),
        *(Column(f"{name}_meant", "string", (name,)) for name in (WORDED if kind == "ci" else ())),
        *_LAST,
    )
    for kind, fields in FIELDS.items()
}
"""The columns of each kind's table. ``ext`` is JSON; ``observed_at`` is when the row was read."""


def epoch(text: str | None) -> int | None:
    """Epoch seconds of a canonical instant. Raises ValueError, TypeError, OverflowError."""
    return int(datetime.fromisoformat(text).timestamp()) if text else None


def stored(kind: str, record: Mapping[str, Any], handle: str, source: str, observed_at: float) -> Stored:
    """The row of one decoded record."""
    known: list[str] = []
    values = _WRITERS[kind](record, known)
    more: list[str | None] = []
    if keyed := KEYED.get(kind):
        keys = keys_of(record, ())
        more = [stored_text(keys.get(name)) for name in keyed]
    if kind == "ci":
        meant = meanings_of(record)
        more += [stored_text(meant.get(name)) for name in WORDED]
    ext = record.get("ext")
    return (
        str(record.get("ref") or f"{source}:{kind}:~{handle}"),
        handle,
        source,
        f"|{'|'.join(known)}|",
        *values,
        *more,
        orjson.dumps(ext).decode() if ext else None,
        int(observed_at),
    )


def writer(fields: Mapping[str, Field]) -> Callable[[Mapping[str, Any], list[str]], list[Any]]:
    """What writes the columns of these fields of a record, and adds those that are known to a list."""
    told = tuple((field.name, field.type) for field in fields.values() if field.type != "url")

    def write(record: Mapping[str, Any], known: list[str]) -> list[Any]:
        out: list[Any] = []
        for name, type_ in told:
            if name not in record:
                out.append(None)
                if type_ == "ref":
                    out.append(None)
                continue
            value = record[name]
            if type_ == "ref":
                known.append(name)
                out += (value.get("ref"), stored_text(value.get("name"))) if value else (None, None)
                continue
            if type_ == "instant":
                try:
                    value = epoch(value)
                except (ValueError, TypeError, OverflowError):
                    out.append(None)
                    continue
            elif type_ == "enum" and value == UNMAPPED:
                out.append(None)
                continue
            elif isinstance(value, str):
                value = stored_text(value)
            known.append(name)
            out.append(value)
        return out

    return write


def stored_text(value: str | None) -> str | None:
    """A text as it is kept: stripped, bounded, none when nothing is left."""
    if not value:
        return None
    value = value.strip()
    if "\x00" in value:  # no engine keeps it
        value = value.replace("\x00", "")
    return value[:MAX_TEXT] or None


_WRITERS = {kind: writer(fields) for kind, fields in FIELDS.items()}

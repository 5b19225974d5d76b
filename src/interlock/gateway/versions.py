"""Versions: what others changed since an agent read a record, and whether that matters to its write."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from interlock.gateway.receipts import plain
from interlock.records.problems import Problem, Slug

_PASSIVE = frozenset({"ref", "version", "updated_at", "updated_by", "url", "native", "ext"})


class Images:
    """The records agents were shown, by ref and version: bounded, oldest out first."""

    def __init__(self, size: int = 5000) -> None:
        self._size = size
        self._records: OrderedDict[tuple[str, str], Mapping[str, Any]] = OrderedDict()

    def keep(self, record: Mapping[str, Any]) -> None:
        """Remember a record as it was shown; records are never changed in place."""
        version = record.get("version")
        if version is None:
            return
        self._records[(record["ref"], version)] = record
        if len(self._records) > self._size:
            self._records.popitem(last=False)

    def seen(self, ref: str, version: str) -> Mapping[str, Any] | None:
        """The record at that version, if anybody was shown it lately: the caller checks the scope."""
        return self._records.get((ref, version))


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Fields whose values differ; bookkeeping fields do not count."""
    return sorted(name for name in (old.keys() | new.keys()) - _PASSIVE if plain(old.get(name)) != plain(new.get(name)))


def merged_over(
    expected: str | None,
    current: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    changes: Mapping[str, Any],
    decisive: Iterable[str],
    hidden: frozenset[str] = frozenset(),
) -> list[str]:
    """Fields that others changed since ``expected``, when none of them matters to this write.

    Raises version-conflict with a three-way difference when one of the written or decisive fields moved,
    or when the gateway no longer knows what the agent saw.
    """
    version = current.get("version")
    if expected is None or expected == version:
        return []
    if base is None:
        detail = "the record changed since the version you read, and the gateway no longer knows that version"
        moved = None
        clash = sorted(changes)
    else:
        moved = changed(base, current)
        clash = sorted(set(moved) & {*changes, *decisive})
        if not clash:
            return [name for name in moved if name not in hidden]
        told = ", ".join(name for name in clash if name not in hidden) or "fields that you may not read"
        detail = f"others changed {told} since the version you read"
    difference = {
        name: {
            **({"base": base.get(name)} if base is not None else {}),
            "current": current.get(name),
            "asked": changes.get(name),
        }
        for name in clash
        if name not in hidden
    }
    moved = None if moved is None else [name for name in moved if name not in hidden]
    raise Problem(
        Slug.VERSION_CONFLICT,
        detail,
        field="expected_version",
        value=expected,
        next_step="Read the record again, decide again, and pass its new version.",
        more={"current_version": version, "difference": difference, "changed": moved},
    )

"""Journals: read from sys_journal_field, because a record shows its own as nothing or as one text.

Facts: retrieving-journal-entries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from interlock.adapterkit.native import Native, NativeNote
from interlock.records.problems import Problem, Slug, invalid

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_JOURNAL_MAX = 1000
_JOURNAL = {"comments": "public", "work_notes": "internal"}
_JOURNAL_COLUMNS = ("sys_id", "element_id", "element", "value", "sys_created_on", "sys_created_by")
DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


class Journal:
    """Notes of the records of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        """Entries of sys_journal_field, newest first; cursor ``[sys_created_on, sys_id]`` of the last one.

        Times have whole seconds, so a page begins with the entries of the cursor's second again. More is
        asked for until the page is full or all that the instance counts was asked for.
        """
        self._adapter.path(kind, handle)  # the handle enters a query, too: refuse what is none
        query = f"element_id={handle}^elementIN{','.join(_JOURNAL)}"
        after: tuple[str, str] | None = None
        if cursor is not None:
            after = (str(cursor[0]), str(cursor[1]))
            if not DATE.fullmatch(after[0]):
                raise invalid("cursor", str(cursor), "is not of this journal", "Take it from the last page.")
            query += f"^sys_created_on<={after[0]}"
        query += "^ORDERBYDESCsys_created_on^ORDERBYDESCsys_id"
        size = max(1, min(limit, _JOURNAL_MAX - 1)) + 1
        while True:
            rows, total = await self._adapter.counted("sys_journal_field", query, _JOURNAL_COLUMNS, size)
            whole = total <= size if total is not None else len(rows) < size
            # Dropped conditions would show other records' notes.
            mine = [row for row in rows if row.get("element_id") == handle and row.get("element") in _JOURNAL]
            entries = sorted(mine, key=_moment, reverse=True)
            if after is not None:
                if whole and after not in map(_moment, entries):
                    raise self._other_zone()
                entries = [row for row in entries if _moment(row) < after]
            if len(entries) > limit or whole or size >= _JOURNAL_MAX:
                break
            size = min(_JOURNAL_MAX, size * 2)
        shown = entries[:limit]
        more = len(entries) > limit or (not whole and bool(shown))
        return [_note(row) for row in shown], list(_moment(shown[-1])) if more else None

    def _other_zone(self) -> Problem:
        return Problem(
            Slug.SOURCE_FAULT,
            "the instance reads times in another zone than GMT, so pages of a journal would have gaps",
            next_step="Set the time zone of the integration account to GMT in ServiceNow.",
            layer="source",
            reached="yes",
        )


def _moment(row: Native) -> tuple[str, str]:
    return str(row.get("sys_created_on")), str(row.get("sys_id"))


def _note(row: Native) -> NativeNote:
    created = str(row.get("sys_created_on") or "")
    return NativeNote(
        id=str(row.get("sys_id")),
        visibility="public" if row.get("element") == "comments" else "internal",
        text=str(row.get("value") or ""),
        author=str(row["sys_created_by"]) if row.get("sys_created_by") else None,
        created_at=f"{created[:10]}T{created[11:]}Z" if DATE.fullmatch(created) else None,
    )

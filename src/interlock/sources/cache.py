"""What was read lately: records, pages and handles of one source, never older than it says.

A record is kept under its handle; readable keys lead to handles. What we write ourselves is forgotten at
once, and nothing that was read before the write can come back. All of it is bounded by number and time.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from cachetools import LRUCache, TLRUCache

from interlock.clock import Clock
from interlock.sources.answers import Fetched, Found

PAGES_SHARE = 20
"""A page of a search counts as so many entries: it holds as many records."""


class SourceCache:
    """The memory of one source. Its records are shared with callers and must not be changed."""

    def __init__(self, clock: Clock, *, ttl_s: float, entries: int, kinds: Mapping[str, float]) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._kinds = dict(kinds)
        self._records: TLRUCache[tuple[str, str], Fetched] = TLRUCache(entries, self._expires, timer=clock.now)
        self._pages: TLRUCache[tuple[str, Hashable], Found] = TLRUCache(
            entries // PAGES_SHARE, self._expires, timer=clock.now
        )
        # Handles are learned from every row that passes: worth keeping even where nothing else is kept.
        self._handles: LRUCache[tuple[str, str], str] = LRUCache(max(entries, 1000))
        self._not_before: LRUCache[tuple[str, str], float] = LRUCache(max(entries, 1000))
        self._pages_not_before: dict[str, float] = {}

    def _ttl(self, kind: str) -> float:
        return self._kinds.get(kind, self._ttl_s)

    def _expires(self, key: tuple[str, Any], value: Fetched | Found, now: float) -> float:
        # From the observation, not from the filing: a slow answer is not young.
        return value.observed_at + self._ttl(key[0])

    def record(self, kind: str, key: str, max_age_s: float) -> Fetched | None:
        """The record if one is kept that was observed at most ``max_age_s`` seconds ago."""
        handle = key[1:] if key[:1] == "~" else self._handles.get((kind, key))
        if handle is None:
            return None
        found = self._records.get((kind, handle))
        if found is None or self._clock.now() - found.observed_at > max_age_s:
            return None
        return found

    def page(self, kind: str, question: Hashable, max_age_s: float) -> Found | None:
        """The same for one page of a search."""
        found = self._pages.get((kind, question))
        if found is None or self._clock.now() - found.observed_at > max_age_s:
            return None
        return found

    def keep_record(self, kind: str, fetched: Fetched) -> None:
        if fetched.observed_at <= self._not_before.get((kind, fetched.handle), 0.0):
            return
        known = self._records.get((kind, fetched.handle))
        if known is None or known.observed_at <= fetched.observed_at:
            self._put(self._records, (kind, fetched.handle), fetched)

    def keep_page(self, kind: str, question: Hashable, found: Found) -> None:
        if found.observed_at > self._pages_not_before.get(kind, 0.0):
            self._put(self._pages, (kind, question), found)

    @staticmethod
    def _put(cache: TLRUCache[Any, Any], key: Hashable, value: Fetched | Found) -> None:
        if cache.maxsize >= 1:  # cachetools refuses what can never fit
            cache[key] = value

    def learn(self, kind: str, key: str, handle: str) -> None:
        """Remember which handle a readable key has."""
        if key[:1] != "~" and self._handles.get((kind, key)) != handle:
            self._handles[(kind, key)] = handle

    def handle(self, kind: str, key: str) -> str | None:
        """The handle of a ref's key, if it is known."""
        return key[1:] if key[:1] == "~" else self._handles.get((kind, key))

    def unlearn(self, kind: str, key: str) -> None:
        """A readable key turned out to have another handle, or none."""
        self._handles.pop((kind, key), None)

    def written(self, kind: str, handle: str | None, *, until: float) -> None:
        """We wrote to a record (or to one we do not know yet): reads sent up to ``until`` are not kept."""
        self._pages_not_before[kind] = max(until, self._pages_not_before.get(kind, 0.0))
        for question in [key for key in self._pages if key[0] == kind]:
            self._pages.pop(question, None)
        if handle is not None:
            self._records.pop((kind, handle), None)
            self._not_before[(kind, handle)] = max(until, self._not_before.get((kind, handle), 0.0))

    def changed_at(self, kind: str, key: str | None) -> float:
        """Reads of this record (None: pages of the kind) sent up to this moment may be older than our writes."""
        if key is None:
            return self._pages_not_before.get(kind, 0.0)
        handle = self.handle(kind, key)
        return 0.0 if handle is None else self._not_before.get((kind, handle), 0.0)

    def same_ref(self, kind: str, one: str, other: str) -> bool:
        """Whether two keys of a kind are known to name the same record."""
        if one == other:
            return True
        mine, theirs = self.handle(kind, one), self.handle(kind, other)
        return mine is not None and mine == theirs

    def __len__(self) -> int:
        return len(self._records)

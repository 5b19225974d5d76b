"""Refs: the global id of a record, ``source:kind:key``.

The key is the one people read (``INC0010023``). Where only the source's internal handle is known
it is written with a tilde: ``snow:incident:~f85facab4c67ea3320b66d6dd9a8cd6b``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from interlock.records.problems import invalid

KINDS = (
    "incident",
    "request",
    "change",
    "problem",
    "ci",
    "relationship",
    "asset",
    "alert",
    "person",
    "group",
    "article",
)

_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
FORM = "source:kind:key, for example snow:incident:INC0010023"


@dataclass(frozen=True, slots=True)
class Ref:
    """One record in one source. ``key`` starts with ``~`` when it is the source's internal handle."""

    source: str
    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.source}:{self.kind}:{self.key}"

    @property
    def handle(self) -> str | None:
        """The internal handle, or None when the key is a readable one."""
        return self.key[1:] if self.key.startswith("~") else None

    @classmethod
    def parse(cls, text: str, field: str = "ref", kind: str | None = None) -> Ref:
        """Read a ref, optionally of one kind. Raises Problem invalid-argument."""
        whole = _known(text)
        if whole is not None and (kind is None or kind == whole.kind):
            return whole
        parts = text.split(":", 2)
        if len(parts) != 3 or not parts[2].strip():
            raise invalid(field, text, f"is not a ref; the form is {FORM}", "Take the ref from a search result.")
        source, found, key = parts
        if not _SOURCE.fullmatch(source) or not _KEY.fullmatch(key):
            raise invalid(field, text, f"is not a ref; the form is {FORM}", "Take the ref from a search result.")
        if found not in KINDS:
            near = get_close_matches(found, KINDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Kinds are {', '.join(KINDS)}."
            raise invalid(field, text, f"{found!r} is not a kind of record", hint)
        if kind is not None and found != kind:
            raise invalid(field, text, f"names a {found}, but this needs a {kind}", f"Pass the ref of a {kind}.")
        return cls(source, found, key)


@lru_cache(maxsize=4096)  # a call reads the same ref several times, and agents come back to their records
def _known(text: str) -> Ref | None:
    """The ref of a well-formed text, else None: what is wrong with it, ``parse`` says."""
    source, _, rest = text.partition(":")
    kind, _, key = rest.partition(":")
    if kind in KINDS and key.strip() and _SOURCE.fullmatch(source) and _KEY.fullmatch(key):
        return Ref(source, kind, key)
    return None

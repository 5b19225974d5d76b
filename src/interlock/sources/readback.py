"""Comparing what was asked for with what stands in the source now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.records.refs import Ref
from interlock.sources.cache import SourceCache


def reads_back(wanted: Mapping[str, Any], record: Mapping[str, Any], cache: SourceCache) -> list[str]:
    """Fields of ``wanted`` (normalised changes) that the record does not show; empty when it shows all.

    A field that is absent from the record is not shown: unknown proves nothing.
    """
    return [name for name, value in wanted.items() if name not in record or not same_value(value, record[name], cache)]


def same_value(wanted: Any, got: Any, cache: SourceCache) -> bool:
    """Whether two canonical values are one: nothing is nothing, refs by what they name, text by its lines."""
    if wanted in (None, "", []) or got in (None, "", []):
        return wanted in (None, "", []) and got in (None, "", [])
    if isinstance(wanted, Mapping) or isinstance(got, Mapping):
        return _same_ref(_ref(wanted), _ref(got), cache)
    if isinstance(wanted, list | tuple) and isinstance(got, list | tuple):
        rest = list(got)
        for entry in wanted:
            match = next((other for other in rest if same_value(entry, other, cache)), None)
            if match is None:
                return False
            rest.remove(match)
        return not rest
    if isinstance(wanted, str) and isinstance(got, str):
        return _lines(wanted) == _lines(got)
    return bool(wanted == got)


def unresolved(wanted: Mapping[str, Any], record: Mapping[str, Any], cache: SourceCache) -> list[Ref]:
    """Readable refs whose handle must be known before the two can be compared."""
    found = []
    for name, value in wanted.items():
        one, other = _ref(value), _ref(record.get(name))
        if isinstance(value, Mapping) and one and other and one != other:
            refs = (Ref.parse(one), Ref.parse(other))
            found += [ref for ref in refs if cache.handle(ref.kind, ref.key) is None]
    return found


def _ref(value: Any) -> str | None:
    found = value.get("ref") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _same_ref(one: str | None, other: str | None, cache: SourceCache) -> bool:
    if one is None or other is None or one == other:
        return one == other
    mine, theirs = Ref.parse(one), Ref.parse(other)
    if (mine.source, mine.kind) != (theirs.source, theirs.kind):
        return False
    return cache.same_ref(mine.kind, mine.key, theirs.key)


def _lines(text: str) -> str:
    # Sources change line ends and cut blanks at the end of a text; neither is another value.
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip()

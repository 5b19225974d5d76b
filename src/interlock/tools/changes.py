"""What changed between two versions of one schema, and what that means for who fills or reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from interlock.tools.inclusion import Gap, Inclusion
from interlock.tools.shapes import Node, Nodes, Shape, items_of, shapes

Use = Literal["input", "output"]
Whom = Literal["agent", "reader"]

READS: dict[Use, Whom] = {"input": "agent", "output": "reader"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One change. ``pointer`` leads into the old file, or into the new one where the old has no such place."""

    file: str
    pointer: str
    breaking: bool
    whom: Whom
    what: str
    why: str

    def body(self) -> dict[str, Any]:
        """The finding, JSON-ready."""
        return asdict(self)


def compare_schemas(file: str, old: Any, new: Any, use: Use, at: str = "") -> list[Finding]:
    """Changes between two JSON Schemas that agents fill (input) or readers read (output).

    ``at`` is the pointer to the schema in the file; references are of the schema itself.
    """
    return SchemaPair(file, (Node(old, at, old, at),), (Node(new, at, new, at),), use).findings()


# What a gap says, by use and whether it breaks. Rules that need other words than the general ones come first.
_SAY: dict[tuple[str, Use, bool], tuple[str, str]] = {
    ("required", "input", True): ("no longer takes {}", "calls that leave it out are refused"),
    ("member", "input", True): ("no longer takes {}", "calls that pass it are refused"),
    ("value", "output", True): (
        "may now be {}",
        "who knows the old values meets a new one; answer unmapped (or leave it out) until the next version",
    ),
    ("", "input", True): ("no longer takes {}", "calls that were right are refused"),
    ("", "input", False): ("now also takes {}", "what was taken before still is"),
    ("", "output", True): ("may now give {}", "the old schema promised that this does not come"),
    ("", "output", False): ("no longer gives {}", "the old schema allowed more than now comes"),
}


class SchemaPair:
    """The comparison of one pair of schemas."""

    def __init__(self, file: str, old: Nodes, new: Nodes, use: Use) -> None:
        self._file, self._old, self._new, self._use = file, old, new, use
        self._seen: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()

    def findings(self) -> list[Finding]:
        old, new = self._old, self._new
        if self._use == "input":
            broken, wider = Inclusion().gaps(old, new), Inclusion().gaps(new, old)
            found = [self._of(gap, True, gap.smaller, gap.larger) for gap in broken]
            found += [self._of(gap, False, gap.larger, gap.smaller) for gap in wider]
        else:
            broken, fewer = Inclusion(reading=True).gaps(new, old), Inclusion(reading=True).gaps(old, new)
            found = [self._of(gap, True, gap.larger, gap.smaller) for gap in broken]
            found += [self._of(gap, False, gap.smaller, gap.larger) for gap in fewer]
        return found + list(self._beside(old, new))

    def _of(self, gap: Gap, breaks: bool, old_at: str | None, new_at: str | None) -> Finding:
        words, why = _SAY.get((gap.rule, self._use, breaks)) or _SAY["", self._use, breaks]
        at = old_at if old_at is not None else new_at
        pointer = self._old[0].at if at is None else at
        return Finding(self._file, pointer, breaks, READS[self._use], words.format(gap.what), why)

    def _beside(self, old: Nodes, new: Nodes) -> Iterator[Finding]:
        """What inclusion does not see: members a reader loses or gains, and what leaving a member out means."""
        key = (tuple(id(node.schema) for node in old), tuple(id(node.schema) for node in new))
        if key in self._seen:
            return
        self._seen.add(key)
        theirs, ours = shapes(old), shapes(new)
        for one in theirs:
            other = _nearest(one, ours)
            if other is None:
                continue
            if one.type == "array":
                yield from self._beside(items_of(one), items_of(other))
            elif one.type == "object":
                yield from self._members(one, other)
        if self._use == "output":
            for one in ours:
                other = _nearest(one, theirs)
                if one.type == "object" and other is not None:
                    yield from self._gained(other, one)

    def _members(self, old: Shape, new: Shape) -> Iterator[Finding]:
        for name in old.names:
            before, after = old.member(name, False), new.member(name, False)
            if name in new.names:
                if self._use == "input":
                    yield from self._default(name, old, new)
                yield from self._beside(before, after)
            elif self._use == "output" and shapes(before):
                at = before[0].at
                yield Finding(self._file, at, True, "reader", f"no longer gives `{name}`", "readers rely on it")

    def _gained(self, old: Shape, new: Shape) -> Iterator[Finding]:
        for name in new.names:
            if name not in old.names:
                at = new.member(name, False)[0].at
                why = "readers pass over members they do not know"
                yield Finding(self._file, at, False, "reader", f"now also gives `{name}`", why)

    def _default(self, name: str, old: Shape, new: Shape) -> Iterator[Finding]:
        if name in old.required:
            return
        before, after = _left_out(old.member(name, False)), _left_out(new.member(name, False))
        if before != after:
            told = " to ".join(orjson.dumps(value).decode() for value in (before, after))
            at = old.member(name, False)[0].at
            what = f"leaving out `{name}` changed from {told}"
            yield Finding(self._file, at, True, "agent", what, "calls that leave it out now do something else")


def _left_out(nodes: Nodes) -> Any:
    return next(
        (node.schema["default"] for node in nodes if isinstance(node.schema, dict) and "default" in node.schema), None
    )


def _nearest(shape: Shape, among: list[Shape]) -> Shape | None:
    """The alternative that ``shape`` has become: of its type, and with the most members in common."""
    same = [other for other in among if other.type == shape.type]
    names = set(shape.names)
    return max(same, key=lambda other: (len(names & set(other.names)), -len(other.names)), default=None)

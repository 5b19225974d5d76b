"""Rules about harvesting: everything once, then what changed, and what is gone."""

from __future__ import annotations

from collections import Counter

import orjson

from interlock.conformance.bench import Bench, collect, key, ref, settle
from interlock.conformance.rules import Book, DoesNotApply, Failed, Skipped
from interlock.records import times
from interlock.records.filters import Condition, Query, Sort
from interlock.records.problems import Problem, Slug

BOOK = Book()
OVERLAP_S = 2


async def _watermark(bench: Bench, kind: str) -> str:
    name = bench.compiled.manifest.capabilities.harvest
    if name is None:
        raise DoesNotApply("the adapter finds changes by no field")
    if name not in bench.mapping(kind).fields:
        raise DoesNotApply(f"this kind has no {name}: it is read whole each time")
    if not any(record.get(name) for record in await bench.scan(kind)):
        raise DoesNotApply(f"no record of this kind has a {name}: it is read whole each time")
    return name


@BOOK.rule("HARVEST-WATERMARK", "harvests", per_kind=True)
async def watermark(bench: Bench, kind: str) -> str | None:
    """The field by which changes are found stands on every record, can be asked from a moment on, and ordered.

    To do: Map the field that capabilities.harvest names with a filter and an order, or name another one.
    """
    name = await _watermark(bench, kind)
    records = await bench.scan(kind)
    empty = [record for record in records if not record.get(name)]
    if empty:
        raise Failed(f"{len(empty)} of {len(records)} records have no {name}: {ref(empty[0])} first")
    use = bench.mapping(kind).fields[name]
    asked = [op for op in ("ge", "gt") if op in use.operators]
    if not asked and bench.compiled.manifest.query.style != "rows":
        return f"{name} cannot be asked from a moment on here: everything is read, and compared"
    page = await bench.live.search(kind, Query(sort=(Sort(name),), limit=2))
    ordered = not any("Not sorted" in warning for warning in page.warnings)
    return f"{name}{'' if ordered else '; not in order: the whole page must be read before the mark moves'}"


@BOOK.rule("HARVEST-RESUME", "harvests", per_kind=True)
async def resume(bench: Bench, kind: str) -> str | None:
    """A harvest that stopped after some pages goes on from its stored cursor, in another process, and nothing is lost.

    To do: Keep all that is needed to go on in the page's cursor, as JSON; nothing in the adapter.
    """
    whole = {ref(record) for record in await bench.scan(kind)}
    if len(whole) < 4:
        raise DoesNotApply("there are fewer than four records")
    size = max(1, min(50, len(whole) // 4))
    first, cursor = [], None
    for _ in range(2):
        page = await bench.live.search(kind, Query(limit=size), cursor=cursor)
        first += [ref(record) for record in page.records]
        cursor = page.cursor
        if cursor is None:
            raise Failed(f"{len(whole)} records ended after {len(first)}")
    stored = orjson.loads(orjson.dumps(cursor))
    other, _ = bench.open()
    try:
        rest = [ref(record) for record in await collect(other, kind, cursor=stored)]
    finally:
        await other.close()
    missing = whole - {*first, *rest}
    if missing:
        raise Failed(f"{len(missing)} records are lost, {min(missing)} first")
    if set(first) <= set(rest):
        raise Failed(f"it began anew: all of the first {len(first)} records came again")
    twice = [name for name, many in Counter([*first, *rest]).items() if many > 1]
    return f"{len(first)} before, {len(rest)} after" + (f"; {len(twice)} came twice" if twice else "")


@BOOK.rule("HARVEST-TIES", "harvests", per_kind=True)
async def ties(bench: Bench, kind: str) -> str | None:
    """Records that changed in the same second as the watermark are found again when asked from it on, with an overlap.

    To do: Ask with `ge`; let bounds of a source with finer times include the whole second.
    """
    name = await _watermark(bench, kind)
    records = [record for record in await bench.scan(kind) if record.get(name)]
    moments = Counter(record[name] for record in records)
    mark = max(moments, key=lambda moment: (moments[moment], moment))
    wanted = {ref(record) for record in records if record[name] >= mark}
    since = Query(filter=(Condition(name, "ge", mark),), limit=100)
    found = {ref(record) for record in await collect(bench.live, kind, since)}
    if lost := wanted - found:
        raise Failed(f"from {mark} on {len(lost)} of {len(wanted)} records are not found, {min(lost)} first")
    early = times.to_text(times.to_epoch(mark) - OVERLAP_S)
    again = Query(filter=(Condition(name, "ge", early),), limit=100)
    overlapped = {ref(record) for record in await collect(bench.live, kind, again)}
    if lost := wanted - overlapped:
        raise Failed(f"with an overlap of {OVERLAP_S} s {len(lost)} are not found, {min(lost)} first")
    return f"{moments[mark]} records share {mark}"


@BOOK.rule("HARVEST-CHANGED", "harvests", per_kind=True)
async def changed(bench: Bench, kind: str) -> str | None:
    """A record that was just made is found from the last watermark on.

    To do: Let the watermark be the time of change that the source itself sets, in the source's own clock.
    """
    name = await _watermark(bench, kind)
    records = await bench.scan(kind)
    mark = max(str(record[name]) for record in records if record.get(name))
    try:
        await settle()
        made = await bench.create(kind)
    except (Skipped, DoesNotApply) as reason:
        raise DoesNotApply(f"nothing of this kind can be made here ({reason})") from None
    since = Query(filter=(Condition(name, "ge", mark),), limit=100)
    found = {ref(record) for record in await collect(bench.live, kind, since)}
    if ref(made.record) not in found:
        raise Failed(f"{ref(made.record)}, whose {name} is {made.record.get(name)}, is not found from {mark} on")
    return None


@BOOK.rule("HARVEST-DELETED", "harvests", per_kind=True)
async def deleted(bench: Bench, kind: str) -> str | None:
    """What is gone is found by comparing the ids that there are: all of them can be read alone, and are the same set.

    To do: Let a search for no fields but the ref give every record; ids that appear and vanish hide deletions.
    """
    whole = {ref(record) for record in await bench.scan(kind)}
    ids = {ref(record) for record in await collect(bench.live, kind, Query(fields=("ref",), limit=500))}
    if ids != whole:
        odd = sorted(ids ^ whole)
        raise Failed(f"ids alone are {len(ids)}, whole records {len(whole)}: {odd[0]} differs")
    tidy = bench.declaration.samples(kind).tidy
    try:
        if tidy is None or not tidy.delete:
            return f"{len(ids)} ids; nothing was deleted, because records are not deleted here"
        made = await bench.create(kind)
    except (Skipped, DoesNotApply) as reason:
        return f"{len(ids)} ids; nothing was deleted ({reason})"
    there = {ref(record) for record in await collect(bench.live, kind, Query(fields=("ref",), limit=500))}
    await bench.take_back(made)
    after = {ref(record) for record in await collect(bench.live, kind, Query(fields=("ref",), limit=500))}
    if there - after != {ref(made.record)}:
        raise Failed(f"{ref(made.record)} was deleted; the ids differ by {sorted(there - after)[:3]}")
    try:
        await bench.live.get(kind, key(made.record))
    except Problem as problem:
        if problem.slug is Slug.NOT_FOUND:
            return f"{len(ids)} ids; one was made, deleted and found gone"
        raise
    raise Failed(f"{ref(made.record)} was deleted and can still be read")

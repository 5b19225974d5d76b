"""Rules about writing: what was asked stands there, is found again, and is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interlock.conformance.bench import SEND_S, Bench, Made, settle, unique_word
from interlock.conformance.rules import Book, DoesNotApply, Failed, Skipped
from interlock.gateway.receipts import compare
from interlock.records.filters import Query
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect

BOOK = Book()


def _read_back(bench: Bench, kind: str, changes: Mapping[str, Any], record: Mapping[str, Any], key: str | None) -> str:
    """Compare field by field, as a receipt does. Raises Failed with the first field that differs."""
    _, fields = compare(bench.live.norm(kind, changes, key), {}, record)
    wrong = [field for field in fields if field["outcome"] == "differs" and not _same_ref(bench, field)]
    if wrong:
        first = wrong[0]
        raise Failed(f"{first['field']}: asked {first['asked']!r}, found {first['found']!r}")
    unread = [field["field"] for field in fields if field["outcome"] == "unread"]
    return f"{len(fields)} fields" + (f", of which {', '.join(unread)} cannot be read back" if unread else "")


def _same_ref(bench: Bench, field: Mapping[str, Any]) -> bool:
    # A reference is written by handle and read by key; that both name one record, the probe shows.
    asked, found = (each["ref"] if isinstance(each, Mapping) else each for each in (field["asked"], field["found"]))
    return isinstance(asked, str) and isinstance(found, str) and asked.split(":")[:2] == found.split(":")[:2]


@BOOK.rule("WRITE-PREVIEW", "writes", per_kind=True)
async def preview(bench: Bench, kind: str) -> str | None:
    """A dry run shows the payload in the source's own terms, and nothing is sent.

    To do: Keep `encode` of the mapping free of calls.
    """
    samples = bench.may_write(kind, "create")
    effect = await bench.creating(kind, samples)
    before = _calls(bench)
    shown = bench.live.preview(effect)
    if _calls(bench) != before:
        raise Failed("a preview sent something")
    if not shown["payload"]:
        raise Failed("the payload is empty")
    return ", ".join(sorted(shown["payload"]))


def _calls(bench: Bench) -> int:
    return bench.tap.calls if bench.tap is not None else 0


@BOOK.rule("WRITE-CREATE", "writes", per_kind=True)
async def create(bench: Bench, kind: str) -> str | None:
    """A record that is made holds every value that was asked for, as this source can hold it.

    To do: Look at `create` of the field that differs: its path, its code table, a rule of the source that changes it.
    """
    made = await bench.create(kind)
    return _read_back(bench, kind, made.effect.changes, made.record, None)


@BOOK.rule("WRITE-UPDATE", "writes", per_kind=True)
async def update(bench: Bench, kind: str) -> str | None:
    """An update changes the fields that were named, each as asked, and no other that is written.

    To do: Send only what was asked for; merge first where the source empties what is not sent.
    """
    samples = bench.may_write(kind, "update")
    made = await bench.some(kind)
    changes = await bench.values(kind, samples.update, unique_word())
    before = (await bench.live.get(kind, f"~{made.handle}")).record
    await bench.change(made, changes)
    after = (await bench.live.get(kind, f"~{made.handle}")).record
    told = _read_back(bench, kind, changes, after, f"~{made.handle}")
    also = {each for name in changes for each in bench.mapping(kind).clears.get(name, ())}
    for name, use in bench.mapping(kind).fields.items():
        if use.writable and name not in changes and name not in also and before.get(name) != after.get(name):
            raise Failed(f"{name} was not named, and changed from {before.get(name)!r} to {after.get(name)!r}")
    return told


@BOOK.rule("WRITE-CLEAR", "writes", per_kind=True)
async def clear(bench: Bench, kind: str) -> str | None:
    """A field that is emptied is empty afterwards.

    To do: Let the first word of `unset` be what empties the field in this source.
    """
    samples = bench.may_write(kind, "update")
    if not samples.clear:
        raise DoesNotApply("conformance.yaml names no field to empty")
    made = await bench.some(kind)
    await bench.change(made, dict.fromkeys(samples.clear))
    after = (await bench.live.get(kind, f"~{made.handle}")).record
    for name in samples.clear:
        if after.get(name) not in (None, ""):
            raise Failed(f"{name} was emptied, and is {after[name]!r}")
    return ", ".join(samples.clear)


@BOOK.rule("WRITE-VERSION", "writes", per_kind=True)
async def version(bench: Bench, kind: str) -> str | None:
    """The version moves with an update, and stays while nothing is written.

    To do: Map `version` to a column that every effective update changes, and reading does not.
    """
    if bench.compiled.manifest.capabilities.version is None:
        raise DoesNotApply("the product has no version of a record")
    samples = bench.may_write(kind, "update")
    made = await bench.some(kind)
    first = (await bench.live.get(kind, f"~{made.handle}")).record.get("version")
    again = (await bench.live.get(kind, f"~{made.handle}")).record.get("version")
    if not first or first != again:
        raise Failed(f"read twice, the version is {first} and {again}")
    await settle()
    await bench.change(made, await bench.values(kind, samples.update, unique_word()))
    moved = (await bench.live.get(kind, f"~{made.handle}")).record.get("version")
    if moved == first:
        raise Failed(f"the version is {first} before and after an update")
    return f"{first} to {moved}"


@BOOK.rule("WRITE-NOTE", "writes", per_kind=True)
async def note(bench: Bench, kind: str) -> str | None:
    """A note stands in the journal with its text and its visibility.

    To do: Look at where notes are written (`notes` of the mapping) and where they are read from.
    """
    samples = bench.may_write(kind, "note")
    made = await bench.some(kind)
    visibility = samples.note
    effect = await bench.note(made, visibility)
    await bench.live.send(effect, not_after=bench.clock.now() + SEND_S)
    seen = await bench.live.journal(kind, f"~{made.handle}", visibility=frozenset({visibility}), limit=20)
    texts = [entry["text"] for entry in seen.entries]
    if not any((effect.marker or "") in text for text in texts):
        raise Failed(f"no {visibility} entry of the journal holds the note")
    if not any("Conformance note" in text for text in texts):
        raise Failed("the journal holds the marker, but not the text")
    return visibility


@BOOK.rule("PROBE-CREATE", "writes", per_kind=True)
async def probe_create(bench: Bench, kind: str) -> str | None:
    """A create is found exactly once, by its key or by what it says; another, or one not sent, finds nothing.

    To do: Search exactly what write.probe.create names, and compare what is found once more, also its case.
    """
    samples = bench.may_write(kind, "create")
    made = await bench.create(kind)
    found = await _traces(bench, made.effect)
    if found is None:
        raise DoesNotApply("nothing of this kind holds our key: a lost one is never sent again, a person decides")
    if found != [made.handle]:
        raise Failed(f"the key of {made.handle} finds {found}")
    if bench.matched(kind):
        pending = await bench.creating(kind, samples)
        if hit := await bench.live.probe(pending):
            raise Failed(f"one that was never sent finds {hit}")
        return "known by what it says"
    key = made.effect.correlation
    for foreign in (f"{key}0", key[:-1], f"interlock:{unique_word()}", key.upper()):
        if hit := await bench.live.probe(replace(made.effect, correlation=foreign)):
            raise Failed(f"the foreign key {foreign} finds {hit}")
    return None


@BOOK.rule("PROBE-UPDATE", "writes", per_kind=True)
async def probe_update(bench: Bench, kind: str) -> str | None:
    """An update is found by its written fields, and one that was never sent is not.

    To do: Let every written field be read back; a field that cannot be proves nothing.
    """
    samples = bench.may_write(kind, "update")
    made = await bench.some(kind)
    changes = await bench.values(kind, samples.update, unique_word())
    pending = Effect(kind, "update", f"~{made.handle}", changes, f"interlock:{unique_word()}")
    if await bench.live.probe(pending):
        raise Failed("an update that was never sent is found")
    effect = await bench.change(made, changes)
    if await bench.live.probe(effect) != [made.handle]:
        raise Failed("an update that was made is not found")
    return None


@BOOK.rule("PROBE-NOTE", "writes", per_kind=True)
async def probe_note(bench: Bench, kind: str) -> str | None:
    """A note is found by its marker, and another marker finds nothing.

    To do: Read the journal newest first, with the whole text of each entry.
    """
    samples = bench.may_write(kind, "note")
    made = await bench.some(kind)
    effect = await bench.note(made, samples.note)
    if await bench.live.probe(effect):
        raise Failed("a note that was never sent is found")
    await bench.live.send(effect, not_after=bench.clock.now() + SEND_S)
    if await bench.live.probe(effect) != [made.handle]:
        raise Failed("a note that was made is not found")
    return None


@BOOK.rule("WRITE-UNMAPPED", "writes", per_kind=True)
async def unmapped(bench: Bench, kind: str) -> str | None:
    """A word that this source has no value for is refused before anything is sent; it is never written as another.

    To do: Leave words out of a code table rather than writing them as the nearest value.
    """
    samples = bench.may_write(kind, "create")
    for name, use in bench.mapping(kind).fields.items():
        spec = bench.mapping(kind).spec.fields[name]
        if not (use.writable or use.creatable) or use.type != "enum" or spec.codes is None:
            continue
        tables = [part.spec.fields[name].codes for part in bench.parts(kind) if name in part.spec.fields]
        known = {word for table in tables if table is not None for word in table.writes}
        word = next((word for word in FIELDS[kind][name].values if word not in known), None)
        if word is None or (spec.const is not None):
            continue
        effect = await bench.creating(kind, samples)
        before = _calls(bench)
        try:
            bench.live.preview(replace(effect, changes={**effect.changes, name: word}))
        except Problem as problem:
            if _calls(bench) != before:
                raise Failed("something was sent") from None
            if problem.slug not in (Slug.UNMAPPED_VALUE, Slug.INVALID_ARGUMENT):
                raise Failed(f"{name} {word}: {problem.slug}") from None
            return f"{name} {word}: {problem.slug}"
        raise Failed(f"{name} {word} has no value here, and is taken")
    raise DoesNotApply("every word of every written field has a value here")


@BOOK.rule("WRITE-REFUSED", "writes", per_kind=True)
async def refused(bench: Bench, kind: str) -> str | None:
    """What the source itself refuses is told as refused (`reached: yes` or `no`), and nothing was written.

    To do: Name the product's refusals in `errors` of adapter.yaml; 2xx with an error inside is a refusal too.
    """
    samples = bench.may_write(kind, "create")
    if not samples.refused:
        raise Skipped(f"conformance.yaml has no kinds.{kind}.refused: values that the source must refuse")
    values = await bench.values(kind, samples.refused, unique_word())
    if samples.refused_op == "update":
        effect = Effect(kind, "update", f"~{(await bench.some(kind)).handle}", values, f"interlock:{unique_word()}")
    else:
        effect = await bench.creating(kind, samples)
        effect = replace(effect, changes={**effect.changes, **values})
    before = _calls(bench)
    try:
        handle = await bench.live.send(effect, not_after=bench.clock.now() + SEND_S)
    except Problem as problem:
        if problem.reached not in ("yes", "no"):
            raise Failed(f"refused, but it is not known whether it was written: {problem.detail}") from None
        if _calls(bench) == before:
            raise Skipped(
                f"refused before the source was asked: {problem.detail}; name values that only the source refuses"
            ) from None
        if await _traces(bench, effect):
            raise Failed("refused, and written all the same") from None
        return f"{problem.slug}: {problem.native_message or problem.detail}"[:200]
    if handle is not None and effect.op == "create":
        bench.remember(effect, handle)
        bench.made[-1] = Made(kind, handle, effect, {})
    raise Failed(f"the source took {', '.join(samples.refused)}")


async def _traces(bench: Bench, effect: Effect) -> list[str] | None:
    """Records that show a create; None where the kind cannot tell."""
    if not bench.live.finds(effect):
        return None
    try:
        return await bench.live.probe(effect)
    except Problem as problem:
        if problem.slug is not Slug.UNSUPPORTED:
            raise
        return None


@BOOK.rule("WRITE-LATE", "writes", per_kind=True)
async def late(bench: Bench, kind: str) -> str | None:
    """Nothing leaves after the moment until which a write may be sent.

    To do: Pass `not_after` to the session with every write.
    """
    samples = bench.may_write(kind, "create")
    effect = await bench.creating(kind, samples)
    await bench.live.search(kind, Query(limit=1))
    try:
        handle = await bench.live.send(effect, not_after=bench.clock.now() - 1)
    except Problem as problem:
        if problem.reached != "no":
            raise Failed(f"told as reached: {problem.reached}") from None
        if await _traces(bench, effect):
            raise Failed("told as not sent, and written all the same") from None
        return None
    if handle is not None:
        bench.remember(effect, handle)
    raise Failed("it was sent")


@BOOK.rule("WRITE-TIDY", "writes")
async def tidy(bench: Bench) -> str | None:
    """What the kit made is taken back.

    To do: Say under `tidy` in conformance.yaml how records of the kind are deleted, cancelled or closed.
    """
    if not bench.made and not bench.untidy:
        raise DoesNotApply("nothing was made")
    many = len(bench.made)
    await bench.tidy_up()
    if bench.untidy:
        raise Failed(f"left behind: {'; '.join(bench.untidy)[:500]}")
    return f"{many} records"

"""Rules about reading: one record, pages, lists of values, journals, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError

from interlock.conformance.bench import SEND_S, Bench, collect, key, ref
from interlock.conformance.rules import Book, DoesNotApply, Failed, Skipped
from interlock.records.fields import UNMAPPED
from interlock.records.filters import Condition, Query
from interlock.records.kinds import MODELS
from interlock.records.problems import Problem, Slug

BOOK = Book()
SIZES = (7, 100)
WALK = 25
"""So many pages are read at sizes other than the whole."""
ABSENT = "kit-absent-00"
MOST_UNMAPPED = 0.5


@BOOK.rule("READ-CONTRACT", "reads", per_kind=True, offline=True)
async def contract(bench: Bench, kind: str) -> str | None:
    """Every record that the source gives fits the published contract.

    To do: Look at the field that is named; a value of another form than declared must be a fault, never a record.
    """
    records = await bench.scan(kind)
    for record in records:
        try:
            MODELS[kind].model_validate(record)
        except ValidationError as failure:
            first = failure.errors()[0]
            raise Failed(f"{ref(record)}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return f"{len(records)} records"


@BOOK.rule("READ-WORDS", "reads", per_kind=True, offline=True)
async def words(bench: Bench, kind: str) -> str | None:
    """The words of the contract cover most of what stands in the source.

    To do: Add the native values that are named to the code table, or leave the field unmapped on purpose as a gap.
    """
    records = await bench.scan(kind)
    told = []
    for name, use in bench.mapping(kind).fields.items():
        if use.type not in ("enum", "bool"):
            continue
        values = [record[name] for record in records if record.get(name) is not None]
        odd = [str((record.get("native") or {}).get(name)) for record in records if record.get(name) == UNMAPPED]
        if odd:
            shown = ", ".join(value for value, _ in Counter(odd).most_common(3))
            told.append(f"{name}: {len(odd)} of {len(values)} unmapped ({shown})")
            if len(odd) > MOST_UNMAPPED * len(values):
                raise Failed(told[-1])
    return "; ".join(told) or "nothing is unmapped"


@BOOK.rule("READ-GET", "reads", per_kind=True, offline=True)
async def get(bench: Bench, kind: str) -> str | None:
    """A record is read by its key and by its handle, it is the same both ways, and as it stands in a search.

    To do: Look at the mapping's `key` and `id`, and at `read` of the adapter.
    """
    records = await bench.scan(kind)
    for record in (records[0], records[len(records) // 2], records[-1]):
        try:
            one = await bench.live.get(kind, key(record))
        except Problem as problem:
            if problem.slug is Slug.AMBIGUOUS_REF:
                continue  # told by READ-AMBIGUOUS
            raise Failed(f"{ref(record)} was found, but reading it says: {problem.detail}") from None
        other = await bench.live.get(kind, f"~{one.handle}")
        if one.record != other.record:
            raise Failed(f"{ref(record)} is another record by its handle ~{one.handle}")
        different = [n for n, v in record.items() if n in one.record and one.record[n] != v and n != "native"]
        if different:
            raise Failed(
                f"{ref(record)}: {different[0]} is {record[different[0]]!r} in a search, "
                f"{one.record[different[0]]!r} alone"
            )
    return None


@BOOK.rule("READ-AMBIGUOUS", "reads", per_kind=True, offline=True)
async def ambiguous(bench: Bench, kind: str) -> str | None:
    """A key that several records have is told as ambiguous, with their handles; it never gives one of them.

    To do: Compare all hits of a key in `read`, and raise ambiguous-ref with the handles.
    """
    counted = Counter(ref(record) for record in await bench.scan(kind))
    twice = next((name for name, many in counted.items() if many > 1), None)
    if twice is None:
        raise DoesNotApply("every key stands once")
    try:
        await bench.live.get(kind, twice.split(":", 2)[2])
    except Problem as problem:
        if problem.slug is not Slug.AMBIGUOUS_REF:
            raise Failed(f"{twice} stands {counted[twice]} times; reading it says {problem.slug}") from None
        return f"{twice}: {problem.next_step}"
    raise Failed(f"{twice} stands {counted[twice]} times; reading it gives one of them")


@BOOK.rule("READ-NOT-FOUND", "reads", per_kind=True, offline=True)
async def not_found(bench: Bench, kind: str) -> str | None:
    """What is not there is `not-found`, by key and by handle: no other record, no empty one, no other problem.

    To do: Name the product's answer for a missing record in `errors` of adapter.yaml, or raise not-found in `read`.
    """
    for asked in (ABSENT, f"~{ABSENT}"):
        try:
            found = await bench.live.get(kind, asked)
        except Problem as problem:
            if problem.slug is not Slug.NOT_FOUND:
                raise Failed(f"{asked}: {problem.slug}: {problem.detail}") from None
            continue
        raise Failed(f"{asked} gives {ref(found.record)}")
    return None


@BOOK.rule("READ-PAGES", "reads", per_kind=True, offline=True)
async def pages(bench: Bench, kind: str) -> str | None:
    """Pages are complete and give each record once, at every size, down to one row a page.

    To do: Page by a unique order (paging.key), end only where the source is known to end, and go on from
    rows, not from sizes.
    """
    whole = {ref(record) for record in await bench.scan(kind)}
    for size in SIZES:
        _once(await collect(bench.live, kind, limit=size, most=size * WALK), whole, size, len(whole) <= size * WALK)
    few = await _few(bench, kind)
    if few is None:
        _once(await collect(bench.live, kind, limit=1, most=WALK), whole, 1, complete=len(whole) <= WALK)
        return f"{len(whole)} records; at one row a page the first {WALK}"
    query, wanted = few
    _once(await collect(bench.live, kind, query, most=WALK * 2), wanted, 1, complete=True)
    return f"{len(whole)} records; at one row a page {len(wanted)}"


async def _few(bench: Bench, kind: str) -> tuple[Query, set[str]] | None:
    """A question that finds a few records, so that they can be read one by one to the end."""
    records = await bench.scan(kind)
    if len(records) <= WALK:
        return Query(limit=1), {ref(record) for record in records}
    for name, use in bench.mapping(kind).fields.items():
        if "eq" not in use.operators or use.type not in ("enum", "word"):
            continue
        counted = Counter(record[name] for record in records if isinstance(record.get(name), str))
        value = next((v for v, many in sorted(counted.items()) if 2 <= many <= WALK and v != UNMAPPED), None)
        if value is not None:
            wanted = {ref(record) for record in records if str(record.get(name)).casefold() == value.casefold()}
            return Query(filter=(Condition(name, "eq", value),), limit=1), wanted
    return None


def _once(records: list[dict[str, Any]], whole: set[str], size: int, complete: bool) -> None:
    refs = [ref(record) for record in records]
    twice = next((name for name, many in Counter(refs).items() if many > 1), None)
    if twice is not None and len(whole) == len(set(whole)):
        raise Failed(f"with {size} rows a page {twice} comes twice")
    if strange := set(refs) - whole:
        raise Failed(f"with {size} rows a page {min(strange)} comes, which reading everything did not give")
    if complete and (missing := whole - set(refs)):
        raise Failed(f"with {size} rows a page {len(missing)} records are missing, {min(missing)} first")


@BOOK.rule("READ-CHOICES", "reads", per_kind=True, offline=True)
async def choices(bench: Bench, kind: str) -> str | None:
    """The values that a source allows in a field are listed as it stores them, and words of the contract are told.

    To do: Implement `choices`, or take capabilities.choices out of adapter.yaml.
    """
    if not bench.compiled.manifest.capabilities.choices:
        raise DoesNotApply("the adapter does not list values")
    told = []
    for name, use in bench.mapping(kind).fields.items():
        if use.type not in ("enum", "word") or name in ("version", "number", "external_id"):
            continue
        try:
            found = await bench.live.choices(kind, name)
        except Problem as problem:
            if problem.slug in (Slug.UNSUPPORTED, Slug.NOT_FOUND):
                continue
            raise Failed(f"{name}: {problem.slug}: {problem.detail}") from None
        if use.type == "enum":
            allowed = MODELS[kind].model_fields[name]
            odd = [c.value for c in found if c.canonical is not None and c.canonical not in str(allowed.annotation)]
            if odd:
                raise Failed(f"{name}: {odd[0]!r} is told to mean what is no word of the contract")
        if not all(choice.value and choice.label for choice in found):
            raise Failed(f"{name} has a choice without value or label")
        told.append(f"{name} ({len(found)})")
    if not told:
        raise DoesNotApply("no field of this kind has a list of values")
    return ", ".join(told)


@BOOK.rule("READ-JOURNAL", "reads", per_kind=True, offline=True)
async def journal(bench: Bench, kind: str) -> str | None:
    """Notes of a record come newest first, each once over all pages, with their visibility.

    To do: Implement `notes` in that order, and declare which entries are public.
    """
    capable = bench.compiled.manifest.capabilities.journal and bench.mapping(kind).spec.notes
    if not capable:
        raise DoesNotApply("records of this kind have no journal here")
    for record in (await bench.scan(kind))[:40]:
        if told := await _notes(bench, kind, record):
            return told
    try:
        bench.may_write(kind, "note")
    except DoesNotApply:
        raise Skipped("no record among the first 40 has two notes") from None
    made = await bench.some(kind)
    for _ in range(2):
        note = await bench.note(made, bench.declaration.samples(kind).note)
        await bench.live.send(note, not_after=bench.clock.now() + SEND_S)
    told = await _notes(bench, kind, made.record)
    if told is None:
        raise Failed(f"two notes were written to {ref(made.record)}, and the journal does not hold them")
    return told


async def _notes(bench: Bench, kind: str, record: Mapping[str, Any]) -> str | None:
    """What a record's journal shows; None where it has no two notes."""
    both = frozenset({"public", "internal"})
    entries = (await bench.live.journal(kind, key(record), visibility=both, limit=50)).entries
    if len(entries) < 2:
        return None
    times = [entry["created_at"] for entry in entries if entry["created_at"]]
    if times != sorted(times, reverse=True):
        raise Failed(f"the notes of {ref(record)} do not come newest first")
    single: list[str] = []
    cursor: Any = None
    for _ in range(len(entries) + 1):
        page = await bench.live.journal(kind, key(record), visibility=both, limit=1, cursor=cursor)
        single += [entry["id"] for entry in page.entries]
        cursor = page.cursor
        if cursor is None:
            break
    if len(entries) < 50 and sorted(single) != sorted(entry["id"] for entry in entries):
        raise Failed(f"the notes of {ref(record)}, one a page, are {len(single)} and not {len(entries)}")
    return f"{len(entries)} notes of {ref(record)}"


@BOOK.rule("READ-CREDENTIALS", "reads")
async def credentials(bench: Bench) -> str | None:
    """Wrong credentials are `source-denied`, with what to correct; they are never an empty answer.

    To do: Name the product's answers to wrong credentials in `errors` of adapter.yaml, with type source-denied.
    """
    auth = bench.settings.auth
    wrong = SecretStr("kit-wrong-credential-0000000000000000000000")
    if auth.basic is not None:
        changed = auth.model_copy(update={"basic": auth.basic.model_copy(update={"password": wrong})})
    elif auth.api_key is not None:
        changed = auth.model_copy(update={"api_key": auth.api_key.model_copy(update={"key": wrong})})
    elif auth.bearer is not None:
        changed = auth.model_copy(update={"bearer": auth.bearer.model_copy(update={"token": wrong})})
    elif auth.oauth2 is not None and auth.oauth2.client_secret is not None:
        changed = auth.model_copy(update={"oauth2": auth.oauth2.model_copy(update={"client_secret": wrong})})
    else:
        raise DoesNotApply("the source asks for no credentials")
    source, _ = bench.open(auth=changed)
    kind = bench.kinds()[0]
    try:
        await source.search(kind, Query(limit=1))
    except Problem as problem:
        if problem.slug is not Slug.SOURCE_DENIED:
            raise Failed(f"{problem.slug}: {problem.detail}") from None
        if not problem.next_step:
            raise Failed("denied, but nothing says what to correct") from None
        return problem.next_step
    finally:
        await source.close()
    raise Failed("the source answered although the credentials were wrong")

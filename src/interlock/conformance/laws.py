"""Laws of a mapping, tried with values that hypothesis makes up: what is written can be read, and no value is query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.mappingspec import FieldSpec
from interlock.conformance.bench import Bench
from interlock.conformance.rules import Book, DoesNotApply, Failed, Skipped
from interlock.records.fields import UNMAPPED
from interlock.records.filters import Condition, Query
from interlock.records.problems import Problem, Slug
from interlock.records.text import visible
from interlock.records.times import to_text

BOOK = Book()
EXAMPLES = 60
HOSTILE = (
    "^NQactive=true",
    "^ORnumberISNOTEMPTY",
    "x^EQ",
    "javascript:gs.log(1)",
    '" OR 1=1 --',
    "' OR 'a'='a",
    '"" OR ""=""',
    "\\",
    '\\" OR \\"',
    "$NULL$",
    "%",
    "_",
    "*",
    "a&b=c",
    "a#b?c=d",
    "null",
    "NULL",
    "{v}",
    "{f}",
    "line\nbreak",
    "\x00",
    "\t",
    " lead",
    "tail ",
    ")(|(uid=*))",
    "]]>",
    "<x/>",
    "STANCEOF,0",
    "é",
    "ſ",
    "İ",
    "\u202e",
    "100%",
    "a,b",
    "=x",
    "!x",
    "DYNAMICx",
)


@BOOK.rule("LAW-ROUND-TRIP", "reads", needs="folder", per_kind=True)
async def round_trip(bench: Bench, kind: str) -> str | None:
    """What is written reads back as it was meant: decode(encode(x)) = x, and nothing written is unmapped.

    To do: Compare read and write of the field that is named: their paths, its code table, its zone and form.
    """
    tried = 0
    for part in bench.parts(kind):
        fields = _both_ways(part)
        for name in fields:
            _try(_value_of(part, part.spec.fields[name]), _reads_back(part, name))
        tried += len(fields)
    if not tried:
        raise DoesNotApply("no field of this kind is both written and read")
    return f"{tried} fields, {EXAMPLES} values each"


@BOOK.rule("LAW-STABLE", "reads", needs="folder", per_kind=True)
async def stable(bench: Bench, kind: str) -> str | None:
    """What a source holds does not change by being written again: encode, decode, encode gives the same.

    To do: Let the first native value of each word, and the first word for nothing, read as what they are written for.
    """
    from hypothesis import strategies as st

    tried = 0
    for part in bench.parts(kind):
        fields = _both_ways(part)
        tried += len(fields)
        for name in fields:
            values = _value_of(part, part.spec.fields[name])
            texts = _texts(part, name)
            _try(st.one_of(st.none(), values if texts is None else texts), _stays(part, name))
    if not tried:
        raise DoesNotApply("no field of this kind is both written and read")
    return None


@BOOK.rule("LAW-WORDS", "reads", needs="folder", per_kind=True)
async def words(bench: Bench, kind: str) -> str | None:
    """Every native value of a code table reads as the word it stands under.

    To do: Keep each native value under one word, and patterns from covering another word's values.
    """
    tried = 0
    for part in bench.parts(kind):
        for name, spec in part.spec.fields.items():
            if spec.codes is None:
                continue
            for word in spec.codes.words():
                for native in spec.codes.asks.get(word, ()):
                    tried += 1
                    read = spec.codes.read(native)
                    if read != word:
                        raise Failed(f"{name}: {native!r} stands under {word} and reads as {read}")
                if spec.codes.writes.get(word) is not None and spec.codes.read(spec.codes.writes[word]) == UNMAPPED:
                    raise Failed(f"{name}: {word} is written as {spec.codes.writes[word]!r}, which reads as unmapped")
    if not tried:
        raise DoesNotApply("no code table in this kind")
    return f"{tried} values"


@BOOK.rule("LAW-HOSTILE", "reads", needs="folder", per_kind=True)
async def hostile(bench: Bench, kind: str) -> str | None:
    """No value of a filter can change the meaning of a query: it stays one quoted value, or is checked afterwards.

    To do: Quote or escape values (query.literal), and refuse what has no safe spelling; never paste a value.
    """
    style = bench.compiled.manifest.query
    if style.style == "rows":
        raise DoesNotApply("the source is not asked; every row is checked here")
    tried = pushed = 0
    for part in bench.parts(kind):
        for name, use in part.fields.items():
            if use.type not in ("text", "word", "long_text", "ref"):
                continue
            for op in use.operators:
                if op in ("empty", "not_empty"):
                    continue
                for value in HOSTILE:
                    tried += 1
                    pushed += _keeps_structure(part, name, op, value)
    if not tried:
        raise DoesNotApply("no text is asked of this source")
    return f"{tried} questions, {pushed} of them asked of the source"


# --- values --------------------------------------------------------------------------------------------


def _both_ways(part: Mapping) -> list[str]:
    return [
        name
        for name, spec in part.spec.fields.items()
        if (spec.write or spec.create) is not None
        and spec.read is not None
        and not (part.spec.inverse and name in part.spec.inverse.swap)  # which end it is depends on the type
    ]


def _value_of(part: Mapping, spec: FieldSpec) -> Any:
    """A strategy of canonical values that the field can hold."""
    from hypothesis import strategies as st

    kind = spec.field.type
    if kind in ("enum", "bool"):
        assert spec.codes is not None
        return st.sampled_from(sorted(spec.codes.writes, key=str))
    if kind == "ref":
        inner = st.text("0123456789abcdef", min_size=1, max_size=32)
        by_key = spec.plain_key or (spec.key is not None and spec.key == spec.read)
        head = f"{part.source}:{spec.ref}:{'' if by_key else '~'}"
        if spec.by is not None:
            return inner.map(lambda handle: f"{head}some.part/{handle}")
        return inner.map(lambda handle: f"{head}{handle}")
    if kind == "instant":
        return st.integers(0, 4_000_000_000).map(to_text)
    if kind == "int":
        return st.integers(-(2**31), 2**31)
    return st.text(max_size=40).map(visible).filter(lambda value: bool(value) and value not in spec.unset)


def _texts(part: Mapping, name: str) -> Any:
    """Any text at all, where the field holds text."""
    from hypothesis import strategies as st

    return st.text(max_size=40) if part.spec.fields[name].field.type in ("text", "long_text", "word") else None


def _reads_back(part: Mapping, name: str) -> Callable[[Any], None]:
    spec = part.spec.fields[name]

    def law(value: Any) -> None:
        part.encode({name: value}, "update" if spec.write is not None else "create")
        held = part.norm({name: value})
        found = held.get(name)
        found = found["ref"] if isinstance(found, dict) else found
        if found != value:
            raise Failed(f"{name}: {value!r} reads back as {found!r}")

    return law


def _stays(part: Mapping, name: str) -> Callable[[Any], None]:
    def law(value: Any) -> None:
        once = part.norm({name: value})
        if name in once and part.norm({name: _bare(once[name])}) != once:
            raise Failed(f"{name}: {value!r} is held as {once[name]!r}, and that as something else")

    return law


def _bare(value: Any) -> Any:
    return value["ref"] if isinstance(value, dict) else value


def _try(values: Any, law: Callable[[Any], None]) -> None:
    """Let hypothesis look for a value that breaks a law, the same ones in every run."""
    try:
        from hypothesis import HealthCheck, given, settings
        from hypothesis import seed as seeded
    except ImportError:
        raise Skipped("hypothesis is not installed: pip install interlock-gateway[conformance]") from None

    @seeded(0)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def tried(value: Any) -> None:
        law(value)

    tried()


# --- structure -----------------------------------------------------------------------------------------

_PLAIN = "plainword"


def _keeps_structure(part: Mapping, name: str, op: str, value: str) -> bool:
    """Compare the query for a hostile value with that for a harmless one. True when it was asked of the source."""
    spec = part.spec.fields[name]
    head = "" if spec.ref is None else f"{part.source}:{spec.ref}:"
    if head and (not value.strip() or not value.isprintable() or spec.by is not None):
        return False  # no ref holds such a key
    asked: Any = head + value
    harmless: Any = head + _PLAIN
    if op in ("in", "not_in"):
        asked, harmless = (asked,), (harmless,)
    condition = Condition(name, op, asked)
    try:
        plan = part.plan(Query(filter=(condition,)))
    except Problem as problem:
        if problem.slug is Slug.UNSUPPORTED:
            return False
        raise
    model = part.plan(Query(filter=(Condition(name, op, harmless),)))
    if plan.empty or not plan.pushed:
        if not plan.empty and condition not in plan.post:
            raise Failed(f"{name} {op} {value!r} is neither asked nor checked afterwards")
        return False
    style = part.manifest.query
    if isinstance(plan.pushed, dict):
        if not isinstance(model.pushed, dict) or plan.pushed.keys() != model.pushed.keys():
            raise Failed(f"{name} {op} {value!r} makes other parameters than a plain value does")
        return True
    quote = style.literal.quote
    around = str(model.pushed).split(f"{quote}{_PLAIN}{quote}")
    if len(around) == 1:  # a pattern stands between quotes and value
        around = str(model.pushed).split(_PLAIN)
    query = str(plan.pushed)
    length = (len(query) - sum(map(len, around))) // (len(around) - 1)
    written = query[len(around[0]) : len(around[0]) + length]
    if written.join(around) != query:
        raise Failed(f"{name} {op} {value!r} changes the query around it: {query}")
    inner = written
    if quote:
        inner = written.removeprefix(quote).removesuffix(quote)
        kept = inner.replace(quote * 2, "") if style.literal.escape == "double" else inner
        if style.literal.escape == "backslash":
            kept = kept.replace("\\\\", "").replace(f"\\{quote}", "")
        if quote in kept or len(written) < 2 * len(quote):
            raise Failed(f"{name} {op} {value!r} ends its own quotes: {query}")
    elif any(word.strip() and word.strip() in inner for word in (style.and_, style.or_)) or "\n" in inner:
        raise Failed(f"{name} {op} {value!r} brings a joint of the query language with it: {query}")
    return True

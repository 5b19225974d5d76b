"""One field of a page of rows: as the mapping's decoder and the stored writer have it, value by value or quicker.

``Exact`` is the measure: the decoder of a mapping with this one field. The others give the same for what most
values are, all at once, and leave the rest to it. A value that was read before is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from interlock.adapterkit.decodegen import MAX_KEY, compile_decoder
from interlock.adapterkit.forms import read_spaced
from interlock.adapterkit.manifest import Wire
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.native import Native
from interlock.quality.harvest.extraction import MISSING, Page, Value
from interlock.quality.harvest.parts import arrow as pa
from interlock.quality.stored import MAX_TEXT, writer
from interlock.records.fields import Field
from interlock.records.text import visible

REMEMBERED = 100_000
"""Distinct values of a field that are kept; with more, all are forgotten."""
_TEXTS = {str}
_MAYBE_TEXTS = {str, object}


@dataclass(slots=True)
class Cells:
    """A field's columns for a page. ``known`` None: in every row.

    ``shown``: the values of the record, of a reference the text it shows; not told where nobody needs them.
    """

    columns: list[Any]
    known: list[bool] | None = None
    shown: Sequence[Any] | None = None


class Way(Protocol):
    """How a field is read, and from which values."""

    inputs: Sequence[Value]

    def __call__(self, page: Page) -> Cells: ...


class Exact:
    """A field row by row."""

    def __init__(self, spec: MappingSpec, wire: Wire, source: str, each: FieldSpec, field: Field) -> None:
        alone = replace(spec, fields={each.name: each}, inverse=None)
        self._decode = compile_decoder(alone, wire, source, {}).fields
        self._write = writer({field.name: field})
        self._name = field.name
        self.inputs: Sequence[Value] = ()
        self.width = 2 if field.type == "ref" else 1

    def of(self, row: Native) -> tuple[list[Any], bool, Any]:
        """The field's columns in one row, whether it is known, and the value in the record."""
        record: dict[str, Any] = {}
        self._decode(row, record)
        known: list[str] = []
        values = self._write(record, known)
        return values, bool(known), record.get(self._name)

    def __call__(self, page: Page) -> Cells:
        found = [self.of(row) for row in page.rows]
        columns = [[values[at] for values, _, _ in found] for at in range(self.width)]
        return Cells(columns, [known for _, known, _ in found], [shown for _, _, shown in found])


class Remembered:
    """A field whose value hangs on these values alone: each combination is decoded once.

    ``whole``: the first has to be there in every row, as a link may stand for it where it is not.
    """

    def __init__(self, exact: Exact, inputs: Sequence[Value], *, whole: bool = False) -> None:
        self._exact = exact
        self._whole = whole
        self.inputs: Sequence[Value] = inputs
        self._columns: list[dict[Any, Any]] = [{} for _ in range(exact.width)]
        self._shown: dict[Any, Any] = {}
        self._unknown: set[Any] = set()

    def __call__(self, page: Page) -> Cells:
        taken = [page.values(value) for value in self.inputs]
        if any(not set(map(type, values)) <= _MAYBE_TEXTS for values in taken):
            return self._exact(page)  # what is no text may be equal to something else and mean another thing
        if self._whole and set(map(type, taken[0])) != _TEXTS:
            return self._exact(page)
        keys = taken[0] if len(taken) == 1 else list(zip(*taken, strict=True))
        first = self._columns[0]
        if new := [at for at, key in enumerate(keys) if key not in first]:
            self._learn(page.rows, keys, new)
        columns = [[read[key] for key in keys] for read in self._columns]
        unknown = self._unknown
        shown = self._shown
        known = [key not in unknown for key in keys] if unknown else None
        return Cells(columns, known, [shown[key] for key in keys])

    def _learn(self, rows: Sequence[Native], keys: Sequence[Any], new: Sequence[int]) -> None:
        if len(self._columns[0]) > REMEMBERED:
            for known in (*self._columns, self._shown):
                known.clear()
            self._unknown.clear()
            new = range(len(keys))
        for at in new:
            values, told, self._shown[keys[at]] = self._exact.of(rows[at])
            for known, value in zip(self._columns, values, strict=True):
                known[keys[at]] = value
            if not told:
                self._unknown.add(keys[at])


class Texts:
    """Texts and words."""

    def __init__(self, exact: Exact, value: Value, unset: Sequence[str], empty_when_missing: bool) -> None:
        self._exact = exact
        self.inputs: Sequence[Value] = (value,)
        self._unset = frozenset(word for word in unset if word)
        self._filled = empty_when_missing

    def __call__(self, page: Page) -> Cells:
        values = page.values(self.inputs[0])
        kinds = set(map(type, values))
        known = None
        if kinds != _TEXTS:
            if not kinds <= _MAYBE_TEXTS:
                return self._exact(page)
            known = None if self._filled else [value is not MISSING for value in values]
            values = ["" if value is MISSING else value for value in values]
        if self._unset:
            values = ["" if value in self._unset else value for value in values]
        shown, kept = texts(values)
        return Cells([kept], known, shown)


def texts(values: list[str]) -> tuple[list[str], list[str | None]]:
    """Texts as a record shows them, and as they are stored (empty ones are none)."""
    if not _shown_as_it_is("".join(values)):
        values = [value if value.isascii() and value.isprintable() else visible(value) for value in values]
    kept: list[Any] = list(map(str.strip, values))
    if max(map(len, kept), default=0) > MAX_TEXT:
        kept = [value[:MAX_TEXT] for value in kept]
    return values, [value or None for value in kept] if "" in kept else kept


def _shown_as_it_is(text: str) -> bool:
    """Whether there is surely nothing in it that ``visible`` would write out: ASCII, with lines and tabs."""
    if not text.isascii():
        return False
    return text.isprintable() or text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()


class Spaced:
    """Instants as ``YYYY-MM-DD hh:mm:ss`` in UTC."""

    def __init__(self, exact: Exact, value: Value) -> None:
        self._exact = exact
        self.inputs: Sequence[Value] = (value,)

    def __call__(self, page: Page) -> Cells:
        values = page.values(self.inputs[0])
        if set(map(type, values)) == _TEXTS and set(map(len, values)) <= {0, 19}:
            together = "".join(values)
            if "T" not in together and "0000-" not in together:  # the engine takes these, the contract does not
                try:
                    found = pa.array([value or None for value in values], pa.string()).cast(pa.timestamp("s"))
                    return Cells([found.cast(pa.int64())])
                except pa.ArrowInvalid:
                    pass
        return self._exact(page)


class Links:
    """References as ``{"value": handle, "display_value": name}``, some with the other record's key in a column."""

    def __init__(self, exact: Exact, spec: FieldSpec, source: str, wire: Wire) -> None:
        assert spec.read is not None
        assert wire.leaf is not None
        self._exact = exact
        found = [Value(str(spec.read.steps[0]), leaf) for leaf in (wire.leaf.value, wire.leaf.name)]
        self._plain = spec.plain_key if spec.key is None else spec.key == spec.read  # the handle is the key
        if spec.key is not None and not self._plain:
            found.append(Value(str(spec.key.steps[0]), wire.leaf.value))
        self.inputs: Sequence[Value] = found
        self._start = f"{source}:{spec.ref}:"

    def __call__(self, page: Page) -> Cells:
        taken = [page.usual(value) for value in self.inputs]
        if any(values is None or set(map(type, values)) != _TEXTS for values in taken):
            return self._exact(page)
        handles, names, *keys = cast(list[list[str]], taken)
        if "" in handles and any(name and not handle for handle, name in zip(handles, names, strict=True)):
            return self._exact(page)  # a name without a handle: not known
        if (keys or self._plain) and not _usable(keys[0] if keys else handles):
            return self._exact(page)
        start = self._start
        if keys:
            pairs = zip(handles, keys[0], strict=True)
            refs = [(start + key if key else f"{start}~{handle}") if handle else None for handle, key in pairs]
        else:
            start += "" if self._plain else "~"
            refs = [start + handle if handle else None for handle in handles]
        shown, kept = texts(names)
        pairs_shown = zip(shown, refs, strict=True)
        told = [name or (ref.rpartition(":")[2] if ref else None) for name, ref in pairs_shown]
        return Cells([refs, kept], None, told)


def _usable(keys: list[str]) -> bool:
    """Whether each of these, if not empty, surely can stand in a ref as it is (see ``usable_key``)."""
    together = "".join(keys)
    if not together.isprintable() or "~" in together or max(map(len, keys)) > MAX_KEY:
        return False
    return " " not in together or not any(map(str.isspace, keys))


def way_of(spec: MappingSpec, wire: Wire, source: str, each: FieldSpec, field: Field) -> Way:
    """The quickest way to a field that gives what ``Exact`` gives."""
    exact = Exact(spec, wire, source, each, field)
    places = [path for path in (each.read, each.key, each.label, each.by) if path is not None]
    plain = all(len(path.steps) == 1 and isinstance(path.steps[0], str) for path in places)
    if each.read is None or each.template is not None or each.const is not None or not plain:
        return exact
    leaf = wire.leaf.value if wire.leaf else None
    value = Value(str(each.read.steps[0]), leaf)
    if field.type in ("text", "long_text", "word"):
        return Texts(exact, value, each.unset, wire.absent == "empty")
    if field.type == "instant" and each.form is not None and each.form.read is read_spaced and not _words(each):
        return Spaced(exact, value)
    if field.type == "ref":
        return _link(exact, spec, wire, source, each)
    return Remembered(exact, [value])


def _link(exact: Exact, spec: MappingSpec, wire: Wire, source: str, each: FieldSpec) -> Way:
    assert each.read is not None
    leaf = wire.leaf
    usual = each.label is None and each.by is None and not _words(each)
    if leaf is not None and leaf.name is not None and usual:
        return Links(exact, each, source, wire)
    names = [leaf.value, leaf.name] if leaf is not None and leaf.name is not None else [leaf.value if leaf else None]
    inputs = [Value(str(each.read.steps[0]), name) for name in names]
    inputs += [Value(str(path.steps[0]), names[0]) for path in (each.key, each.label, each.by) if path is not None]
    return Remembered(exact, inputs, whole=True)


def _words(each: FieldSpec) -> bool:
    return any(each.unset)

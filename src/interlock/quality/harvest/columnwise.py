"""A page of native rows straight into the columns of a snapshot: what ``decode`` and ``stored`` give, by column.

Row by row, most of the time would go into dicts and tuples that are taken apart again. Here each field is read
for all rows of a page at once (``fieldwise``); rows of a kind whose mapping is of several parts go the long way.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from interlock.adapterkit.decodegen import Odd, compile_decoder
from interlock.adapterkit.mapping import Mapping
from interlock.adapterkit.native import Native
from interlock.adapterkit.paths import Path
from interlock.quality.harvest.extraction import MISSING, Extraction, Page, Value
from interlock.quality.harvest.fieldwise import REMEMBERED, Cells, Way, way_of
from interlock.quality.harvest.parts import SCHEMAS, batch_of, known_in
from interlock.quality.harvest.parts import arrow as pa
from interlock.quality.matching import WORDED, key_of, meant
from interlock.quality.stored import KEYED, stored, stored_text
from interlock.records.fields import EXT
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug
from interlock.sources.ports import MappingPort

_LONGEST = 64  # as the decoder takes a key without a second look


@dataclass(frozen=True, slots=True)
class Swath:
    """Rows of a page as a record batch, with their handles and in how many each field is known."""

    batch: Any
    handles: list[str]
    known: Counter[str]


class ByRow:
    """The long way, for every mapping."""

    def __init__(self, mapping: MappingPort, kind: str, source: str) -> None:
        self._mapping = mapping
        self._kind = kind
        self._source = source

    def handle(self, native: Native) -> str:
        """The handle of a row. Raises Problem for one without."""
        try:
            found = self._mapping.handle(native)
        except Odd:
            found = None
        if found is None:
            raise Problem(
                Slug.SOURCE_FAULT,
                f"{self._source} gave a {self._kind} without a handle",
                next_step="Give the account the right to read the column that the mapping names as id.",
                layer="source",
                source=self._source,
            )
        return found

    def __call__(self, rows: Sequence[Native], observed_at: float) -> Swath:
        """The rows of a page. Raises Problem for a row that is not of the mapping's form."""
        decode, kind, source = self._mapping.decode, self._kind, self._source
        found = [stored(kind, decode(row), self.handle(row), source, observed_at) for row in rows]
        return Swath(batch_of(kind, found), [str(row[1]) for row in found], known_in(found))


class ByColumn:
    """The short way, for a mapping that is one."""

    def __init__(self, mapping: Mapping, kind: str, source: str) -> None:
        spec, wire = mapping.spec, mapping.manifest.wire
        self._long = ByRow(mapping, kind, source)
        self._decoder = mapping.decoder
        self._kind = kind
        self._source = source
        self._fields = [field for field in FIELDS[kind].values() if field.type != "url"]
        self._ways: dict[str, Way] = {
            field.name: way_of(spec, wire, source, each, field)
            for field in self._fields
            if (each := spec.fields.get(field.name)) is not None
        }
        extra = {name: each for name, each in spec.fields.items() if name.startswith(EXT)}
        alone = replace(spec, fields=extra, inverse=None)
        self._extra = compile_decoder(alone, wire, source, {}).fields if extra else None
        leaf = wire.leaf.value if wire.leaf else None
        self._id, self._key = (_value(path, leaf) for path in (spec.id, spec.key))
        self._parted = bool(spec.part)  # its handles begin with the part
        self._keyed = spec.key != spec.id
        self._start = f"{source}:{kind}:"
        self._worded = WORDED if kind == "ci" else ()
        self._said: dict[str, dict[str, str | None]] = {}
        self._inverse = spec.inverse
        told = spec.fields[spec.inverse.field].read if spec.inverse else None
        self._told = _value(told, leaf)
        inputs = [value for way in self._ways.values() for value in way.inputs]
        inputs += [value for value in (self._id, self._key, self._told) if value is not None]
        self._extraction = Extraction(inputs)

    def __call__(self, rows: Sequence[Native], observed_at: float) -> Swath:
        """As ``ByRow``."""
        if not rows or (self._inverse is not None and self._told is None):
            return self._long(rows, observed_at)
        try:
            return self._quick(rows, observed_at)
        except (Odd, AttributeError):
            return self._long(rows, observed_at)  # which says what is wrong with which row

    def _quick(self, rows: Sequence[Native], observed_at: float) -> Swath:
        page = self._extraction(rows)
        cells = {name: way(page) for name, way in self._ways.items()}
        if self._inverse is not None:
            self._turn(page, cells)
        handles = self._handles(page)
        bars, known = self._known(cells, len(rows))
        columns: dict[str, Any] = {
            "ref": self._refs(page, handles),
            "handle": handles,
            "source": pa.repeat(pa.scalar(self._source, pa.string()), len(rows)),
            "known": bars,
            "ext": self._ext(rows),
            "observed_at": pa.repeat(pa.scalar(int(observed_at), pa.int64()), len(rows)),
        }
        for field in self._fields:
            if (found := cells.get(field.name)) is not None:
                names = (field.name, f"{field.name}_name")
                columns |= dict(zip(names, found.columns, strict=False))
        for name in KEYED.get(self._kind, ()):
            columns[f"{name}_key"] = _keys(name, cells.get(name))
        for name in self._worded:
            columns[f"{name}_meant"] = self._meant(name, cells.get(name))
        schema = SCHEMAS[self._kind]
        arrays = [_array(columns.get(field.name), field.type, len(rows)) for field in schema]
        return Swath(pa.RecordBatch.from_arrays(arrays, schema=schema), handles, known)

    def _handles(self, page: Page) -> list[str]:
        values = page.usual(self._id) if self._id is not None else None
        if values is None or set(map(type, values)) != {str} or "" in values or self._parted:
            return [self._long.handle(row) for row in page.rows]
        return values

    def _refs(self, page: Page, handles: list[str]) -> list[str]:
        values = handles if not self._keyed else page.usual(self._key) if self._key is not None else None
        start = self._start
        plain = values is not None and set(map(type, values)) == {str} and "" not in values
        if values is not None and plain and "".join(values).isalnum() and max(map(len, values)) <= _LONGEST:
            return [start + value for value in values]
        ref = self._decoder.ref
        return [ref(row) for row in page.rows]

    def _known(self, cells: dict[str, Cells], rows: int) -> tuple[Any, Counter[str]]:
        names = [field.name for field in self._fields if field.name in cells]
        known: Counter[str] = Counter()
        flags: list[list[bool]] = []
        some: list[str] = []
        for name in names:
            told = cells[name].known
            known[name] = rows if told is None else sum(told)
            if known[name] not in (0, rows):
                some.append(name)
                flags.append(told or [])
        always = [name for name in names if known[name] == rows]
        if not some:
            return pa.repeat(pa.scalar(f"|{'|'.join(always)}|", pa.string()), rows), +known
        made: dict[tuple[bool, ...], str] = {}
        bars = []
        for row in zip(*flags, strict=True):
            bar = made.get(row)
            if bar is None:
                here = {*always, *(name for name, told in zip(some, row, strict=True) if told)}
                bar = made[row] = f"|{'|'.join(name for name in names if name in here)}|"
            bars.append(bar)
        return bars, +known

    def _meant(self, name: str, cells: Cells | None) -> list[str | None] | None:
        if cells is None:
            return None
        assert cells.shown is not None
        said = self._said.setdefault(name, {})
        if len(said) > REMEMBERED:
            said.clear()
        found: list[str | None] = []
        for value in cells.shown:
            if value.__class__ is not str:
                found.append(stored_text(meant(value)))
            elif value in said:
                found.append(said[value])
            else:
                found.append(said.setdefault(value, stored_text(meant(value))))
        return found

    def _ext(self, rows: Sequence[Native]) -> list[str | None] | None:
        if self._extra is None:
            return None
        found: list[str | None] = []
        for row in rows:
            record: dict[str, Any] = {}
            self._extra(row, record)
            ext = record.get("ext")
            found.append(orjson.dumps(ext).decode() if ext else None)
        return found

    def _turn(self, page: Page, cells: dict[str, Cells]) -> None:
        """A relation that the source keeps the other way round: its ends change places."""
        assert self._inverse is not None
        assert self._told is not None
        natives = frozenset(self._inverse.natives)
        values, rows = page.values(self._told), page.rows
        turned = [value in natives if isinstance(value, str) else False for value in values]
        unknown = [value is MISSING for value in values]
        if not any(turned) and not any(unknown):
            return
        one, other = (cells.get(name) or _nothing(len(rows)) for name in self._inverse.swap)
        ends = []
        for own, far in ((one, other), (other, one)):
            columns = [
                [None if no else b if turn else a for a, b, turn, no in zip(mine, theirs, turned, unknown, strict=True)]
                for mine, theirs in zip(own.columns, far.columns, strict=True)
            ]
            flags = [cell.known or [True] * len(rows) for cell in (own, far)]
            known = [not no and (b if turn else a) for a, b, turn, no in zip(*flags, turned, unknown, strict=True)]
            ends.append(Cells(columns, known))
        cells |= dict(zip(self._inverse.swap, ends, strict=True))


def reader(mapping: MappingPort, kind: str, source: str) -> ByRow | ByColumn:
    """What reads pages of this mapping."""
    return ByColumn(mapping, kind, source) if type(mapping) is Mapping else ByRow(mapping, kind, source)


@contextmanager
def little_garbage() -> Iterator[None]:
    """The collector of a process that only harvests: a page is tens of thousands of objects, none in a cycle."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _value(path: Path | None, leaf: str | None) -> Value | None:
    if path is None or len(path.steps) != 1 or not isinstance(path.steps[0], str):
        return None
    return Value(path.steps[0], leaf)


def _nothing(rows: int) -> Cells:
    return Cells([[None] * rows, [None] * rows], [False] * rows)


def _keys(name: str, cells: Cells | None) -> list[str | None] | None:
    if cells is None:
        return None
    shown = cells.shown if cells.shown is not None else cells.columns[0]
    return [stored_text(key_of(name, value, ())) if value.__class__ is str and value else None for value in shown]


def _array(values: Any, kind: Any, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, kind)
    return pa.array(values, kind) if isinstance(values, list | tuple) else values

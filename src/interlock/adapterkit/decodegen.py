"""Decode as generated straight-line Python: native row in, canonical dict out.

The source is made once per mapping from its checked data only; every name and word of the data enters it
through ``repr``, never as code. What makes it fast is that nothing is looked up twice and nothing is
asked of a row that the mapping already knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from interlock.adapterkit.forms import read_spaced, read_whole
from interlock.adapterkit.manifest import Leaf, Wire
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.paths import Path, Select
from interlock.records.fields import EXT, UNMAPPED
from interlock.records.problems import Problem, Slug
from interlock.records.text import visible

Row = Mapping[str, Any]
MAX_KEY = 200
MAX_NATIVE = 500


# What most values are is asked first; the function decides the rest.
_USABLE = "(len({0}) <= 64 and {0}.isalnum() or usable({0}))"
_SHOWN = "({0} if {0}.isascii() and {0}.isprintable() else visible({0}))"


class Odd(TypeError):
    """A native value of a form that the wire does not have."""


def as_text(value: Any) -> str:
    """A native scalar as text; null is empty. Raises Odd for lists and objects."""
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Odd(type(value).__name__)


def usable_key(text: str) -> bool:
    """Whether a native key can stand in a ref as it is."""
    return text.isprintable() and text[0] != "~" and len(text) <= MAX_KEY and not text.isspace()


def kept(native: dict[str, str] | None, name: str, value: Any) -> dict[str, str]:
    """Keep a native value beside a field that cannot hold it."""
    found = {} if native is None else native
    found[name] = visible(value if isinstance(value, str) else str(value))[:MAX_NATIVE]
    return found


def handle_of(link: Any) -> str:
    """The handle at the end of a link, whatever host it names; empty when there is none."""
    return link.rstrip("/").rsplit("/", 1)[-1].split("?", 1)[0] if isinstance(link, str) else ""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Compiled functions of one mapping, and the source they were made of.

    ``fields(row, record)`` fills a record; ``ref(row)`` names it; ``handle(row)`` is the native handle.
    """

    fields: Callable[[Row, dict[str, Any]], None]
    ref: Callable[[Row], str]
    handle: Callable[[Row], str | None]
    kind: str
    source: str

    def decode(self, row: Row) -> dict[str, Any]:
        try:
            record: dict[str, Any] = {"ref": self.ref(row)}
            self.fields(row, record)
        except (AttributeError, Odd) as failure:
            raise odd(row, self.kind) from failure
        return record


@dataclass(slots=True)
class _Code:
    """Lines under construction and the objects they name."""

    spec: MappingSpec
    wire: Wire
    source: str
    settings: Mapping[str, Any]
    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)

    def add(self, indent: int, *lines: str) -> None:
        self.lines.extend("    " * indent + line for line in lines)

    def name(self, prefix: str, value: Any) -> str:
        """A name under which the generated code finds an object."""
        made = f"{prefix}{len(self.names)}"
        self.names[made] = value
        return made

    def load(self, path: Path, var: str, indent: int = 1, *, leaf: bool = True) -> None:
        """``var`` becomes the value at a path, or M when it is missing."""
        first, *rest = path.steps
        self.add(indent, f"{var} = g({first!r}, M)")
        for step in rest:
            if isinstance(step, Select):
                self.add(indent, f"if {var} is not M: {var} = {self.name('S', step.first)}({var}, M)")
                continue
            self.add(indent, f"if {var}.__class__ is dict: {var} = {var}.get({step!r}, M)")
            self.add(indent, f"elif {var} is not None: {var} = M")
        if leaf and self.wire.leaf:
            self.add(indent, f"if {var}.__class__ is dict:")
            self.add(indent + 1, f"try: {var} = {var}[{self.wire.leaf.value!r}]", f"except KeyError: {var} = M")

    def blank(self, unset: tuple[str, ...]) -> str:
        words = frozenset(word for word in unset if word)
        return f"not v or v in {self.name('U', words)}" if words else "not v"


def compile_decoder(spec: MappingSpec, wire: Wire, source: str, settings: Mapping[str, Any]) -> Decoder:
    """Generate and compile the decoder of a mapping for one source."""
    code = _Code(spec, wire, source, settings)
    code.names |= {
        "M": object(), "visible": visible, "as_text": as_text, "kept": kept, "usable": usable_key,
        "handle_of": handle_of, "whole": read_whole, "calendar": datetime.fromisoformat, "segment": _segment,
        "nameless": _nameless, "odd": odd,
    }  # fmt: skip
    _identity(code)
    code.add(0, "def fields(row, r):")
    code.add(1, "g = row.get", "native = None", "e = {}", "try:")
    start = len(code.lines)
    code.add(1, "pass")
    for each in spec.fields.values():
        _field(code, each)
    _inverse(code)
    code.lines[start:] = ["    " + line for line in code.lines[start:]]
    code.add(1, f"except (TypeError, AttributeError) as failure: raise odd(row, {spec.kind!r}) from failure")
    if any(name.startswith(EXT) for name in spec.fields):
        code.add(1, "if e: r['ext'] = e")
    code.add(1, "if native is not None: r['native'] = native")
    text = "\n".join(code.lines) + "\n"
    space: dict[str, Any] = dict(code.names)
    exec(compile(text, f"<mapping {spec.kind}>", "exec"), space)  # noqa: S102 - made of checked data, see above
    return Decoder(space["fields"], space["ref"], space["handle"], spec.kind, text)


def _identity(code: _Code) -> None:
    spec, start = code.spec, f"{code.source}:{code.spec.kind}:"
    prefix = spec.part and f"{spec.part}/"
    code.add(0, "def handle(row):")
    code.add(1, "g = row.get")
    code.load(spec.id, "v")
    code.add(1, "if v is M or v is None or v == '': return None", "if v.__class__ is not str: v = as_text(v)")
    code.add(1, f"return {prefix!r} + v" if prefix else "return v")
    code.add(0, "def ref(row):")
    code.add(1, "g = row.get")
    if spec.key != spec.id:
        code.load(spec.key, "v")
        code.add(1, "if v is not M and v.__class__ is not str: v = as_text(v)")
        code.add(1, f"if v is not M and v and {_USABLE.format('v')}: return {start!r} + v")
        code.add(1, "v = handle(row)", f"if v: return {start + '~'!r} + v")
    else:
        code.add(1, "v = handle(row)", f"if v: return ({start!r} if usable(v) else {start + '~'!r}) + v")
    columns = sorted({spec.key.column, spec.id.column})
    code.add(1, f"raise nameless({spec.kind!r}, {columns!r})")


def _field(code: _Code, spec: FieldSpec) -> None:
    if spec.const is not None:
        code.add(1, f"{_slot(spec.name)} = {spec.const!r}")
    elif spec.template is not None:
        _template(code, spec.name, spec.template)
    elif spec.read is not None:
        kind = spec.field.type
        if kind == "ref":
            _link(code, spec, spec.read)
            return
        code.load(spec.read, "v")
        if kind in ("enum", "bool"):
            body = _coded(code, spec)
        elif kind in ("text", "long_text", "word", "url"):
            body = [
                f"if {code.blank(spec.unset)}: {_slot(spec.name)} = None",
                f"else: {_slot(spec.name)} = {_SHOWN.format('v')}",
            ]
        elif kind == "version":
            body = [f"{_slot(spec.name)} = v or None"]
        else:
            body = _measured(code, spec)
        # Text, by far the most frequent, takes one test; numbers, booleans and null take the same way after it.
        code.add(1, "if v.__class__ is str:")
        code.add(2, *body)
        code.add(1, "elif v is not M:")
        code.add(2, "v = as_text(v)", *body)
    if code.wire.absent == "empty" and spec.read is not None:
        code.add(1, f"if v is M: {_slot(spec.name)} = None")


def _slot(name: str) -> str:
    """Where a field is put: those that the contract does not know stand together under ``ext``."""
    return f"e[{name[len(EXT) :]!r}]" if name.startswith(EXT) else f"r[{name!r}]"


def _measured(code: _Code, spec: FieldSpec) -> list[str]:
    """An instant or a number; what cannot be read is kept as it is, and the field stays absent."""
    lines = [f"if {code.blank(spec.unset)}: {_slot(spec.name)} = None", "else:", "    try:"]
    if spec.form is not None and spec.form.read is read_spaced:
        lines += [
            "        calendar(v)",
            "        if len(v) != 19 or v[4:17:3] != '-- ::': raise ValueError",
            f"        {_slot(spec.name)} = f'{{v[:10]}}T{{v[11:]}}Z'",
        ]
    else:
        read = code.name("F", spec.form.read) if spec.form else "whole"
        lines.append(f"        {_slot(spec.name)} = {read}(v)")
    return [*lines, f"    except (ValueError, OverflowError): native = kept(native, {spec.name!r}, v)"]


def _coded(code: _Code, spec: FieldSpec) -> list[str]:
    assert spec.codes is not None
    exact: dict[str, Any] = {"": None, **dict.fromkeys(spec.unset, None), **spec.codes.exact}
    table, search = code.name("T", exact), code.name("C", spec.codes.read)
    guard = f"if w != {UNMAPPED!r}: " if spec.field.type == "bool" else ""
    return [
        f"w = {table}.get(v, M)",
        "if w is M:",
        f"    w = {search}(v)",
        f"    if w == {UNMAPPED!r}: native = kept(native, {spec.name!r}, v)",
        f"{guard}{_slot(spec.name)} = w",
    ]


def _link(code: _Code, spec: FieldSpec, place: Path) -> None:
    """A reference in any shape: a handle, an object with value or link and name, or a readable key."""
    name, leaf = spec.name, code.wire.leaf or Leaf(value="")
    start = f"{code.source}:{spec.ref}:"
    same = spec.key is not None and spec.key == place
    code.load(place, "v", leaf=False)
    if spec.by is not None:
        code.load(spec.by, "b")
        code.add(1, "if v is not M and v: v = f'{as_text(b)}/{as_text(v)}' if b is not M and b else M")
    code.add(1, "n = None")
    if code.wire.leaf:
        code.add(1, "if v.__class__ is dict:")
        if leaf.name:
            code.add(2, f"n = v.get({leaf.name!r})")
        code.add(2, f"h = v.get({leaf.value!r})")
        if leaf.link:
            code.add(2, f"if h is None: h = handle_of(v.get({leaf.link!r}))")
        code.add(2, f"if not h and n: native = kept(native, {name!r}, n); v = M")
        code.add(2, "else: v = h")
    code.add(1, "if v is not M:")
    code.add(2, "if v.__class__ is not str: v = as_text(v)")
    code.add(2, f"if {code.blank(spec.unset)}: {_slot(name)} = None")
    code.add(2, "else:")
    if spec.key is not None and not same:
        code.load(spec.key, "k", 3)
        code.add(3, "if k is not M and k.__class__ is not str: k = as_text(k)")
        code.add(3, f"v = {start!r} + k if k is not M and k and {_USABLE.format('k')} else {start + '~'!r} + v")
    elif same or spec.plain_key:
        code.add(3, f"v = ({start!r} if {_USABLE.format('v')} else {start + '~'!r}) + v")
    else:
        code.add(3, f"v = {start + '~'!r} + v")
    if spec.label is not None:
        code.load(spec.label, "n", 3)
        code.add(3, "if n is M: n = None")
    code.add(3, "if n.__class__ is not str: n = as_text(n) if n is not None else None")
    code.add(3, f"{_slot(name)} = {{'ref': v, 'name': {_SHOWN.format('n')} if n else None}}")
    if code.wire.absent == "empty":
        code.add(1, f"if v is M: {_slot(name)} = None")


def _template(code: _Code, name: str, template: str) -> None:
    """An address made of settings and columns; without all of them the field is absent."""
    parts = template_parts(template, code.settings)
    if parts is None:
        return
    pieces: list[str] = []
    loaded: list[str] = []
    for text, column in parts:
        if column is None:
            pieces.append(repr(text))
            continue
        var = f"a{len(loaded)}"
        code.load(Path(column, (column,)) if code.wire.paths == "flat" else Path(column, tuple(column.split("."))), var)
        loaded.append(var)
        pieces.append(f"({var} if {var}.__class__ is str and {var}.isascii() and {var}.isalnum() else segment({var}))")
    test = " and ".join(f"{var} is not M and {var}" for var in loaded) or "True"
    code.add(1, f"if {test}: {_slot(name)} = {' + '.join(pieces)}")


def template_parts(template: str, settings: Mapping[str, Any]) -> list[tuple[str, str | None]] | None:
    """Pieces of a template: fixed text, or a column's name. None when a setting it names is not set."""
    parts: list[tuple[str, str | None]] = []
    for index, piece in enumerate(template.replace("}", "{").split("{")):
        if index % 2 == 0:
            if piece:
                parts.append((piece, None))
        elif piece.startswith("setting."):
            value = settings.get(piece.removeprefix("setting."))
            if value is None:
                return None
            parts.append((str(value).rstrip("/"), None))
        else:
            parts.append(("", piece))
    return parts


def _segment(value: Any) -> str:
    return quote(as_text(value), "")


def _inverse(code: _Code) -> None:
    if code.spec.inverse is None:
        return
    told = code.spec.fields[code.spec.inverse.field].read
    assert told is not None
    one, other = code.spec.inverse.swap
    natives = code.name("V", frozenset(code.spec.inverse.natives))
    code.load(told, "v")
    code.add(1, f"if v in {natives}:")
    code.add(2, f"x, y = r.pop({one!r}, M), r.pop({other!r}, M)")
    code.add(2, f"if y is not M: r[{one!r}] = y")
    code.add(2, f"if x is not M: r[{other!r}] = x")
    # Which end is which is unknown while the type is: then neither is told.
    code.add(1, "elif v is M:")
    code.add(2, f"r.pop({one!r}, None); r.pop({other!r}, None)")


def _nameless(kind: str, columns: list[str]) -> Problem:
    return Problem(
        Slug.SOURCE_FAULT,
        f"the source gave a {kind} without {' and '.join(columns)}, so it cannot be named",
        next_step=f"Give the account the right to read {' or '.join(columns)}.",
        layer="source",
    )


def odd(row: Row, kind: str) -> Problem:
    items = row.items() if isinstance(row, Mapping) else ()
    found = sorted(str(name) for name, value in items if isinstance(value, list | tuple | dict))[:5]
    return Problem(
        Slug.SOURCE_FAULT,
        f"the source gave a {kind} whose values are not of the declared form"
        + (f"; look at {', '.join(found)}" if found else ""),
        next_step="Compare the row with the mapping: interlock adapter try.",
        layer="source",
    )

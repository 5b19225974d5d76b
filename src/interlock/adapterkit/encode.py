"""Canonical changes into native values: what is written where, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal

from interlock.adapterkit.manifest import Wire
from interlock.adapterkit.mappingspec import FieldSpec, MappingSpec
from interlock.adapterkit.yamlfile import nearest
from interlock.records import times
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.refs import Ref

WriteOp = Literal["create", "update"]


def encode(
    spec: MappingSpec, wire: Wire, source: str, changes: Mapping[str, Any], op: WriteOp, handles: Mapping[str, str]
) -> dict[str, Any]:
    """The native payload of changes. ``handles``: ref to native handle, for refs given by a readable key.

    Raises Problem: unmapped-value for a word that this source has no value for, else invalid-argument;
    each names the field and the way out.
    """
    payload: dict[str, Any] = deepcopy(dict(spec.beside)) if op == "create" else {}
    for name, value in changes.items():
        each = field_of(spec, name, value)
        place = each.create if op == "create" else each.write
        if place is None:
            able = [n for n, f in spec.fields.items() if (f.create if op == "create" else f.write)]
            when = "later than at creation" if op == "update" and each.create else "in this source"
            raise invalid(name, value, f"cannot be written {when}", f"Writable: {', '.join(able) or 'nothing'}.")
        native = native_value(each, wire, source, value, handles)
        if each.by is not None:
            told, native = part_and_handle(each, native)
            each.by.put(payload, told)
        if each.write_as is not None and value is not None:
            native = _wrapped(each.write_as, native)
        place.put(payload, native)
    if op == "create":
        turn(spec, payload, "create")
    return payload


def turn(spec: MappingSpec, native: dict[str, Any], way: Literal["read", "create"]) -> None:
    """Let two ends change places where the native value of a field tells it from the other end."""
    if spec.inverse is None:
        return
    told, one, other = (getattr(spec.fields[name], way) for name in (spec.inverse.field, *spec.inverse.swap))
    if told is None or one is None or other is None or told.get(native) not in spec.inverse.natives:
        return
    ends = one.get(native), other.get(native)
    for place, value in zip((other, one), ends, strict=True):
        if value is not None:
            place.put(native, value)


def _wrapped(shape: Any, native: Any) -> Any:
    """A value in the shape that the source wants it in; a shape that is the hole alone keeps its type."""
    if isinstance(shape, str):
        return native if shape == "{v}" else shape.replace("{v}", str(native))
    if isinstance(shape, dict):
        return {name: _wrapped(inner, native) for name, inner in shape.items()}
    return [_wrapped(inner, native) for inner in shape] if isinstance(shape, list) else shape


def part_and_handle(each: FieldSpec, native: Any) -> tuple[Any, Any]:
    """Part and handle of a reference that names both."""
    if native is None or native == "":
        return native, native
    part, _, handle = str(native).rpartition("/")
    if not part:
        raise invalid(each.name, native, "does not tell the kind of thing it names", "Take the ref from a search.")
    return part, handle


def field_of(spec: MappingSpec, name: str, value: object) -> FieldSpec:
    """The mapped field of that name, or a Problem."""
    if name in spec.fields:
        return spec.fields[name]
    if name in FIELDS[spec.kind]:
        raise invalid(name, value, "does not exist in this source", f"Leave it out. Known: {', '.join(spec.fields)}.")
    raise invalid(name, value, f"is not a field of {spec.kind}", nearest(name, FIELDS[spec.kind]))


def native_value(each: FieldSpec, wire: Wire, source: str, value: Any, handles: Mapping[str, str]) -> Any:
    """One canonical value as the source writes it. ``None`` clears. Raises Problem."""
    kind, name = each.field.type, each.name
    if value is None:
        return each.unset[0] if each.unset else None
    if kind in ("enum", "bool"):
        return _typed(_code(each, value), wire)
    if kind == "ref":
        return _handle(each, source, value, handles)
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
            raise invalid(name, value, "must be a whole number")
        return _typed(str(value), wire)
    if not isinstance(value, str):
        raise invalid(name, value, "must be a string")
    if kind == "instant":
        assert each.form is not None
        try:
            return each.form.write(times.to_text(times.parse(value, name)))
        except ValueError:
            raise invalid(name, value, "cannot be written by this source", "Use a time after 1970.") from None
    return value


def _code(each: FieldSpec, value: Any) -> str:
    assert each.codes is not None
    if isinstance(value, str | bool) and value in each.codes.writes:
        return each.codes.writes[value]
    able = ", ".join(str(word) for word in each.codes.writes)
    allowed: tuple[Any, ...] = each.field.values if each.field.type == "enum" else (True, False)
    if value in allowed:
        raise Problem(
            Slug.UNMAPPED_VALUE,
            f"{each.name}: this source has no value for {value}",
            field=each.name,
            value=value,
            next_step=f"Use one of: {able}." if able else "Leave it out.",
            layer="argument",
        )
    raise invalid(each.name, value, f"is not a value of {each.name}", nearest(value, map(str, allowed)))


def _typed(text: str, wire: Wire) -> Any:
    if wire.scalars == "text":
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.lstrip("-").isdecimal() and str(int(text)) == text else text


def ref_of(each: FieldSpec, value: Any) -> Ref:
    """The ref in a change: text, or a link. Raises Problem."""
    text = value.get("ref") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        raise invalid(each.name, value, "must be a ref", f"Write it as source:{each.ref}:key.")
    return Ref.parse(text, each.name, each.ref)


def needs_handle(each: FieldSpec, ref: Ref) -> bool:
    """Whether a ref must be looked up before it can be written."""
    return ref.handle is None and not each.plain_key and not writes_key(each)


def writes_key(each: FieldSpec) -> bool:
    """Whether the column holds the readable key of the record it names, not its handle."""
    return each.key is not None and each.key == each.read and not each.plain_key


def _handle(each: FieldSpec, source: str, value: Any, handles: Mapping[str, str]) -> str:
    ref = ref_of(each, value)
    if ref.source != source:
        raise invalid(
            each.name, str(ref), f"is a record of {ref.source}, but this is {source}", f"Pass a ref of {source}."
        )
    if ref.handle is not None and writes_key(each):
        raise invalid(
            each.name, str(ref), "names a record by its handle, but this source writes its readable key",
            f"Pass a {ref.kind} that has one; a {ref.kind} without cannot be named there.",
        )  # fmt: skip
    if not needs_handle(each, ref):
        return ref.handle or ref.key
    found = handles.get(str(ref))
    if found is None:
        raise invalid(
            each.name, str(ref), "names a record by its key, but this source writes its handle",
            f"Look the record up first, or pass {source}:{ref.kind}:~handle.",
        )  # fmt: skip
    return found

"""Mistakes in a profile, told with file, line, value and the nearest valid key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from interlock.records.problems import Problem, Slug, invalid

KEY_MARK = "[key]"  # what pydantic puts behind a mapping key that is itself wrong


class NotOneOf(ValueError):
    """A word that is not one of those allowed."""

    def __init__(self, why: str, allowed: Iterable[str]) -> None:
        super().__init__(why)
        self.why = why
        self.allowed = tuple(allowed)


@dataclass(frozen=True, slots=True)
class Place:
    """Where profile values come from: a file (or another name), and its YAML tree for line numbers."""

    name: str
    node: yaml.Node | None = None

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of the deepest part of the path that the file has; None without a file."""
        node, found = self.node, None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                entry = next(((k, v) for k, v in node.value if k.value == str(part)), None)
                if entry is None:
                    break
                found, node = entry[0].start_mark.line + 1, entry[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                found = node.start_mark.line + 1
            else:
                break
        return found

    def problem(self, path: Sequence[str | int], value: object, why: str, allowed: Iterable[str] = ()) -> Problem:
        """A Problem for one place in the profile, with the nearest of the allowed words."""
        names = sorted(set(allowed))
        near = get_close_matches(str(value), names, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"One of: {', '.join(names)}." if names else None
        line = self.line(path)
        where = f"{self.name}, line {line}: " if line else f"{self.name}: "
        field = ".".join(str(part) for part in path)
        found = invalid(field, value, why, hint)
        return Problem(
            found.slug,
            where + found.detail,
            field=field,
            value=value,
            next_step=hint,
            layer="argument",
        )


def read_yaml(text: str, name: str) -> tuple[dict[str, Any], Place]:
    """A YAML mapping and its place. Raises Problem invalid-argument: not YAML, no mapping, a key twice."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark else name
        why = getattr(error, "problem", None) or "cannot be read"
        raise Problem(Slug.INVALID_ARGUMENT, f"{where}: not YAML: {why}", field=name, layer="argument") from None
    if values is None:
        return {}, Place(name)
    if not isinstance(values, dict):
        raise invalid(name, type(values).__name__, "is not a mapping", "Write sections such as ci: and matrix:.")
    place = Place(name, node)
    _refuse_twins(node, place, ())
    return values, place


def _refuse_twins(node: yaml.Node | None, place: Place, path: tuple[str | int, ...]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise place.problem((*path, key.value), key.value, "is there twice; the later would win")
            seen.add(key.value)
            _refuse_twins(value, place, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            _refuse_twins(entry, place, (*path, index))


def problem_of(error: ValidationError, model: type[BaseModel], place: Place) -> Problem:
    """The first mistake of a validation as a Problem."""
    first = error.errors(include_url=False)[0]
    path = tuple(part for part in first["loc"] if part != KEY_MARK)
    value, kind, context = first["input"], first["type"], first.get("ctx", {})
    shown = value if isinstance(value, str | int | float | bool) or value is None else type(value).__name__
    if kind == "extra_forbidden":
        return place.problem(path, path[-1], "is not a key here", _keys_at(model, path[:-1]))
    if kind == "value_error":
        cause = context["error"]
        if isinstance(cause, NotOneOf):
            return place.problem(path, shown, cause.why, cause.allowed)
        return place.problem(path, shown, str(cause))
    if kind == "literal_error":
        allowed = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ", ").split(",")]
        return place.problem(path, shown, "is not one of the words for this", allowed)
    if kind == "missing":
        return place.problem(path, None, "is needed")
    return place.problem(path, shown, f"cannot be taken: {first['msg']}")


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys of the section at a path: its fields, followed through mappings of sections."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation
        else:
            arguments = get_args(current)
            current = arguments[-1] if arguments else None
    if isinstance(current, type) and issubclass(current, BaseModel):
        return tuple(current.model_fields)
    return ()

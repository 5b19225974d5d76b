"""YAML files of adapters: read strictly, with the line of every entry, so that errors can point at it.

Only ``true``, ``false``, ``null`` and plain integers are more than text: ``no``, ``1.10``, ``007`` and
dates stay words. Duplicate keys, aliases and tags are refused; nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from interlock.records.problems import Problem, Slug

Place = tuple[str | int, ...]
MAX_BYTES = 1024 * 1024


class MappingError(Problem):
    """An adapter's file (or a source's overlay) that cannot be used: which file, line, entry, and the way out."""

    def __init__(self, where: str, place: Place, why: str, next_step: str | None = None, value: object = None) -> None:
        entry = ".".join(str(step) for step in place)
        super().__init__(
            Slug.INVALID_ARGUMENT,
            f"{where}: {entry} {why}" if entry else f"{where}: {why}",
            field=entry or where,
            value=value,
            next_step=next_step,
            layer="argument",
            reached="no",
        )


class _Resolver(yaml.resolver.BaseResolver):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_Resolver.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
_Resolver.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^null$"), ["n"])
_Resolver.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(?:0|[1-9][0-9]{0,17})$"), list("-0123456789"))

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _Loader(CParser, _Resolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Resolver.__init__(self)

except ImportError:

    class _Loader(  # type: ignore[no-redef]
        yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _Resolver
    ):
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            _Resolver.__init__(self)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and on which line each entry stands. ``files``: entries that came from another file.

    Line 0 is an entry without a line: it stands in a source's configuration.
    """

    data: Any
    file: str
    lines: Mapping[Place, int] = field(default_factory=dict)
    files: Mapping[Place, str] = field(default_factory=dict)

    def file_of(self, place: Place) -> str:
        """The file that an entry with a line of its own came from."""
        return self.files.get(place, self.file)

    def origin(self, place: Place) -> str:
        """File and line of an entry, or of the nearest one around it that has a line."""
        found = next((place[:n] for n in range(len(place), -1, -1) if place[:n] in self.lines), None)
        if found is None:
            return self.file
        line = self.lines[found]
        return f"{self.file_of(found)} line {line}" if line else self.file_of(found)

    def fault(self, place: Place, why: str, next_step: str | None = None, value: object = None) -> MappingError:
        """An error at an entry; entries without a line of their own use their parent's."""
        return MappingError(self.origin(place), place, why, next_step, value)

    def unknown(self, place: Place, known: Iterable[str], what: str) -> MappingError:
        """A key that does not exist, with the nearest one that does."""
        return self.fault(place, f"is not {what}", nearest(place[-1], known), place[-1])


def nearest(name: object, known: Iterable[str]) -> str:
    """The way out of a misspelt name."""
    names = [str(k) for k in known]
    near = get_close_matches(str(name), names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(names)) or 'none'}."


def read_yaml(path: Path) -> Document:
    """Read one file. Raises MappingError: missing, too large, not YAML, duplicate keys, tags, aliases."""
    name = "/".join(path.parts[-3:])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MappingError(name, (), "is larger than 1 MB")
        text = path.read_text("utf-8")
    except OSError as failure:
        raise MappingError(name, (), f"cannot be read: {failure.strerror}", "Check the file.") from None
    except UnicodeDecodeError:
        raise MappingError(name, (), "is not UTF-8 text", "Save it as UTF-8.") from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Document:
    """Read YAML text; ``name`` stands in errors."""
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark
        where = f"{name} line {mark.line + 1}" if mark else name
        raise MappingError(where, (), f"is not YAML: {failure.problem or failure.context}") from None
    except yaml.YAMLError as failure:
        raise MappingError(name, (), f"is not YAML: {str(failure)[:200]}") from None
    lines: dict[Place, int] = {}
    data = _build(node, (), name, lines, set()) if node is not None else {}
    return Document(data, name, lines)


def _build(node: yaml.Node, place: Place, name: str, lines: dict[Place, int], seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    where = f"{name} line {line}"
    if id(node) in seen:
        raise MappingError(where, place, "is an alias, which is not allowed", "Write the value out.")
    seen.add(id(node))
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if tag not in ("str", "int", "bool", "null", "map", "seq"):
        raise MappingError(where, place, f"has the tag {node.tag}, which is not allowed", "Leave the tag out.")
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        written: set[str] = set()
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise MappingError(f"{name} line {key_line}", place, "has a key that is not a word")
            if key_node.value in written:
                raise MappingError(
                    f"{name} line {key_line}", (*place, key_node.value), "is there twice", "Keep one of them."
                )
            written.add(key_node.value)
            key = _build(key_node, (*place, key_node.value), name, lines, seen)
            found[key] = _build(value_node, (*place, key_node.value), name, lines, seen)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_build(entry, (*place, index), name, lines, seen) for index, entry in enumerate(node.value)]
    value = node.value
    if tag == "int":
        try:
            return int(value)
        except ValueError:
            raise MappingError(where, place, "is not a whole number", value=value) from None
    if tag == "bool":
        return value == "true"
    return None if tag == "null" else value


class Part(BaseModel):
    """A part of a file. A key it does not know is an error that names the nearest one it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [info.alias or name for name, info in cls.model_fields.items()]
            for key in data:
                if key not in known:
                    raise PydanticCustomError(
                        "unknown_key", "is not a key here", {"key": str(key), "hint": nearest(key, known)}
                    )
        return data

    @classmethod
    def load(cls, document: Document, place: Place = (), data: Any = None) -> Self:
        """Check the document (or ``data``, its part at ``place``). Raises MappingError."""
        try:
            return cls.model_validate(document.data if data is None else data)
        except ValidationError as failure:
            first = failure.errors()[0]
            context = first.get("ctx") or {}
            at = (*place, *(step for step in first["loc"] if _named(step)))
            if first["type"] == "unknown_key":
                raise document.fault((*at, context["key"]), "is not a key here", context["hint"]) from None
            why = first["msg"][:1].lower() + first["msg"][1:]
            value = first["input"] if isinstance(first["input"], str | int | bool) else None
            raise document.fault(at, f"is not right: {why}", value=value) from None


def _named(step: str | int) -> bool:
    # Pydantic adds the names of union members and validators to a location; they are no keys of the file.
    return isinstance(step, int) or not re.search(r"[\[\](),-]|^(?:str|int|bool|float|constrained.*|[A-Z].*)$", step)

"""The overlay of one kind whose services a customer renamed: what is proposed, how sure, and what a person decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from interlock.adapterkit.choicewords import compare
from interlock.adapterkit.comparison import HEAD, entry_line, rules_without
from interlock.adapterkit.inspection import Label
from interlock.adapterkit.mappingspec import FieldSpec
from interlock.adapterkit.soap.customised import SHAPES, Found, elements, rows
from interlock.adapterkit.soap.declaration import WritePart
from interlock.adapterkit.soap.likeness import sure

_ONE = ("key", "query", "start", "size", "text", "id", "author", "created_at", "visibility", "answer")
_TELLING = ("get", "list", "details")
_MANY = ("always", "default", "same", "keys")


class SoapProposal:
    """What the overlay of a kind must say. ``data``: its mapping file; ``kinds``: all, for references between them."""

    def __init__(self, kind: str, found: Found, data: Mapping[str, Any], kinds: Mapping[str, Found]) -> None:
        self._kind, self._found, self._data, self._kinds = kind, found, data, kinds
        self._wire = {column: name for name, each in found.soap.split.items() for column in each.into.values()}
        self._reading = next(role for role in ("get", "list") if role in found.offers)
        self._told = {node.name for role in _TELLING if role in found.offers for node in self._nodes(role)}
        self._told |= set(found.soap.made)
        self._takes: dict[str, set[str]] = {
            role: {node.name for node in self._nodes(role)} for role in ("create", "update") if role in found.offers
        }
        self._remarks: list[str] = []
        self._removed: set[str] = set()
        self._lacks = self._not_created()
        self._creates = "create" in self._takes and not self._lacks

    def _nodes(self, role: str) -> Any:
        return elements(self._found.offers[role].operation, role)

    def text(self, extends: str) -> str | None:
        """The overlay; None when nothing differs."""
        fields = [entry_line(*entry, depth=1) for entry in self._fields()]
        soap = list(self._soap())
        keys = [
            entry_line(key, name, f"proposed: {self._sure(old)}", depth=0)
            for key in ("key", "id")
            if (old := self._data.get(key)) and (name := self._name(old)) not in (None, old)
        ]
        lines = keys + (["soap:", *soap] if soap else []) + (["fields:", *fields] if fields else [])
        lines += self._codes() + rules_without(self._data, self._removed)
        if not lines and not self._remarks:
            return None
        return "\n".join((HEAD, f"extends: {extends}", *lines, *(f"# {each}" for each in self._remarks))) + "\n"

    # --- names -------------------------------------------------------------------------------------

    def _name(self, old: str, role: str | None = None) -> str | None:
        """How an element of the mapping is called here; None when nothing is like it."""
        if old in self._found.soap.made:
            return old
        found = self._found.names.get(role or self._reading, {}).get(old)
        return found[0] if found else None

    def _sure(self, old: str, role: str | None = None) -> str:
        return sure(self._found.names[role or self._reading][old][1])

    def _not_created(self) -> list[str]:
        """Elements that updates write and the create operation does not take: a mapping writes a field in both."""
        if "create" not in self._takes:
            return []
        lacks = []
        for spec in self._found.spec.fields.values():
            name = self._here(spec.create) if spec.write is not None else None
            if name is not None and name in self._takes.get("update", ()) and name not in self._takes["create"]:
                lacks.append(name)
        return list(dict.fromkeys(lacks))

    def _here(self, path: Any) -> str | None:
        if path is None:
            return None
        first = str(path.steps[0])
        return self._name(self._wire.get(first, first))

    # --- operations --------------------------------------------------------------------------------

    def _soap(self) -> Iterator[str]:
        soap, offers, raw = self._found.soap, self._found.offers, self._data["soap"]
        file = offers[self._reading].file
        if file != soap.wsdl:
            yield entry_line("wsdl", file, "proposed: it holds these records", depth=1)
        for role, part in soap.operations().items():
            offer = offers.get(role)
            if offer is None:
                why = f"please decide: no operation here does {role} as {part.operation} did"
                yield entry_line(role, None, why, depth=1)
                continue
            if role == "create" and not self._creates:
                why = f"please decide: {offer.operation.name} takes no {', '.join(self._lacks)}, which updates write"
                yield entry_line(role, None, why, depth=1)
                continue
            now, lost = self._part(role, raw[role], file)
            changed: dict[str, Any] = {key: value for key, value in now.items() if raw[role].get(key) != value}
            changed |= {key: None for key in raw[role] if key not in now}
            if changed:
                why = (
                    f"proposed: {offer.operation.name} is a {SHAPES[role]} like {part.operation} ({sure(offer.score)})"
                )
                if lost:
                    why += f"; please decide: nothing is like {', '.join(dict.fromkeys(lost))}"
                yield entry_line(role, changed, why, depth=1)
        yield from self._besides()
        yield from self._shapes()

    def _shapes(self) -> Iterator[str]:
        """Columns that are one element with another, or made of several."""
        split: list[str] = []
        for old, each in self._found.soap.split.items():
            name, by = self._name(old), self._name(each.by)
            if (name, by) == (old, each.by):
                continue
            split += [] if name == old else [entry_line(old, None, "proposed", depth=2)]
            if name is not None and by is not None:
                split.append(entry_line(name, {"by": by, "into": dict(each.into)}, "proposed", depth=2))
        made: list[str] = []
        for name, parts in self._found.soap.made.items():
            of = [other for old in parts.of if (other := self._name(old)) is not None]
            if of != list(parts.of):
                entry = {"of": of, "join": parts.join} if of else None
                made.append(entry_line(name, entry, "please decide: its parts are called otherwise", depth=2))
        for word, lines in (("split", split), ("made", made)):
            if lines:
                yield from (f"  {word}:", *lines)

    def _part(self, role: str, raw: Mapping[str, Any], file: str) -> tuple[dict[str, Any], list[str]]:
        """The declaration of a role with the names of here, and the elements it loses."""
        offer, part = self._found.offers[role], dict(raw)
        operation, lost = offer.operation, []
        part["operation"] = operation.name
        part.pop("wsdl", None)
        if offer.file != file:
            part["wsdl"] = offer.file
        takes = {node.name for node in operation.input.children}
        known = takes | {node.name for node in self._nodes(role)}

        def here(old: str) -> str | None:
            name = old if old in known else self._name(old, role)
            if name is None:
                lost.append(old)
            return name

        if SHAPES[role] == "get":
            part["key"] = next((name for name in takes if name == self._name(raw["key"])), None) or here(raw["key"])
        elif SHAPES[role] == "list":
            held = rows(operation)
            part["rows"] = held.name if held is not None else raw["rows"]
        for key in _ONE:
            if isinstance(raw.get(key), str) and not (key == "key" and role == "get"):
                part[key] = here(raw[key])
        for key in _MANY:
            if raw.get(key):
                part[key] = {name: value for old, value in raw[key].items() if (name := here(old)) is not None}
        if raw.get("by"):
            part["by"] = {
                seen: {name: value for old, value in more.items() if (name := here(old)) is not None}
                for seen, more in raw["by"].items()
            }
        if raw.get("merge"):
            self._merged(role, part, takes)
        return {key: value for key, value in part.items() if value is not None}, lost

    def _merged(self, role: str, part: dict[str, Any], takes: set[str]) -> None:
        """What a full overwrite could not give back; an operation that takes nothing of the record merges nothing."""
        given = {*part.get("always", ()), part.get("key")}
        if role == "note" and not (takes - given) & self._told:
            part["merge"] = False
            part.pop("unread", None)
            return
        declared = self._found.soap.operations()[role]
        assert isinstance(declared, WritePart)
        kept = [each for each in declared.unread if any(fnmatchcase(name, each) for name in takes)]
        gone = [
            name
            for name in sorted(takes - given - self._told - set(self._wire.values()))
            if not any(fnmatchcase(name, each) for each in kept) and name not in part.get("same", {})
        ]
        if gone:
            self._remarks.append(f"please decide: soap.{role} would empty {', '.join(gone)}: nothing tells them")
        part["unread"] = [*kept, *gone] or None

    def _besides(self) -> Iterator[str]:
        lines = []
        sent = {name for role, names in self._takes.items() if role != "create" or self._creates for name in names}
        for field, beside in self._found.soap.beside.items():
            spec = self._found.spec.fields[field]
            other = self._kinds.get(spec.ref or "")
            now: dict[str, str] = {}
            for old, column in beside.items():
                name = self._name(old)
                held = self._held(other, column) if other is not None else None
                if name is not None and name in sent and held is not None and field not in self._removed:
                    now[name] = held
            if now != beside:
                lines.append(entry_line(field, now or None, "proposed" if now else "nothing here is like it", depth=2))
        if lines:
            yield from ("  beside:", *lines)

    @staticmethod
    def _held(other: Found, column: str) -> str | None:
        """How an element of another kind is called here."""
        for role in ("get", "list"):
            if column in other.names.get(role, {}):
                return other.names[role][column][0]
            if role in other.offers and any(n.name == column for n in elements(other.offers[role].operation, role)):
                return column
        return None

    # --- fields and codes --------------------------------------------------------------------------

    def _fields(self) -> Iterator[tuple[str, Any, str]]:
        for name, spec in self._found.spec.fields.items():
            raw = self._data["fields"].get(name)
            places = {"read": spec.read, "write": spec.write, "create": spec.create}
            old = {way: str(path.steps[0]) if path is not None else None for way, path in places.items()}
            if raw is None or not any(old.values()):
                continue
            here = {way: self._column(way, column) for way, column in old.items()}
            key, label = (self._here(path) for path in (spec.key, spec.label))
            lost = [column for column in old.values() if column and not self._name(self._wire.get(column, column))]
            if not any(here.values()) or (spec.key is not None and key is None):
                self._removed.add(name)
                why = (
                    f"please decide: nothing here is like {', '.join(dict.fromkeys(lost))}" if lost else "not told here"
                )
                yield name, None, why
                continue
            entry = self._entry(raw, here, key, label)
            if entry != (raw if isinstance(raw, dict) else {"at": raw}):
                column = next(each for each in old.values() if each)
                yield name, entry, f"proposed: {self._sure(self._wire.get(column, column))}"

    def _column(self, way: str, column: str | None) -> str | None:
        if column is None:
            return None
        name = self._name(self._wire.get(column, column))
        known = self._told if way == "read" else self._takes.get("update" if way == "write" else way, set())
        if name is None or name not in known or (way == "create" and not self._creates):
            return None
        return column if column in self._wire else name

    def _entry(self, raw: Any, here: Mapping[str, str | None], key: str | None, label: str | None) -> dict[str, Any]:
        entry = dict(raw) if isinstance(raw, dict) else {"at": raw}
        rest = {name: value for name, value in entry.items() if name not in ("at", "read", "write", "create")}
        read, write, create = (here[way] for way in ("read", "write", "create"))
        if not self._creates and write:
            create = write  # nothing is created: what the mapping says of it does not count
        if read == write == create:
            places: dict[str, Any] = {"at": read}
        elif "create" in entry and create and read in (None, create) and not write:
            places = {"create": create}
        else:
            places = {way: name for way, name in (("read", read), ("write", write), ("create", create)) if name}
            if places.get("write") == places.get("create"):
                places.pop("create", None)
        for part, name in (("key", key), ("name", label)):
            if part in rest:
                rest[part] = name
        return {**places, **{name: value for name, value in rest.items() if value is not None}}

    def _codes(self) -> list[str]:
        lines: list[str] = []
        done: set[str] = set()
        for name, spec in self._found.spec.fields.items():
            if name in self._removed or spec.codes is None or spec.codes.name in done:
                continue
            entries = list(self._table(spec))
            done.add(spec.codes.name)
            if entries:
                lines += [f"  {spec.codes.name}:", *(entry_line(*entry, depth=2) for entry in entries)]
        return ["codes:", *lines] if lines else []

    def _table(self, spec: FieldSpec) -> Iterator[tuple[str, Any, str]]:
        """Words for values of an enumeration that differs from the shipped one."""
        assert spec.codes is not None
        path = spec.write or spec.create or spec.read
        if path is None:
            return
        column = self._wire.get(str(path.steps[0]), str(path.steps[0]))
        for role in ("update", "create", "get", "list"):
            shipped, node = self._found.node(role, column)
            if node is None or not node.values:
                continue
            if shipped is not None and set(shipped.values) == set(node.values):
                return
            choices = [Label(value, value, "en") for value in node.values]
            found, remarks = compare(spec.codes, spec.field.values, choices, written=spec.write is not None)
            self._remarks += [f"please decide: codes.{spec.codes.name}: {remark}" for remark in remarks]
            for each in found:
                yield each.word, each.natives, f"proposed: {each.why}"
            return

"""What a WSDL says, as plain data: kept as JSON, so that a start with a known WSDL needs no zeep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its name, namespace (empty: unqualified), type, how often it may stand there, and what in it.

    ``values`` are those of an enumeration. ``most`` None: any number.
    """

    name: str
    namespace: str
    type: str
    least: int = 1
    most: int | None = 1
    nillable: bool = False
    values: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    def child(self, name: str) -> Node | None:
        """The direct child of that name."""
        return next((each for each in self.children if each.name == name), None)

    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.children)

    def find(self, name: str) -> Node | None:
        """The nearest element of that name below this one."""
        level: tuple[Node, ...] = self.children
        while level:
            for each in level:
                if each.name == name:
                    return each
            level = tuple(below for each in level for below in each.children)
        return None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """From its JSON form. Raises KeyError, TypeError."""
        rest = {**data, "values": tuple(data["values"]), "children": tuple(cls.read(each) for each in data["children"])}
        return cls(**rest)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. ``input`` and ``output`` are the elements in the Body, ``headers`` those it may carry."""

    name: str
    action: str
    input: Node
    output: Node | None
    headers: tuple[Node, ...]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            data["name"],
            data["action"],
            Node.read(data["input"]),
            Node.read(data["output"]) if data["output"] else None,
            tuple(Node.read(each) for each in data["headers"]),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A compiled WSDL. ``address`` is the path and query it names; its host is never used."""

    file: str
    namespace: str
    address: str
    operations: Mapping[str, Operation]

    @property
    def label(self) -> str:
        """The namespace without ``urn:``: in AR System the web service's name."""
        return self.namespace.removeprefix("urn:")

    def body(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        operations = {name: Operation.read(each) for name, each in data["operations"].items()}
        return cls(data["file"], data["namespace"], data["address"], operations)

    def __iter__(self) -> Iterator[str]:
        return iter(self.operations)

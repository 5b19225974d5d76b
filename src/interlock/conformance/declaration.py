"""``conformance.yaml`` beside an adapter's manifest: what the kit must be told to try the adapter out.

Values to write, records to refer to, how to take back what was made, which faults are known, and where a server says
its version. Everything else the kit takes from the manifest and the mappings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from interlock.adapterkit.product import Product
from interlock.adapterkit.yamlfile import Document, MappingError, Part, nearest, read_yaml
from interlock.conformance.rules import Level
from interlock.records.kinds import FIELDS

FILE = "conformance.yaml"
UNIQUE = "{unique}"
"""In a text that is written: a word that no other run uses. It is how a request is known to be the write."""


class Tidy(Part):
    """How to take back a record that the kit made: by changes through the adapter, or by a request of its own.

    ``delete`` is an address under the source's base, with ``{entity}`` and ``{id}``.
    """

    update: dict[str, Any] = {}
    delete: str | None = None


class Order(Part):
    """What is ordered where records of a kind are made by ordering: a catalogue item by its name, and what it asks."""

    item: str
    variables: dict[str, Any] = {}
    quantity: int = Field(default=1, ge=1)


class KindSamples(Part):
    """What is written to try a kind out. A reference is ``{pick: KIND, where: {field: value}}``, or
    ``{make: KIND}``: to a record that is made for it.

    ``create`` and ``update`` are canonical values; ``clear`` fields are emptied by an update; ``refused`` are values
    that, besides those of ``create``, the source itself must refuse, or alone in an update (``refused_op``). ``note``
    is the visibility of a note. ``order``: a create is an order.
    """

    create: dict[str, Any] = {}
    order: Order | None = None
    update: dict[str, Any] = {}
    clear: tuple[str, ...] = ()
    refused: dict[str, Any] = {}
    refused_op: Literal["create", "update"] = "create"
    note: Literal["internal", "public"] = "internal"
    tidy: Tidy | None = None


class Assumption(Part):
    """A fact that nobody verified: what it says, and a switch of the mock that holds it both ways."""

    fact: str
    switch: str
    values: tuple[Any, ...] = Field(min_length=2)


class Version(Part):
    """Where a real server says what it is: an address under its base, and the member that holds the version."""

    path: str
    member: str


class Evidence(Part):
    """``clients``: public clients of the product that work unchanged on its mock; ``version``: of a real server."""

    clients: tuple[str, ...] = ()
    version: Version | None = None


class MockPart(Part):
    """The product's mock: arguments of ``python -m mock_servers.NAME``, and the source to configure for it.

    In ``source`` the words ``{url}`` and ``{folder}`` are replaced. Without ``module`` no server is needed, as for
    ``files``, which are written into that folder.
    """

    module: str | None = None
    arguments: tuple[str | int, ...] = ()
    source: dict[str, Any] = {}
    files: dict[str, str] = {}


class Need(Part):
    """A choice that an administrator must have added, before records of a kind can be written.

    ``setting`` is a setting of the source that names another one instead of ``choice``.
    """

    kind: str
    field: str
    choice: str
    setting: str | None = None
    ask: str


class Declaration(Part):
    """The file. ``level`` is what the adapter promises; ``gaps`` are rules known not to hold, each with the reason."""

    level: Level = "reads"
    rows: int = Field(default=5000, ge=1)
    gaps: dict[str, str] = {}
    kinds: dict[str, KindSamples] = {}
    needs: tuple[Need, ...] = ()
    mock: MockPart | None = None
    assumptions: tuple[Assumption, ...] = ()
    evidence: Evidence = Evidence()

    def gap(self, rule: str, kind: str | None) -> str | None:
        """The reason why a rule is known not to hold, of all kinds or of one."""
        return self.gaps.get(f"{rule}/{kind}") or self.gaps.get(rule)

    def samples(self, kind: str) -> KindSamples:
        return self.kinds.get(kind) or KindSamples()


def load_declaration(folder: Path, product: Product | None = None) -> Declaration:
    """Read an adapter's file; without one nothing is promised. Raises MappingError, also for what no mapping has."""
    if not (folder / FILE).is_file():
        return Declaration()
    document = read_yaml(folder / FILE)
    if not isinstance(document.data, dict):
        raise MappingError(document.file, (), "must hold keys and values")
    found = Declaration.load(document)
    if product is not None:
        _fits(found, document, product)
    return found


def _fits(declaration: Declaration, document: Document, product: Product) -> None:
    for at, need in enumerate(declaration.needs):
        fields = product.mappings[need.kind].fields if need.kind in product.mappings else {}
        if need.field not in fields:
            fault = f"{need.field!r} is not mapped for {need.kind}"
            raise document.fault(("needs", at, "field"), fault, nearest(need.field, fields))
    for kind, samples in declaration.kinds.items():
        if kind not in product.mappings:
            raise document.unknown(("kinds", kind), product.mappings, "a kind of this adapter")
        uses = product.mappings[kind].fields
        places = {"create": samples.create, "update": samples.update, "refused": samples.refused}
        if samples.tidy is not None:
            places["tidy.update"] = samples.tidy.update
        for place, values in places.items():
            for name in values:
                if name not in FIELDS[kind]:
                    raise document.unknown(("kinds", kind, *place.split("."), name), uses, f"a field of {kind}")
        for name in samples.clear:
            if name not in uses:
                raise document.fault(("kinds", kind, "clear"), f"{name!r} is not mapped", nearest(name, uses))

"""What an adapter's files say about SOAP: the product's habits in adapter.yaml, operations in mapping/*.yaml.

Names of services, operations and elements are data, since sites publish their own copies of a service; an
overlay may replace any single one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from interlock.adapterkit.yamlfile import Part


def _many(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Names = Annotated[tuple[str, ...], BeforeValidator(_many)]
Visibility = Literal["internal", "public"]


class HeaderPart(Part):
    """The SOAP header that proves who we are. Values are templates of ``{login.username}``,
    ``{login.password}`` and ``{setting.name}``; one whose setting is not set is left out if it may be."""

    element: str
    fields: dict[str, str]


class SoapHabits(Part):
    """How a product speaks SOAP.

    ``address`` is the path (and query) after the source's base address; ``{service}`` is the target
    namespace of the WSDL without ``urn:``, ``{setting.name}`` a setting. Without it the path of the WSDL is
    used; its host never is. ``fault_code`` finds native codes in a fault's text. ``most``: bounds of an answer.
    """

    version: Literal["1.1", "1.2"] = "1.1"
    address: str | None = None
    header: HeaderPart | None = None
    fault_code: str | None = None
    answer_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)


class OperationPart(Part):
    """One operation of a service. ``always``: elements with a fixed value. ``wsdl``: where it is not the kind's."""

    operation: str
    wsdl: str | None = None
    always: dict[str, str] = {}


class GetPart(OperationPart):
    """Reads one record; ``key`` is the element that takes its key. The record's elements stand in the answer."""

    key: str


class ListPart(OperationPart):
    """Reads many. ``query`` takes the native query, ``start`` how many rows to skip, ``size`` how many to give;
    ``rows`` is the element that repeats in the answer. ``within`` is asked with every query, ``all`` where
    there is nothing else to ask. ``keys``: native names to ask by of columns that are keys, where no field
    of the mapping says it."""

    query: str
    start: str | None = None
    size: str | None = None
    rows: str
    all: str = ""
    within: str = ""
    keys: dict[str, str] = {}


class WritePart(OperationPart):
    """Writes a record. ``key`` takes its key; ``answer`` is the element of the answer that tells it; ``default``
    are elements that the source demands, sent where the write says nothing of them.

    ``merge``: what is not sent is emptied by the source, so everything that ``get`` tells is sent back.
    ``unread`` (``*`` allowed) are elements whose emptiness changes nothing; ``same`` says which element of
    the answer holds what is written, where the names differ.
    """

    key: str | None = None
    answer: str | None = None
    default: dict[str, str] = {}
    merge: bool = False
    unread: Names = ()
    same: dict[str, str] = {}


class DetailsPart(ListPart):
    """Reads the columns of a child class, one call more for a page: of rows whose column ``of`` holds one of
    ``values``, found again by the kind's handle."""

    of: str
    values: Names


class NotePart(WritePart):
    """Adds a note: ``text`` takes it, ``by`` gives the further elements of each visibility."""

    text: str
    by: dict[Visibility, dict[str, str]]


class NotesPart(ListPart):
    """Reads the journal. ``where`` is the query for one record (``{v}`` its quoted key); the others name the
    elements of a row; ``public`` are the values of ``visibility`` that the caller may see."""

    where: str
    id: str
    text: str
    author: str | None = None
    created_at: str
    visibility: str | None = None
    public: Names = ()


class SplitPart(Part):
    """One element with several meanings, told apart by another: while ``by`` holds a value of ``into``, it is
    the column named there. Where ``by`` is written, a value of another meaning is emptied."""

    by: str
    into: dict[str, str]


class MadePart(Part):
    """A column made of several that are not empty, in this order, with ``join`` between them."""

    of: tuple[str, ...] = Field(min_length=1)
    join: str


class SoapKind(Part):
    """The operations of one kind. ``wsdl`` is a file of the site's folder, else of the adapter's ``wsdl/``.

    ``beside``: elements that the source wants with a reference, and the column of the record it names
    that holds them, by the canonical field. ``split`` gives columns that are one element on the wire;
    ``made`` are columns made of several.
    """

    wsdl: str
    get: GetPart | None = None
    list: ListPart | None = None
    details: DetailsPart | None = None
    create: WritePart | None = None
    update: WritePart | None = None
    note: NotePart | None = None
    notes: NotesPart | None = None
    beside: dict[str, dict[str, str]] = {}
    split: dict[str, SplitPart] = {}
    made: dict[str, MadePart] = {}

    def operations(self) -> dict[str, OperationPart]:
        """What is declared, by its word here."""
        named = {name: getattr(self, name) for name in ("get", "list", "details", "create", "update", "note", "notes")}
        return {name: part for name, part in named.items() if part is not None}

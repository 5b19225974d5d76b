"""The manifest of an adapter (adapter.yaml): a product's habits as data.

How it is reached, what its errors mean, how it writes values on the wire, how it is asked and paged, and
how a write whose answer was lost is found again. Kinds of records stand beside it in ``mapping/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from interlock.adapterkit.soap.declaration import SoapHabits
from interlock.adapterkit.yamlfile import Document, MappingError, Part, read_yaml
from interlock.records.problems import Reached, Slug


def _regular(value: str) -> str:
    try:
        re.compile(value)
    except re.error as failure:
        raise ValueError(f"not a regular expression: {failure}") from None
    return value


def _many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Pattern = Annotated[str, AfterValidator(_regular)]
Words = Annotated[tuple[str, ...], BeforeValidator(_many)]
Statuses = Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], BeforeValidator(_many)]
Op = Literal["create", "update", "note"]
AuthName = Literal["none", "basic", "oauth2", "api_key", "bearer"]


class Transport(Part):
    """How calls travel. ``base`` may name settings: ``{setting.base_url}/api/now``.

    ``login: envelope``: the account travels in the message, not in HTTP.
    """

    protocol: Literal["http-json", "soap", "file"]
    base: str | None = None
    timeout_s: float = Field(default=20, gt=0, le=600)
    headers: dict[str, str] = {}
    login: Literal["http", "envelope"] = "http"


class Limits(Part):
    """What the source bears. ``retry`` are statuses after which a read is tried again."""

    concurrency: int = Field(default=4, ge=1, le=256)
    retry: Statuses = ()
    url_bytes: int | None = Field(default=None, ge=256)


class Capabilities(Part):
    """What the product can do; all else is told as unsupported."""

    version: Literal["field", "etag"] | None = None  # how a record's version is known
    correlate: str | None = None  # canonical field that holds our key after a create
    harvest: str | None = None  # canonical field by which changes are found
    journal: bool = False
    choices: bool = False
    writes: dict[str, tuple[Op, ...]] = {}


class ErrorRule(Part):
    """One native failure and what it means; the first rule whose parts all match wins.

    ``message`` and ``body`` are regular expressions, searched in the native message and the raw body.
    """

    status: Statuses | None = None
    code: str | None = None
    message: Pattern | None = None
    body: Pattern | None = None
    type: Slug
    reached: Reached | None = None
    retryable: bool | None = None
    next_step: str | None = None


class InstantWire(Part):
    """How instants are written. ``as``: iso, epoch, or a pattern such as YYYY-MM-DD hh:mm:ss."""

    as_: str = Field(default="iso", alias="as")
    zone: str = "UTC"
    unset: Words = ()


class Leaf(Part):
    """Names in an object that stands where a plain value is expected."""

    value: str
    name: str | None = None
    link: str | None = None  # an address whose last segment is the handle


class Wire(Part):
    """How values look on the wire.

    ``scalars: text``: everything is a string. ``absent``: what a missing name means. ``paths: flat``: a
    dot is part of a name, not a way into an object. ``unset``: words for nothing, the first one clears.
    """

    scalars: Literal["text", "json"] = "json"
    absent: Literal["unknown", "empty"] = "unknown"
    paths: Literal["nested", "flat"] = "nested"
    unset: Words = ("",)
    instant: InstantWire = InstantWire()
    leaf: Leaf | None = None


class Literals(Part):
    """The one way a value enters query text. What a ``refuse`` pattern finds is never sent, but checked afterwards.

    ``element`` is what a list element must match in full; other lists are asked value by value.
    """

    quote: str = ""
    escape: Literal["none", "backslash", "double"] = "none"
    refuse: tuple[Pattern, ...] = ()
    element: Pattern = "[A-Za-z0-9_.:-]+"
    separator: str = ","


class Operator(Part):
    """An operator in the source's words. Several ``write`` templates are alternatives (OR).

    ``loose``: it may find more than asked (never less), so what it finds is checked again; ``true`` or
    the field types for which that is so. ``types``: the only ones it may be asked of, where it could
    lose rows of others. ``any`` or ``all``: a list is asked one by one with that
    operator. ``repeat``: a parameter is repeated for each value. ``escape`` replaces characters first.
    """

    write: Words = ()
    loose: bool | tuple[str, ...] = False
    types: tuple[str, ...] = ()
    any: str | None = None
    all: str | None = None
    repeat: bool = False
    escape: dict[str, str] = {}


def _operator(value: Any) -> Any:
    return {"write": value} if isinstance(value, str | list) else value


class Order(Part):
    """Templates of an order by one column."""

    asc: str
    desc: str


class QueryStyle(Part):
    """How the source is asked. ``rows``: not at all, every row is read and checked.

    ``and``, ``or`` join conditions; ``group`` goes round an any-of group. ``field`` is what a native
    field name must match in full; ``text`` is the template of a full-text search. ``branches``: parameters
    have no alternatives, so those of one any-of group are asked one after the other.
    """

    style: Literal["text", "params", "rows"]
    parameter: str | None = None
    and_: str = Field(default=" AND ", alias="and")
    or_: str = Field(default=" OR ", alias="or")
    group: str = "({})"
    field: Pattern = r"[A-Za-z_][A-Za-z0-9_.]*"
    literal: Literals = Literals()
    instant: InstantWire | None = None
    operators: dict[str, Annotated[Operator, BeforeValidator(_operator)]] = {}
    text: str | None = None
    order: Order | None = None
    order_and: str = ","
    branches: bool = False


class PageSize(Part):
    parameter: str | None = None
    default: int = Field(default=100, ge=1)
    max: int = Field(default=1000, ge=1)


class Paging(Part):
    """How to go on. ``key`` is the native tie-break column; ``rows`` where rows stand in an answer."""

    style: Literal["offset", "page", "keyset", "token", "ids", "none"] = "none"
    key: str | None = None
    offset: str | None = None
    page: str | None = None
    size: PageSize = PageSize()
    next: str | None = None
    rows: str | None = None
    total: str | None = None


class CreateProbe(Part):
    """A searchable field that holds our key. ``beside``: native constants written with it."""

    field: str
    max_length: int = Field(default=100, ge=16)
    beside: dict[str, str] = {}


class NoteProbe(Part):
    """A short visible marker in the note, found again in the journal; ``{key}`` is our key."""

    marker: str
    max_length: int | None = None


class UpdateProbe(Part):
    """What shows that our update arrived: the written fields, one version step, the last editor."""

    compare: tuple[Literal["fields", "version", "editor"], ...] = ("fields",)
    editor: str | None = None  # canonical field with the account that last changed the record
    step: int = 1  # by how much one effective update moves the version


class MatchProbe(Part):
    """Canonical fields that together are a record's identity: a create is found by what it said of them."""

    match: tuple[str, ...] = Field(min_length=1)


class KindProbes(Part):
    """How a create of one kind is found again, where it is not by the field that holds our key.

    ``adapter``: the adapter knows where the source keeps our key. ``none``: it cannot be found, so it is never
    sent twice; what became of one whose answer was lost is for a person to see.
    """

    create: Literal["adapter", "none"] | MatchProbe


class Probes(Part):
    """How each effect is found again; an effect without a probe is never sent twice."""

    create: CreateProbe | None = None
    note: NoteProbe | None = None
    update: UpdateProbe | None = None
    kinds: dict[str, KindProbes] = {}


class Write(Part):
    """``settle_s``: after this long a lost write has either arrived or never will. ``differs``: by kind, why
    the source may hold something else than what it was told and took."""

    differs: dict[str, str] = {}
    settle_s: float = Field(default=120, ge=0, le=86_400)
    probe_timeout_s: float = Field(default=20, gt=0, le=600)
    probe: Probes = Probes()


class Manifest(Part):
    """One product."""

    adapter: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    title: str
    versions: str
    transport: Transport
    auth: tuple[AuthName, ...] = ("none",)
    limits: Limits = Limits()
    capabilities: Capabilities = Capabilities()
    errors: tuple[ErrorRule, ...] = ()
    wire: Wire = Wire()
    query: QueryStyle
    paging: Paging = Paging()
    write: Write = Write()
    soap: SoapHabits | None = None


def read_manifest(folder: Path) -> Document:
    """``adapter.yaml`` of an adapter's folder, unchecked. Raises MappingError."""
    document = read_yaml(folder / "adapter.yaml")
    if not isinstance(document.data, dict):
        raise MappingError(document.file, (), "must hold keys and values")
    return document


def load_manifest(folder: Path) -> Manifest:
    """Read and check ``adapter.yaml``. Raises MappingError with file, line and nearest key."""
    return Manifest.load(read_manifest(folder))

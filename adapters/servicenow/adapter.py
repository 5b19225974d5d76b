"""ServiceNow over the Table API: what its data cannot say.

Facts are from the product's documentation (c_TableAPI, c_EncodedQueryStrings, retrieving-journal-entries)
unless a comment says otherwise. Field names, codes, zones and escaping stand in ``mapping/`` and
``adapter.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from interlock.adapterkit.inspection import Instance
from interlock.adapterkit.native import Native, NativeNote, NativeWrite, Page, Plan, Written
from interlock.adapterkit.offers import (
    CatalogItem,
    NativeApproval,
    NativeAttachment,
    NativeConflict,
    NativeSla,
    OrderItem,
)
from interlock.adapterkit.outcome import BROKEN
from interlock.adapterkit.paging import stuck
from interlock.adapterkit.rest import ODD, Clock, CompiledProduct, RestAdapter, Session, Text, encoded, plain, same
from interlock.adapterkit.retry import Retries
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.taxonomy import Choice

from .approvals import Approvals
from .catalogue import Catalogue
from .changes import Changes
from .dictionary import TABLE, Dictionary
from .inspecting import Inspecting
from .ire import CiWrites
from .journal import DATE, Journal
from .plain_text import plain_text
from .sweeping import Sweeping
from .ticket_parts import TicketParts

_READ = {
    "sysparm_display_value": "all",  # value and label of every field, in one shape
    "sysparm_exclude_reference_link": "true",
    "sysparm_suppress_pagination_header": "true",  # Link repeats the query and can pass header limits
}
_COUNT: Mapping[str, str] = {}
_NO_COUNT = {"sysparm_no_count": "true"}
_RAW = {**_READ, "sysparm_display_value": "false"}
_KEY_ROWS = 10  # enough to see that a key is not unique, also when some rows are hidden
_EMPTY_PAGES = 20  # pages without a readable row that one call goes through
_SMALLEST = 5  # rows; a page is halved down to this when the source cannot finish it
_ABSENT_REMEMBERED = 4096
_MANDATORY = re.compile(r"(?i)data policy exception.*?mandatory:\s*(.+)$")
_CANCELLED = "transaction cancelled"


def describe(found: Any) -> tuple[str | None, str | None]:
    """Code and message of ``{"error": {"message", "detail"}, "status": "failure"}``."""
    error = found.get("error") if isinstance(found, Mapping) else None
    if not isinstance(error, Mapping):
        return None, str(error)[:500] if error else None
    parts = [part.strip() for name in ("message", "detail") if isinstance(part := error.get(name), str)]
    return None, ": ".join(part for part in dict.fromkeys(parts) if part)[:500] or None


class ServiceNowAdapter(RestAdapter):
    """One instance. No cookies are kept: calls that share a session wait for each other, and are dropped
    with 202 when too many wait (observed)."""

    describe = staticmethod(describe)

    def __init__(
        self,
        product: CompiledProduct,
        session: Session,
        settings: Mapping[str, Any],
        clock: Clock,
        retries: Retries | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(product, session, settings, clock, retries, seed)
        self._one: dict[tuple[str, tuple[str, ...]], str] = {}  # parameters of a read by columns
        self._absent: set[tuple[str, str]] = set()  # class and column that stayed absent
        self.dictionary = Dictionary(self)
        self._journal = Journal(self)
        self.entities = {mapping.spec.entity: kind for kind, mapping in product.mappings.items()}
        self._cis = CiWrites(self)
        self._catalogue = Catalogue(self)
        self._changes = Changes(self)
        self._parts = TicketParts(self)
        self._approvals = Approvals(self)
        self._sweeping = Sweeping(self)
        self._writers: Mapping[str, Callable[[NativeWrite], Awaitable[Written]]] = {
            "ci": self._cis.write,
            "relationship": self._cis.relate,
            "request": self._catalogue.order,
            "change": self._changes.write,
        }
        self._shown: Mapping[str, Callable[[Native], Native]] = {"ci": self._cis.shown, "article": _article}
        self._max = self.manifest.paging.size.max

    # --- addresses and answers ---------------------------------------------------------------------

    @property
    def root(self) -> str:
        """Where the platform's own APIs are."""
        return self._root

    def ref(self, kind: str, handle: str) -> str:
        """The ref of a record by its handle."""
        tilde = "" if self.keyed_by_handle(kind) else "~"
        return f"{self.product.source}:{kind}:{tilde}{handle}"

    def instant(self, value: Any) -> str | None:
        """A time of the instance (UTC), as the contract writes it."""
        text = str(value or "")
        return f"{text[:10]}T{text[11:]}Z" if DATE.fullmatch(text) else None

    def path(self, kind: str, handle: str | None = None) -> str:
        path = self._table(self.spec(kind).entity)
        if handle is None:
            return path
        # By default 32 hex digits, but documented keys are words, too; a slash would be another address.
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", handle) or not handle.strip("."):
            raise self.one_missing(kind, f"~{handle}")
        return f"{path}/{handle}"

    def _table(self, table: str) -> str:
        return f"{self._root}/table/{table}"

    def parameters(self, kind: str, columns: tuple[str, ...], more: Mapping[str, Text] | None = None) -> str:
        known = self._one.get((kind, columns))
        if known is None:
            wanted = dict.fromkeys((*columns, "sys_id"))
            if "last_discovered" in wanted:  # they tell whether it means a discovery
                wanted |= dict.fromkeys(("first_discovered", "discovery_source"))
            if self._layered(kind):
                wanted["sys_class_name"] = None
            known = self._one[kind, columns] = encoded({**_READ, "sysparm_fields": ",".join(wanted)})
        return f"{known}&{encoded(more)}" if more else known

    def _layered(self, kind: str) -> bool:
        """Whether the kind's rows have columns of their own in child tables."""
        fields = self.spec(kind).fields.values()
        return any(field.read is not None and field.read.column == "sys_class_name" for field in fields)

    def parsed(self, answer: Any) -> Any:
        try:
            return super().parsed(answer)
        except Problem as problem:
            told = _MANDATORY.search(problem.native_message or "")
            if told:
                names = [name.strip() for name in told.group(1).split(",") if name.strip()]
                problem.more["mandatory"] = names
                problem.next_step = f"Also give: {', '.join(names)}."
            raise

    def _address(self, path: str, params: str) -> None:
        limit = self.manifest.limits.url_bytes
        size = len(self.session.base_url) + len(path) + len(params) + 1
        if limit is not None and size > limit:
            raise invalid(
                "filter",
                f"{size} bytes",
                f"makes an address longer than the {limit} bytes that the source takes",
                "Use fewer values or conditions, or shorter texts; search in several calls.",
            )

    async def list_rows(
        self, table: str, query: str, columns: Sequence[str], limit: int, *, display_value: str = "false"
    ) -> list[Native]:
        """Rows of a table: plain values, or with ``display_value="all"`` values and labels."""
        more = {**_NO_COUNT, "sysparm_display_value": display_value}
        return (await self.counted(table, query, columns, limit, more))[0]

    async def counted(
        self, table: str, query: str, columns: Sequence[str], limit: int, more: Mapping[str, str] = _COUNT
    ) -> tuple[list[Native], int | None]:
        """Rows of a table, plain values, and how many there are before access rules."""
        parameters = {"sysparm_query": query, "sysparm_fields": ",".join(columns), "sysparm_limit": str(limit)}
        found, answer = await self.ask(self._table(table), encoded({**_RAW, **parameters, **more}))
        return self.rows(found), self.total(answer, found)

    # --- single records ----------------------------------------------------------------------------

    async def read(self, kind: str, key: str, columns: Sequence[str], *, by_handle: bool) -> Native:
        row = await super().read(kind, key, columns, by_handle=by_handle)
        direct = by_handle or self.keyed_by_handle(kind)
        if direct and not same(row.get("sys_id", key), key, exact=True):
            raise self.odd("the record that was asked for")
        whole = await self._of_class(kind, row, columns) if "sys_class_name" in row else row
        return self._seen(kind, whole)

    def _seen(self, kind: str, row: Native) -> Native:
        """A row of a kind whose rows say something else than they hold."""
        shown = self._shown.get(kind)
        return row if shown is None else shown(row)

    async def _of_class(self, kind: str, row: Native, columns: Sequence[str]) -> Native:
        """The row with the columns of its own class: a parent table shows only its own (observed)."""
        table, handle = str(plain(row["sys_class_name"])), str(plain(row.get("sys_id")))
        missing = tuple(name for name in columns if name not in row and (table, name) not in self._absent)
        if not missing or table == self.spec(kind).entity or not TABLE.fullmatch(table):
            return row
        params = encoded({**_READ, "sysparm_fields": ",".join(("sys_id", *missing))})
        try:
            child = self.row(await self.fetch(f"{self._table(table)}/{handle}", params))
        except Problem as problem:
            if problem.slug not in (Slug.NOT_FOUND, Slug.SOURCE_DENIED, Slug.SOURCE_FAULT):
                raise
            return row  # the class is closed to our account: its columns stay unknown
        if len(self._absent) < _ABSENT_REMEMBERED:
            self._absent.update((table, name) for name in missing if name not in child)
        return {**row, **{name: child[name] for name in missing if name in child}}

    async def equal(
        self, kind: str, column: str, value: str, columns: tuple[str, ...], exact: bool = False
    ) -> list[Native]:
        refused = self.manifest.query.literal.refuse
        if any(re.search(pattern, value) for pattern in refused):
            return []  # no key looks like this, and it could not be asked for safely
        wanted = (*columns, column)
        more = {"sysparm_query": f"{column}={value}^ORDERBYsys_id", "sysparm_limit": str(_KEY_ROWS), **_NO_COUNT}
        try:
            found = await self.fetch(self.path(kind), self.parameters(kind, wanted, more))
        except Problem as problem:
            if problem.slug is Slug.NOT_FOUND:  # version 1 of the API says 404 for no rows
                return []
            raise
        return [row for row in self.rows(found) if same(row.get(column), value, exact)]

    def one_missing(self, kind: str, key: str) -> Problem:
        """The not-found of a key that cannot exist."""
        try:
            self.one(kind, key, [])
        except Problem as problem:
            return problem
        raise AssertionError

    # --- pages -------------------------------------------------------------------------------------

    async def page(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        """Without an order: by sys_id, ``{"after": id, "skip": n}``. With one: by offset, ``{"skip": n}``.

        The limit is applied before access rules, so a short or empty page is not the end. The end is where
        X-Total-Count (which counts before access rules) is passed, or, where nobody counts, an empty page.
        """
        if plan.empty:
            return Page([])
        await self.dictionary.know(kind, plan)
        at = dict(cursor or {})
        wanted = max(1, min(limit, self._max))
        size, seen = wanted, 0
        most: int | None = None
        warnings: tuple[str, ...] = ()
        for calls in range(1, _EMPTY_PAGES + 1):
            try:
                rows, total = await self._rows_at(kind, plan, at, size)
            except Problem as problem:
                cut = problem.native_code in (BROKEN, ODD) or _CANCELLED in (problem.native_message or "").lower()
                if not cut or size <= _SMALLEST:
                    raise
                size = max(_SMALLEST, size // 2)
                warnings = ("The source could not finish a page and was asked for smaller ones.",)
                continue
            seen += len(rows)
            if not at:
                most = total
            following = self._following(plan, at, size, rows, total)
            if rows or following is None:
                return Page([self._seen(kind, row) for row in rows], following, seen, warnings, most, calls)
            at = following
        return Page([], at, seen, (*warnings, "Many rows in a row are hidden from our account; go on to see more."))

    async def sweep(self, kind: str, plan: Plan, cursor: Any, limit: int) -> Page:
        return await self._sweeping.page(kind, plan, cursor, limit)

    async def _rows_at(
        self, kind: str, plan: Plan, at: Mapping[str, Any], size: int
    ) -> tuple[list[Native], int | None]:
        parts = [str(plan.pushed)] if plan.pushed else []
        if plan.order:
            parts += [str(plan.order_native)]  # ends with sys_id: without a tie-break no order is stable
        else:
            parts += [f"sys_id>{at['after']}"] if at.get("after") else []
            parts += ["ORDERBYsys_id"]
        more = {"sysparm_query": "^".join(parts), "sysparm_limit": str(size)}
        if at.get("skip"):
            more["sysparm_offset"] = str(at["skip"])
        path, params = self.path(kind), self.parameters(kind, plan.columns, more)
        self._address(path, params)
        try:
            found, answer = await self.ask(path, params)
        except Problem as problem:
            if problem.slug is Slug.NOT_FOUND:  # version 1 of the API says 404 for no rows
                return [], 0
            raise
        return self.rows(found), self.total(answer, found)

    def _following(
        self, plan: Plan, at: Mapping[str, Any], size: int, rows: list[Native], total: int | None
    ) -> dict[str, Any] | None:
        skip = int(at.get("skip") or 0) + size
        if (total is not None and skip >= total) or (total is None and not rows):
            return None
        if plan.order or not rows:
            return {**at, "skip": skip}
        ids = [str(plain(row.get("sys_id"))) for row in rows]
        if at.get("after") in ids or len(set(ids)) != len(ids):
            raise stuck(at.get("after"))
        return {"after": ids[-1]}

    async def notes(self, kind: str, handle: str, cursor: Any, limit: int) -> tuple[list[NativeNote], Any]:
        return await self._journal.notes(kind, handle, cursor, limit)

    # --- writes ------------------------------------------------------------------------------------

    async def write(self, write: NativeWrite) -> Written:
        """By the API that the kind is written through; else POST or PATCH, once. The echo shows what the
        instance's rules made of it."""
        if (writer := self._writers.get(write.kind)) is not None:
            return await writer(write)
        create = write.op == "create"
        path = self.path(write.kind, None if create else write.handle or "")
        columns = self.product.mappings[write.kind].columns(None)
        answer = await self.session.request(
            "POST" if create else "PATCH",
            path,
            params=self.parameters(write.kind, columns),
            json=self.payload(write),
            not_after=write.not_after,
        )
        found = self.parsed(answer)
        row = self.row(found)
        handle = plain(row.get("sys_id"))
        if not isinstance(handle, str) or not handle or (write.handle and handle != write.handle):
            raise self.odd("the record that was written")
        return Written(handle, row)

    async def find_written(self, kind: str, correlation: str) -> list[Native]:
        if kind == "ci":
            return await self._cis.find_created(correlation)
        return await super().find_written(kind, correlation)

    # --- what is offered besides -------------------------------------------------------------------

    async def catalog_search(self, text: str | None, limit: int) -> list[CatalogItem]:
        return await self._catalogue.search(text, limit)

    async def catalog_item(self, id: str) -> CatalogItem:  # noqa: A002 - the word of the offer
        return await self._catalogue.item(id)

    async def next_states(self, kind: str, handle: str) -> list[str]:
        return await self._changes.next_states(kind, handle)

    async def conflicts(self, kind: str, handle: str) -> tuple[str | None, list[NativeConflict]]:
        return await self._changes.conflicts(kind, handle)

    async def slas(self, kind: str, handle: str) -> list[NativeSla]:
        return await self._parts.slas(kind, handle)

    async def attachments(self, kind: str, handle: str) -> list[NativeAttachment]:
        return await self._parts.attachments(kind, handle)

    async def attachment(self, kind: str, handle: str, id: str, most: int) -> bytes:  # noqa: A002 - the word of the offer
        return await self._parts.attachment(kind, handle, id, most)

    async def order_items(self, handle: str) -> list[OrderItem]:
        return await self._catalogue.lines(handle)

    async def approvals(self, kind: str, handle: str) -> list[NativeApproval]:
        return await self._approvals.of(kind, handle)

    async def inspect(self) -> Instance:
        return await Inspecting(self).instance()

    # --- choices -----------------------------------------------------------------------------------

    async def choices(self, kind: str, field: str) -> list[Choice]:
        """Live values from sys_choice; those of the nearest table that has any."""
        spec = self.field(kind, field)
        place = spec.read or spec.write
        if place is None or "." in place.column or spec.field.type not in ("word", "enum"):
            raise self.unsupported(f"a list of choices for {field}")
        element = place.column
        chain = await self.dictionary.chain(self.spec(kind).entity)
        query = f"nameIN{','.join(chain)}^element={element}^ORDERBYsequence^ORDERBYvalue^ORDERBYsys_id"
        columns = ("name", "element", "value", "label", "dependent_value", "inactive", "language")
        rows = await self.list_rows("sys_choice", query, columns, 10_000)
        rows = [row for row in rows if row.get("element") == element and row.get("value") not in (None, "")]
        table = next((name for name in chain if any(row.get("name") == name for row in rows)), None)
        rows = [row for row in rows if row.get("name") == table]
        language = str(self.settings.get("language", "en"))
        spoken = [row for row in rows if row.get("language", language) in (language, "")]
        if not rows:
            raise self.unsupported(f"a list of choices for {field}")
        found: dict[tuple[str, str | None], Choice] = {}
        for row in spoken or rows:
            value, parent = str(row["value"]), row.get("dependent_value") or None
            word = spec.codes.read(value) if spec.codes else None
            canonical = word if isinstance(word, str) and word != "unmapped" else None
            active = row.get("inactive") != "true"
            found.setdefault((value, parent), Choice(value, str(row.get("label") or value), canonical, parent, active))
        return list(found.values())


def _article(row: Native) -> Native:
    """An article with its text as a person reads it; the instance keeps HTML."""
    if "text" not in row:
        return row
    text = plain_text(str(plain(row["text"]) or ""))
    return {**row, "text": {"value": text, "display_value": text}}

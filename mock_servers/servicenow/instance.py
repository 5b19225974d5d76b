"""One instance: a request in, an answer out. No sockets, no waiting: each call is one commit or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from mock_servers.faults import Answer, Rule
from mock_servers.servicenow import answers
from mock_servers.servicenow.accounts import Accounts
from mock_servers.servicenow.aggregate_api import AggregateApi
from mock_servers.servicenow.answers import SnowError
from mock_servers.servicenow.attachment_api import AttachmentApi
from mock_servers.servicenow.attachment_uploads import Uploads
from mock_servers.servicenow.catalog_api import CatalogApi
from mock_servers.servicenow.catalog_orders import Orders
from mock_servers.servicenow.catalog_variables import Variables
from mock_servers.servicenow.change_api import ChangeApi
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.cmdb_api import CmdbApi
from mock_servers.servicenow.ire import Engine
from mock_servers.servicenow.ire_api import IreApi
from mock_servers.servicenow.knowledge_api import KnowledgeApi
from mock_servers.servicenow.rules import Writer
from mock_servers.servicenow.settings import Client, Switches, User
from mock_servers.servicenow.store import Store
from mock_servers.servicenow.table_api import Request, TableApi

Api = Callable[[Request, list[str]], Answer]
"""Answers a request; the list is what of its path comes after the API's own name."""

_VERSIONS = ("v1", "v2")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    base: str

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


class Instance:
    """The APIs of one instance over its store."""

    def __init__(
        self,
        store: Store,
        switches: Switches,
        clock: InstanceClock,
        users: Iterable[User],
        clients: Iterable[Client],
        api_keys: Mapping[str, str],
        seed: int = 0,
    ) -> None:
        store.install_choices()
        self.store = store
        self.switches = switches
        self.accounts = Accounts(store, switches, clock, users, clients, api_keys, seed)
        writer = Writer(store, switches, clock, seed)
        self._tables = TableApi(store, switches, clock, writer, seed)
        self._aggregates = AggregateApi(store, self._tables)
        engine = Engine(store, switches, clock, writer)
        self.engine = engine
        ire, cmdb = IreApi(engine, self._tables), CmdbApi(store, engine, self._tables)
        variables = Variables(store, switches)
        catalog = CatalogApi(store, variables, Orders(store, switches, writer, variables))
        files = AttachmentApi(store, self._tables)
        self._uploads = Uploads(store, switches, clock, self._tables, files)
        self._apis: dict[tuple[str, str], Api] = {
            ("now", "identifyreconcile"): ire.answer,
            ("now", "cmdb"): cmdb.answer,
            ("now", "attachment"): files.answer,
            ("sn_chg_rest", "change"): ChangeApi(store, switches, clock, writer, self._tables).answer,
            ("sn_sc", "servicecatalog"): catalog.answer,
            ("sn_km_api", "knowledge"): KnowledgeApi(store, self._tables).answer,
        }

    def answer(self, call: Call) -> Answer:
        """The answer to one request, errors included."""
        if len(call.target) > self.switches.max_url:
            return answers.page("too-long", 414)
        if call.path == "/oauth_token.do":
            return self.accounts.token(call.header(b"content-type"), call.headers, call.body)
        parameters = dict(parse_qsl(call.query, keep_blank_values=True))
        if call.path == "/oauth_revoke_token.do":
            self.accounts.revoke(parameters.get("token", ""))
            return Answer(200)
        limits: tuple[tuple[str, str], ...] = ()
        try:
            caller = self.accounts.caller(call.path, call.headers, parameters)
            limits = self.accounts.count(caller)
            as_xml = _wants_xml(call.header(b"accept"))
            answer = self._route(call, parameters, caller, as_xml)
        except SnowError as error:
            if error.status == 429 and self.switches.rate_limit_bare:
                return Answer(429)
            answer = answers.error_answer(error)
        return Answer(answer.status, (*answer.headers, *limits), answer.body) if limits else answer

    def _route(self, call: Call, parameters: Mapping[str, str], caller: Any, as_xml: bool) -> Answer:
        parts = call.path.strip("/").split("/")
        version = parts[2] if len(parts) > 2 and parts[2] in _VERSIONS else ""
        rest = parts[3:] if version else parts[2:]
        if len(parts) < 3 or parts[0] != "api" or not rest or not all(rest):
            raise answers.no_resource()
        method = call.header(b"x-http-method-override").upper() or call.method
        method = "GET" if method == "HEAD" else method
        if (parts[1], rest[0]) == ("now", "attachment") and method in {"POST", "DELETE"}:  # bodies that are files
            request = Request(method, call.path, version, parameters, caller, call.base, as_xml, {})
            return self._uploads.answer(request, rest[1:], call.header(b"content-type"), call.body)
        body = self._body(call) if method in _BODY_METHODS else {}
        request = Request(method, call.path, version, parameters, caller, call.base, as_xml, body)
        if answer := self._apis.get((parts[1], rest[0])):
            return answer(request, rest[1:])
        if parts[1] != "now" or not 2 <= len(rest) <= 3:
            raise answers.no_resource()
        api, table, *ids = rest
        if api == "stats" and not ids and method == "GET":
            return self._aggregates.stats(request, table)
        if api == "table" and ids:
            if method == "GET":
                return self._tables.one(request, table, ids[0])
            if method in {"PUT", "PATCH"}:
                return self._tables.update(request, table, ids[0])
            if method == "DELETE":
                return self._tables.delete(request, table, ids[0])
        elif api == "table":
            if method == "GET":
                return self._tables.page(request, table)
            if method == "POST":
                return self._tables.insert(request, table)
        if api in {"table", "stats"}:
            raise SnowError(405, "Method not supported", None, (("Allow", "GET,POST,PUT,PATCH,DELETE"),))
        raise answers.no_resource()

    def _body(self, call: Call) -> Mapping[str, Any]:
        """The record of a request body; of several only the first counts."""
        if len(call.body) > self.switches.max_body:
            raise SnowError(
                413,
                "Exception while reading request",
                f"Rejected large REST payload with content-length = {len(call.body)} bytes. "
                f"Max allowed: {self.switches.max_body} bytes.",
            )
        content_type = call.header(b"content-type").split(";")[0].strip().lower()
        if content_type not in {"", "application/json"}:
            raise SnowError(415, "Unsupported media type", f"Content-Type {content_type} is not supported")
        if not call.body.strip():
            return {}
        try:
            content = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            raise SnowError(400, "Exception while reading request", "The payload is not valid JSON") from None
        if isinstance(content, list):
            content = content[0] if content else {}
        if isinstance(content, dict) and isinstance(content.get("records"), list):
            content = content["records"][0] if content["records"] else {}
        if not isinstance(content, dict):
            raise SnowError(400, "Exception while reading request", "The payload is not valid JSON")
        return content


def _wants_xml(accept: str) -> bool:
    """Which of the two languages; nothing or ``*/*`` is JSON. Raises SnowError 406 for any other."""
    kinds = [kind.split(";")[0].strip().lower() for kind in accept.split(",") if kind.strip()]
    for kind in kinds or ["*/*"]:
        if kind in {"application/json", "*/*", "application/*"}:
            return False
        if kind in {"application/xml", "text/xml"}:
            return True
    raise SnowError(406, "Not acceptable", f"Accept {accept} is not supported")


class SnowDialect:
    """What faults look like here."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def rate_limited(self, rule: Rule) -> Answer:
        if rule.variant == "bare":
            return Answer(429)
        limit = self._switches.rate_limit or 100
        return answers.error_answer(
            SnowError(
                429,
                "Rate limit exceeded",
                f"Rate limit of {limit} requests per hour for Table API exceeded",
                (("X-RateLimit-Limit", str(limit)), ("Retry-After", str(int(rule.seconds) or 1))),
            )
        )

    def html(self, rule: Rule) -> Answer:
        return answers.page(rule.variant or "hibernate", rule.status or 200)

    def server_error(self, rule: Rule) -> Answer:
        status = rule.status or 500
        if status in {502, 503, 504}:
            return answers.page("maintenance", status)
        message = "Transaction cancelled: maximum execution time exceeded"
        detail = (
            f"{message} Check logs for error trace or enable glide.rest.debug property to verify REST "
            "request processing"
        )
        return answers.error_answer(SnowError(status, message, detail))

    def session_expired(self) -> Answer:
        return answers.error_answer(answers.unauthenticated(self._switches.auth_message))

    def broken(self, answer: Answer, rule: Rule) -> Answer:
        return answers.broken(answer, rule.variant)

"""One AR System behind its mid-tier: finds the service, checks the caller, runs the operation, answers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from itertools import islice
from urllib.parse import parse_qs, quote

from mock_servers.faults import Answer
from mock_servers.remedy import envelope, wsdl
from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.matching import Asker, predicate, select
from mock_servers.remedy.qualification import All, Compare, FieldName, Text, parse
from mock_servers.remedy.rules import Values, Workflow, Writing
from mock_servers.remedy.schema import Field, Form, Value
from mock_servers.remedy.services import Element, Operation, Services, WebService
from mock_servers.remedy.settings import Switches, User
from mock_servers.remedy.store import Entry, Store
from mock_servers.remedy.times import parsed, written, zone
from mock_servers.servicenow.clock import InstanceClock

ENDPOINT = "/arsys/services/ARService"
WSDLS = "/arsys/WSDL/public/"
XML = (("Content-Type", "text/xml;charset=utf-8"),)
_CACHED = 50_000


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request; ``base`` is the URL the server listens on."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    base: str

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Caller:
    user: User
    where: tzinfo
    locale: str


class Instance:
    """The application without its transport: ``answer`` takes a call and commits what it does."""

    def __init__(
        self, store: Store, services: Services, switches: Switches, clock: InstanceClock, users: Iterable[User]
    ) -> None:
        self.store = store
        self.services = dict(services)
        self.switches = switches
        self.clock = clock
        self.users = {user.name: user for user in users}
        self._workflow = Workflow(store, switches)
        self._rendered: dict[tuple[int, int, str], str] = {}

    def answer(self, call: Call) -> Answer:
        """The answer to one request; every error of AR System is a SOAP fault with status 500."""
        parameters = parse_qs(call.query, keep_blank_values=True)
        if call.method == "GET":
            return self._page(call, parameters)
        if call.path != ENDPOINT or call.method != "POST":
            return _html(404, "HTTP Status 404 - Not Found")
        locale = ""
        try:
            request = envelope.read(call.body, call.header(b"content-type"))
            locale = (request.authentication or {}).get("locale") or ""
            service = self._service(parameters)
            operation = service.operations.get(request.operation)
            if operation is None or request.namespace != service.namespace:
                raise ArError("web_service", f"No such operation '{request.operation}' of {request.namespace}")
            self._check_action(call.header(b"soapaction"), service, operation)
            content = self._run(operation, request, self._caller(request.authentication))
        except envelope.Malformed as error:
            return Answer(500, XML, envelope.fault(f"org.xml.sax.SAXException: {error}"))
        except ArError as error:
            return Answer(500, XML, envelope.fault(error.text(self.switches.codes, locale)))
        return Answer(200, XML, envelope.response(service.namespace, operation.name, content))

    # WSDLs, and what a browser sees

    def _page(self, call: Call, parameters: Mapping[str, list[str]]) -> Answer:
        name, server = "", ""
        if call.path.startswith(WSDLS):
            server, _, name = call.path.removeprefix(WSDLS).partition("/")
        elif call.path == ENDPOINT and any(key.lower() == "wsdl" for key in parameters):
            server, name = _first(parameters, "server"), _first(parameters, "webService")
        elif call.path == ENDPOINT:
            return _html(200, "Hi there, this is a Web service!")
        if server != self.switches.server or name not in self.services:
            return _html(404, "HTTP Status 404 - Not Found")
        return Answer(200, XML, wsdl.render(self.services[name], self.address(name, call.base)))

    def address(self, name: str, base: str) -> str:
        """The endpoint of a service as its WSDL tells it: not always where it can be reached."""
        base = self.switches.advertised_address or base
        return f"{base}{ENDPOINT}?server={quote(self.switches.server)}&webService={quote(name)}"

    # who, and on what

    def _service(self, parameters: Mapping[str, list[str]]) -> WebService:
        if _first(parameters, "server") != self.switches.server:
            raise ArError("no_server", _first(parameters, "server"))
        name = _first(parameters, "webService")
        if name not in self.services:
            raise ArError("web_service", f"No web service named {name}")
        return self.services[name]

    def _check_action(self, action: str, service: WebService, operation: Operation) -> None:
        action = action.strip('" ')
        if self.switches.soap_action == "check" and action and action != f"{service.namespace}/{operation.name}":
            raise ArError("web_service", f"The SOAPAction {action} does not match")

    def _caller(self, given: Mapping[str, str | None] | None) -> _Caller:
        if given is None:
            if not self.switches.anonymous_user:
                raise ArError("no_user_name")
            return _Caller(self.users[self.switches.anonymous_user], self._business_zone(), "")
        name = given.get("userName") or ""
        if not name:
            raise ArError("no_user_name")
        user = self.users.get(name)
        password = user.password if user is not None else ""
        right = hmac.compare_digest(password.encode(), (given.get("password") or "").encode())
        if user is None or not right:
            raise ArError("authentication", name)
        where = zone(given.get("timeZone") or "") or self._business_zone()
        return _Caller(user, where, given.get("locale") or "")

    def _business_zone(self) -> tzinfo:
        found = zone(self.switches.time_zone)
        if found is None:
            raise ValueError(f"the switch time_zone is none: {self.switches.time_zone!r}")
        return found

    # operations

    def _run(self, operation: Operation, request: envelope.Request, caller: _Caller) -> str:
        if operation.form.name in self.switches.denied_forms and not caller.user.admin:
            raise ArError("no_form", operation.form.name)
        if operation.kind == "list":
            return self._list(operation, request.values, caller)
        given = self._given(operation, request.values, caller)
        if operation.kind == "get":
            return self._show(operation, self._find(operation, given, caller), caller)
        return self._write(operation, given, caller)

    def _list(self, operation: Operation, given: Mapping[str, str | None], caller: _Caller) -> str:
        form = operation.form
        start = _whole("startRecord", given.get("startRecord")) - self.switches.first_record
        most = _whole("maxLimit", given.get("maxLimit")) or self.switches.max_entries
        found = self._select(form, given.get("Qualification") or "", caller)
        start = max(0, start)
        rows = list(islice(found, start, start + min(most, self.switches.max_entries)))
        if not rows and self.switches.empty_list == "fault":
            raise ArError("no_entry")
        return "".join(self._row(operation, entry, caller) for entry in rows)

    def _select(self, form: Form, qualification: str, caller: _Caller) -> Iterable[Entry]:
        asker = Asker(caller.user.name, int(self.clock.now()), caller.where)
        found = select(parse(qualification), form, self.store, asker)
        rule = self.switches.row_access.get(form.name)
        if rule and not caller.user.admin:
            found = filter(predicate(parse(rule), form, asker), found)
        return found

    def _find(self, operation: Operation, given: Values, caller: _Caller) -> Entry:
        """The one entry with these values. Raises ArError ``no_entry``, also for what the caller may not see."""
        if not given or any(value is None for value in given.values()):
            raise ArError("no_entry")
        asker = Asker(caller.user.name, int(self.clock.now()), caller.where)
        node = All(tuple(Compare(FieldName(label), "=", Text(str(value))) for label, value in given.items()))
        rule = self.switches.row_access.get(operation.form.name)
        seen = predicate(parse(rule), operation.form, asker) if rule and not caller.user.admin else None
        for entry in select(node, operation.form, self.store, asker):
            if seen is None or seen(entry):
                return entry
        raise ArError("no_entry")

    def _write(self, operation: Operation, given: Values, caller: _Caller) -> str:
        form, user = operation.form, caller.user
        if not user.writes:
            raise ArError("no_write", form.name)
        before: Entry | None = None
        if operation.kind == "modify":
            key = given.pop(form.key, None)
            before = self._find(operation, {form.key: key}, caller)
        if operation.action and given.get("z1D Action") != operation.action:
            if self.switches.wrong_action == "fault":
                raise ArError("bad_value", f"Action: {given.get('z1D Action')}")
            return self._show(operation, before or Entry(form.name, {}), caller)
        entry = self._workflow.write(Writing(form, given, before, user, int(self.clock.now())))
        return self._show(operation, entry, caller)

    def _given(self, operation: Operation, values: Mapping[str, str | None], caller: _Caller) -> Values:
        """Every field the operation maps, as it is stored: what was left out or empty is None, and will be written."""
        known = {one.name for one in operation.inputs}
        if self.switches.unknown_element == "fault" and (unknown := [name for name in values if name not in known]):
            raise ArError("web_service", f"Unexpected element {unknown[0]}")
        return {one.field.label: _stored(one.field, values.get(one.name), caller.where) for one in operation.inputs}

    # answers

    def _show(self, operation: Operation, entry: Entry, caller: _Caller) -> str:
        return "".join(_shown(one, entry.get(one.field.label), caller.where) for one in operation.outputs)

    def _row(self, operation: Operation, entry: Entry, caller: _Caller) -> str:
        name = (id(operation), entry.version, str(caller.where))
        found = self._rendered.get(name)
        if found is None:
            if len(self._rendered) >= _CACHED:
                self._rendered.clear()
            found = f"<ns0:getListValues>{self._show(operation, entry, caller)}</ns0:getListValues>"
            self._rendered[name] = found
        return found


def _stored(field: Field, text: str | None, where: tzinfo) -> Value:
    """A text of the wire as the field stores it. Raises ArError ``bad_value`` with the field and the value."""
    if text is None:
        return None
    value: Value = text
    wrong = field.kind == "char" and 0 < field.length < len(text)
    if field.enum is not None:
        value = field.enum.numbers.get(text.strip())
    elif field.kind == "time":
        value = parsed(text, where)
    elif field.kind == "int":
        value = int(text) if text.strip().lstrip("+-").isdecimal() else None
    if value is None or wrong:
        raise ArError("bad_value", f"{field.label} : {text[:80]}")
    return value


def _shown(one: Element, value: Value, where: tzinfo) -> str:
    """An element: what is empty is left out if it may be, else an empty text, else nil."""
    name, field = one.name, one.field
    if value is None:
        if one.optional:
            return ""
        return f"<ns0:{name}/>" if field.kind == "char" else f'<ns0:{name} xsi:nil="true"/>'
    return f"<ns0:{name}>{envelope.escape(shown(field, value, where))}</ns0:{name}>"


def shown(field: Field, value: str | int, where: tzinfo) -> str:
    """A stored value as the wire tells it: an enum by its label, a time in the caller's zone."""
    if field.kind == "time" and isinstance(value, int):
        return written(value, where)
    if field.enum is not None and isinstance(value, int):
        return field.enum.labels.get(value, str(value))
    return str(value)


def _whole(name: str, text: str | None) -> int:
    text = (text or "").strip()
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise ArError("bad_value", f"{name} : {text[:80]}")
    return int(text)


def _first(parameters: Mapping[str, list[str]], name: str) -> str:
    return parameters.get(name, [""])[0]


def _html(status: int, words: str) -> Answer:
    page = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>"
    return Answer(status, (("Content-Type", "text/html;charset=utf-8"),), page.encode())

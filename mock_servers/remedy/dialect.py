"""What faults look like from a mid-tier: its own pages, its SOAP faults, and the ways an answer can be broken."""

from __future__ import annotations

from lxml import etree

from mock_servers.faults import Answer, Rule
from mock_servers.remedy import envelope
from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.instance import XML
from mock_servers.remedy.settings import Switches

_HTML = (("Content-Type", "text/html;charset=UTF-8"),)
_LOGIN = (
    "<html><head><title>BMC Remedy Mid Tier - Login</title></head><body>"
    '<form name="loginForm" action="/arsys/servlet/LoginServlet" method="post">'
    '<input name="username"/><input name="pwd" type="password"/></form></body></html>'
)
_MAINTENANCE = "<html><head><title>Service Unavailable</title></head><body><h1>HTTP Status 503</h1></body></html>"
HUGE_TEXT = 12_000_000
BROKEN = (
    "encoding",
    "utf16",
    "cp1252",
    "control",
    "doctype",
    "entities",
    "unclosed",
    "newline",
    "huge",
    "soap12",
    "fault200",
    "extra",
    "reordered",
    "empty",
)
_ENTITIES = (
    '<!DOCTYPE e [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)


class RemedyDialect:
    """``error_*`` rules: ``variant`` names an error of ``arerr.TEXTS`` (cannot_connect unless told).

    ``broken`` rules: ``variant`` is one of ``BROKEN``; ``html``: ``login`` unless it is ``maintenance``.
    """

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def rate_limited(self, rule: Rule) -> Answer:
        wait = () if rule.variant == "bare" else (("Retry-After", str(int(rule.seconds))),)
        return Answer(503, (*_HTML, *wait), _MAINTENANCE.encode())

    def html(self, rule: Rule) -> Answer:
        if rule.variant == "maintenance":
            return Answer(rule.status or 503, _HTML, _MAINTENANCE.encode())
        return Answer(rule.status or 200, _HTML, _LOGIN.encode())

    def server_error(self, rule: Rule) -> Answer:
        return self._fault(rule.variant or "cannot_connect", rule.status or 500)

    def session_expired(self) -> Answer:
        return self._fault("session", 500)

    def broken(self, answer: Answer, rule: Rule) -> Answer:
        match rule.variant:
            case "soap12":
                return Answer(500, (("Content-Type", "application/soap+xml"),), envelope.fault_12(self._text("sql")))
            case "fault200":
                return self._fault("busy", 200)
            case "empty":
                return Answer(answer.status, answer.headers)
        return Answer(answer.status, answer.headers, _spoiled(answer.body.decode("utf-8"), rule.variant))

    def _fault(self, name: str, status: int) -> Answer:
        return Answer(status, XML, envelope.fault(self._text(name)))

    def _text(self, name: str) -> str:
        return ArError(name).text(self._switches.codes)


def _spoiled(text: str, variant: str) -> bytes:
    """A well-formed answer made into what was seen in the field."""
    end = text.index("</soapenv:Body>")
    inner = text.rindex("</", 0, end)
    match variant:
        case "encoding":  # bytes of one charset that say they are of another
            return _with(text, inner, "ü").encode("latin-1", "replace")
        case "utf16":  # a declaration that a proxy did not adapt
            return text.replace('encoding="UTF-8"', 'encoding="utf-16"', 1).encode()
        case "cp1252":
            said = _with(text, inner, "\u201ctyped\u201d").replace('"UTF-8"', '"ISO-8859-1"', 1)
            return said.encode("cp1252", "replace")
        case "control":
            return _with(text, inner, "a\x0bb").encode()
        case "doctype":
            return text.replace("?>", '?><!DOCTYPE e SYSTEM "http://192.0.2.1/e.dtd">', 1).encode()
        case "entities":
            return _with(text, inner, "&d;").replace("?>", f"?>{_ENTITIES}", 1).encode()
        case "newline":
            return b"\n" + text.encode()
        case "huge":
            return _with(text, inner, "x" * HUGE_TEXT).encode()
        case "extra":
            return _with(text, inner, "later").encode()
        case "reordered":
            return _reordered(text).encode()
    return text[:inner].encode()


def _with(text: str, at: int, words: str) -> str:
    return f"{text[:at]}<ns0:Added_Field>{words}</ns0:Added_Field>{text[at:]}"


def _reordered(text: str) -> str:
    """The answer's elements in the opposite order."""
    root = envelope.hardened(text.encode())
    answered = root[0][0]
    rows = [row for row in answered if len(row)] or [answered]
    for row in rows:
        row[:] = list(reversed(row))
    return str(etree.tostring(root, encoding="unicode"))

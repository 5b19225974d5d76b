"""What goes out: answers, the product's error bodies, and its HTML pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import orjson

from mock_servers.faults import Answer

JSON = "application/json;charset=UTF-8"
XML = "application/xml;charset=UTF-8"
HTML = "text/html;charset=UTF-8"


@dataclass(slots=True)
class SnowError(Exception):
    """An error as the product words it: status, message, detail."""

    status: int
    message: str
    detail: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def failed(detail: str) -> SnowError:
    """403 Operation Failed, for ACLs, business rules and data policies alike."""
    return SnowError(403, "Operation Failed", detail)


def not_found() -> SnowError:
    return SnowError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def no_resource() -> SnowError:
    return SnowError(400, "Requested URI does not represent any resource")


def error_body(message: str, detail: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}


def json_answer(status: int, content: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, (("Content-Type", JSON), *headers), orjson.dumps(content))


def error_answer(error: SnowError) -> Answer:
    return json_answer(error.status, error_body(error.message, error.detail), error.headers)


def xml_answer(status: int, content: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><response>{_xml(content)}</response>'
    return Answer(status, (("Content-Type", XML), *headers), body.encode())


def _xml(content: Any) -> str:
    if isinstance(content, dict):
        parts: list[str] = []
        for name, value in content.items():
            values = value if isinstance(value, list) else [value]
            parts.extend(f"<{name}>{_xml(v)}</{name}>" if v not in ("", None) else f"<{name}/>" for v in values)
        return "".join(parts)
    return escape(str(content))


_PAGES = {
    "hibernate": (
        "Instance Hibernating page",
        '<div class="instance-hibernating-page"><h1>Your instance is hibernating</h1>'
        "<p>Sign in to the developer site to wake it.</p></div>",
    ),
    "maintenance": ("Instance offline", "<h1>Your instance is currently offline for maintenance.</h1>"),
    "login": ("Log in", '<form id="login" action="login.do"><input name="user_name"/></form>'),
    "too-long": ("Request-URI Too Long", "<h1>HTTP Status 414 - Request-URI Too Long</h1>"),
}


def page(variant: str, status: int = 200) -> Answer:
    """An HTML page where JSON is expected."""
    title, body = _PAGES.get(variant, _PAGES["hibernate"])
    html = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
    return Answer(status, (("Content-Type", HTML),), html.encode())


def unauthenticated(wording: str) -> SnowError:
    message = "User is not authenticated" if wording == "new" else "User Not Authenticated"
    return SnowError(
        401,
        message,
        "Required to provide Auth information",
        (("WWW-Authenticate", 'Basic realm="Service-now"'),),
    )


def broken(answer: Answer, variant: str) -> Answer:
    """An answer that failed while it was streamed: still its own status, usually 200.

    Variants: a rows, then an error; b an error and no rows; c a string among the rows; d JSON that does not
    parse.
    """
    message = "Transaction cancelled: maximum execution time exceeded"
    error = {
        "message": message,
        "detail": f"{message} Check logs for error trace or enable glide.rest.debug property to verify "
        "REST request processing",
    }
    try:
        result = orjson.loads(answer.body).get("result", [])
    except (orjson.JSONDecodeError, AttributeError):
        result = []
    rows = result if isinstance(result, list) else [result]
    part = rows[: max(1, len(rows) // 2)]
    if variant == "b":
        body = orjson.dumps({"error": error, "result": [], "status": "failure"})
    elif variant == "c":
        body = orjson.dumps({"result": [*part, message]})
    elif variant == "d":
        inside = orjson.dumps(part)[:-1].decode()
        body = f'{{"result":{inside}""\n],"error":{orjson.dumps(error).decode()}}}'.encode()
    else:
        body = orjson.dumps({"result": part, "error": error, "status": "failure"})
    return Answer(answer.status, answer.headers, body)

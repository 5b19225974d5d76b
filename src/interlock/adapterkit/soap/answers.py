"""What a SOAP answer means: layer by layer, from HTTP over XML and fault to the element that was asked for.

Each layer can say no. A page of HTML is not data, an HTTP 200 is not success, and a fault inside a good
status is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.adapterkit.manifest import ErrorRule
from interlock.adapterkit.outcome import BROKEN, failure, page, rule_for
from interlock.adapterkit.soap.xml import Unreadable, XmlReader, local
from interlock.adapterkit.wire import Answer
from interlock.records.problems import Problem, Reached, Slug

UNREADABLE = "unreadable-xml"
"""``native_code`` of an answer that is XML, but not such as is taken."""

ODD = "odd-answer"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DEPTH = 16
_MOST_TEXT = 500
_MOST_TAGS = 4096


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault. ``codes`` are the product's own, found in its text."""

    code: str
    text: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The element in the Body, and how many illegal characters were written out to read it."""

    element: Any
    repaired: int


def read_soap(
    answer: Answer, reader: XmlReader, rules: Sequence[ErrorRule], codes: re.Pattern[str] | None, expected: str | None
) -> Content:
    """The element in the Body of a good answer; all else raises Problem with an honest ``reached``."""
    lead = answer.body[:512].lstrip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00")[:1]
    if lead != b"<":
        raise page(answer, rules) if 200 <= answer.status < 300 and answer.status != 202 else _status(answer, rules)
    try:
        parsed = reader.parse(answer.body, answer.headers.get("content-type") or "")
    except Unreadable as reason:
        raise _unreadable(answer, rules, reason) from None
    root = parsed.root
    if local(root) != "Envelope":
        raise page(answer, rules) if local(root).lower() == "html" else _status(answer, rules)
    body = next((each for each in root if local(each) == "Body"), None)
    content = next(iter(body), None) if body is not None else None
    if content is not None and local(content) == "Fault":
        raise faulted(answer, rules, fault_of(content, codes))
    if not 200 <= answer.status < 300:
        raise _status(answer, rules)
    if content is None or (expected is not None and local(content) != expected):
        raise Problem(
            Slug.SOURCE_FAULT,
            f"the source's answer is not {expected or 'an answer of the operation'}",
            next_step="Compare the source's WSDL with the configured one.",
            layer="source",
            native_code=ODD,
            reached="maybe",
        )
    return Content(content, parsed.repaired)


def fault_of(element: Any, codes: re.Pattern[str] | None) -> Fault:
    """Code and text of a fault of SOAP 1.1 or 1.2."""
    found: dict[str, str] = {}
    for each in element.iter():
        name = local(each)
        if name in ("faultcode", "faultstring", "Value", "Text", "ErrorCode", "ErrorMessage", "message") and each.text:
            found.setdefault(name, each.text.strip())
    code = found.get("faultcode") or found.get("Value") or ""
    text = found.get("faultstring") or found.get("Text") or found.get("ErrorMessage") or found.get("message") or ""
    native = tuple(dict.fromkeys(codes.findall(text))) if codes else ()
    return Fault(code.rpartition(":")[2] or code, text[:_MOST_TEXT], native)


def faulted(answer: Answer, rules: Sequence[ErrorRule], fault: Fault) -> Problem:
    """The problem that a fault tells of. The product's rules are asked for each native code in turn, since a
    general error often stands before the one that says why."""
    for code in (*fault.codes, fault.code or None):
        rule = rule_for([each for each in rules if each.code is None or each.code == code], answer, code, fault.text)
        if rule is not None:
            break
    else:
        rule, code = None, next(iter(fault.codes), fault.code or None)
    ours = fault.code in ("Client", "Sender") or fault.code.startswith("Client.")
    general = Slug.SOURCE_REJECTED if ours else Slug.SOURCE_FAULT
    reached: Reached = "yes" if ours else "maybe"
    slug = rule.type if rule else general
    return Problem(
        slug,
        f"{_MEANINGS.get(slug, 'the source answers with a fault')}: {fault.text or fault.code or 'it gives no reason'}",
        next_step=(rule.next_step if rule else None) or _NEXT.get(slug, "Correct what native_message names."),
        retryable=rule.retryable if rule else None,
        layer="source",
        native_code=code or str(answer.status),
        native_message=fault.text or None,
        reached=(rule.reached if rule else None) or reached,
    )


_MEANINGS = {
    Slug.NOT_FOUND: "no such record, or our account may not see it",
    Slug.SOURCE_DENIED: "the source denies this to our account",
    Slug.SOURCE_REJECTED: "the source rejects the request",
    Slug.SOURCE_UNAVAILABLE: "the source is not available",
    Slug.VERSION_CONFLICT: "the source sees a conflict",
}
_NEXT = {
    Slug.NOT_FOUND: "Check the ref by a search.",
    Slug.SOURCE_UNAVAILABLE: "Try again later; after a write, read the record first.",
    Slug.SOURCE_FAULT: "Try again later; after a write, read the record first.",
}


def _status(answer: Answer, rules: Sequence[ErrorRule]) -> Problem:
    """Not SOAP at all: what the status says."""
    if 200 <= answer.status < 300:
        return page(answer, rules) if answer.status != 202 else failure(answer, rules, None, 0.0)
    return (
        page(answer, rules)
        if b"<" in answer.body[:512] and answer.status not in (401, 403, 404, 407)
        else failure(answer, rules, None, 0.0)
    )


def _unreadable(answer: Answer, rules: Sequence[ErrorRule], reason: Unreadable) -> Problem:
    head = answer.body[:1024].lower()
    if reason.cut and (b"<html" in head or b"<!doctype html" in head):
        return page(answer, rules)
    if not reason.cut and b"<!doctype html" in head:
        return page(answer, rules)
    if not 200 <= answer.status < 300 and answer.status != 500:
        return _status(answer, rules)
    return Problem(
        Slug.TOO_LARGE if reason.large else Slug.SOURCE_FAULT,
        f"the source's answer is not taken: {reason.why}",
        next_step="Ask for fewer rows or fields."
        if reason.large
        else "After a write, read the record first; if it stays so, look at the source or the proxy before it.",
        layer="source",
        native_code=BROKEN if reason.cut else UNREADABLE,
        reached="maybe",
    )


class Rows:
    """Elements as rows by local name: only ``columns``, where they are given. Remembers tags: one for each set."""

    def __init__(self, columns: Collection[str] | None = None) -> None:
        self._columns = columns
        self._names: dict[str, str | None] = {}  # tag to column; None: not wanted

    def row(self, element: Any) -> dict[str, Any]:
        """The children of an element. One that stands there twice is a list."""
        found: dict[str, Any] = {}
        names = self._names
        for child in element:
            tag = child.tag
            try:
                name = names[tag]
            except KeyError:
                name = self._name(tag)
            if name is None:
                continue
            value = child.text
            if value is None or len(child):
                value = _value(child, 1)
            found[name] = _both(found[name], value) if name in found else value
        return found

    def rows(self, element: Any, name: str) -> list[dict[str, Any]]:
        """The elements of that name directly below, each as a row."""
        return [self.row(each) for each in element if local(each) == name]

    def _name(self, tag: str) -> str | None:
        name: str | None = tag.rpartition("}")[2]
        if self._columns is not None and name not in self._columns:
            name = None
        if len(self._names) < _MOST_TAGS:
            self._names[tag] = name
        return name


def _leaf(element: Any) -> Any:
    text = element.text
    if text is None and element.attrib and element.get(_NIL) in ("true", "1"):
        return None
    return text or ""


def _value(element: Any, depth: int) -> Any:
    if not len(element):
        return _leaf(element)
    if depth >= _DEPTH:
        raise Problem(
            Slug.SOURCE_FAULT, "the source's answer is nested too deeply", layer="source", native_code=ODD,
            next_step="Compare the source's WSDL with the configured one.", reached="maybe",
        )  # fmt: skip
    found: dict[str, Any] = {}
    for child in element:
        name, value = local(child), _value(child, depth + 1)
        found[name] = _both(found[name], value) if name in found else value
    return found


def _both(one: Any, other: Any) -> list[Any]:
    return [*one, other] if isinstance(one, list) else [one, other]

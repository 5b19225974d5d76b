"""Reading XML from outside, and writing text into it. Hardened, bounded, and in one place.

No document type is accepted, so there are no entities to expand and nothing to fetch. Size and number of
elements are bounded before a tree is built; libxml2 bounds depth and text itself (``huge_tree`` stays off).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from interlock.adapterkit.wire import MEGABYTE
from interlock.records.problems import invalid

MOST_MARKS = 1_000_000
"""``<`` in a document (start and end tags) and attributes: about 100 MB of tree at most."""

_PROLOG = re.compile(
    rb"(?>\s*)(?>(?:<\?(?>(?:[^?]|\?(?!>))*)\?>|<!--(?>(?:[^-]|-(?!->))*)-->|\s+)*)<(?P<root>[^!?/\s>])", re.DOTALL
)
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_KNOWN = frozenset(
    {"utf-8", "ascii", *_WIDE, "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252", "shift_jis",
     "cp932", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr"}
)  # fmt: skip
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ILLEGAL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", '"': "&quot;"})


class Unreadable(Exception):
    """XML that is not taken; the reason, in words. ``cut``: it breaks off or is damaged."""

    def __init__(self, why: str, *, cut: bool = False, large: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.cut = cut
        self.large = large


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree, and how many illegal characters were written out to be able to read it."""

    root: Any
    repaired: int = 0


def escape(text: str, field: str = "text") -> str:
    """Text as it stands between tags. The only way a value enters XML. Raises invalid-argument for characters
    that XML 1.0 cannot hold."""
    found = _ILLEGAL.search(text)
    if found is not None or (not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text)):
        where = f"U+{ord(found.group()):04X}" if found else "half a character"
        raise invalid(field, text, f"holds {where}, which cannot be sent in XML", "Leave control characters out.")
    return text.translate(_ESCAPED)


class XmlReader:
    """Parses documents of one source. Not for several threads at once on the same reader."""

    def __init__(self, most_bytes: int = 16 * MEGABYTE, most_marks: int = MOST_MARKS) -> None:
        self._most_bytes = most_bytes
        self._most_marks = most_marks
        self._parser = etree.XMLParser(
            encoding="utf-8",  # what is handed over is; a declaration in the document does not count
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )

    def parse(self, body: bytes, content_type: str = "") -> Parsed:
        """The document. Raises Unreadable."""
        if len(body) > self._most_bytes:
            raise Unreadable(f"it is larger than {self._most_bytes} bytes", large=True)
        text = _utf8(body, content_type)
        prolog = _PROLOG.match(text)
        if prolog is None:
            if re.search(rb"<!DOCTYPE", text[:65_536], re.IGNORECASE):
                raise Unreadable("it declares a document type, which could hold entities")
            raise Unreadable("it is no XML", cut=True)
        marks = text.count(b"<")  # signs of equality are counted first: all of them are at least the attributes
        if marks + text.count(b"=") > self._most_marks:
            marks += text.count(b'="') + text.count(b"='")
        if marks > self._most_marks:
            raise Unreadable(f"it holds more than {self._most_marks} tags", large=True)
        try:
            return Parsed(etree.fromstring(text, self._parser))
        except etree.XMLSyntaxError as failure:
            repaired, times = _written_out(text)
            if not times:
                raise _unreadable(failure) from None
        try:
            return Parsed(etree.fromstring(repaired, self._parser), times)
        except etree.XMLSyntaxError as failure:
            raise _unreadable(failure) from None


def _unreadable(failure: etree.XMLSyntaxError) -> Unreadable:
    # The parser's words may quote the document; its codes do not.
    said = failure.msg or ""
    if "huge" in said.lower() or "Excessive depth" in said or "too long" in said.lower():
        return Unreadable("it is nested too deeply or holds a text that is too long", large=True)
    if "Entity" in said:
        return Unreadable("it names an entity, and none are allowed")
    line = getattr(failure, "lineno", None)
    return Unreadable(f"it breaks off or is damaged (line {line})" if line else "it is damaged", cut=True)


def _utf8(body: bytes, content_type: str) -> bytes:
    """The document in UTF-8. A byte order mark counts first, then the HTTP charset, then the declaration
    (RFC 7303). Nothing is guessed and nothing replaced: bytes that do not fit are an error."""
    if body[:1] in b" \t\r\n":  # before an XML declaration it is no XML, but harmless and often seen
        body = body.lstrip(b" \t\r\n")
    if not body:
        raise Unreadable("it is empty", cut=True)
    name = next((charset for mark, charset in _BOMS if body.startswith(mark)), None)
    if name is None:
        told = _CHARSET.search(content_type)
        declared = _DECLARED.match(body[:400])
        name = told.group(1) if told else declared.group(1).decode() if declared else "utf-8"
        if body[:1] == b"<" and body[1:2] != b"\x00" and _codec(name) in _WIDE:
            name = "utf-8"  # a proxy or recorder changed the bytes and not the label: ASCII shows it
    codec = _codec(name)
    if codec not in _KNOWN:
        raise Unreadable(f"it is in the charset {name}, which is not read here")
    try:
        if codec in ("utf-8", "ascii"):
            body.decode("utf-8")
            return body.removeprefix(codecs.BOM_UTF8)
        return body.decode(codec).encode("utf-8")
    except UnicodeError:
        raise Unreadable(f"its bytes are not the charset {name} that it declares") from None


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def _written_out(text: bytes) -> tuple[bytes, int]:
    """Illegal characters, as pasted mails bring them, written out visibly: ``⟦U+000B⟧``; and how many."""
    times = 0

    def mark(number: int) -> bytes:
        nonlocal times
        times += 1
        return f"⟦U+{number:04X}⟧".encode()

    def reference(found: re.Match[bytes]) -> bytes:
        number = int(found.group(1), 16) if found.group(1) else int(found.group(2))
        legal = number in (9, 10, 13) or 0x20 <= number <= 0xD7FF or 0xE000 <= number <= 0xFFFD
        return found.group() if legal or 0x10000 <= number <= 0x10FFFF else mark(number)

    text = _ILLEGAL_BYTES.sub(lambda found: mark(found.group()[0]), text)
    return _REFERENCE.sub(reference, text), times


def local(element: Any) -> str:
    """The local name of an element."""
    tag: str = element.tag
    return tag.rpartition("}")[2]

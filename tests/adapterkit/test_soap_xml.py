"""The XML reader: nothing is expanded or fetched, and every document ends within bounds."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from interlock.adapterkit.soap.xml import Unreadable, XmlReader, escape
from interlock.records.problems import Problem, Slug

BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>"""


def refused(body: bytes, content_type: str = "", reader: XmlReader | None = None) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        (reader or XmlReader()).parse(body, content_type)
    return caught.value


def text(body: bytes, content_type: str = "") -> str:
    return str(XmlReader().parse(body, content_type).root.text)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<?xml version="1.0"?><!-- <a> --><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<?pi <b ?><!DOCTYPE a><a/>",
        BOMB.decode().encode("utf-16"),
    ],
)
def test_document_types_are_refused_before_parsing(body: bytes) -> None:
    assert "document type" in refused(body).why


def test_an_entity_without_a_type_is_refused() -> None:
    assert "entity" in refused(b"<a>&x;</a>").why


def test_a_document_type_inside_text_is_text() -> None:
    assert text(b"<a><![CDATA[<!DOCTYPE html>]]></a>") == "<!DOCTYPE html>"


def test_depth_is_bounded() -> None:
    assert refused(b"<a>" * 5000 + b"</a>" * 5000).large


@pytest.mark.parametrize("body", [b"<a>" + b"<b/>" * 1_100_000 + b"</a>", b"<a " + b'c="" ' * 1_100_000 + b"/>"])
def test_tags_and_attributes_are_counted_before_a_tree_is_built(body: bytes) -> None:
    tracemalloc.start()
    began = time.perf_counter()
    assert refused(body).large
    assert time.perf_counter() - began < 2.0
    assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    tracemalloc.stop()


def test_one_huge_text_is_refused() -> None:
    assert refused(b"<a>" + b"x" * 11_000_000 + b"</a>").large


def test_bytes_are_bounded() -> None:
    assert refused(b"<a>" + b"x" * 200 + b"</a>", reader=XmlReader(most_bytes=100)).large


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b"<a><b></a>", b"<a>", b"<a>\xc3", b"<a", b"not xml at all"])
def test_what_is_cut_or_no_xml_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<a>ä€</a>".encode(), "text/xml"),
        ("<a>ä€</a>".encode("utf-8-sig"), "text/xml; charset=utf-16"),  # the mark counts first
        ('<?xml version="1.0" encoding="windows-1252"?><a>ä€</a>'.encode("cp1252"), "text/xml"),
        ("<a>ä€</a>".encode("cp1252"), 'text/xml; charset="windows-1252"'),
        ('<?xml version="1.0" encoding="utf-16"?><a>ä€</a>'.encode("utf-16"), "text/xml"),
        ('<?xml version="1.0" encoding="utf-16"?><a>ä€</a>'.encode(), "text/xml"),  # a proxy recoded it
        ('\n <?xml version="1.0" encoding="utf-8"?><a>ä€</a>'.encode(), "text/xml"),
    ],
)
def test_charsets(body: bytes, content_type: str) -> None:
    assert text(body, content_type) == "ä€"


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        ("<a>ä</a>".encode("latin-1"), "text/xml; charset=utf-8", "bytes are not the charset"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "", "charset utf-7"),
        (b"<a/>", "text/xml; charset=klingon", "charset klingon"),
        (b"<a/>", "text/xml; charset=rot13", "charset rot13"),
        (b"<a>\x81</a>", "text/xml; charset=windows-1252", "bytes are not the charset"),
    ],
)
def test_wrong_charsets_are_told_and_nothing_is_guessed(body: bytes, content_type: str, why: str) -> None:
    assert why in refused(body, content_type).why


def test_illegal_characters_are_written_out_and_counted() -> None:
    found = XmlReader().parse(b"<a>one\x0btwo&#x1F;three&#11;&#xFFFE;&#x1F600;</a>")
    assert found.root.text == "one⟦U+000B⟧two⟦U+001F⟧three⟦U+000B⟧⟦U+FFFE⟧\U0001f600"
    assert found.repaired == 4
    assert XmlReader().parse(b"<a>fine</a>").repaired == 0


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    try:
        XmlReader().parse(body)
    except Unreadable:
        pass


@given(st.text(max_size=100))
def test_what_is_escaped_reads_back(value: str) -> None:
    if any((ord(c) < 32 and c not in "\t\n\r") or 0xD800 <= ord(c) <= 0xDFFF or c in "\ufffe\uffff" for c in value):
        with pytest.raises(Problem) as caught:
            escape(value)
        assert caught.value.slug is Slug.INVALID_ARGUMENT
        return
    read = etree.fromstring(f"<a>{escape(value)}</a>".encode())
    assert (read.text or "") == value
    assert len(read) == 0

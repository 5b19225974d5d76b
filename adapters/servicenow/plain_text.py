"""HTML as plain text: what a person would read of it, bounded, without markup, scripts or styles."""

from __future__ import annotations

import re
from html.parser import HTMLParser

MOST_READ = 400_000
"""Characters of HTML that are looked at; what comes after is not read."""
MOST_TEXT = 40_000
"""Characters of text that are kept."""

_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg"})
_BLOCKS = frozenset(
    ("p", "div", "br", "hr", "li", "ul", "ol", "tr", "table", "section", "article", "blockquote", "pre", "dt", "dd")
) | frozenset(f"h{n}" for n in range(1, 7))
_BREAKS = re.compile(r"\n{3,}")
_BLANKS = re.compile(r"[ \t\f\v\u00a0]+")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag in _BLOCKS:
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:  # one that closes itself silences nothing
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BLOCKS and tag != "li":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def plain_text(html: str) -> str:
    """The text of a piece of HTML. Text without markup comes out as it is, but for its white space."""
    parser = _Text()
    parser.feed(html[:MOST_READ])
    parser.close()
    lines = (_BLANKS.sub(" ", line).strip() for line in "".join(parser.parts).replace("\r", "").split("\n"))
    return _BREAKS.sub("\n\n", "\n".join(lines)).strip()[:MOST_TEXT]

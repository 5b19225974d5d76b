"""Pseudonyms of one recording: another value of the same form for each, and the way back while it is recorded.

Letters become letters and digits digits, from an HMAC of the value under a key that is made for the recording and
never written. What stands between them stays, so that a mail stays a mail, and a query language meets no character
that it did not meet before. Long texts become other words of about the same length.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
from collections.abc import Iterable, Iterator

LEAST = 8
"""Pseudonyms have so many characters at least, so that none stands in a request by chance."""
LONG = 120
_ADDRESS = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})(/\d{1,2})?")
_HEX = re.compile(r"[0-9A-Fa-f]*(?:[:-][0-9A-Fa-f]*){2,7}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}")


class Pseudonyms:
    """The same value has the same pseudonym everywhere.

    ``avoid`` are values that no pseudonym may look like; what ``refuse`` finds is never put back into a request.
    """

    def __init__(self, avoid: Iterable[str] = (), refuse: Iterable[str] = ()) -> None:
        self._key = secrets.token_bytes(32)
        self._refuse = [re.compile(pattern) for pattern in refuse]
        self._given: dict[str, str] = {}
        self._meant: dict[str, str] = {}
        self._avoid = frozenset(avoid)

    def of(self, value: str) -> str:
        """The pseudonym of a value; a pseudonym stands for itself."""
        known = self._given.get(value)
        if known is not None:
            return known
        if value in self._meant or not any(letter.isalnum() for letter in value):
            return value
        for attempt in range(1000):
            made = self._made(value, attempt)
            if made not in self._meant and made not in self._given and made not in self._avoid and made != value:
                self._given[value], self._meant[made] = made, value
                return made
        raise ValueError("no free pseudonym of this form is left")

    def back(self, text: str) -> str:
        """A text of a request with the values for their pseudonyms, longest first."""
        inside = [each for each, value in self._meant.items() if each in text and self._asked(value)]
        if not inside:
            return text
        either = "|".join(map(re.escape, sorted(inside, key=len, reverse=True)))
        return re.sub(either, lambda found: self._meant[found[0]], text)

    def _asked(self, value: str) -> bool:
        return not any(pattern.search(value) for pattern in self._refuse)

    def _made(self, value: str, attempt: int) -> str:
        stream = self._stream(f"{attempt}:{value}")
        if address := _ADDRESS.fullmatch(value):
            octets = [10, *(next(stream) for _ in range(3))]
            return ".".join(map(str, octets)) + (address[2] or "")
        if _HEX.fullmatch(value):
            return "".join(f"{next(stream) % 16:x}" if letter.isalnum() else letter for letter in value)
        if len(value) > LONG or "\n" in value:
            return _prose(stream, -(-len(value) // 32) * 32)
        made = "".join(_other(letter, stream) for letter in value)
        return made + "".join(_other("a", stream) for _ in range(LEAST - len(made)))

    def _stream(self, seed: str) -> Iterator[int]:
        block = 0
        while True:
            yield from hmac.digest(self._key, f"{block}:{seed}".encode("utf-8", "surrogatepass"), "sha256")
            block += 1


def _other(letter: str, stream: Iterator[int]) -> str:
    if letter.isdigit():
        return string.digits[next(stream) % 10]
    if letter.isalpha():
        return (string.ascii_uppercase if letter.isupper() else string.ascii_lowercase)[next(stream) % 26]
    return letter


def _prose(stream: Iterator[int], length: int) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < length:
        words.append("".join(_other("a", stream) for _ in range(3 + next(stream) % 7)))
    return " ".join(words)[:length].strip()

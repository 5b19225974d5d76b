"""The bytes of a file: plain or gzip, never more than the bound, and the encoding they are in."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from interlock.adapterkit.tabular_form import ENCODINGS, FileForm, trouble
from interlock.records.problems import Slug

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class _Bounded(io.RawIOBase):
    """A stream that ends in a Problem after ``bound`` bytes (a gzip bomb, a file of the wrong kind)."""

    def __init__(self, inner: IO[bytes], bound: int, name: str) -> None:
        self._inner = inner
        self._bound = bound
        self._name = name
        self._passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            chunk = self._inner.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise trouble(
                Slug.SOURCE_FAULT,
                self._name,
                f"is not a whole gzip file ({error})",
                "Fetch the file again; it may still have been written when it was read.",
            ) from None
        self._passed += len(chunk)
        if self._passed > self._bound:
            raise trouble(
                Slug.TOO_LARGE,
                self._name,
                f"holds more than {self._bound:,} bytes after decompression",
                "Raise max_bytes of this file if it is really so large.",
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


@contextmanager
def open_bytes(path: Path, form: FileForm) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed when its name ends in .gz. Raises Problem when it cannot be opened."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise trouble(
            Slug.SOURCE_UNAVAILABLE,
            path.name,
            f"cannot be opened ({error.strerror or type(error).__name__})",
            f"Check that {path.parent} holds it and that this process may read it.",
        ) from None
    with raw:
        inner: IO[bytes] = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[assignment]
        with io.BufferedReader(_Bounded(inner, form.bounds.bytes, path.name), 1 << 18) as stream:
            yield stream


@contextmanager
def open_text(path: Path, form: FileForm) -> Iterator[tuple[str, IO[str]]]:
    """The file's text with the encoding used. Line ends are left as they are: they may be quoted.

    Undeclared, an encoding is only taken when it is certain: a byte order mark, else strict UTF-8. The
    one-byte encodings fit any bytes, so they are never detected, only declared.
    """
    with open_bytes(path, form) as stream:
        start = stream.peek(4) if isinstance(stream, io.BufferedReader) else b""
        marked = next((name for mark, name in _BOMS if start.startswith(mark)), None)
        encoding = form.encoding or marked or "utf-8"
        if marked == "utf-8-sig" and encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            encoding = marked
        with io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline="") as text:
            yield encoding, text


def not_decodable(name: str, encoding: str, error: UnicodeError, line: int) -> Exception:
    """The Problem of bytes that are not in the encoding."""
    byte = ""
    if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
        byte = f" (byte 0x{error.object[error.start]:02x})"
    return trouble(
        Slug.SOURCE_FAULT,
        name,
        f"is not {encoding}{byte}",
        f"Declare the encoding of this file; common ones: {', '.join(ENCODINGS)}.",
        line=line,
    )

"""A WSDL and what it imports, read from disk only, checked before anything parses it for its meaning.

Nothing is ever fetched: an import by URL is answered by a file of the same name beside the WSDL, or refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from interlock.adapterkit.soap.xml import Unreadable, XmlReader
from interlock.adapterkit.wire import MEGABYTE
from interlock.records.problems import Problem, invalid

MOST_BYTES = 8 * MEGABYTE
MOST_FILES = 64
_IMPORTS = {
    "{http://schemas.xmlsoap.org/wsdl/}import": "location",
    "{http://www.w3.org/2001/XMLSchema}import": "schemaLocation",
    "{http://www.w3.org/2001/XMLSchema}include": "schemaLocation",
    "{http://www.w3.org/2001/XMLSchema}redefine": "schemaLocation",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files, by path; ``main`` is the WSDL. ``enums`` are the values of named simple types."""

    main: Path
    files: Mapping[Path, bytes]
    enums: Mapping[tuple[str, str], tuple[str, ...]]

    @property
    def digest(self) -> str:
        """Of all contents and names: equal digests compile to equal services."""
        found = hashlib.blake2b(digest_size=20)
        for path, body in sorted(self.files.items(), key=lambda item: (item[0] != self.main, item[0].name)):
            found.update(f"{path.name}\0{len(body)}\0".encode())
            found.update(body)
        return found.hexdigest()

    def content(self, address: str) -> bytes:
        """What stands at an address of an import. Raises Problem for what is not in the bundle."""
        path = _beside(self.main.parent, address)
        if path in self.files:
            return self.files[path]
        raise _missing(self.main, address)


def read_bundle(main: Path) -> Bundle:
    """Read a WSDL and its imports. Raises Problem naming the file and the way out."""
    main = main.resolve()
    files: dict[Path, bytes] = {}
    enums: dict[tuple[str, str], tuple[str, ...]] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        if len(files) >= MOST_FILES:
            raise invalid("wsdl", main.name, f"imports more than {MOST_FILES} files", "Use a smaller bundle.")
        body = files[path] = _file(path)
        try:
            root = XmlReader(MOST_BYTES).parse(body).root
        except Unreadable as reason:
            raise invalid("wsdl", path.name, f"cannot be read: {reason.why}", "Export it again as XML.") from None
        for element in root.iter(*_IMPORTS):
            address = element.get(_IMPORTS[element.tag])
            if not address:
                continue
            found = _beside(path.parent, address)
            if not found.is_file():
                raise _missing(path, address)
            waiting.append(found)
        for schema in root.iter("{http://www.w3.org/2001/XMLSchema}schema"):
            space = schema.get("targetNamespace") or ""
            for named in schema.iterchildren("{http://www.w3.org/2001/XMLSchema}simpleType"):
                values = [each.get("value") for each in named.iter("{http://www.w3.org/2001/XMLSchema}enumeration")]
                enums[space, named.get("name") or ""] = tuple(value for value in values if value is not None)
    return Bundle(main, files, enums)


def _beside(folder: Path, address: str) -> Path:
    """The file an import means: a URL or absolute path means the file of that name in the folder."""
    parts = urlsplit(address)
    path = Path(unquote(parts.path))
    if parts.scheme or path.is_absolute():
        return folder / path.name
    found = (folder / path).resolve()
    return found if found.is_relative_to(folder) else folder / path.name


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise invalid("wsdl", str(path), f"is larger than {MOST_BYTES} bytes", "Use the service's own WSDL.")
        return path.read_bytes()
    except OSError as failure:
        raise invalid("wsdl", str(path), f"cannot be read: {failure.strerror}", "Check the name.") from None


def _missing(path: Path, address: str) -> Problem:
    name = Path(unquote(urlsplit(address).path)).name
    return invalid(
        "wsdl", path.name, f"imports {address[:200]}, which is not beside it; nothing is fetched",
        f"Save that file as {name} beside {path.name}.",
    )  # fmt: skip

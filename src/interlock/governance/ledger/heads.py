"""Signed heads: now and then the last hash is signed and written to a file outside the database.

A chain shows that nothing in it was altered; only something outside it shows that its end was not cut off.
The anchor file holds one JSON object a line: ``{"at", "chain", "hash", "key", "seq", "sig", "v"}``, where
``sig`` is the Ed25519 signature (base64) of the canonical JSON of the other members, and ``key`` the first
16 hex digits of the SHA-256 of the raw public key. Whoever can read the state folder can also sign: keep
the anchors (or at least the public key and the last line) where that user cannot write.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from interlock.state.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY = "ledger.key"
PUBLIC = "ledger.pub"
ANCHORS = "anchors.jsonl"
_MAX_LINE = 2_000


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain at one moment: the entry ``seq`` had the hash ``hash`` (hex)."""

    chain: str
    seq: int
    hash: str
    at: int  # microseconds since the epoch


class Signer:
    """Signs heads with the folder's Ed25519 key and appends them to the anchor file."""

    def __init__(self, folder: Path, anchors: Path) -> None:
        self.anchors = anchors
        self._key = _private_key(folder)
        self._name = _fingerprint(self._key.public_key())
        anchors.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(anchors, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            # A line torn by a crash stays as it is and gets its end; readers pass over it.
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                os.pwrite(descriptor, b"\n", size)
        finally:
            os.close(descriptor)

    def sign(self, head: Head) -> None:
        """Append the signed head, durably. Raises OSError."""
        members = _members(head, self._name)
        members["sig"] = base64.b64encode(self._key.sign(_bytes(members))).decode()
        descriptor = os.open(self.anchors, os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _bytes(members) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Read:
    """One line of an anchor file: a head, or why it is none."""

    line: int
    head: Head | None
    fault: str | None = None


def read_anchors(path: Path, public: Ed25519PublicKey) -> Iterator[Read]:
    """The lines of an anchor file with their signatures checked. A torn line is no head and no fault."""
    from cryptography.exceptions import InvalidSignature

    name = _fingerprint(public)
    with path.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(_MAX_LINE), b""), start=1):
            try:
                members: dict[str, Any] = orjson.loads(line)
                signature = base64.b64decode(members.pop("sig"))
                head = Head(members["chain"], members["seq"], members["hash"], members["at"])
            except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
                yield Read(number, None)
                continue
            if members.get("key") != name:
                yield Read(number, None, "signed with another key")
                continue
            try:
                public.verify(signature, _bytes(members))
            except InvalidSignature:
                yield Read(number, None, "its signature is wrong")
                continue
            yield Read(number, head)


def public_key(source: Path | bytes) -> Ed25519PublicKey:
    """A public key from a PEM file, PEM bytes, or 32 raw bytes. Raises StateError."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        if len(content) == 32:
            return Ed25519PublicKey.from_public_bytes(content)
        key = serialization.load_pem_public_key(content)
    except (OSError, ValueError) as error:
        raise StateError("the ledger's public key cannot be read", f"It is {PUBLIC} in the state folder.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise StateError("the ledger's public key is not an Ed25519 key")
    return key


def _private_key(folder: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path, public = folder / KEY, folder / PUBLIC
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise StateError(f"{path} cannot be read as a key", "Restore it from a backup.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise StateError(f"{path} is not an Ed25519 key", "Restore it from a backup.")
    elif public.exists():
        raise StateError(
            f"{path} is missing, but {PUBLIC} is there: earlier heads could not be continued",
            f"Restore the key; or move {PUBLIC} and the anchor file away to start with a new key.",
        )
    else:
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_new(path, pem)
    if not public.exists():
        _write_new(
            public,
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )
    return key


def _write_new(path: Path, content: bytes) -> None:
    """Whole or not at all: a crash must not leave half a key."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(path)


def _members(head: Head, key: str) -> dict[str, Any]:
    return {"at": head.at, "chain": head.chain, "hash": head.hash, "key": key, "seq": head.seq, "v": 1}


def _bytes(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def _fingerprint(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
